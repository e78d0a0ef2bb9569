//! The parameters of an action: how they are described, read from text, and written back.
//!
//! Pure. An action's table of [`Parameter`]s is the only description of them: the parser and the help are made of it.
//! Invariant: after parsing, every parameter that has a default has a value, and each value is in range.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::grammar::RuleError;

/// A parameter of an action.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its key; for the argument, which stands after the action, the placeholder in help.
    pub name: &'static str,
    /// What values it takes.
    pub takes: Takes,
    /// What it is when it is not given; required if `Need::Required`.
    pub need: Need,
    /// One sentence without a period.
    pub summary: &'static str,
}

/// What it means that a parameter is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must be given.
    Required,
    /// It is absent.
    Optional,
    /// It is this.
    Default(&'static str),
}

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is there or not.
    Nothing,
    /// A whole number in this range.
    Count {
        /// Least.
        min: u64,
        /// Greatest.
        max: u64,
    },
    /// A size such as `64MiB`, up to this many bytes.
    Bytes {
        /// Greatest.
        max: u64,
    },
    /// A duration such as `1.5s` or `200ms`, up to an hour.
    Time,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The name of a header.
    HeaderName,
    /// A header, `NAME:VALUE`.
    Header,
    /// Text that can stand in a header.
    HeaderValue,
}

/// The longest time of a rule.
pub(super) const MOST_TIME: Duration = Duration::from_hours(1);

/// A value as it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Given,
    Count(u64),
    Time(Duration),
    Text(String),
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no value"),
            Self::Count { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Bytes { max } => write!(f, "a size up to {}, such as 64KiB", size(*max)),
            Self::Time => write!(
                f,
                "a duration up to {}, such as 200ms",
                humantime::format_duration(MOST_TIME)
            ),
            Self::Word(words) => write!(f, "{}", words.join(" or ")),
            Self::HeaderName => f.write_str("the name of a header"),
            Self::Header => f.write_str("a header as NAME:VALUE"),
            Self::HeaderValue => f.write_str("text that can stand in a header"),
        }
    }
}

impl Takes {
    fn read(self, text: Option<&str>) -> Option<Value> {
        if self == Self::Nothing {
            return text.is_none().then_some(Value::Given);
        }
        let text = text?;
        match self {
            Self::Nothing => None,
            Self::Count { min, max } => {
                let count = text.parse().ok().filter(|n| (min..=max).contains(n))?;
                Some(Value::Count(count))
            }
            Self::Bytes { max } => {
                let bytes = text.parse::<bytesize::ByteSize>().ok()?.as_u64();
                (bytes <= max).then_some(Value::Count(bytes))
            }
            Self::Time => {
                let time = humantime::parse_duration(text).ok()?;
                (time <= MOST_TIME).then_some(Value::Time(time))
            }
            Self::Word(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Self::HeaderName => {
                HeaderName::try_from(text).ok()?;
                Some(Value::Text(text.to_owned()))
            }
            Self::Header => {
                header(text)?;
                Some(Value::Text(text.to_owned()))
            }
            Self::HeaderValue => {
                HeaderValue::try_from(text).ok()?;
                Some(Value::Text(text.to_owned()))
            }
        }
    }

    fn write(self, value: &Value) -> Option<String> {
        match (self, value) {
            (_, Value::Given) => None,
            (Self::Bytes { .. }, Value::Count(bytes)) => Some(size(*bytes)),
            (_, Value::Count(count)) => Some(count.to_string()),
            (_, Value::Time(time)) => Some(humantime::format_duration(*time).to_string()),
            (_, Value::Text(text)) => Some(text.clone()),
        }
    }
}

/// A size as it is written in a rule: exact, in the greatest unit that holds it.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 5] = [
        (1 << 50, "PiB"),
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    for (unit, name) in UNITS {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    bytes.to_string()
}

fn header(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    Some((
        HeaderName::try_from(name.trim()).ok()?,
        HeaderValue::try_from(value.trim()).ok()?,
    ))
}

/// The values of an action's parameters, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Params(BTreeMap<&'static str, Value>);

impl Params {
    /// Reads a value; `key` is what an error calls it.
    pub(super) fn read(
        &mut self,
        parameter: &Parameter,
        key: &str,
        text: Option<&str>,
    ) -> Result<(), RuleError> {
        let value = parameter.takes.read(text).ok_or_else(|| RuleError::Value {
            key: key.to_owned(),
            given: text.unwrap_or_default().to_owned(),
            expected: parameter.takes.to_string(),
        })?;
        if self.0.insert(parameter.name, value).is_some() {
            return Err(RuleError::Twice(key.to_owned()));
        }
        Ok(())
    }

