//! `mcpload list`, `explain` and `schema`: the registries in words.

use super::exit::Exit;
use super::out;
use crate::calibrate::schema::calibration_schema;
use crate::catalog::Catalog;
use crate::check::kinds::CHECKS;
use crate::fault::wire;
use crate::report;
use crate::report::kinds::REPORTS;
use crate::scenario::{explain as words, schema as scenario_schema};

/// Everything that scenarios can name.
pub(super) const fn catalog() -> Catalog {
    Catalog::new(CHECKS, REPORTS)
}

/// Prints the registries.
pub(super) fn list() -> Exit {
    out::data(&words::list(&catalog()));
    Exit::Pass
}

/// Explains a word.
pub(super) fn explain(word: &str) -> Exit {
    if word == "exit-codes" {
        for exit in Exit::ALL {
            out::data(&format!("{:>3}  {}\n", exit.code(), exit.meaning()));
        }
        return Exit::Pass;
    }
    if word == "wire-rules" {
        out::data(&format!("{}\n", wire::help()));
        return Exit::Pass;
    }
    if let Some(text) = words::explain(&catalog(), word) {
        out::data(&text);
        return Exit::Pass;
    }
    out::say(&format!(
        "error: there is no key, kind or code {word:?}; `mcpload list` shows the kinds"
    ));
    if let Some(near) = words::near(&catalog(), word) {
        out::say(&format!("  hint: did you mean {near}?"));
    }
    Exit::Usage
}

/// Prints a JSON Schema.
pub(super) fn schema(summary: bool, calibration: bool) -> Exit {
    let schema = if summary {
        report::schema::summary_schema()
    } else if calibration {
        calibration_schema()
    } else {
        scenario_schema::json_schema(&catalog())
    };
    match serde_json::to_string_pretty(&schema) {
        Ok(text) => {
            out::data(&format!("{text}\n"));
            Exit::Pass
        }
        Err(error) => {
            out::error(&error);
            Exit::Internal
        }
    }
}
