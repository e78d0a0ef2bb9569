//! Templated arguments: compiled once from the plan, filled in for each operation.
//!
//! Pure. Compiled, the arguments are pieces of JSON text with places between them, so filling in is copying bytes. What comes
//! from outside (cells of data files, what was kept of an answer) is quoted as the place needs it. A string that is one whole
//! template of a number keeps the number's type: `"{{ random.int(1, 6) }}"` becomes `4`, not `"4"`; one that is a whole
//! `kept.NAME` is whatever was kept. The grammar is in [`Expression`].

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use thiserror::Error;

use super::data::Rows;
use super::draw::below;
use crate::model::Seed;
use crate::plan::DataPlan;

mod expression;

pub use expression::Expression;

/// A place of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Hex(u32),
    Int(i64, i64),
    Counter,
    Client,
    Session,
    Uid,
    /// File and column, by place in the plan.
    Data(usize, usize),
    Kept(String),
}

/// How what a place puts in is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// As it is: the template makes a text.
    Plain,
    /// Inside a JSON string.
    Inside,
    /// As a JSON value of its own.
    Whole,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Place, Style),
}

/// A compiled template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// The name of an operation that no other of the run has.
#[derive(Clone, Copy, Debug)]
pub struct Uid {
    /// The seed of the run.
    pub seed: Seed,
    /// The place of the workload.
    pub workload: u32,
    /// The number of the arrival in it.
    pub arrival: u64,
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}-{}", self.seed.0, self.workload, self.arrival)
    }
}

/// What the places that are not drawn put in.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The number of the arrival in its workload.
    pub counter: u64,
    /// The client.
    pub client: u32,
    /// The number of the client's session, from 1; 0 where it has none.
    pub session: u32,
    /// The name of the operation.
    pub uid: Uid,
    /// The rows of data files that the arrival takes.
    pub data: Rows<'a>,
    /// What earlier steps of the journey kept.
    pub kept: &'a BTreeMap<String, Value>,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// A `{{` without `}}`.
    #[error("{0:?} has a \"{{{{\" that is not closed")]
    Unclosed(String),
    /// There is no such expression.
    #[error("{text:?} is no template: {expected}")]
    Unknown {
        /// What stands there.
        text: String,
        /// What may stand there.
        expected: String,
    },
    /// There is no such file or column.
    #[error("there is no column {column:?} of data {name:?}")]
    NoColumn {
        /// The file's name in the scenario.
        name: String,
        /// The column.
        column: String,
    },
}

/// Why a template could not be filled in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FillError {
    /// The answer of an earlier step did not hold what was to be kept of it.
    #[error("no earlier answer held what is kept as {0:?}")]
    NothingKept(String),
    /// The rows are not those of the plan.
    #[error("a data file has no such row or column")]
    NoCell,
}

impl Template {
    /// Compiles a JSON value; filled in, it is JSON text. `data` are the files of the workload.
    ///
    /// # Errors
    /// If a string in it has a template that is none.
    pub fn json(value: &Value, data: &[DataPlan]) -> Result<Self, TemplateError> {
        let mut template = Self::default();
        template.add_json(value, data)?;
        Ok(template)
    }

    /// Compiles a text; filled in, it is that text, without quotes.
    ///
    /// # Errors
    /// If it has a template that is none.
    pub fn text(text: &str, data: &[DataPlan]) -> Result<Self, TemplateError> {
        let mut template = Self::default();
        for part in cut(text, data)? {
            match part {
                Part::Text(text) => template.push(text),
                Part::Place(place) => template.pieces.push(Piece::Place(place, Style::Plain)),
            }
        }
        Ok(template)
    }

    /// It, with fixed text before and after.
    #[must_use]
    pub fn wrapped(&self, before: &str, after: &str) -> Self {
        let mut whole = Self::default();
        whole.push(before);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => whole.push(text),
                place @ Piece::Place(..) => whole.pieces.push(place.clone()),
            }
        }
        whole.push(after);
        whole
    }

    /// Whether it is the same each time and needs no draws.
    pub fn is_constant(&self) -> bool {
        self.pieces
            .iter()
            .all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// Fills in the places, drawing from `generator` in their order, and appends the result to `out`.
    ///
    /// # Errors
    /// If something that was to be kept is not there; `out` then holds a part.
    pub fn fill(
        &self,
        context: &Context<'_>,
        generator: &mut ChaCha8Rng,
        out: &mut String,
    ) -> Result<(), FillError> {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Place(place, style) => place.fill(*style, context, generator, out)?,
            }
        }
        Ok(())
    }

    /// Appends text to the last piece, so that constant parts stay whole.
    fn push(&mut self, text: &str) {
        if let Some(Piece::Text(last)) = self.pieces.last_mut() {
            last.push_str(text);
        } else {
            self.pieces.push(Piece::Text(text.to_owned()));
        }
    }

    fn add_json(&mut self, value: &Value, data: &[DataPlan]) -> Result<(), TemplateError> {
        match value {
            Value::String(text) => self.add_string(text, data)?,
            Value::Array(items) => {
                self.push("[");
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        self.push(",");
                    }
                    self.add_json(item, data)?;
                }
                self.push("]");
            }
            Value::Object(members) => {
                self.push("{");
                for (place, (key, item)) in members.iter().enumerate() {
                    if place > 0 {
                        self.push(",");
                    }
                    self.push(&Value::from(key.as_str()).to_string());
                    self.push(":");
                    self.add_json(item, data)?;
                }
                self.push("}");
            }
            plain => self.push(&plain.to_string()),
        }
        Ok(())
    }

    fn add_string(&mut self, text: &str, data: &[DataPlan]) -> Result<(), TemplateError> {
        let mut parts = cut(text, data)?;
        if let [Part::Place(place)] = parts.as_slice()
            && place.is_a_value()
        {
            let place = place.clone();
            self.pieces.push(Piece::Place(place, Style::Whole));
            return Ok(());
        }
        self.push("\"");
        for part in parts.drain(..) {
            match part {
                Part::Text(text) => {
                    let quoted = Value::from(text).to_string();
                    self.push(inner(&quoted));
                }
                Part::Place(place) => self.pieces.push(Piece::Place(place, Style::Inside)),
            }
        }
        self.push("\"");
        Ok(())
    }
}

