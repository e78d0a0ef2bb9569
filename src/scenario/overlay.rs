//! What changes a scenario without copying it: `[variant.NAME]` tables and `--set path=value`.
//!
//! Pure. Tables are merged key by key; lists of named tables are merged by name, and a new name is appended; anything else is
//! replaced. Every value that comes from an overlay is stamped with its origin.

use super::node::{Entry, Form, Node, parse_value};
use super::tables::STAND_ALONE;
use crate::diag::{Diagnostic, Place, codes, suggest};

/// Turns a single table where a list of tables is meant into a list of one, so that every path has one form.
pub(super) fn normalise(root: &mut Node) {
    let Form::Table(entries) = &mut root.form else {
        return;
    };
    for entry in entries {
        if STAND_ALONE.contains(&entry.key.as_str()) && matches!(entry.node.form, Form::Table(_)) {
            // The key is the better place to point at: the table itself may be spread over the text.
            let place = entry.key_place.clone();
            let outer = Node {
                form: Form::List(Vec::new()),
                place: place.clone(),
                origin: entry.node.origin.clone(),
            };
            let mut inner = std::mem::replace(&mut entry.node, outer);
            inner.place = place;
            entry.node.form = Form::List(vec![inner]);
        }
    }
}

/// Takes the `variant` table out of the scenario: the variants by name.
pub(super) fn take_variants(root: &mut Node, wrong: &mut Vec<Diagnostic>) -> Vec<Entry> {
    let Form::Table(entries) = &mut root.form else {
        return Vec::new();
    };
    let Some(at) = entries.iter().position(|entry| entry.key == "variant") else {
        return Vec::new();
    };
    let taken = entries.remove(at);
    let Form::Table(mut variants) = taken.node.form else {
        wrong.push(Diagnostic::new(
            &codes::WRONG_TYPE,
            taken.node.place,
            format!("`variant` is {}", taken.node.form.noun()),
            "expected tables `[variant.NAME]`",
        ));
        return Vec::new();
    };
    variants.retain(|variant| {
        let is_table = matches!(variant.node.form, Form::Table(_));
        if !is_table {
            wrong.push(Diagnostic::new(
                &codes::WRONG_TYPE,
                variant.node.place.clone(),
                format!(
                    "the variant `{}` is {}",
                    variant.key,
                    variant.node.form.noun()
                ),
                "expected a table of what it changes",
            ));
        }
        is_table
    });
    for variant in &mut variants {
        normalise(&mut variant.node);
        let origin = format!("variant {}", variant.key);
        variant.node.stamp(&origin);
    }
    variants
}

/// Merges `over` into `base`.
pub(super) fn merge(base: &mut Node, over: Node) {
    match (&mut base.form, over.form) {
        (Form::Table(entries), Form::Table(changes)) => {
            for change in changes {
                match entries.iter_mut().find(|entry| entry.key == change.key) {
                    Some(entry) => {
                        entry.key_place = change.key_place;
                        merge(&mut entry.node, change.node);
                    }
                    None => entries.push(change),
                }
            }
        }
        (Form::List(items), Form::List(changes))
            if changes.iter().all(|one| name(one).is_some()) =>
        {
            for change in changes {
                match items.iter_mut().find(|item| name(item) == name(&change)) {
                    Some(item) => merge(item, change),
                    None => items.push(change),
                }
            }
        }
        (_, form) => {
            *base = Node {
                form,
                place: over.place,
                origin: over.origin,
            };
        }
    }
}

fn name(node: &Node) -> Option<&str> {
    node.get("name").and_then(Node::text)
}

/// Applies one `--set path=value`, whose text is source number `source`.
pub(super) fn set(root: &mut Node, source: usize, text: &str, wrong: &mut Vec<Diagnostic>) {
    let whole = Place {
        source,
        span: 0..text.len(),
    };
    let Some((path, value)) = text.split_once('=') else {
        wrong.push(
            Diagnostic::new(
                &codes::BAD_OVERRIDE,
                whole,
                "the override has no `=`",
                "expected path=value",
            )
            .hint("for example `--set fleet.role.server.replicas=5`".to_owned()),
        );
        return;
    };
    let start = path.len() + 1;
    // A quoted text, a list or a table is read as TOML; anything else takes the type that its key wants.
    let node = if value.trim_start().starts_with(['"', '\'', '[', '{']) {
        parse_value(source, text, start, wrong)
    } else {
        Some(Node {
            form: Form::Loose(value.trim().to_owned()),
            place: Place {
                source,
                span: start..text.len(),
            },
            origin: None,
        })
    };
    let Some(mut node) = node else { return };
    node.stamp("--set");
    let mut segments = Vec::new();
    let mut at = 0;
    for segment in path.split('.') {
        let place = Place {
            source,
            span: at..at + segment.len(),
        };
        segments.push((segment.trim(), place));
        at += segment.len() + 1;
    }
    put(root, &segments, node, wrong);
}

/// Puts `value` at the end of a path: keys of tables, and numbers or names of the items of lists.
fn put(node: &mut Node, path: &[(&str, Place)], value: Node, wrong: &mut Vec<Diagnostic>) {
    let Some(((segment, place), rest)) = path.split_first() else {
        *node = value;
        return;
    };
    if segment.is_empty() {
        wrong.push(Diagnostic::new(
            &codes::BAD_OVERRIDE,
            place.clone(),
            "a part of the path is empty",
            "expected a key",
        ));
        return;
    }
    match &mut node.form {
        Form::Table(entries) => {
            let at = entries.iter().position(|entry| entry.key == *segment);
            if let Some(entry) = at.and_then(|at| entries.get_mut(at)) {
                entry.key_place = place.clone();
                put(&mut entry.node, rest, value, wrong);
            } else {
                let mut fresh = Node::empty_table(place.clone());
                fresh.origin = Some("--set".to_owned());
                put(&mut fresh, rest, value, wrong);
                entries.push(Entry {
                    key: (*segment).to_owned(),
                    key_place: place.clone(),
                    node: fresh,
                });
            }
        }
        Form::List(items) => put_item(items, (segment, place), rest, value, wrong),
        other => wrong.push(Diagnostic::new(
            &codes::BAD_OVERRIDE,
            place.clone(),
            format!("the path goes on below {}", other.noun()),
            "there is nothing below it",
        )),
    }
}

fn put_item(
    items: &mut [Node],
    (segment, place): (&str, &Place),
    rest: &[(&str, Place)],
    value: Node,
    wrong: &mut Vec<Diagnostic>,
) {
    let by_name = items.iter().position(|item| name(item) == Some(segment));
    let only = (items.len() == 1 && segment.parse::<usize>().is_err()).then_some(0);
    let at = by_name.or_else(|| segment.parse().ok().filter(|at| *at < items.len()));
    if let Some(item) = at.and_then(|at| items.get_mut(at)) {
        put(item, rest, value, wrong);
    } else if let Some(item) = only.and_then(|at| items.get_mut(at)) {
        // `workload.clients` is fine where there is only one workload.
        let mut path = vec![(segment, place.clone())];
        path.extend_from_slice(rest);
        put(item, &path, value, wrong);
    } else {
        let names: Vec<&str> = items.iter().filter_map(name).collect();
        wrong.push(
            Diagnostic::new(
                &codes::BAD_OVERRIDE,
                place.clone(),
                format!("the list has no item `{segment}`"),
                format!(
                    "expected a name or a number from 0 to {}",
                    items.len().saturating_sub(1)
                ),
            )
            .hint(suggest(segment, "named item", names)),
        );
    }
}
