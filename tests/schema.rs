//! The schema and the reader are made from the same tables, and say the same.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which clippy takes for production code"
)]

mod support;

use mcpload::catalog::Catalog;
use mcpload::diag::Diagnostics;
use mcpload::registry::{Acts, Family};
use mcpload::scenario::keys::{Key, keys};
use mcpload::scenario::{Overrides, explain, init, load, schema};
use support::{CATALOG, file, plan};
use toml::{Table, Value};

const BASE: &str = "version = 1\nname = \"base\"\n";
const PHASE: &str = "[[phase]]\nname = \"steady\"\nduration = \"10s\"\nrate = \"1/s\"\n";

fn validator(catalog: &Catalog) -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema::json_schema(catalog)).unwrap()
}

fn read(text: &str) -> Result<(), Diagnostics> {
    // A file of any name is a small table, or a certificate.
    let files = |name: &str| {
        let text = if name.contains("pem") {
            "-----BEGIN CERTIFICATE-----\n"
        } else {
            "id,at\n1,1\n"
        };
        Ok(text.as_bytes().to_vec())
    };
    let overrides = Overrides {
        files: &files,
        ..Overrides::none()
    };
    load("test.toml", text, &overrides, &CATALOG).map(|_| ())
}

fn codes(text: &str) -> Vec<&'static str> {
    match read(text) {
        Ok(()) => Vec::new(),
        Err(wrong) => wrong.iter().map(|one| one.code.name).collect(),
    }
}

fn as_json(text: &str) -> serde_json::Value {
    serde_json::to_value(text.parse::<Table>().unwrap()).unwrap()
}

fn folder(name: &str) -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .map(|path| {
            (
                path.display().to_string(),
                std::fs::read_to_string(path).unwrap(),
            )
        })
        .collect()
}

