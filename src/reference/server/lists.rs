//! Lists by key, which `append` and `read` work on: state that lives and dies with the process.
//!
//! Pure. Invariant: all lists together stay under a bound of bytes, whatever clients send; an append that is refused
//! changes nothing. Appends and reads of a process are linearizable: they happen under one lock, held for no I/O.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that all keys and values together may hold, each entry counted with some bytes for its book-keeping.
const MOST_BYTES: usize = 64 << 20;
const ENTRY_BYTES: usize = 32;

/// The lists of one process.
#[derive(Debug, Default)]
pub(super) struct Lists(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    lists: HashMap<String, Vec<Arc<str>>>,
    bytes: usize,
}

impl Lists {
    /// Appends `value` to the list `key` and says how long it is now; `None` if the lists are full.
    pub(super) fn append(&self, key: &str, value: &str) -> Option<usize> {
        let cost = key.len() + value.len() + ENTRY_BYTES;
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.bytes + cost > MOST_BYTES {
            return None;
        }
        inner.bytes += cost;
        let list = inner.lists.entry(key.to_owned()).or_default();
        list.push(value.into());
        Some(list.len())
    }

    /// The values of the list `key` in the order of their appends; nothing if there is no such list.
    pub(super) fn read(&self, key: &str) -> Vec<Arc<str>> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.lists.get(key).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_the_order_of_its_appends() {
        let lists = Lists::default();
        assert_eq!(lists.append("k", "a"), Some(1));
        assert_eq!(lists.append("other", "x"), Some(1));
        assert_eq!(lists.append("k", "b"), Some(2));
        assert_eq!(lists.read("k"), ["a".into(), "b".into()]);
        assert!(lists.read("none").is_empty());
    }

    #[test]
    fn full_lists_refuse_and_stay_as_they_are() {
        let lists = Lists::default();
        let value = "v".repeat(MOST_BYTES / 2);
        assert_eq!(lists.append("k", &value), Some(1));
        assert_eq!(lists.append("k", &value), None);
        assert_eq!(lists.read("k").len(), 1);
        assert_eq!(lists.append("k", "small"), Some(2));
    }
}
