//! Single values: from what TOML says to the canonical form of a type.
//!
//! Pure.

use std::str::FromStr;

use serde_json::{Value, json};

use crate::diag::{Code, codes, suggest};
use crate::model::{Rate, Share};
use crate::registry::Ty;
use crate::scenario::node::Form;

/// The longest text of one value, bytes.
const LONGEST: usize = 64 * 1024;

/// What is wrong with a value: `message` goes on after the key's name.
pub(super) struct Wrong {
    pub(super) code: &'static Code,
    pub(super) message: String,
    pub(super) expected: String,
    pub(super) hint: Option<String>,
}

impl Wrong {
    fn new(code: &'static Code, message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            expected: expected.into(),
            hint: None,
        }
    }
}

/// Whether a value of this form can be of this type, by its TOML type alone.
pub(super) const fn fits(ty: &Ty, form: &Form) -> bool {
    match ty {
        Ty::Text
        | Ty::Name
        | Ty::Duration { .. }
        | Ty::Rate
        | Ty::Share
        | Ty::OneOf(_)
        | Ty::Words { .. } => matches!(form, Form::Text(_) | Form::Loose(_)),
        // A text is no secret, and the reader of secrets says so without showing it.
        Ty::Secret => matches!(form, Form::Table(_) | Form::Text(_) | Form::Loose(_)),
        Ty::Bytes => matches!(form, Form::Text(_) | Form::Loose(_) | Form::Integer(_)),
        Ty::Bool => matches!(form, Form::Bool(_) | Form::Loose(_)),
        Ty::Integer { .. } => matches!(form, Form::Integer(_) | Form::Loose(_)),
        Ty::Number { .. } => {
            matches!(form, Form::Integer(_) | Form::Float(_) | Form::Loose(_))
        }
        Ty::List(_) => matches!(form, Form::List(_)),
        Ty::Map(_) | Ty::Table(_) | Ty::Kind(_) => matches!(form, Form::Table(_)),
        Ty::Any | Ty::Either(_) => true,
    }
}

/// The type in words: what was expected.
pub(in crate::scenario) fn describe(ty: &Ty) -> String {
    match ty {
        Ty::Text => "a text".to_owned(),
        Ty::Name => "a name".to_owned(),
        Ty::Bool => "true or false".to_owned(),
        Ty::Integer { min, max } => format!("a whole number from {min} to {max}"),
        Ty::Number { min, max } => format!("a number from {min} to {max}"),
        Ty::Duration { .. } => "a duration such as \"1.5s\"".to_owned(),
        Ty::Rate => "a rate such as \"100/s\"".to_owned(),
        Ty::Share => "a share such as \"99.9%\"".to_owned(),
        Ty::Bytes => "a size such as \"64MiB\"".to_owned(),
        Ty::OneOf(words) | Ty::Words { now: words, .. } => format!("one of {}", words.join(", ")),
        Ty::List(inner) => format!("a list, each {}", describe(inner)),
        Ty::Map(_) | Ty::Table(_) => "a table".to_owned(),
        Ty::Secret => "{ env = \"NAME\" } or { file = \"PATH\" }".to_owned(),
        Ty::Either(forms) => forms.iter().map(describe).collect::<Vec<_>>().join(", or "),
        Ty::Any => "any value".to_owned(),
        Ty::Kind(family) => format!("a table with `{}`", family.tag()),
    }
}

/// Reads a single value.
pub(super) fn read(ty: &Ty, form: &Form) -> Result<Value, Wrong> {
    if let Form::Text(text) | Form::Loose(text) = form
        && text.len() > LONGEST
    {
        return Err(Wrong::new(
            &codes::TOO_LARGE,
            "is too long",
            format!("expected at most {LONGEST} bytes"),
        ));
    }
    match (ty, form) {
        (Ty::Any, _) => any(form),
        (Ty::Bool, Form::Bool(flag)) => Ok(json!(flag)),
        (Ty::Bool, Form::Loose(text)) => match text.as_str() {
            "true" => Ok(json!(true)),
            "false" => Ok(json!(false)),
            _ => Err(not_of_type(ty, form)),
        },
        (Ty::Integer { min, max }, Form::Integer(number)) => integer(*number, *min, *max),
        (Ty::Integer { min, max }, Form::Loose(text)) => match text.replace('_', "").parse() {
            Ok(number) => integer(number, *min, *max),
            Err(_) => Err(not_of_type(ty, form)),
        },
        (Ty::Number { min, max }, Form::Float(number)) => in_range(*number, *min, *max),
        (Ty::Number { min, max }, Form::Integer(number)) => match i32::try_from(*number) {
            Ok(number) => in_range(f64::from(number), *min, *max),
            Err(_) => in_range(f64::INFINITY, *min, *max),
        },
        (Ty::Number { min, max }, Form::Loose(text)) => match text.parse() {
            Ok(number) => in_range(number, *min, *max),
            Err(_) => Err(not_of_type(ty, form)),
        },
        (Ty::Bytes, Form::Integer(number)) => u64::try_from(*number)
            .map(|number| json!(number))
            .map_err(|_| Wrong::new(&codes::OUT_OF_RANGE, "is negative", "expected a size")),
        (
            Ty::Text
            | Ty::Name
            | Ty::OneOf(_)
            | Ty::Words { .. }
            | Ty::Duration { .. }
            | Ty::Rate
            | Ty::Share
            | Ty::Bytes,
            Form::Text(text) | Form::Loose(text),
        ) => from_text(ty, text),
        _ => Err(not_of_type(ty, form)),
    }
}

