//! Wrong scenarios: each file of `fixtures/bad/` gives the errors of its snapshot, and each code has a file.
//!
//! A line `# args: …` holds arguments as on the command line. The environment is empty; files are those beside them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, which clippy takes for production code"
)]

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use mcpload::diag::codes::CODES;
use mcpload::scenario::Overrides;
use proptest::prelude::*;
use support::{file, plan};

fn files() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/bad");
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn overrides(text: &str) -> Overrides<'static> {
    let mut overrides = Overrides {
        files: &file,
        ..Overrides::none()
    };
    let line = text.lines().find_map(|line| line.strip_prefix("# args: "));
    let mut words = line.unwrap_or("").split_whitespace();
    while let (Some(flag), Some(value)) = (words.next(), words.next()) {
        match flag {
            "--set" => overrides.set.push(value.to_owned()),
            "--variant" => overrides.variants.push(value.to_owned()),
            other => panic!("unknown argument {other}"),
        }
    }
    overrides
}

#[test]
fn each_wrong_scenario_gives_its_errors() {
    for (name, text) in files() {
        let path = format!("fixtures/bad/{name}.toml");
        match plan(&path, &text, &overrides(&text)) {
            Ok(_) => panic!("{path} has no error"),
            Err(wrong) => insta::assert_snapshot!(format!("bad-{name}"), wrong.render(false)),
        }
    }
}

#[test]
fn each_code_has_a_wrong_scenario_of_its_name() {
    let mut seen = BTreeSet::new();
    for (name, text) in files() {
        let path = format!("fixtures/bad/{name}.toml");
        let wrong = plan(&path, &text, &overrides(&text)).unwrap_err();
        let codes: BTreeSet<&str> = wrong.iter().map(|one| one.code.name).collect();
        if CODES.iter().any(|code| code.name == name) {
            assert!(codes.contains(name.as_str()), "{path} gives {codes:?}");
            seen.insert(name);
        }
    }
    let missing: Vec<&str> = CODES
        .iter()
        .map(|code| code.name)
        .filter(|code| !seen.contains(*code))
        .collect();
    assert!(
        missing.is_empty(),
        "no file in fixtures/bad for {missing:?}"
    );
}

#[test]
fn no_error_is_without_a_position_in_its_text() {
    for (name, text) in files() {
        let path = format!("fixtures/bad/{name}.toml");
        let wrong = plan(&path, &text, &overrides(&text)).unwrap_err();
        for one in wrong.iter().filter(|one| one.place.source == 0) {
            assert!(one.place.span.end <= text.len(), "{path}: {one:?}");
            let whole = one.place.span.end == 0;
            assert!(!whole || one.code.name == "missing-key", "{path}: {one:?}");
        }
    }
}

#[test]
fn no_message_shows_a_secret() {
    for (name, text) in files()
        .into_iter()
        .filter(|(name, _)| name.starts_with("secret"))
    {
        let wrong = plan(&name, &text, &overrides(&text)).unwrap_err();
        assert!(!wrong.render(true).contains("hunter2"), "{wrong}");
        assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
    }
}

proptest! {
    #[test]
    fn a_damaged_scenario_is_refused_or_compiled_but_never_breaks_anything(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        length in 0_usize..30,
        with in prop_oneof![Just(String::new()), "[a-z0-9=\"\\[\\]{}.#\n -]{0,12}", any::<String>()],
    ) {
        let files = files();
        let mut all: Vec<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
        all.push(include_str!("../scenarios/quickstart.toml"));
        let text = all[which.index(all.len())];
        let characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        let damaged: String = characters[..at]
            .iter()
            .copied()
            .chain(with.chars())
            .chain(characters.iter().copied().skip(at + length))
            .collect();
        match plan("damaged", &damaged, &overrides(text)) {
            Ok(plan) => {
                mcpload::plan::preview::preview(&plan, 1000);
                let stored = serde_json::to_string(&plan).unwrap();
                prop_assert_eq!(serde_json::from_str::<mcpload::plan::Plan>(&stored).unwrap(), plan);
            }
            Err(wrong) => {
                prop_assert!(!wrong.is_empty());
                prop_assert!(wrong.render(true).contains("error"));
            }
        }
    }
}