#[test]
fn the_schema_is_a_schema_and_accepts_every_scenario() {
    let document = schema::json_schema(&CATALOG);
    assert!(jsonschema::meta::is_valid(&document));
    let validator = validator(&CATALOG);
    let mut all = folder("scenarios");
    all.push(("the template".to_owned(), init::template().to_owned()));
    for (name, text) in all {
        let value = as_json(&text);
        if let Err(error) = validator.validate(&value) {
            panic!("{name}: {error} at {}", error.instance_path());
        }
        if let Err(wrong) = plan(&name, &text, &Overrides::none()) {
            panic!("{wrong}");
        }
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses_for_its_form() {
    let validator = validator(&CATALOG);
    let of_form = [
        "unknown-key",
        "missing-key",
        "wrong-type",
        "unknown-word",
        "unknown-kind",
        "secret-literal",
        "not-yet",
    ];
    let mut refused = 0;
    for (name, text) in folder("fixtures/bad") {
        let Ok(table) = text.parse::<Table>() else {
            continue;
        };
        let value = serde_json::to_value(table).unwrap();
        let codes = codes(&text);
        // A variant is only read when it is merged, and what looks like a secret is not a matter of form.
        if name.contains("variant") || name.ends_with("secret-header.toml") {
            continue;
        }
        if codes.is_empty() {
            assert!(
                validator.is_valid(&value),
                "{name} reads, but the schema refuses it"
            );
        } else if codes.iter().any(|code| of_form.contains(code)) {
            assert!(
                !validator.is_valid(&value),
                "{name} gives {codes:?}, but the schema accepts it"
            );
            refused += 1;
        }
    }
    assert!(refused > 5);
}

/// A document that has the example of `key`, and what is needed around it.
fn with_key(key: &Key, all: &[Key]) -> Value {
    let mut root = Value::Table(format!("{BASE}{PHASE}").parse().unwrap());
    let mut at = &mut root;
    let mut path = String::new();
    let segments: Vec<&str> = key.path.split('.').collect();
    for (number, segment) in segments.iter().enumerate() {
        let (segment, kind) = match segment.split_once('(') {
            Some((segment, kind)) => (segment, Some(kind.trim_end_matches(')'))),
            None => (*segment, None),
        };
        let bare = segment.trim_end_matches("[]");
        path = if path.is_empty() {
            bare.to_owned()
        } else {
            format!("{path}.{bare}")
        };
        // What stands there is the example of that key, so that its other fields are right.
        let given = all
            .iter()
            .find(|one| one.path == path)
            .map(|one| example(one.field.example));
        let table = at.as_table_mut().unwrap();
        // `rate` and `load` exclude each other, but that is not a matter of form.
        let last = number + 1 == segments.len();
        if last || !table.contains_key(bare) {
            table.insert(
                bare.to_owned(),
                given.unwrap_or_else(|| Value::Table(Table::new())),
            );
        }
        at = table.get_mut(bare).unwrap();
        if segment.ends_with("[]") {
            path.push_str("[]");
            at = &mut at.as_array_mut().unwrap()[0];
        }
        if !last && !at.is_table() {
            *at = Value::Table(Table::new());
        }
        if let Some(kind) = kind {
            path = format!("{path}({kind})");
            let (tag, family) = match bare {
                "fleet" => ("driver", Family::Driver),
                "load" => ("profile", Family::Profile),
                "fault" => ("kind", Family::Fault),
                _ => ("kind", Family::Check),
            };
            let info = CATALOG
                .kinds(family)
                .into_iter()
                .find(|info| info.name == kind)
                .unwrap();
            let table = at.as_table_mut().unwrap();
            table.retain(|key, _| ["name", "target", "at", "fault"].contains(&key));
            table.insert(tag.to_owned(), Value::String(kind.to_owned()));
            let wanted = segments.get(number + 1).copied().unwrap_or_default();
            let fields = info.fields.iter().filter(|field| {
                field.acts == Acts::Now && !excludes(kind, wanted.trim_end_matches("[]"), field.key)
            });
            for field in fields {
                table.insert(field.key.to_owned(), example(field.example));
            }
        }
    }
    root
}

/// Whether `key` of this kind is not to stand beside `wanted`.
fn excludes(kind: &str, wanted: &str, key: &str) -> bool {
    match kind {
        "steps" => {
            let is_stair = |key| ["from", "to", "step", "every"].contains(&key);
            if wanted == "rates" {
                is_stair(key)
            } else {
                key == "rates"
            }
        }
        "users" | "ramping-users" | "iterations" => {
            key == if wanted == "pacing" {
                "think"
            } else {
                "pacing"
            }
        }
        "reload" => {
            key == if wanted == "signal" {
                "command"
            } else {
                "signal"
            }
        }
        _ => false,
    }
}

fn example(text: &str) -> Value {
    let table: Table = format!("value = {text}")
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    table["value"].clone()
}

#[test]
fn every_key_is_accepted_or_refused_by_both_with_its_example() {
    let validator = validator(&CATALOG);
    let all = keys(&CATALOG);
    assert!(all.len() > 80);
    for key in &all {
        let document = with_key(key, &all);
        let text = document.to_string();
        let text = toml::to_string(&document).unwrap_or(text);
        let value = serde_json::to_value(&document).unwrap();
        let codes = codes(&text);
        let later_kind = key.path.contains("(docker)")
            || key.path.contains("(compose)")
            || key.path.contains("(kubernetes)");
        if key.field.acts == Acts::NotYet || later_kind {
            assert!(
                codes.contains(&"not-yet"),
                "{}: {codes:?}\n{text}",
                key.path
            );
            assert!(!validator.is_valid(&value), "{}\n{text}", key.path);
        } else {
            assert!(codes.is_empty(), "{}: {codes:?}\n{text}", key.path);
            let error = validator
                .validate(&value)
                .err()
                .map(|error| error.to_string());
            assert!(error.is_none(), "{}: {error:?}\n{text}", key.path);
        }
    }
}

#[test]
fn every_example_of_a_kind_is_read() {
    for family in Family::ALL {
        for info in CATALOG.kinds(family) {
            let text = if info.example.starts_with("load") {
                format!(
                    "{BASE}{}{}",
                    PHASE.replace("rate = \"1/s\"\n", ""),
                    info.example
                )
            } else {
                format!("{BASE}{PHASE}{}", info.example)
            };
            let codes = codes(&text);
            match info.acts {
                Acts::Now => assert!(codes.is_empty(), "{}: {codes:?}", info.name),
                Acts::NotYet => assert_eq!(codes, ["not-yet"], "{}", info.name),
            }
        }
    }
}

#[test]
fn a_template_may_stand_where_a_number_is_wanted() {
    let text = format!("{BASE}{PHASE}[fleet.role.server]\nreplicas = \"{{{{ env.N }}}}\"\n");
    assert!(validator(&CATALOG).is_valid(&as_json(&text)));
    let overrides = Overrides {
        set: Vec::new(),
        variants: Vec::new(),
        files: &file,
        env: &|name| (name == "N").then(|| "5".to_owned()),
    };
    let plan = plan("test.toml", &text, &overrides).unwrap();
    assert_eq!(plan.fleet.roles[0].slots.len(), 5);
    assert_eq!(plan.origins["fleet.role.server.replicas"], "env.N");
}

#[test]
fn every_key_kind_and_code_is_explained() {
    for key in keys(&CATALOG) {
        let word = key.path.split('(').next().unwrap().replace("[]", "");
        assert!(explain::explain(&CATALOG, &word).is_some(), "{word}");
        let text = explain::explain(&CATALOG, key.field.key).unwrap();
        assert!(text.contains(key.field.summary), "{}", key.field.key);
    }
    for family in Family::ALL {
        for (name, _) in CATALOG.later(family) {
            assert!(
                explain::explain(&CATALOG, name)
                    .unwrap()
                    .contains("not yet"),
                "{name}"
            );
        }
    }
    for code in mcpload::diag::codes::CODES {
        assert!(
            explain::explain(&CATALOG, code.name)
                .unwrap()
                .contains(code.meaning)
        );
    }
    assert!(explain::explain(&CATALOG, "nonsense").is_none());
    assert_eq!(
        explain::near(&CATALOG, "replcas").as_deref(),
        Some("replicas")
    );
}

#[test]
fn explanations_and_lists_look_like_this() {
    let text = [
        "replicas",
        "kill",
        "phase.rate",
        "recovery-time",
        "undecidable",
        "ramp",
        "users",
        "steps",
        "replay",
        "driver",
    ]
    .map(|word| explain::explain(&CATALOG, word).unwrap())
    .join("----\n");
    insta::assert_snapshot!("explain", text);
    insta::assert_snapshot!("list", explain::list(&CATALOG));
}
