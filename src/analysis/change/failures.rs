//! The failures around a change, by class, and how many of them the change is blamed for.
//!
//! Pure. What counts and what does not: the front page.

use std::collections::BTreeMap;

use crate::analysis::names::{SlotNames, SlotNumber};
use crate::analysis::statistics::fisher;
use crate::analysis::{ChangeExample, ChangeFailures};
use crate::model::{Call, Class, Outcome, SlotId};

/// The chance below which a class is more frequent than before.
const SIGNIFICANT: f64 = 0.001;
/// How many examples of a class are kept.
const EXAMPLES: usize = 3;

/// A class, and for `http` the status.
pub(super) type Key = (Class, Option<i64>);

/// The failures of one class.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    pub(super) baseline: u64,
    pub(super) sent_after: u64,
    pub(super) later: u64,
    pub(super) in_flight: u64,
    pub(super) by_slot: BTreeMap<SlotNumber, u64>,
    /// The first few, in order.
    examples: Vec<ChangeExample>,
}

/// The key of a Call that failed, if that can be the change's doing.
pub(super) fn failure(call: &Call) -> Option<Key> {
    if call.outcome == Outcome::Ok {
        return None;
    }
    match call.class {
        // A status has three digits; a server that invents others fills no memory.
        Class::Http => Some((
            Class::Http,
            call.code.filter(|code| (100..1000).contains(code)),
        )),
        Class::None | Class::Local | Class::Cancelled | Class::WrongAnswer => None,
        class => Some((class, None)),
    }
}

impl Failures {
    pub(super) const fn total(&self) -> u64 {
        self.sent_after + self.later + self.in_flight
    }

    /// Keeps the example if it is one of the first: so which are kept does not depend on the order of the Calls.
    pub(super) fn keep(&mut self, example: ChangeExample) {
        let place = self.examples.partition_point(|known| *known < example);
        if place < EXAMPLES {
            self.examples.insert(place, example);
            self.examples.truncate(EXAMPLES);
        }
    }

    pub(super) fn finish(
        self,
        (class, code): Key,
        around: u64,
        baseline_calls: u64,
        names: &SlotNames,
    ) -> ChangeFailures {
        let mut by_slot: Vec<(SlotId, u64)> = self
            .by_slot
            .iter()
            .map(|(slot, calls)| (names.name(*slot), *calls))
            .collect();
        by_slot.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        ChangeFailures {
            class,
            code,
            baseline: self.baseline,
            sent_after: self.sent_after,
            later: self.later,
            in_flight: self.in_flight,
            blamed: blamed(class, self.total(), around, self.baseline, baseline_calls),
            by_slot,
            examples: self.examples,
        }
    }
}

/// How many of `failed` among the `around` Calls a change is blamed for, where `usual` of `baseline` Calls failed so before.
fn blamed(class: Class, failed: u64, around: u64, usual: u64, baseline: u64) -> u64 {
    let is_answer = matches!(class, Class::JsonRpc | Class::Tool);
    if usual == 0 && !is_answer {
        return failed;
    }
    let more = u128::from(failed) * u128::from(baseline) > u128::from(usual) * u128::from(around);
    if !more || fisher(failed, around, usual, baseline) >= SIGNIFICANT {
        return 0;
    }
    let expected = u128::from(usual) * u128::from(around) / u128::from(baseline.max(1));
    failed.saturating_sub(u64::try_from(expected).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_usual_before_blames_nothing_and_what_is_more_only_by_as_much() {
        use Class::{Http, Timeout, Tool, Transport};
        for (class, failed, around, usual, baseline, expected) in [
            // Nothing of the sort before: each counts.
            (Transport, 1, 200, 0, 1000, 1),
            (Transport, 1, 200, 0, 0, 1),
            // As often as before, or more by chance.
            (Timeout, 2, 200, 10, 1000, 0),
            (Timeout, 5, 200, 10, 1000, 0),
            // Far more than the two that are usual.
            (Http, 40, 200, 10, 1000, 38),
            // An application's own errors need not have been seen before.
            (Tool, 1, 200, 0, 1000, 0),
            (Tool, 30, 200, 0, 1000, 30),
        ] {
            assert_eq!(
                blamed(class, failed, around, usual, baseline),
                expected,
                "{failed} {class} of {around}, {usual} of {baseline} before"
            );
        }
    }
}
