//! Which tokens a rule has met, and how often: so that it can let them expire.
//!
//! Pure. Of a token only a number is kept, so no secret gets anywhere from here. Invariant: memory is bounded; a token beyond
//! [`MOST`] others is never used up.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

/// How many tokens are told apart by a rule.
const MOST: usize = 1 << 16;

/// How often each token was met.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<u64, u64>);

/// A number that tells this token from others.
pub(super) fn number(token: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(token);
    hasher.finish()
}

impl Tokens {
    /// Whether the token was met `uses` times before; if not, this time counts. What carries none never is.
    pub(super) fn is_used_up(&mut self, token: Option<u64>, uses: u64) -> bool {
        let Some(token) = token else {
            return false;
        };
        if self.0.len() >= MOST && !self.0.contains_key(&token) {
            return false;
        }
        let met = self.0.entry(token).or_default();
        let used_up = *met >= uses;
        *met += u64::from(!used_up);
        used_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_passes_so_often_and_never_again() {
        let mut tokens = Tokens::default();
        let (old, new) = (Some(number(b"Bearer a")), Some(number(b"Bearer b")));
        let mut met = |token| tokens.is_used_up(token, 2);
        assert_eq!([met(old), met(old), met(old)], [false, false, true]);
        assert_eq!([met(new), met(old), met(new)], [false, true, false]);
        assert_eq!([met(new), met(None)], [true, false]);
    }

    #[test]
    fn more_tokens_than_are_kept_pass() {
        let mut tokens = Tokens::default();
        for token in 0..=MOST as u64 {
            assert!(!tokens.is_used_up(Some(token), 1));
        }
        assert!(tokens.is_used_up(Some(0), 1));
        assert!(!tokens.is_used_up(Some(MOST as u64), 1));
        assert_eq!(tokens.0.len(), MOST);
    }
}
