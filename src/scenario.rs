//! The Scenario: what a person wrote, read with the place of every value, and every mistake in it reported at once.
//!
//! Pure. Text, overrides, environment and files are handed in. The way: TOML (`node`), then variants and `--set` (`overlay`), then
//! `{{ env.X }}` (`environment`), then the tables (`reader` with `tables`), then plain structs ([`written`]) and the files that they name ([`inputs`]). What follows is
//! `plan::compile`, which gives names and times their meaning. `schema`, `explain` and `init` are made from the same tables.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::diag::{Diagnostic, Diagnostics, Place, Source, Sources, codes, suggest};
use crate::registry::Field;

mod environment;
pub mod explain;
pub mod init;
pub mod inputs;
pub mod keys;
mod node;
mod overlay;
mod reader;
pub mod schema;
mod secrets;
mod spans;
pub mod tables;
pub mod written;

pub use inputs::{Input, Inputs};
pub(crate) use reader::{is_name, parse_duration};
pub use spans::Spans;
pub use written::Scenario;

/// The largest scenario that is read, bytes.
const LARGEST: usize = 1 << 20;

/// What the command line changes.
pub struct Overrides<'a> {
    /// `--set path=value`, in order.
    pub set: Vec<String>,
    /// `--variant NAME`, in order.
    pub variants: Vec<String>,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// How files are read that the scenario names; relative paths count from its directory.
    pub files: &'a inputs::ReadFile<'a>,
}

impl Overrides<'_> {
    /// No change, an empty environment, and no files.
    pub fn none() -> Self {
        Self {
            set: Vec::new(),
            variants: Vec::new(),
            env: &|_| None,
            files: &|_| Err("there are no files here".to_owned()),
        }
    }
}

/// A scenario that was read, with the places of its values.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The scenario.
    pub scenario: Scenario,
    /// Where its values stand and came from.
    pub spans: Spans,
    /// The files that it names.
    pub inputs: Inputs,
}

/// Reads the scenario `text`, which is called `source_name` in messages.
///
/// # Errors
/// Everything that is wrong with it, by itself: names are resolved by `plan::compile`.
pub fn load(
    source_name: &str,
    text: &str,
    overrides: &Overrides<'_>,
    catalog: &Catalog,
) -> Result<Loaded, Diagnostics> {
    let sources = sources(source_name, text, overrides);
    let mut wrong = Vec::new();
    if text.len() > LARGEST {
        let place = Place {
            source: 0,
            span: 0..0,
        };
        wrong.push(Diagnostic::new(
            &codes::TOO_LARGE,
            place,
            format!("the scenario has {} bytes", text.len()),
            format!("expected at most {LARGEST}"),
        ));
        return Err(Diagnostics::new(sources, wrong));
    }
    let mut root = node::parse_document(0, text, &mut wrong);
    if wrong.iter().any(|one| one.code == &codes::SYNTAX) {
        return Err(Diagnostics::new(sources, wrong));
    }
    overlay::normalise(&mut root);
    let variants = overlay::take_variants(&mut root, &mut wrong);
    let (chosen, left) = choose(&variants, overrides, &mut wrong);
    let base = root.clone();
    for variant in chosen {
        overlay::merge(&mut root, variant.node.clone());
    }
    for (number, text) in overrides.set.iter().enumerate() {
        let source = 1 + overrides.variants.len() + number;
        overlay::set(&mut root, source, text, &mut wrong);
    }
    overlay::normalise(&mut root);
    secrets::refuse(&root, &mut wrong);
    for variant in &left {
        secrets::refuse(&variant.node, &mut wrong);
    }
    environment::fill(&mut root, &sources, overrides.env, &mut wrong);
    let mut reader = reader::Reader::new(catalog);
    let value = reader.document(tables::TOP, &root);
    // What is wrong already is not said again in other words.
    reader.wrong.retain(|one| {
        !wrong
            .iter()
            .any(|known: &Diagnostic| within(&known.place, &one.place))
    });
    wrong.append(&mut reader.wrong);
    for variant in left {
        check_unused(&base, variant, catalog, &mut wrong);
    }
    let spans = Spans {
        sources: sources.clone(),
        marks: reader.marks,
        origins: reader.origins,
    };
    if !wrong.is_empty() {
        return Err(Diagnostics::new(sources, wrong));
    }
    match serde_json::from_value(value) {
        Ok(scenario) => {
            let inputs = inputs::read(&scenario, &spans, overrides.files, &mut wrong);
            if !wrong.is_empty() {
                return Err(Diagnostics::new(sources, wrong));
            }
            Ok(Loaded {
                scenario,
                spans,
                inputs,
            })
        }
        Err(error) => {
            // The tables and the structs disagree, which is a mistake of ours; a message is better than a panic.
            let place = spans.place("");
            let expected = "expected by the reader: another form".to_owned();
            let message = format!("the scenario cannot be read: {error}");
            let wrong = vec![Diagnostic::new(&codes::BAD_VALUE, place, message, expected)];
            Err(Diagnostics::new(sources, wrong))
        }
    }
}

