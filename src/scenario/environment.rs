//! `{{ env.X }}`: values of the environment in the texts of a scenario.
//!
//! Pure. The environment is handed in. A text that is one template as a whole takes the type that its key wants. Other
//! templates (`{{ slot.port }}`, `{{ random.hex(8) }}`) are for later stages and stay as they are.

use super::node::{Form, Node};
use crate::diag::{Diagnostic, Place, Source, codes};

/// Replaces every environment template of the tree.
pub(super) fn fill(
    node: &mut Node,
    sources: &[Source],
    lookup: &dyn Fn(&str) -> Option<String>,
    wrong: &mut Vec<Diagnostic>,
) {
    match &mut node.form {
        Form::Text(_) | Form::Loose(_) => fill_text(node, sources, lookup, wrong),
        Form::List(items) => {
            for item in items {
                fill(item, sources, lookup, wrong);
            }
        }
        Form::Table(entries) => {
            for entry in entries {
                fill(&mut entry.node, sources, lookup, wrong);
            }
        }
        Form::Integer(_) | Form::Float(_) | Form::Bool(_) | Form::Datetime(_) => {}
    }
}

fn fill_text(
    node: &mut Node,
    sources: &[Source],
    lookup: &dyn Fn(&str) -> Option<String>,
    wrong: &mut Vec<Diagnostic>,
) {
    let Some(text) = node.text() else { return };
    let mut filled = String::new();
    let mut names = Vec::new();
    let mut rest = text;
    let mut alone = false;
    while let Some(open) = rest.find("{{") {
        let (before, from) = rest.split_at(open);
        let Some(close) = from.find("}}") else {
            wrong.push(Diagnostic::new(
                &codes::BAD_TEMPLATE,
                node.place.clone(),
                "a template is not closed",
                "expected `}}` after `{{`",
            ));
            return;
        };
        let (template, after) = from.split_at(close + 2);
        let inner = template
            .trim_start_matches("{{")
            .trim_end_matches("}}")
            .trim();
        filled.push_str(before);
        match inner.strip_prefix("env.") {
            None => filled.push_str(template),
            Some(name) => {
                if let Some(value) = lookup(name) {
                    filled.push_str(&value);
                } else {
                    wrong.push(
                        Diagnostic::new(
                            &codes::MISSING_VARIABLE,
                            place_of(template, node, sources),
                            format!("the environment variable `{name}` is not set"),
                            "expected a value from the environment",
                        )
                        .hint(format!("set it: `{name}=... mcpload ...`")),
                    );
                }
                alone = before.is_empty() && after.is_empty() && names.is_empty();
                names.push(format!("env.{name}"));
            }
        }
        rest = after;
    }
    if names.is_empty() {
        return;
    }
    filled.push_str(rest);
    node.origin = Some(names.join(", "));
    node.form = if alone {
        Form::Loose(filled)
    } else {
        Form::Text(filled)
    };
}

/// The place of the template inside the value's text, if the text holds it without escapes.
fn place_of(template: &str, node: &Node, sources: &[Source]) -> Place {
    let written = sources
        .get(node.place.source)
        .and_then(|source| source.text.get(node.place.span.clone()));
    match written.and_then(|written| written.find(template)) {
        Some(at) => {
            let start = node.place.span.start + at;
            Place {
                source: node.place.source,
                span: start..start + template.len(),
            }
        }
        None => node.place.clone(),
    }
}
