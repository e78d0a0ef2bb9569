//! Templates in texts: found, and held to what is known there.
//!
//! Pure. Nothing is filled in here: commands are when a slot is started, arguments when an arrival is due.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Context;
use crate::diag::{codes, suggest};
use crate::load::template::Expression;
use crate::plan::{DataPlan, Expectation, StepPlan};

/// The insides of every `{{ … }}` of a text, trimmed. An unclosed one was refused before.
pub(super) fn templates(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((inner, behind)) = after.split_once("}}") else {
            break;
        };
        found.push(inner.trim());
        rest = behind;
    }
    found
}

/// Reports every template below `value` that a worker could not fill in; `data` are the files of the workload.
pub(super) fn check(context: &mut Context<'_>, value: &Value, path: &str, data: &[DataPlan]) {
    match value {
        Value::String(text) => {
            for template in templates(text) {
                check_one(context, template, path, data);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                check(context, item, &format!("{path}[{number}]"), data);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                check(context, item, &format!("{path}.{key}"), data);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn check_one(context: &mut Context<'_>, template: &str, path: &str, data: &[DataPlan]) {
    let (message, expected, hint) = match Expression::parse(template) {
        Err(expected) => (
            format!("`{{{{ {} }}}}` means nothing here", template.escape_debug()),
            expected,
            None,
        ),
        Ok(Expression::Data { name, column }) => {
            let Some(file) = data.iter().find(|file| file.name == name) else {
                let names = data.iter().map(|file| file.name.as_str());
                let hint = suggest(&name, "data file", names);
                context.report(
                    &codes::BAD_TEMPLATE,
                    path,
                    format!("the workload has no data file `{}`", name.escape_debug()),
                    "expected the name of a `[[workload.data]]`",
                    hint,
                );
                return;
            };
            if file.columns.contains(&column) {
                return;
            }
            (
                format!("`{name}` has no column `{}`", column.escape_debug()),
                "expected one of the names in its first line".to_owned(),
                suggest(&column, "column", file.columns.iter().map(String::as_str)),
            )
        }
        Ok(_) => return,
    };
    context.report(&codes::BAD_TEMPLATE, path, message, expected, hint);
}

/// What a step takes from answers to earlier steps, by name.
pub(super) fn kept(step: &StepPlan) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(&step.arguments, &mut names);
    for expectation in &step.expect {
        match expectation {
            Expectation::TextEquals(text) | Expectation::TextContains(text) => {
                collect_text(text, &mut names);
            }
            Expectation::Json { equals, .. } => collect(equals, &mut names),
            Expectation::TextLength(_) | Expectation::Schema | Expectation::Status(_) => {}
        }
    }
    names
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => collect_text(text, names),
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(map) => map.values().for_each(|item| collect(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn collect_text(text: &str, names: &mut BTreeSet<String>) {
    for template in templates(text) {
        if let Ok(Expression::Kept(name)) = Expression::parse(template) {
            names.insert(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_found() {
        assert_eq!(templates("a {{ b }}{{c}} {{ d"), ["b", "c"]);
    }
}
