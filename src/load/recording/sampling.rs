//! [`Sampling`]: which Calls are kept as rows where the scenario does not want all of them.
//!
//! Pure. Whole operations are drawn, by the seed and the number of their arrival, so that the same are kept on any number of
//! workers. Invariant: every Call of an operation that did not end ok, exceeded a threshold, had a Call that did not end ok, or
//! lasted beyond its phase, is kept, whatever was drawn; so is all upkeep outside operations. What is judged by such
//! operations one by one is judged exactly; everything else is counted before rows are left out.

use std::collections::HashMap;

use super::Attempt;
use crate::load::draw;
use crate::model::{Class, Outcome, Seed, Share};

/// Rows that wait for the end of their operations at most; beyond, operations are kept.
const MOST_HELD: usize = 200_000;

/// What is left out, and what waits for its operation's end.
#[derive(Debug)]
pub(crate) struct Sampling {
    seed: Seed,
    share: Share,
    /// By workload and arrival, of operations that have not ended.
    open: HashMap<(u32, u64), Open>,
    held: usize,
}

/// An operation that was not drawn and has not ended.
#[derive(Debug)]
enum Open {
    /// It may be left out: its Calls so far.
    Held(Vec<Attempt>),
    /// It is kept.
    Kept,
}

/// What becomes of rows.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    /// To be written.
    pub(crate) kept: Vec<Attempt>,
    /// Left out, with how they ended counted elsewhere.
    pub(crate) left_out: Vec<Attempt>,
}

impl Sampling {
    /// Keeps this share of the operations.
    pub(crate) fn new(seed: Seed, share: Share) -> Self {
        Self {
            seed,
            share,
            open: HashMap::new(),
            held: 0,
        }
    }

    /// Takes the next Call. `stands_out`: it exceeded a threshold, or ended in another phase.
    pub(crate) fn take(&mut self, attempt: Attempt, stands_out: bool) -> Sorted {
        let mut sorted = Sorted::default();
        let drawn = |arrival| draw::is_kept(self.seed, attempt.workload, arrival, self.share);
        let Some(arrival) = attempt.arrival.filter(|arrival| !drawn(*arrival)) else {
            sorted.kept.push(attempt);
            return sorted;
        };
        let key = (attempt.workload, arrival);
        let before = self.open.remove(&key);
        let has_ended = attempt.ends.is_some();
        let is_bad =
            attempt.class != Class::None || attempt.ends.is_some_and(|ended| ended != Outcome::Ok);
        let is_full = !has_ended && self.held >= MOST_HELD;
        let (mut rows, is_kept) = match before {
            Some(Open::Held(rows)) => (rows, false),
            Some(Open::Kept) => (Vec::new(), true),
            None => (Vec::new(), false),
        };
        self.held = self.held.saturating_sub(rows.len());
        rows.push(attempt);
        if is_kept || is_bad || stands_out || is_full {
            sorted.kept = rows;
            if !has_ended {
                self.open.insert(key, Open::Kept);
            }
        } else if has_ended {
            sorted.left_out = rows;
        } else {
            self.held += rows.len();
            self.open.insert(key, Open::Held(rows));
        }
        sorted
    }

    /// The rows of operations that never ended, in the order in which they were done.
    pub(crate) fn rest(&mut self) -> Vec<Attempt> {
        self.held = 0;
        let mut rest: Vec<Attempt> = self
            .open
            .drain()
            .filter_map(|(_, open)| match open {
                Open::Held(rows) => Some(rows),
                Open::Kept => None,
            })
            .flatten()
            .collect();
        rest.sort_by_key(|row| (row.done, row.workload, row.arrival, row.step));
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::call as any;
    use super::*;

    fn call(arrival: u64, step: u32, class: Class, ends: Option<Outcome>) -> Attempt {
        Attempt {
            arrival: Some(arrival),
            step,
            class,
            ends,
            ..any(0)
        }
    }

    fn none() -> Sampling {
        Sampling::new(Seed(3), Share::ZERO)
    }

    #[test]
    fn the_share_that_is_kept_is_the_share_of_whole_operations() {
        let mut sampling = Sampling::new(Seed(3), "10%".parse().unwrap());
        let (mut kept, mut left_out) = (0, 0);
        for arrival in 0..10_000 {
            let first = sampling.take(call(arrival, 0, Class::None, None), false);
            let last = sampling.take(call(arrival, 1, Class::None, Some(Outcome::Ok)), false);
            let rows = first.kept.len() + last.kept.len();
            assert!(rows == 0 || rows == 2, "{rows}");
            assert_eq!(rows + first.left_out.len() + last.left_out.len(), 2);
            kept += rows;
            left_out += last.left_out.len();
        }
        // 10 % of 10,000 within five standard deviations.
        assert!((1_700..2_300).contains(&kept), "{kept}");
        assert_eq!(kept + left_out, 20_000);
        assert!(sampling.rest().is_empty());
    }

    #[test]
    fn what_did_not_end_ok_is_kept_with_all_that_came_before() {
        let mut sampling = none();
        assert!(
            sampling
                .take(call(1, 0, Class::None, None), false)
                .kept
                .is_empty()
        );
        let last = sampling.take(call(1, 1, Class::Timeout, Some(Outcome::Info)), false);
        assert_eq!(last.kept.len(), 2);
    }

    #[test]
    fn what_was_bad_once_is_kept_to_its_end() {
        let mut sampling = none();
        assert_eq!(
            sampling
                .take(call(1, 0, Class::Connect, None), false)
                .kept
                .len(),
            1
        );
        let last = sampling.take(call(1, 0, Class::None, Some(Outcome::Ok)), false);
        assert_eq!((last.kept.len(), last.left_out.len()), (1, 0));
    }

    #[test]
    fn what_stands_out_is_kept_and_the_next_is_not() {
        let mut sampling = none();
        let ok = Some(Outcome::Ok);
        assert_eq!(
            sampling.take(call(1, 0, Class::None, ok), true).kept.len(),
            1
        );
        assert_eq!(
            sampling
                .take(call(2, 0, Class::None, ok), false)
                .left_out
                .len(),
            1
        );
    }

    #[test]
    fn upkeep_and_what_never_ended_are_kept() {
        let mut sampling = none();
        let upkeep = Attempt {
            arrival: None,
            ..call(0, 0, Class::None, None)
        };
        assert_eq!(sampling.take(upkeep, false).kept.len(), 1);
        assert!(
            sampling
                .take(call(1, 0, Class::None, None), false)
                .kept
                .is_empty()
        );
        assert_eq!(sampling.rest().len(), 1);
    }
}
