//! Kinds: a table whose tag says which other fields it has.
//!
//! Pure.

use serde_json::{Map, Value};

use super::{Reader, below, bracketed};
use crate::catalog::Named;
use crate::diag::{Place, codes, suggest};
use crate::registry::{Acts, Family, KindInfo, Need, Ty};
use crate::scenario::node::{Form, Node};
use crate::scenario::tables::{common, default_kind};

impl Reader<'_> {
    /// Reads the table (or the short form) of a kind of this family.
    pub(super) fn kind(&mut self, family: Family, node: &Node, path: &str) -> Option<Value> {
        if family == Family::Profile && node.text().is_some() {
            // The short form of the constant profile.
            let rate = self.value(&Ty::Rate, node, path)?;
            return Some(serde_json::json!({ "kind": "constant", "with": { "rate": rate } }));
        }
        let Form::Table(entries) = &node.form else {
            return self.wrong_type(path, node, &format!("a table with `{}`", family.tag()));
        };
        let tag = family.tag();
        let tag_entry = entries.iter().find(|entry| entry.key == tag);
        let tag_path = below(path, tag);
        let Some(name) = tag_entry
            .map(|entry| {
                self.mark(&tag_path, Some(&entry.key_place), &entry.node);
                entry.node.text().unwrap_or("")
            })
            .or_else(|| default_kind(family))
        else {
            self.report(
                &codes::MISSING_KEY,
                &node.place,
                format!("{} has no `{tag}`", bracketed(path)),
                format!("expected the kind of {}", family.noun()),
                suggest("", family.noun(), self.catalog.names(family)),
            );
            return None;
        };
        if tag_entry.is_none() {
            self.origins.insert(tag_path, "default".to_owned());
        }
        let place = tag_entry.map_or(&node.place, |entry| &entry.node.place);
        match self.catalog.find(family, name) {
            Some(Named::Kind(info)) => self.known_kind(family, info, node, path, place),
            Some(Named::Later(summary)) => {
                self.not_yet_kind(family, name, summary, place);
                None
            }
            None => {
                let later = self.catalog.later(family);
                let names = self.catalog.names(family);
                let all = names.into_iter().chain(later.iter().map(|(name, _)| *name));
                self.report(
                    &codes::UNKNOWN_KIND,
                    place,
                    format!("there is no {} `{}`", family.noun(), name.escape_debug()),
                    format!("expected the kind of {}", family.noun()),
                    suggest(name, family.noun(), all),
                );
                None
            }
        }
    }

    fn not_yet_kind(&mut self, family: Family, name: &str, summary: &str, place: &Place) {
        let names = self.catalog.names(family).join(", ");
        self.report(
            &codes::NOT_YET,
            place,
            format!("the {} `{name}` does not act yet", family.noun()),
            format!("not yet: {summary}"),
            Some(format!("this version acts on: {names}")),
        );
    }

    fn known_kind(
        &mut self,
        family: Family,
        info: &'static KindInfo,
        node: &Node,
        path: &str,
        place: &Place,
    ) -> Option<Value> {
        if info.acts == Acts::NotYet {
            self.not_yet_kind(family, info.name, info.summary, place);
        }
        let groups = [common(family), info.fields];
        let noun = bracketed(path);
        let mut table = self.table(&groups, node, path, &noun, Some(family.tag()))?;
        let mut with = Map::new();
        for field in info.fields {
            if let Some(value) = table.shift_remove(field.key) {
                with.insert(field.key.to_owned(), value);
            }
        }
        let with = Value::Object(with);
        if complete(info, &with)
            && let Err(problem) = (info.validate)(&with)
        {
            let entry = match &node.form {
                Form::Table(entries) => entries.iter().find(|entry| entry.key == problem.key),
                _ => None,
            };
            let place = entry.map_or(place, |entry| &entry.node.place);
            self.report(
                &codes::BAD_VALUE,
                place,
                format!("`{}` does not fit", below(path, problem.key)),
                problem.message,
                problem.hint,
            );
        }
        table.insert("kind".to_owned(), Value::String(info.name.to_owned()));
        table.insert("with".to_owned(), with);
        Some(Value::Object(table))
    }
}

/// Whether every field that a kind relies on was read; if not, it is reported already.
fn complete(info: &KindInfo, with: &Value) -> bool {
    info.fields.iter().all(|field| {
        field.need == Need::Optional || field.acts == Acts::NotYet || with.get(field.key).is_some()
    })
}