fn not_of_type(ty: &Ty, form: &Form) -> Wrong {
    let mut wrong = Wrong::new(
        &codes::WRONG_TYPE,
        match form {
            Form::Loose(text) => format!("is {text:?}"),
            other => format!("is {}", other.noun()),
        },
        format!("expected {}", describe(ty)),
    );
    if let (Form::Integer(number), Ty::Duration { .. } | Ty::Rate | Ty::Share) = (form, ty) {
        let unit = match ty {
            Ty::Rate => "/s",
            Ty::Share => "%",
            _ => "s",
        };
        wrong.hint = Some(format!("write the unit: \"{number}{unit}\""));
    }
    wrong
}

fn in_range(number: f64, min: f64, max: f64) -> Result<Value, Wrong> {
    if number >= min && number <= max {
        return Ok(json!(number));
    }
    Err(Wrong::new(
        &codes::OUT_OF_RANGE,
        "is out of range",
        format!("expected a number from {min} to {max}"),
    ))
}

fn integer(number: i64, min: i64, max: i64) -> Result<Value, Wrong> {
    if (min..=max).contains(&number) {
        return Ok(json!(number));
    }
    Err(Wrong::new(
        &codes::OUT_OF_RANGE,
        format!("is {number}"),
        if number < min {
            format!("expected at least {min}")
        } else {
            format!("expected at most {max}")
        },
    ))
}

fn from_text(ty: &Ty, text: &str) -> Result<Value, Wrong> {
    match ty {
        Ty::Name => name(text),
        Ty::OneOf(words) => one_of(text, words),
        Ty::Words { now, later } if later.contains(&text) => Err(not_yet(text, now)),
        Ty::Words { now, .. } => one_of(text, now),
        Ty::Duration { min, max } => duration(text, *min, *max),
        Ty::Rate => quantity::<Rate>(text, "rate"),
        Ty::Share => quantity::<Share>(text, "share"),
        Ty::Bytes => match text.parse::<bytesize::ByteSize>() {
            Ok(size) => Ok(json!(size.as_u64())),
            Err(_) => Err(Wrong::new(
                &codes::BAD_VALUE,
                format!("is no size: {text:?}"),
                "expected a size such as \"64MiB\"",
            )),
        },
        _ => Ok(json!(text)),
    }
}

/// Whether the text is a name: `Ty::Name`.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || "-_.".contains(one))
}

fn name(text: &str) -> Result<Value, Wrong> {
    if is_name(text) {
        return Ok(json!(text));
    }
    Err(Wrong::new(
        &codes::BAD_VALUE,
        "is no name",
        "expected a letter, then letters, digits, `-`, `_` or `.`, at most 64 in all",
    ))
}

fn one_of(text: &str, words: &[&str]) -> Result<Value, Wrong> {
    if words.contains(&text) {
        return Ok(json!(text));
    }
    let mut wrong = Wrong::new(
        &codes::UNKNOWN_WORD,
        format!("is {text:?}"),
        format!("expected one of {}", words.join(", ")),
    );
    wrong.hint = suggest(text, "word", words.iter().copied())
        .filter(|hint| hint.starts_with("did you mean"));
    Err(wrong)
}

/// A word that is known and does not act yet.
fn not_yet(text: &str, now: &[&str]) -> Wrong {
    let mut wrong = Wrong::new(
        &codes::NOT_YET,
        format!("is {text:?}, which does not act yet"),
        "not yet",
    );
    wrong.hint = Some(format!("this version takes: {}", now.join(", ")));
    wrong
}

