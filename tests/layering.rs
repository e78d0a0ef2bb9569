//! Holds the source to what `ARCHITECTURE.md` says of it: which files are pure, and which part may know which.
//!
//! Reads the text of `src/`; nothing is compiled for it. Test modules and comments do not count: a test of pure code may
//! write a file. An exception stands in a list here, with its reason, or it does not stand.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Names that no pure file uses: input and output, clocks, processes, threads, runtimes.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio_util",
    "hyper",
    "hyper_util",
    "reqwest",
    "axum",
    "nix",
    "goose",
    "std::fs",
    "std::process",
    "std::thread",
    "std::os",
    "std::env",
    "Instant",
    "SystemTime",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "ToSocketAddrs",
    "println",
    "eprintln",
];

/// What a pure file may use all the same: file below `src/`, name, reason.
const IMPURE_ALLOWED: &[(&str, &str, &str)] = &[(
    "mcp/exchange/facts",
    "nix",
    "names of error numbers; nothing is asked of the system",
)];

/// Files and folders below `src/` that must call themselves pure.
const MUST_BE_PURE: &[&str] = &[
    "model",
    "registry",
    "diag",
    "catalog",
    "scenario",
    "plan",
    "analysis",
    "check",
    "report",
    "calibrate",
    "load/profiles",
    "load/frames",
    "fault/wire",
    "fault/link",
];

/// What is not pure although it stands below one of those: file below `src/`, reason.
const MAY_BE_IMPURE: &[(&str, &str)] = &[];

/// Who may not know whom: a file or folder below `src/`, the paths in the crate that it never names, and why.
const NEVER: &[(&str, &[&str], &str)] = &[
    (
        "analysis",
        RUNNING,
        "the right half judges what was recorded, never what runs",
    ),
    (
        "check",
        RUNNING,
        "the right half judges what was recorded, never what runs",
    ),
    (
        "report",
        RUNNING,
        "the right half judges what was recorded, never what runs",
    ),
    (
        "judge",
        RUNNING,
        "the right half judges what was recorded, never what runs",
    ),
    (
        "calibrate",
        RUNNING,
        "the instrument is judged by what was recorded, like a fleet",
    ),
    (
        "report",
        &["record::reader", "judge"],
        "a report is made of the Report alone",
    ),
    (
        "record",
        &["engine", "scenario", "check", "report", "reference", "cli"],
        "the run directory is below both halves",
    ),
    (
        "plan",
        &["engine", "analysis", "report", "record", "mcp", "cli"],
        "a plan is made before anything runs or is judged",
    ),
    (
        "scenario",
        &["engine", "analysis", "report", "record", "mcp", "cli"],
        "a scenario is read before anything runs or is judged",
    ),
    (
        "mcp",
        &["engine", "fleet", "analysis", "check", "report", "cli"],
        "the protocol knows no harness around it",
    ),
    (
        "load",
        &[
            "engine",
            "fleet::process",
            "analysis",
            "check",
            "report",
            "cli",
        ],
        "a worker knows its plan and its frames",
    ),
    (
        "proxy",
        &[
            "engine", "fleet", "load", "plan", "mcp", "analysis", "check", "report", "scenario",
            "cli",
        ],
        "a proxy knows its rules and its sockets",
    ),
    (
        "reference",
        &[
            "engine", "load", "analysis", "check", "report", "plan", "record", "cli",
        ],
        "the reference fleet is under test, it does not test",
    ),
    (
        "heal",
        &[
            "engine", "load", "mcp", "analysis", "check", "report", "cli",
        ],
        "healing needs nothing of what runs: it must work when that is gone",
    ),
    (
        "fleet",
        &["engine", "load", "analysis", "check", "report", "cli"],
        "a fleet is deployed, whatever is then done to it",
    ),
];

/// What only the left half has.
const RUNNING: &[&str] = &[
    "engine",
    "fleet::process",
    "fleet::slot",
    "fleet::instance",
    "load::worker",
    "mcp",
    "reference",
    "cli",
    "clock",
    "timer",
];

