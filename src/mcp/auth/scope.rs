//! Scopes: sets of them, and which ones to ask for.
//!
//! Pure. A set keeps the order in which its scopes were first named, and is bounded, because servers name them. What is no
//! scope by RFC 6749, section 3.3, never enters one. Next: `auth::authority` adds up what was asked for.

use std::fmt;

/// The most scopes of one set.
pub const MAX_SCOPES: usize = 256;
/// The longest scope, bytes.
const MAX_SCOPE: usize = 256;

/// A set of scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// The scopes in a text, parted by spaces. `None` if one of them is no scope, or if there are too many.
    pub fn parse(text: &str) -> Option<Self> {
        Self::collect(text.split(' ').filter(|name| !name.is_empty()))
    }

    /// The scopes of a list; `None` as for [`parse`](Self::parse).
    pub fn collect<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut scopes = Self::default();
        for name in names {
            scopes.add(name)?;
        }
        Some(scopes)
    }

    fn add(&mut self, name: &str) -> Option<()> {
        let fits = (1..=MAX_SCOPE).contains(&name.len()) && name.bytes().all(is_scope_byte);
        if !fits {
            return None;
        }
        if !self.0.iter().any(|known| known == name) {
            if self.0.len() == MAX_SCOPES {
                return None;
            }
            self.0.push(name.to_owned());
        }
        Some(())
    }

    /// These and the others; `None` if they are too many.
    #[must_use]
    pub fn union(&self, others: &Self) -> Option<Self> {
        let mut both = self.clone();
        for name in &others.0 {
            both.add(name)?;
        }
        Some(both)
    }

    /// Whether all of the others are among these.
    pub fn covers(&self, others: &Self) -> bool {
        others.0.iter().all(|name| self.0.contains(name))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// `scope-token` of RFC 6749: printable ASCII without quotation mark and backslash.
fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

/// What to ask for at first: what the challenge names, else what was configured, else all that the resource supports, else
/// nothing (MCP 2026-07-28, "Scope Selection Strategy"; configuration is ours).
pub fn choose(
    challenged: Option<&Scopes>,
    configured: Option<&Scopes>,
    supported: &Scopes,
) -> Scopes {
    [challenged, configured, Some(supported)]
        .into_iter()
        .flatten()
        .find(|scopes| !scopes.is_empty())
        .cloned()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text).unwrap()
    }

    #[test]
    fn a_set_has_no_scope_twice_and_keeps_their_order() {
        assert_eq!(scopes("b  a b ").to_string(), "b a");
        assert!(scopes("").is_empty());
        let both = scopes("read").union(&scopes("write read")).unwrap();
        assert_eq!(both.to_string(), "read write");
        assert!(both.covers(&scopes("write")) && !scopes("read").covers(&both));
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for hostile in ["a\tb", "a\"b", "a\\b", "ä", "a\r\nb"] {
            assert_eq!(Scopes::parse(hostile), None, "{hostile:?}");
        }
        assert_eq!(Scopes::parse(&"x".repeat(MAX_SCOPE + 1)), None);
        let many: Vec<String> = (0..=MAX_SCOPES).map(|number| number.to_string()).collect();
        assert_eq!(Scopes::parse(&many.join(" ")), None);
        let most = Scopes::collect(many.iter().skip(1).map(String::as_str)).unwrap();
        assert_eq!(most.union(&scopes("0")), None);
        assert_eq!(most.union(&scopes("1")), Some(most.clone()));
    }

    #[test]
    fn the_challenge_is_asked_before_the_scenario_and_that_before_the_resource() {
        let (challenged, configured, supported) = (scopes("c"), scopes("f"), scopes("s t"));
        let none = Scopes::default();
        assert_eq!(
            choose(Some(&challenged), Some(&configured), &supported),
            challenged
        );
        assert_eq!(
            choose(Some(&none), Some(&configured), &supported),
            configured
        );
        assert_eq!(choose(None, None, &supported), supported);
        assert_eq!(choose(None, None, &none), none);
    }
}
