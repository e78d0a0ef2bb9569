//! The reader: a tree of values held to the tables; every value checked, defaults filled in, all errors collected.
//!
//! Pure. It knows types, not meaning: names are resolved by `plan::compile`. What it yields is canonical (`registry::Ty` says
//! what that is for each type), so the structs of `written` deserialise from it without a further check. A kind becomes
//! `{ …common fields, kind, with: { …its own } }`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::node::{Entry, Form, Node, parse_value};
use super::spans::Mark;
use crate::catalog::Catalog;
use crate::diag::{Code, Diagnostic, Place, closest, codes, suggest};
use crate::registry::{Acts, Field, Need, Ty};

mod kind;
mod scalar;

pub(super) use scalar::describe;
pub(crate) use scalar::{is_name, parse_duration};

/// Reads one scenario.
pub(super) struct Reader<'a> {
    catalog: &'a Catalog,
    pub(super) wrong: Vec<Diagnostic>,
    pub(super) marks: BTreeMap<String, Mark>,
    pub(super) origins: BTreeMap<String, String>,
    /// Whether a default is being read: its text is ours and has no place.
    in_default: bool,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(catalog: &'a Catalog) -> Self {
        Self {
            catalog,
            wrong: Vec::new(),
            marks: BTreeMap::new(),
            origins: BTreeMap::new(),
            in_default: false,
        }
    }

    /// Reads the whole document with the fields of the top level.
    pub(super) fn document(&mut self, fields: &[Field], root: &Node) -> Value {
        let table = self.table(&[fields], root, "", "the scenario", None);
        Value::Object(table.unwrap_or_default())
    }

    fn report(
        &mut self,
        code: &'static Code,
        place: &Place,
        message: String,
        expected: String,
        hint: Option<String>,
    ) {
        self.wrong
            .push(Diagnostic::new(code, place.clone(), message, expected).hint(hint));
    }

    fn mark(&mut self, path: &str, key: Option<&Place>, node: &Node) {
        if self.in_default {
            self.origins.insert(path.to_owned(), "default".to_owned());
            return;
        }
        if let Some(origin) = &node.origin {
            self.origins.insert(path.to_owned(), origin.clone());
        }
        let mark = Mark {
            key: key.cloned(),
            value: node.place.clone(),
            wide: matches!(node.form, Form::Table(_)) || is_table_list(node),
        };
        self.marks.insert(path.to_owned(), mark);
    }

    /// Reads a value of type `ty`; `None` if it is wrong (and reported).
    fn value(&mut self, ty: &Ty, node: &Node, path: &str) -> Option<Value> {
        match ty {
            Ty::List(inner) => self.list(inner, node, path),
            Ty::Map(inner) => self.map(inner, node, path),
            Ty::Table(fields) => self
                .table(&[fields], node, path, &bracketed(path), None)
                .map(Value::Object),
            Ty::Either(forms) => self.either(forms, node, path),
            Ty::Kind(family) => self.kind(*family, node, path),
            Ty::Secret => self.secret(node, path),
            _ => match scalar::read(ty, &node.form) {
                Ok(value) => Some(value),
                Err(wrong) => {
                    let what = if path.is_empty() { "value" } else { path };
                    self.report(
                        wrong.code,
                        &node.place,
                        format!("`{what}` {}", wrong.message),
                        wrong.expected,
                        wrong.hint,
                    );
                    None
                }
            },
        }
    }

    fn list(&mut self, inner: &Ty, node: &Node, path: &str) -> Option<Value> {
        let Form::List(items) = &node.form else {
            return self.wrong_type(path, node, "a list");
        };
        let mut list = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let path = format!("{path}[{number}]");
            self.mark(&path, None, item);
            list.extend(self.value(inner, item, &path));
        }
        Some(Value::Array(list))
    }

    fn map(&mut self, inner: &Ty, node: &Node, path: &str) -> Option<Value> {
        let Form::Table(entries) = &node.form else {
            return self.wrong_type(path, node, "a table");
        };
        let mut map = Map::new();
        for entry in entries {
            let path = below(path, &entry.key);
            self.mark(&path, Some(&entry.key_place), &entry.node);
            if entry.key.len() > 200 {
                self.report(
                    &codes::TOO_LARGE,
                    &entry.key_place,
                    "the key is longer than 200 bytes".to_owned(),
                    "expected a shorter name".to_owned(),
                    None,
                );
            } else if let Some(value) = self.value(inner, &entry.node, &path) {
                map.insert(entry.key.clone(), value);
            }
        }
        Some(Value::Object(map))
    }

    fn either(&mut self, forms: &[Ty], node: &Node, path: &str) -> Option<Value> {
        let fitting: Vec<&Ty> = forms
            .iter()
            .filter(|ty| scalar::fits(ty, &node.form))
            .collect();
        // A loose text may be of any type: the first that takes it.
        let loose = matches!(node.form, Form::Loose(_));
        if let (true, Some(value)) = (
            loose,
            fitting
                .iter()
                .find_map(|ty| scalar::read(ty, &node.form).ok()),
        ) {
            return Some(value);
        }
        if let Some(ty) = fitting.first() {
            let before = self.wrong.len();
            let value = self.value(ty, node, path);
            if let Some(one) = self.wrong.get_mut(before)
                && one.code == &codes::UNKNOWN_WORD
            {
                // The word may have been meant as another form.
                let names: Vec<String> = forms.iter().map(describe).collect();
                one.expected = format!("expected {}", names.join(", or "));
            }
            return value;
        }
        let names: Vec<String> = forms.iter().map(describe).collect();
        self.wrong_type(path, node, &names.join(", or "))
    }

    fn secret(&mut self, node: &Node, path: &str) -> Option<Value> {
        let expected = "expected { env = \"NAME\" } or { file = \"PATH\" }";
        let Form::Table(entries) = &node.form else {
            self.report(
                &codes::SECRET_LITERAL,
                &node.place,
                format!("`{path}` is a secret and must not stand in the scenario"),
                expected.to_owned(),
                Some("put it into an environment variable or a file, and name that".to_owned()),
            );
            return None;
        };
        if let [Entry { key, node: at, .. }] = entries.as_slice()
            && matches!(key.as_str(), "env" | "file")
            && let Some(text) = at.text().filter(|text| !text.is_empty())
        {
            return Some(serde_json::json!({ key: text }));
        }
        self.report(
            &codes::BAD_VALUE,
            &node.place,
            format!("`{path}` does not say where the secret is"),
            expected.to_owned(),
            None,
        );
        None
    }

    fn wrong_type(&mut self, path: &str, node: &Node, expected: &str) -> Option<Value> {
        self.report(
            &codes::WRONG_TYPE,
            &node.place,
            format!("`{path}` is {}", node.form.noun()),
            format!("expected {expected}"),
            None,
        );
        None
    }

    /// Reads a table with these groups of fields. `tag` is a key that was already read.
    fn table(
        &mut self,
        groups: &[&[Field]],
        node: &Node,
        path: &str,
        noun: &str,
        tag: Option<&str>,
    ) -> Option<Map<String, Value>> {
        let Form::Table(entries) = &node.form else {
            self.wrong_type(path, node, "a table");
            return None;
        };
        let fields = || groups.iter().copied().flatten();
        let mut map = Map::new();
        let mut meant = Vec::new();
        for entry in entries.iter().filter(|entry| tag != Some(&entry.key)) {
            let Some(field) = fields().find(|field| field.key == entry.key) else {
                let keys = fields().map(|field| field.key).chain(tag);
                meant.extend(closest(&entry.key, keys.clone()));
                self.report(
                    &codes::UNKNOWN_KEY,
                    &entry.key_place,
                    format!("{noun} has no key `{}`", entry.key.escape_debug()),
                    "unknown key".to_owned(),
                    suggest(&entry.key, "key", keys),
                );
                continue;
            };
            let path = below(path, field.key);
            self.mark(&path, Some(&entry.key_place), &entry.node);
            if field.acts == Acts::NotYet {
                self.not_yet_key(field, entry);
            } else if let Some(value) = self.value(&field.ty, &entry.node, &path) {
                map.insert(field.key.to_owned(), value);
            }
        }
        for field in fields().filter(|field| entries.iter().all(|entry| entry.key != field.key)) {
            match field.need {
                Need::Optional => {}
                // It is there, but misspelt, and that is reported.
                Need::Required if meant.contains(&field.key) => {}
                Need::Required => self.report(
                    &codes::MISSING_KEY,
                    &node.place,
                    format!("{noun} has no `{}`", field.key),
                    format!("expected {}: {}", field.key, field.summary),
                    Some(format!("for example `{} = {}`", field.key, field.example)),
                ),
                Need::Default(text) => {
                    if let Some(value) = self.default_value(field, text, &below(path, field.key)) {
                        map.insert(field.key.to_owned(), value);
                    }
                }
            }
        }
        Some(map)
    }

    fn not_yet_key(&mut self, field: &Field, entry: &Entry) {
        self.report(
            &codes::NOT_YET,
            &entry.key_place,
            format!("`{}` does not act yet", field.key),
            format!("not yet: {}", field.summary),
            None,
        );
    }

    fn default_value(&mut self, field: &Field, text: &str, path: &str) -> Option<Value> {
        let node = parse_value(0, text, 0, &mut self.wrong)?;
        let before = std::mem::replace(&mut self.in_default, true);
        self.mark(path, None, &node);
        let value = self.value(&field.ty, &node, path);
        self.in_default = before;
        value
    }
}

fn is_table_list(node: &Node) -> bool {
    match &node.form {
        Form::List(items) => items.iter().any(|item| matches!(item.form, Form::Table(_))),
        _ => false,
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// A table's path as people write its header: `[fleet.role.server]`, `[[phase]]`, `[[workload.operation]]`.
fn bracketed(path: &str) -> String {
    let mut plain = String::new();
    let mut skipping = false;
    for character in path.chars() {
        match character {
            '[' => skipping = true,
            ']' => skipping = false,
            other if !skipping => plain.push(other),
            _ => {}
        }
    }
    if path.ends_with(']') {
        format!("[[{plain}]]")
    } else {
        format!("`{plain}`")
    }
}