/// Parts that know nothing of the crate but what is listed.
const KNOWS_ONLY: &[(&str, &[&str])] = &[
    ("model", &["model"]),
    ("clock", &["model", "clock"]),
    ("timer", &["clock", "timer"]),
];

struct Source {
    /// Below `src/`, without `.rs`, `/` between the parts.
    name: String,
    text: String,
}

impl Source {
    fn calls_itself_pure(&self) -> bool {
        self.module_docs().any(|line| line.starts_with("//! Pure."))
    }

    fn module_docs(&self) -> impl Iterator<Item = &str> {
        self.text.lines().take_while(|line| line.starts_with("//!"))
    }

    /// The lines of code with their numbers: without comments, up to the first test module.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]"
                && (pair[1].contains("mod ") || pair[1].trim_start().starts_with("#["))
        });
        let end = tests.unwrap_or(lines.len());
        lines
            .into_iter()
            .take(end)
            .enumerate()
            .filter_map(|(number, line)| {
                let code = line.split("//").next().unwrap_or_default();
                (!code.trim().is_empty()).then_some((number + 1, code))
            })
    }

    fn is_in(&self, part: &str) -> bool {
        self.name == part
            || self
                .name
                .strip_prefix(part)
                .is_some_and(|rest| rest.starts_with('/'))
    }

    fn is_test(&self) -> bool {
        self.name == "tests" || self.name.ends_with("/tests") || self.name.contains("/tests/")
    }
}

fn sources() -> Vec<Source> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    assert!(found.len() > 50, "only {} files below src/", found.len());
    let read = |path: PathBuf| Source {
        name: path
            .strip_prefix(&root)
            .unwrap()
            .with_extension("")
            .to_string_lossy()
            .into_owned(),
        text: fs::read_to_string(&path).unwrap(),
    };
    found.into_iter().map(read).collect()
}

/// `code` without what stands between quotes in this line: a summary for people may name anything.
fn without_strings(code: &str) -> String {
    code.split('"').step_by(2).collect()
}