/// Whether `inner` lies in `outer`.
fn within(inner: &Place, outer: &Place) -> bool {
    inner.source == outer.source
        && outer.span.start <= inner.span.start
        && inner.span.end <= outer.span.end
}

/// The canonical parameters of a kind of which nothing is written: its defaults.
pub(crate) fn canonical_defaults(fields: &[Field]) -> Map<String, Value> {
    let catalog = Catalog::new(&[], &[]);
    let mut reader = reader::Reader::new(&catalog);
    let empty = node::Node::empty_table(Place {
        source: 0,
        span: 0..0,
    });
    match reader.document(fields, &empty) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn sources(source_name: &str, text: &str, overrides: &Overrides<'_>) -> Sources {
    let file = Source {
        name: source_name.to_owned(),
        text: text.to_owned(),
    };
    let named = |name: &str, texts: &[String]| {
        texts
            .iter()
            .map(|text| Source {
                name: name.to_owned(),
                text: text.clone(),
            })
            .collect::<Vec<_>>()
    };
    let mut sources = vec![file];
    sources.extend(named("--variant", &overrides.variants));
    sources.extend(named("--set", &overrides.set));
    Arc::new(sources)
}

/// The variants that were asked for, in that order, and those that were not.
fn choose<'a>(
    variants: &'a [node::Entry],
    overrides: &Overrides<'_>,
    wrong: &mut Vec<Diagnostic>,
) -> (Vec<&'a node::Entry>, Vec<&'a node::Entry>) {
    let mut chosen = Vec::new();
    for (number, name) in overrides.variants.iter().enumerate() {
        if let Some(variant) = variants.iter().find(|variant| variant.key == *name) {
            chosen.push(variant);
            continue;
        }
        let place = Place {
            source: 1 + number,
            span: 0..name.len(),
        };
        let names = variants.iter().map(|variant| variant.key.as_str());
        wrong.push(
            Diagnostic::new(
                &codes::UNKNOWN_VARIANT,
                place,
                format!("the scenario has no variant `{}`", name.escape_debug()),
                "expected the name of a `[variant.NAME]` table",
            )
            .hint(suggest(name, "variant", names)),
        );
    }
    let left = variants
        .iter()
        .filter(|variant| !overrides.variants.contains(&variant.key))
        .collect();
    (chosen, left)
}

/// Reports what is wrong in a variant that was not asked for, so that it does not rot: it is merged alone, and only what lies
/// within it is reported.
fn check_unused(
    base: &node::Node,
    variant: &node::Entry,
    catalog: &Catalog,
    wrong: &mut Vec<Diagnostic>,
) {
    let mut places = Vec::new();
    collect_places(&variant.node, &mut places);
    let mut root = base.clone();
    overlay::merge(&mut root, variant.node.clone());
    let mut reader = reader::Reader::new(catalog);
    reader.document(tables::TOP, &root);
    let inside = |one: &Diagnostic| places.contains(&one.place);
    let more: Vec<_> = reader.wrong.into_iter().filter(inside).collect();
    wrong.extend(more);
}

fn collect_places(node: &node::Node, places: &mut Vec<Place>) {
    places.push(node.place.clone());
    match &node.form {
        node::Form::List(items) => {
            for item in items {
                collect_places(item, places);
            }
        }
        node::Form::Table(entries) => {
            for entry in entries {
                places.push(entry.key_place.clone());
                collect_places(&entry.node, places);
            }
        }
        _ => {}
    }
}
