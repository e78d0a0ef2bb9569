//! The text of a rule, cut into items: `ACTION[=ARGUMENT][,KEY[=VALUE]…]`.
//!
//! Pure. A value that holds a comma, a quote or outer space stands between double quotes, in which `\"` and `\\` are a quote
//! and a backslash. Invariant: what [`write_item`] writes, [`items`] reads back.

use std::fmt::{self, Write as _};

use thiserror::Error;

/// The longest rule that is read, bytes.
pub(super) const MOST_TEXT: usize = 8 << 10;

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    /// There is no action.
    #[error("a rule starts with an action, such as \"status=503\"")]
    Empty,
    /// It is too long to be meant.
    #[error("a rule has at most {MOST_TEXT} bytes")]
    TooLong,
    /// A quote does not close, or something follows it.
    #[error("the quoted value of {0:?} does not end with its quote")]
    Quote(String),
    /// There is no such action.
    #[error("there is no action {name:?}; {hint}")]
    Action {
        /// What stands there.
        name: String,
        /// What could be meant.
        hint: String,
    },
    /// Neither the action nor the selector has such a key.
    #[error("{action} takes no {key:?}; {hint}")]
    Key {
        /// The action.
        action: &'static str,
        /// What stands there.
        key: String,
        /// What could be meant.
        hint: String,
    },
    /// A key stands twice.
    #[error("{0:?} stands twice")]
    Twice(String),
    /// Something must be given and is not.
    #[error("{action} needs {name}: {summary}")]
    Missing {
        /// The action.
        action: &'static str,
        /// The placeholder of the argument, or the key.
        name: &'static str,
        /// What it means.
        summary: &'static str,
    },
    /// A value is not of the form that it must have.
    #[error("{key}: {given:?} is wrong; expected {expected}")]
    Value {
        /// The key, or the action for its argument.
        key: String,
        /// What stands there.
        given: String,
        /// What would fit.
        expected: String,
    },
}

/// A key and its value, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) key: String,
    pub(super) value: Option<String>,
}

/// The items of a rule's text, in their order.
pub(super) fn items(text: &str) -> Result<Vec<Item>, RuleError> {
    if text.len() > MOST_TEXT {
        return Err(RuleError::TooLong);
    }
    let mut items = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find([',', '=']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let key = key.trim();
        if key.is_empty() {
            return Err(RuleError::Empty);
        }
        let (value, after) = match after.strip_prefix('=') {
            Some(after) => {
                let (value, after) = value(key, after)?;
                (Some(value), after)
            }
            None => (None, after),
        };
        items.push(Item {
            key: key.to_owned(),
            value,
        });
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Ok(items),
        }
    }
}

/// The value at the begin of `text`, and what follows it.
fn value<'a>(key: &str, text: &'a str) -> Result<(String, &'a str), RuleError> {
    let Some(quoted) = text.trim_start().strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return Ok((value.trim().to_owned(), after));
    };
    let unclosed = || RuleError::Quote(key.to_owned());
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let after = quoted.get(at + 1..).unwrap_or_default().trim_start();
                if !after.is_empty() && !after.starts_with(',') {
                    return Err(unclosed());
                }
                return Ok((value, after));
            }
            '\\' => value.push(characters.next().ok_or_else(unclosed)?.1),
            _ => value.push(character),
        }
    }
    Err(unclosed())
}

/// Writes an item so that it is read back as it is.
pub(super) fn write_item(
    f: &mut fmt::Formatter<'_>,
    key: &str,
    value: Option<&str>,
) -> fmt::Result {
    f.write_str(key)?;
    let Some(value) = value else {
        return Ok(());
    };
    f.write_char('=')?;
    if !value.contains([',', '"']) && value.trim() == value {
        return f.write_str(value);
    }
    f.write_char('"')?;
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(character)?;
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Written<'a>(&'a [Item]);

    impl fmt::Display for Written<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for (number, item) in self.0.iter().enumerate() {
                if number > 0 {
                    f.write_char(',')?;
                }
                write_item(f, &item.key, item.value.as_deref())?;
            }
            Ok(())
        }
    }

    fn item(key: &str, value: Option<&str>) -> Item {
        Item {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        }
    }

    #[test]
    fn items_have_keys_and_perhaps_values() {
        assert_eq!(
            items("status=503, share = 10%,inside").unwrap(),
            [
                item("status", Some("503")),
                item("share", Some("10%")),
                item("inside", None)
            ]
        );
        assert_eq!(
            items(r#"set-header="cookie:a=b, \"c\"" ,nth=2"#).unwrap(),
            [
                item("set-header", Some("cookie:a=b, \"c\"")),
                item("nth", Some("2"))
            ]
        );
        assert_eq!(
            items("set-header=cookie:a=b").unwrap(),
            [item("set-header", Some("cookie:a=b"))]
        );
    }

    #[test]
    fn what_is_no_list_of_items_is_refused() {
        for (text, error) in [
            ("", RuleError::Empty),
            ("status=503,", RuleError::Empty),
            ("=503", RuleError::Empty),
            ("a=\"b", RuleError::Quote("a".to_owned())),
            ("a=\"b\"c", RuleError::Quote("a".to_owned())),
            ("a=\"b\\", RuleError::Quote("a".to_owned())),
        ] {
            assert_eq!(items(text), Err(error), "{text}");
        }
        assert_eq!(items(&"x".repeat(MOST_TEXT + 1)), Err(RuleError::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            parts in proptest::collection::vec(("[a-z-]{1,9}", proptest::option::of("\\PC{0,12}")), 1..5)
        ) {
            let parts: Vec<Item> = parts.into_iter().map(|(key, value)| Item { key, value }).collect();
            prop_assert_eq!(items(&Written(&parts).to_string()).unwrap(), parts);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = items(&text);
        }
    }
}
