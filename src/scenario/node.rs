//! The scenario as a tree of values, each with its place in the text.
//!
//! Pure. It is what TOML says and no more; overrides change it (`overlay`, `environment`), and the reader gives it meaning.

use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

use crate::diag::{Diagnostic, Place, codes};

/// How deep tables and lists may be nested.
const DEPTH: usize = 32;

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// What it is.
    pub(super) form: Form,
    /// Where it stands.
    pub(super) place: Place,
    /// Where it came from, if not from the scenario file: `--set`, `variant NAME`, `env.X`.
    pub(super) origin: Option<String>,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Form {
    Text(String),
    /// A text whose type is the one that its key wants: from `--set`, or one template as a whole.
    Loose(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Datetime(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) node: Node,
}

impl Form {
    /// The word for its type.
    pub(super) const fn noun(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Loose(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number with a fraction",
            Self::Bool(_) => "true or false",
            Self::Datetime(_) => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    /// An empty table without a place of its own.
    pub(super) const fn empty_table(place: Place) -> Self {
        Self {
            form: Form::Table(Vec::new()),
            place,
            origin: None,
        }
    }

    /// The value of `key`, if this is a table that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.form {
            Form::Table(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.node),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.form {
            Form::Text(text) | Form::Loose(text) => Some(text),
            _ => None,
        }
    }

    /// Sets the origin of this value and of all below it.
    pub(super) fn stamp(&mut self, origin: &str) {
        self.origin = Some(origin.to_owned());
        match &mut self.form {
            Form::List(items) => items.iter_mut().for_each(|item| item.stamp(origin)),
            Form::Table(entries) => entries
                .iter_mut()
                .for_each(|entry| entry.node.stamp(origin)),
            _ => {}
        }
    }
}

/// Parses a whole document; syntax errors are all reported.
pub(super) fn parse_document(source: usize, text: &str, wrong: &mut Vec<Diagnostic>) -> Node {
    let (table, errors) = DeTable::parse_recoverable(text);
    wrong.extend(errors.iter().map(|error| syntax(source, text, error)));
    let place = Place { source, span: 0..0 };
    Node {
        form: from_table(source, table.get_ref(), 0, wrong),
        place,
        origin: None,
    }
}

/// Parses one value that starts at byte `start` of the source.
pub(super) fn parse_value(
    source: usize,
    text: &str,
    start: usize,
    wrong: &mut Vec<Diagnostic>,
) -> Option<Node> {
    let rest = text.get(start..)?;
    // The parser takes no blanks before a value.
    let value_text = rest.trim_start();
    let start = start + (rest.len() - value_text.len());
    let (value, errors) = DeValue::parse_recoverable(value_text);
    if errors.is_empty() {
        let mut node = from_value(source, &value, 0, wrong);
        shift(&mut node, start);
        return Some(node);
    }
    wrong.extend(errors.iter().map(|error| {
        let mut one = syntax(source, value_text, error);
        one.place = shifted(&one.place, start);
        one
    }));
    None
}

fn shifted(place: &Place, by: usize) -> Place {
    Place {
        source: place.source,
        span: place.span.start + by..place.span.end + by,
    }
}

/// Moves every place of the tree to the right.
fn shift(node: &mut Node, by: usize) {
    node.place = shifted(&node.place, by);
    match &mut node.form {
        Form::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Form::Table(entries) => {
            for entry in entries {
                entry.key_place = shifted(&entry.key_place, by);
                shift(&mut entry.node, by);
            }
        }
        _ => {}
    }
}

fn syntax(source: usize, text: &str, error: &toml::de::Error) -> Diagnostic {
    let span = error.span().unwrap_or(0..text.len().min(1));
    let mut lines = error.message().lines();
    let message = lines.next().unwrap_or("this is not TOML").to_owned();
    let rest: Vec<&str> = lines.collect();
    Diagnostic::new(
        &codes::SYNTAX,
        Place { source, span },
        message,
        if rest.is_empty() {
            "this is not TOML".to_owned()
        } else {
            rest.join("; ")
        },
    )
}

fn from_value(
    source: usize,
    value: &Spanned<DeValue<'_>>,
    depth: usize,
    wrong: &mut Vec<Diagnostic>,
) -> Node {
    let place = Place {
        source,
        span: value.span(),
    };
    let form = if depth > DEPTH {
        wrong.push(Diagnostic::new(
            &codes::TOO_LARGE,
            place.clone(),
            format!("tables and lists are nested deeper than {DEPTH}"),
            "too deep",
        ));
        Form::Table(Vec::new())
    } else {
        match value.get_ref() {
            DeValue::String(text) => Form::Text(text.to_string()),
            DeValue::Integer(number) => integer(number, &place, wrong),
            DeValue::Float(number) => Form::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Form::Bool(*flag),
            DeValue::Datetime(time) => Form::Datetime(time.to_string()),
            DeValue::Array(items) => Form::List(
                items
                    .iter()
                    .map(|item| from_value(source, item, depth + 1, wrong))
                    .collect(),
            ),
            DeValue::Table(table) => from_table(source, table, depth + 1, wrong),
        }
    };
    Node {
        form,
        place,
        origin: None,
    }
}

fn integer(number: &DeInteger<'_>, place: &Place, wrong: &mut Vec<Diagnostic>) -> Form {
    if let Ok(number) = i64::from_str_radix(number.as_str(), number.radix()) {
        return Form::Integer(number);
    }
    wrong.push(Diagnostic::new(
        &codes::OUT_OF_RANGE,
        place.clone(),
        "the number does not fit into 64 bits",
        format!("expected at most {}", i64::MAX),
    ));
    Form::Integer(0)
}

fn from_table(
    source: usize,
    table: &DeTable<'_>,
    depth: usize,
    wrong: &mut Vec<Diagnostic>,
) -> Form {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value): (&Spanned<DeString<'_>>, _)| Entry {
            key: key.get_ref().to_string(),
            key_place: Place {
                source,
                span: key.span(),
            },
            node: from_value(source, value, depth, wrong),
        })
        .collect();
    // The parser's map is in the order of the alphabet; people think in the order of the text.
    entries.sort_by_key(|entry| entry.key_place.span.start);
    Form::Table(entries)
}