    /// Fills in the default, if the parameter was not given and has one. False if it had to be given.
    pub(super) fn complete(&mut self, parameter: &Parameter) -> bool {
        if self.0.contains_key(parameter.name) {
            return true;
        }
        match parameter.need {
            Need::Required => return false,
            Need::Optional => {}
            Need::Default(text) => {
                if let Some(value) = parameter.takes.read(Some(text)) {
                    self.0.insert(parameter.name, value);
                }
            }
        }
        true
    }

    /// Whether it has a value that is not its default.
    pub(super) fn differs(&self, parameter: &Parameter) -> bool {
        let default = match parameter.need {
            Need::Default(text) => parameter.takes.read(Some(text)),
            Need::Required | Need::Optional => None,
        };
        self.0.get(parameter.name) != default.as_ref()
    }

    /// Its value in words; None if it has none, or takes none.
    pub(super) fn written(&self, parameter: &Parameter) -> Option<String> {
        let value = self.0.get(parameter.name)?;
        parameter.takes.write(value)
    }

    /// Whether a parameter was given that takes nothing.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A count or a size; zero if it is absent.
    pub(super) fn count(&self, name: &str) -> u64 {
        match self.0.get(name) {
            Some(Value::Count(count)) => *count,
            _ => 0,
        }
    }

    /// A count or a size that is surely small enough for memory.
    pub(super) fn length(&self, name: &str) -> usize {
        usize::try_from(self.count(name)).unwrap_or(usize::MAX)
    }

    /// A duration; zero if it is absent.
    pub(super) fn time(&self, name: &str) -> Duration {
        match self.0.get(name) {
            Some(Value::Time(time)) => *time,
            _ => Duration::ZERO,
        }
    }

    /// A text or word; empty if it is absent.
    pub(super) fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// A header.
    pub(super) fn header(&self, name: &str) -> Option<(HeaderName, HeaderValue)> {
        header(self.text(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_their_range_and_written_back() {
        let count = Takes::Count { min: 1, max: 10 };
        let bytes = Takes::Bytes { max: 1 << 30 };
        let word = Takes::Word(&["close", "reset"]);
        for (takes, text, written) in [
            (count, "10", Some("10")),
            (count, "0", None),
            (count, "x", None),
            (bytes, "64KiB", Some("64KiB")),
            (bytes, "1500", Some("1500")),
            (bytes, "1 GiB", Some("1GiB")),
            (bytes, "2GiB", None),
            (Takes::Time, "1500ms", Some("1s 500ms")),
            (Takes::Time, "2h", None),
            (Takes::Time, "5", None),
            (word, "reset", Some("reset")),
            (word, "resets", None),
            (Takes::HeaderName, "x-a", Some("x-a")),
            (Takes::HeaderName, "x a", None),
            (Takes::Header, "x-a: b", Some("x-a: b")),
            (Takes::Header, "x-a", None),
            (Takes::HeaderValue, "a\nb", None),
        ] {
            let value = takes.read(Some(text));
            let found = value.and_then(|value| takes.write(&value));
            assert_eq!(found.as_deref(), written, "{takes}: {text}");
        }
        assert_eq!(Takes::Nothing.read(Some("x")), None);
    }
}