fn duration(text: &str, min: u64, max: u64) -> Result<Value, Wrong> {
    let wrong = || {
        let mut wrong = Wrong::new(
            &codes::BAD_VALUE,
            format!("is no duration: {text:?}"),
            "expected a number with a unit, such as \"1.5s\", \"250ms\" or \"2m\"",
        );
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            wrong.hint = Some(format!("write the unit: \"{text}ms\" or \"{text}s\""));
        }
        wrong
    };
    let duration = parse_duration(text).ok_or_else(wrong)?;
    let human = |nanos| humantime::format_duration(std::time::Duration::from_nanos(nanos));
    let range = match u64::try_from(duration.as_nanos()) {
        Ok(nanos) if nanos < min => Some(format!("expected at least {}", human(min))),
        Ok(nanos) if nanos <= max => None,
        _ => Some(format!("expected at most {}", human(max))),
    };
    match range {
        None => Ok(json!(humantime::format_duration(duration).to_string())),
        Some(expected) => Err(Wrong::new(
            &codes::OUT_OF_RANGE,
            format!("is {text:?}"),
            expected,
        )),
    }
}

/// A duration with a unit; fractions such as `1.5s` included.
pub(crate) fn parse_duration(text: &str) -> Option<std::time::Duration> {
    humantime::parse_duration(text.trim()).ok()
}

fn quantity<T: FromStr + ToString>(text: &str, noun: &str) -> Result<Value, Wrong>
where
    T::Err: std::fmt::Display,
{
    match text.parse::<T>() {
        Ok(quantity) => Ok(json!(quantity.to_string())),
        Err(error) => Err(Wrong::new(
            &codes::BAD_VALUE,
            format!("is no {noun}: {text:?}"),
            error.to_string(),
        )),
    }
}

/// Any value as JSON; a loose text is a number or a flag if it looks like one.
fn any(form: &Form) -> Result<Value, Wrong> {
    Ok(match form {
        Form::Text(text) | Form::Datetime(text) => json!(text),
        Form::Loose(text) => match text.as_str() {
            "true" => json!(true),
            "false" => json!(false),
            _ => text
                .parse::<i64>()
                .map_or_else(|_| json!(text), |number| json!(number)),
        },
        Form::Integer(number) => json!(number),
        Form::Float(number) => json!(number),
        Form::Bool(flag) => json!(flag),
        Form::List(items) => {
            let items: Result<Vec<Value>, Wrong> =
                items.iter().map(|item| any(&item.form)).collect();
            Value::Array(items?)
        }
        Form::Table(entries) => {
            let mut map = serde_json::Map::new();
            for entry in entries {
                map.insert(entry.key.clone(), any(&entry.node.form)?);
            }
            Value::Object(map)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Ty = Ty::Duration {
        min: 1_000_000,
        max: 10_000_000_000,
    };

    fn text(ty: &Ty, text: &str) -> Result<Value, &'static str> {
        read(ty, &Form::Text(text.to_owned())).map_err(|wrong| wrong.code.name)
    }

    fn loose(ty: &Ty, text: &str) -> Result<Value, &'static str> {
        read(ty, &Form::Loose(text.to_owned())).map_err(|wrong| wrong.code.name)
    }

    #[test]
    fn durations_have_units_and_a_range() {
        assert_eq!(text(&DURATION, "1.5s"), Ok(json!("1s 500ms")));
        assert_eq!(text(&DURATION, "5"), Err("bad-value"));
        assert_eq!(text(&DURATION, "1us"), Err("out-of-range"));
        assert_eq!(text(&DURATION, "1m"), Err("out-of-range"));
        assert_eq!(
            read(&DURATION, &Form::Integer(5)).unwrap_err().hint,
            Some("write the unit: \"5s\"".to_owned())
        );
    }

    #[test]
    fn a_loose_text_takes_the_type_that_is_wanted() {
        assert_eq!(loose(&Ty::Bool, "true"), Ok(json!(true)));
        assert_eq!(loose(&Ty::Integer { min: 0, max: 9 }, "7"), Ok(json!(7)));
        assert_eq!(loose(&Ty::Text, "7"), Ok(json!("7")));
        assert_eq!(loose(&Ty::Any, "7"), Ok(json!(7)));
        assert_eq!(
            loose(&Ty::Integer { min: 0, max: 9 }, "x"),
            Err("wrong-type")
        );
        // Quoted in the scenario it is a text, and a text is no number.
        assert_eq!(
            text(&Ty::Integer { min: 0, max: 9 }, "7"),
            Err("wrong-type")
        );
    }

    #[test]
    fn names_are_what_paths_and_labels_can_carry() {
        for good in ["a", "server-1", "A_b.c"] {
            assert_eq!(text(&Ty::Name, good), Ok(json!(good)));
        }
        for bad in ["", "1a", "a b", "ä", "a/b"] {
            assert_eq!(text(&Ty::Name, bad), Err("bad-value"), "{bad}");
        }
    }

    #[test]
    fn sizes_are_bytes() {
        assert_eq!(text(&Ty::Bytes, "64MiB"), Ok(json!(67_108_864)));
        assert_eq!(text(&Ty::Bytes, "lots"), Err("bad-value"));
        assert!(read(&Ty::Bytes, &Form::Integer(-1)).is_err());
    }
}