/// Whether `code` holds `name` as whole words: `hyper` is not in `hyper_util`.
fn names(code: &str, name: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(name).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        let after = code[start + name.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// The paths of the crate (`model::event`) that a file names in its code, with a line of each.
///
/// Reads `crate::a::b`, `crate::{a::b, c}` and chains of `super::` that reach the crate's root.
fn crate_paths(source: &Source) -> BTreeSet<(String, usize)> {
    let depth = source.name.split('/').count();
    let up_to_root = "super::".repeat(depth);
    let mut paths = BTreeSet::new();
    let mut open_group: Option<usize> = None;
    for (number, code) in source.code() {
        if let Some(started) = open_group {
            paths.extend(group(code).map(|path| (path, started)));
            if code.contains("};") {
                open_group = None;
            }
            continue;
        }
        let roots = ["crate::", up_to_root.as_str(), "mcpload::"];
        for rest in roots.iter().flat_map(|root| code.split(root).skip(1)) {
            if let Some(inside) = rest.strip_prefix('{') {
                paths.extend(group(inside).map(|path| (path, number)));
                open_group = (!inside.contains('}')).then_some(number);
            } else {
                paths.insert((leading_path(rest), number));
            }
        }
    }
    paths
}

/// The paths in `a::b, c::{d, e}};`: inner braces are read as paths of their own, which is enough to find the first part.
fn group(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split([',', '{', '}'])
        .map(|part| leading_path(part.trim()))
        .filter(|path| !path.is_empty())
}

fn leading_path(text: &str) -> String {
    let end = text
        .find(|character: char| {
            !(character.is_alphanumeric() || character == '_' || character == ':')
        })
        .unwrap_or(text.len());
    text[..end].trim_end_matches(':').to_owned()
}

fn reaches(path: &str, part: &str) -> bool {
    path == part
        || path
            .strip_prefix(part)
            .is_some_and(|rest| rest.starts_with("::"))
}

fn assert_none(violations: &[String], what: &str) {
    assert!(
        violations.is_empty(),
        "{what}:\n  {}",
        violations.join("\n  ")
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|source| source.module_docs().next().is_none())
        .map(|source| format!("src/{}.rs", source.name))
        .collect();
    assert_none(&silent, "no module documentation (`//!`) on the first line");
}

#[test]
fn no_folder_hides_its_front_page() {
    let hidden: Vec<String> = sources()
        .into_iter()
        .filter(|source| source.name.ends_with("/mod"))
        .map(|source| format!("src/{}.rs", source.name))
        .collect();
    assert_none(&hidden, "the front page of `x/` is `x.rs`");
}

#[test]
fn the_parts_that_decide_are_pure() {
    let excused = |source: &Source| {
        source.is_test() || MAY_BE_IMPURE.iter().any(|(name, _)| *name == source.name)
    };
    let unmarked: Vec<String> = sources()
        .into_iter()
        .filter(|source| MUST_BE_PURE.iter().any(|part| source.is_in(part)))
        .filter(|source| !source.calls_itself_pure() && !excused(source))
        .map(|source| format!("src/{}.rs", source.name))
        .collect();
    assert_none(
        &unmarked,
        "no line of the module documentation starts with `Pure.`",
    );
}

#[test]
fn a_file_that_calls_itself_pure_is_pure() {
    let mut violations = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| source.calls_itself_pure() && !source.is_test())
    {
        for (number, code) in source.code() {
            let code = without_strings(code);
            for name in IMPURE.iter().filter(|name| names(&code, name)) {
                let allowed = IMPURE_ALLOWED
                    .iter()
                    .any(|(file, word, _)| *file == source.name && word == name);
                if !allowed {
                    violations.push(format!("src/{}.rs:{number} names `{name}`", source.name));
                }
            }
        }
    }
    assert_none(&violations, "pure files with an impure name");
}

#[test]
fn no_part_knows_what_it_must_not() {
    let mut violations = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        for (path, number) in crate_paths(source) {
            let place = format!("src/{}.rs:{number} names `crate::{path}`", source.name);
            for (part, never, reason) in NEVER {
                if source.is_in(part) && never.iter().any(|other| reaches(&path, other)) {
                    violations.push(format!("{place}; {reason}"));
                }
            }
            for (part, only) in KNOWS_ONLY {
                if source.is_in(part) && !only.iter().any(|other| reaches(&path, other)) {
                    violations.push(format!("{place}; it knows only {}", only.join(", ")));
                }
            }
        }
    }
    assert_none(&violations, "imports against the layers");
}

#[test]
fn exceptions_are_still_needed() {
    let sources = sources();
    let find = |file: &str| sources.iter().find(|source| source.name == file);
    for (file, word, reason) in IMPURE_ALLOWED {
        let used =
            find(file).is_some_and(|source| source.code().any(|(_, code)| names(code, word)));
        assert!(used, "src/{file}.rs no longer needs `{word}` ({reason})");
    }
    for (file, reason) in MAY_BE_IMPURE {
        let needed = find(file).is_some_and(|source| !source.calls_itself_pure());
        assert!(
            needed,
            "src/{file}.rs needs no exception any more ({reason})"
        );
    }
}

#[test]
fn the_reading_of_imports_sees_every_form() {
    let source = Source {
        name: "analysis/deep".to_owned(),
        text: "//! Pure.\n\
               use crate::model::{Offset, Share};\n\
               use crate::{check::Finding, engine};\n\
               use super::super::mcp::http; // crate::comment\n\
               use crate::{\n    cli::exit,\n    plan,\n};\n\
               fn f() { crate::fleet::process::up(); }\n\
               #[cfg(test)]\n\
               mod tests { use crate::reference; }\n"
            .to_owned(),
    };
    let paths: Vec<String> = crate_paths(&source)
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    for expected in [
        "check::Finding",
        "cli::exit",
        "engine",
        "fleet::process::up",
        "mcp::http",
        "model",
        "plan",
    ] {
        assert!(
            paths.iter().any(|path| path == expected),
            "{expected} in {paths:?}"
        );
    }
    assert!(
        !paths
            .iter()
            .any(|path| path.contains("reference") || path.contains("comment"))
    );
    assert!(names("use hyper::client;", "hyper") && !names("use hyper_util::rt;", "hyper"));
}
