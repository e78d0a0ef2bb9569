//! Templated arguments: compiled once from the plan, filled in for each operation.
//!
//! Pure. Compiled, the arguments are pieces of JSON text with places between them, so filling in is copying bytes. What a place
//! puts in is hexadecimal digits, decimal digits or a name, and never needs quoting. A string that is one whole template of a
//! number keeps the number's type: `"{{ random.int(1, 6) }}"` becomes `4`, not `"4"`.

use std::fmt::Write as _;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use thiserror::Error;

use super::draw::below;

/// The most digits that `random.hex` makes.
const MAX_HEX: u32 = 1 << 20;

/// A place of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// `random.hex(N)`: N hexadecimal digits.
    Hex(u32),
    /// `random.int(A, B)`: a whole number from A to B.
    Int(i64, i64),
    /// `counter`: the number of the arrival.
    Counter,
    /// `client`: the number of the client.
    Client,
    /// `uid`: a name of the operation that no other of the run has, the same in all of its steps.
    Uid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Place),
}

/// A compiled template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// What the places that are not drawn put in.
#[derive(Clone, Debug)]
pub struct Context {
    /// The number of the arrival in its workload.
    pub counter: u64,
    /// The client.
    pub client: u32,
    /// The name of the operation.
    pub uid: String,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// A `{{` without `}}`.
    #[error("{0:?} has a \"{{{{\" that is not closed")]
    Unclosed(String),
    /// There is no such expression.
    #[error(
        "{0:?} is no template: expected random.hex(N), random.int(A, B), counter, client or uid"
    )]
    Unknown(String),
}

impl Template {
    /// Compiles a JSON value; filled in, it is JSON text.
    ///
    /// # Errors
    /// If a string in it has a template that is none.
    pub fn json(value: &Value) -> Result<Self, TemplateError> {
        let mut template = Self::default();
        template.add_json(value)?;
        Ok(template)
    }

    /// Compiles a text; filled in, it is that text, without quotes.
    ///
    /// # Errors
    /// If it has a template that is none.
    pub fn text(text: &str) -> Result<Self, TemplateError> {
        let mut template = Self::default();
        for piece in cut(text)? {
            match piece {
                Piece::Text(text) => template.push(&text),
                place @ Piece::Place(_) => template.pieces.push(place),
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
                place @ Piece::Place(_) => whole.pieces.push(place.clone()),
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
    pub fn fill(&self, context: &Context, generator: &mut ChaCha8Rng, out: &mut String) {
        for piece in &self.pieces {
            // Writing to a String cannot fail.
            let _ = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    Ok(())
                }
                Piece::Place(Place::Hex(digits)) => {
                    hex(*digits, generator, out);
                    Ok(())
                }
                Piece::Place(Place::Int(low, high)) => {
                    let span = u64::try_from(i128::from(*high) - i128::from(*low) + 1);
                    let drawn = below(generator, span.unwrap_or(u64::MAX));
                    write!(out, "{}", i128::from(*low) + i128::from(drawn))
                }
                Piece::Place(Place::Counter) => write!(out, "{}", context.counter),
                Piece::Place(Place::Client) => write!(out, "{}", context.client),
                Piece::Place(Place::Uid) => {
                    out.push_str(&context.uid);
                    Ok(())
                }
            };
        }
    }

    /// Appends text to the last piece, so that constant parts stay whole.
    fn push(&mut self, text: &str) {
        if let Some(Piece::Text(last)) = self.pieces.last_mut() {
            last.push_str(text);
        } else {
            self.pieces.push(Piece::Text(text.to_owned()));
        }
    }

    fn add_json(&mut self, value: &Value) -> Result<(), TemplateError> {
        match value {
            Value::String(text) => self.add_string(text)?,
            Value::Array(items) => {
                self.push("[");
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        self.push(",");
                    }
                    self.add_json(item)?;
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
                    self.add_json(item)?;
                }
                self.push("}");
            }
            plain => self.push(&plain.to_string()),
        }
        Ok(())
    }

    fn add_string(&mut self, text: &str) -> Result<(), TemplateError> {
        let pieces = cut(text)?;
        if let [Piece::Place(place @ (Place::Int(..) | Place::Counter | Place::Client))] =
            pieces.as_slice()
        {
            self.pieces.push(Piece::Place(place.clone()));
            return Ok(());
        }
        self.push("\"");
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    let quoted = Value::from(text).to_string();
                    self.push(inner(&quoted));
                }
                place @ Piece::Place(_) => self.pieces.push(place),
            }
        }
        self.push("\"");
        Ok(())
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

/// Cuts a text at its templates.
fn cut(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, behind) = after
            .split_once("}}")
            .ok_or_else(|| TemplateError::Unclosed(text.to_owned()))?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let inside = inside.trim();
        let place = place(inside).ok_or_else(|| TemplateError::Unknown(inside.to_owned()))?;
        pieces.push(Piece::Place(place));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

fn place(text: &str) -> Option<Place> {
    let call = |name: &str| {
        text.strip_prefix(name)?
            .trim()
            .strip_prefix('(')?
            .strip_suffix(')')
    };
    match text {
        "counter" => return Some(Place::Counter),
        "client" => return Some(Place::Client),
        "uid" => return Some(Place::Uid),
        _ => {}
    }
    if let Some(digits) = call("random.hex") {
        let digits = digits.trim().parse().ok()?;
        return (digits <= MAX_HEX).then_some(Place::Hex(digits));
    }
    let (low, high) = call("random.int")?.split_once(',')?;
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (low <= high).then_some(Place::Int(low, high))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::Seed;
    use crate::model::seed::Purpose;

    fn filled(template: &Template) -> String {
        let context = Context {
            counter: 12,
            client: 3,
            uid: "main-12".to_owned(),
        };
        let mut out = String::new();
        let mut generator = Seed(1).stream(Purpose::Arrival, 0, 0);
        template.fill(&context, &mut generator, &mut out);
        out
    }

    #[test]
    fn places_are_filled_in_and_numbers_keep_their_type() {
        let value = json!({
            "n": "{{ counter }}", "who": "client {{client}}!", "id": "{{ uid }}", "hex": "{{ random.hex(20) }}",
            "int": "{{ random.int(-3, -3) }}", "list": [1, null, true, "plain \"quoted\""]
        });
        let text = filled(&Template::json(&value).unwrap());
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["n"], 12);
        assert_eq!(read["who"], "client 3!");
        assert_eq!(read["id"], "main-12");
        assert_eq!(read["hex"].as_str().unwrap().len(), 20);
        assert_eq!(read["int"], -3);
        assert_eq!(read["list"], value["list"]);
    }

    #[test]
    fn the_same_draws_make_the_same_text() {
        let arguments = Template::json(&json!({"text": "{{ random.hex(64) }}"})).unwrap();
        let expected = Template::text("{{ random.hex(64) }}").unwrap();
        assert_eq!(
            filled(&arguments),
            format!("{{\"text\":\"{}\"}}", filled(&expected))
        );
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in [
            "{{ nope }}",
            "{{ random.hex(x) }}",
            "{{ random.int(5, 1) }}",
            "{{ counter",
            "{{ random.hex(99999999) }}",
        ] {
            assert!(Template::text(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_without_templates_is_the_json_that_it_was(text in "[^{]*") {
            let template = Template::json(&json!([&text])).unwrap();
            prop_assert!(template.is_constant());
            prop_assert_eq!(serde_json::from_str::<Value>(&filled(&template)).unwrap(), json!([text]));
        }
    }
}