impl Place {
    /// Whether it has a JSON type of its own, which it keeps where it stands alone.
    const fn is_a_value(&self) -> bool {
        match self {
            Self::Int(..) | Self::Counter | Self::Client | Self::Session | Self::Kept(_) => true,
            Self::Hex(_) | Self::Uid | Self::Data(..) => false,
        }
    }

    fn fill(
        &self,
        style: Style,
        context: &Context<'_>,
        generator: &mut ChaCha8Rng,
        out: &mut String,
    ) -> Result<(), FillError> {
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Hex(digits) => {
                hex(*digits, generator, out);
                Ok(())
            }
            Self::Int(low, high) => {
                let span = u64::try_from(i128::from(*high) - i128::from(*low) + 1);
                let drawn = below(generator, span.unwrap_or(u64::MAX));
                write!(out, "{}", i128::from(*low) + i128::from(drawn))
            }
            Self::Counter => write!(out, "{}", context.counter),
            Self::Client => write!(out, "{}", context.client),
            Self::Session => write!(out, "{}", context.session),
            Self::Uid => write!(out, "{}", context.uid),
            Self::Data(table, column) => {
                let cell = context.data.cell(*table, *column);
                put(style, cell.ok_or(FillError::NoCell)?, out);
                Ok(())
            }
            Self::Kept(name) => {
                let kept = context.kept.get(name);
                let kept = kept.ok_or_else(|| FillError::NothingKept(name.clone()))?;
                match (kept, style) {
                    (Value::String(text), Style::Plain | Style::Inside) => put(style, text, out),
                    (value, Style::Whole) => out.push_str(&value.to_string()),
                    (value, _) => put(style, &value.to_string(), out),
                }
                Ok(())
            }
        };
        Ok(())
    }
}

/// Appends a text, quoted as its place needs it.
fn put(style: Style, text: &str, out: &mut String) {
    match style {
        Style::Plain => out.push_str(text),
        Style::Inside => out.push_str(inner(&Value::from(text).to_string())),
        Style::Whole => out.push_str(&Value::from(text).to_string()),
    }
}

/// A JSON string without its quotes.
fn inner(quoted: &str) -> &str {
    quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(quoted)
}

fn hex(digits: u32, generator: &mut ChaCha8Rng, out: &mut String) {
    let mut left = digits;
    while left > 0 {
        let block = format!("{:016x}", generator.next_u64());
        let taken = left.min(16);
        out.push_str(block.get(..taken as usize).unwrap_or(&block));
        left -= taken;
    }
}

/// A part of a text that is cut at its templates.
enum Part<'a> {
    Text(&'a str),
    Place(Place),
}

/// Cuts a text at its templates.
fn cut<'a>(text: &'a str, data: &[DataPlan]) -> Result<Vec<Part<'a>>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, behind) = after
            .split_once("}}")
            .ok_or_else(|| TemplateError::Unclosed(text.to_owned()))?;
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        parts.push(Part::Place(place(inside.trim(), data)?));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

fn place(text: &str, data: &[DataPlan]) -> Result<Place, TemplateError> {
    let expression = Expression::parse(text).map_err(|expected| TemplateError::Unknown {
        text: text.to_owned(),
        expected,
    })?;
    Ok(match expression {
        Expression::Hex(digits) => Place::Hex(digits),
        Expression::Int(low, high) => Place::Int(low, high),
        Expression::Counter => Place::Counter,
        Expression::Client => Place::Client,
        Expression::Session => Place::Session,
        Expression::Uid => Place::Uid,
        Expression::Kept(name) => Place::Kept(name),
        Expression::Data { name, column } => {
            let mut files = data.iter().enumerate();
            let found = files.find(|(_, file)| file.name == name);
            let found = found.and_then(|(table, file)| {
                let column = file.columns.iter().position(|known| *known == column)?;
                Some(Place::Data(table, column))
            });
            found.ok_or(TemplateError::NoColumn { name, column })?
        }
    })
}

#[cfg(test)]
mod tests;
