//! Errors of Calls: by class and code, when they were first and last seen, and who gave them.
//!
//! Pure. One fold over the Calls, in any order.

use std::collections::BTreeMap;

use super::ErrorStats;
use super::names::{SlotNames, SlotNumber};
use crate::model::{Call, Class, Offset};

/// How many (class, code) pairs are told apart; a server that invents codes fills no memory.
const MOST: usize = 1000;

/// The errors of a run.
#[derive(Clone, Debug, Default)]
pub struct ErrorFold {
    errors: BTreeMap<(Class, Option<i64>), Kind>,
}

#[derive(Clone, Debug)]
struct Kind {
    calls: u64,
    first: Offset,
    last: Offset,
    slots: BTreeMap<SlotNumber, u64>,
}

impl ErrorFold {
    /// Counts a Call that did not end ok.
    pub fn observe(&mut self, call: &Call, slot: SlotNumber) {
        if call.class == Class::None {
            return;
        }
        let mut key = (call.class, call.code);
        if self.errors.len() >= MOST && !self.errors.contains_key(&key) {
            key.1 = None;
        }
        let kind = self.errors.entry(key).or_insert_with(|| Kind {
            calls: 0,
            first: call.done,
            last: call.done,
            slots: BTreeMap::new(),
        });
        kind.calls += 1;
        kind.first = kind.first.min(call.done);
        kind.last = kind.last.max(call.done);
        *kind.slots.entry(slot).or_default() += 1;
    }

    /// The errors, most frequent first.
    pub fn finish(self, names: &SlotNames) -> Vec<ErrorStats> {
        let mut errors: Vec<ErrorStats> = self
            .errors
            .into_iter()
            .map(|((class, code), kind)| {
                let mut by_slot: Vec<_> = kind
                    .slots
                    .into_iter()
                    .map(|(slot, calls)| (names.name(slot), calls))
                    .collect();
                by_slot.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                ErrorStats {
                    class,
                    code,
                    calls: kind.calls,
                    first: kind.first,
                    last: kind.last,
                    by_slot,
                }
            })
            .collect();
        errors.sort_by(|a, b| {
            let count = b.calls.cmp(&a.calls);
            count.then_with(|| (a.class, a.code).cmp(&(b.class, b.code)))
        });
        errors
    }
}
