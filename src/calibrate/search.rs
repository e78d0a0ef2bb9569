//! [`Search`]: which rate is tried next, on the way to the highest one whose numbers can be trusted.
//!
//! Pure. It doubles while the machine keeps up, halves until it does, then bisects the gap in ratio, as rates are compared.
//! Invariants: no rate is tried twice; the number of probes is bounded; each probe lies strictly within what is still open, so
//! that the answer of a noisy machine can be wrong by one probe, but never sends the search out of its bounds.

/// The least rate that is tried, calls a second.
pub const LEAST: u64 = 100;
/// The highest rate that is tried, calls a second.
pub const MOST: u64 = 1_000_000;
/// The gap between what is valid and what is not at which the search is content.
const CLOSE: f64 = 1.1;
/// Rates are multiples of this, calls a second.
const STEP: u64 = 50;

/// A search for the highest valid rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Where it begins.
    start: u64,
    /// The highest rate that was valid.
    valid: Option<u64>,
    /// The lowest rate that was not.
    refused: Option<u64>,
    /// Probes made.
    made: u32,
    /// Probes allowed.
    most: u32,
}

impl Search {
    /// A search that begins at `start` calls a second and makes at most `most` probes.
    pub fn new(start: u64, most: u32) -> Self {
        Self {
            start: start.clamp(LEAST, MOST),
            valid: None,
            refused: None,
            made: 0,
            most,
        }
    }

    /// The rate to try next; `None` if the search is over.
    pub fn next(&self) -> Option<u64> {
        if self.made >= self.most {
            return None;
        }
        match (self.valid, self.refused) {
            (None, None) => Some(self.start),
            (Some(valid), None) => (valid < MOST).then(|| valid.saturating_mul(2).min(MOST)),
            (None, Some(refused)) => (refused > LEAST).then(|| (refused / 2).max(LEAST)),
            (Some(valid), Some(refused)) => between(valid, refused),
        }
    }

    /// What became of the probe at `rate`.
    pub fn tell(&mut self, rate: u64, is_valid: bool) {
        self.made += 1;
        if is_valid {
            self.valid = Some(self.valid.map_or(rate, |known| known.max(rate)));
        } else {
            self.refused = Some(self.refused.map_or(rate, |known| known.min(rate)));
        }
    }

    /// The highest rate that was valid, calls a second.
    pub const fn valid(&self) -> Option<u64> {
        self.valid
    }

    /// The lowest rate that was not, calls a second.
    pub const fn refused(&self) -> Option<u64> {
        self.refused
    }

    /// How many probes were made.
    pub const fn probes(&self) -> u32 {
        self.made
    }
}

/// The middle of the two in ratio, if they are far enough apart for one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are between LEAST and MOST"
)]
fn between(valid: u64, refused: u64) -> Option<u64> {
    if refused as f64 <= valid as f64 * CLOSE {
        return None;
    }
    let middle = ((valid as f64) * (refused as f64)).sqrt() as u64 / STEP * STEP;
    (middle > valid && middle < refused).then_some(middle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Searches on a machine that keeps up with rates up to `capacity`; the rates that were tried.
    fn on(capacity: u64, search: &mut Search) -> Vec<u64> {
        let mut tried = Vec::new();
        while let Some(rate) = search.next() {
            assert!(tried.len() < 1_000, "it does not end: {tried:?}");
            tried.push(rate);
            search.tell(rate, rate <= capacity);
        }
        tried
    }

    #[test]
    fn it_doubles_and_then_bisects() {
        let mut search = Search::new(4_000, 8);
        assert_eq!(
            on(13_000, &mut search),
            [4_000, 8_000, 16_000, 11_300, 13_400, 12_300]
        );
        assert_eq!(
            (search.valid(), search.refused()),
            (Some(12_300), Some(13_400))
        );
    }

    #[test]
    fn where_the_start_is_too_much_it_halves_first() {
        let mut search = Search::new(8_000, 10);
        assert_eq!(on(1_500, &mut search)[..4], [8_000, 4_000, 2_000, 1_000]);
        assert_eq!(search.valid(), Some(1_500));
    }

    #[test]
    fn a_machine_that_never_keeps_up_has_no_rate_and_one_that_always_does_has_the_highest() {
        let mut slow = Search::new(4_000, 100);
        on(0, &mut slow);
        assert_eq!((slow.valid(), slow.refused()), (None, Some(LEAST)));
        let mut fast = Search::new(4_000, 100);
        on(u64::MAX, &mut fast);
        assert_eq!((fast.valid(), fast.refused()), (Some(MOST), None));
    }

    #[test]
    fn the_number_of_probes_is_kept() {
        for most in 0..6 {
            let mut search = Search::new(4_000, most);
            assert_eq!(on(100_000, &mut search).len(), most as usize);
            assert_eq!(search.probes(), most);
        }
    }

    proptest! {
        #[test]
        fn what_is_found_brackets_the_capacity(capacity in LEAST..MOST, start in 1_u64..2_000_000) {
            let mut search = Search::new(start, 100);
            let tried = on(capacity, &mut search);
            let valid = search.valid().unwrap();
            prop_assert!(valid <= capacity);
            if let Some(refused) = search.refused() {
                prop_assert!(refused > capacity && refused - valid <= refused / 9 + 2 * STEP);
            }
            prop_assert!(tried.len() < 30, "{tried:?}");
        }

        #[test]
        fn a_noisy_machine_ends_too_and_no_rate_is_tried_twice(answers in proptest::collection::vec(any::<bool>(), 100)) {
            let mut search = Search::new(4_000, 100);
            let mut tried = std::collections::BTreeSet::new();
            for answer in answers {
                let Some(rate) = search.next() else { break };
                prop_assert!((LEAST..=MOST).contains(&rate));
                prop_assert!(tried.insert(rate), "{rate} twice");
                search.tell(rate, answer);
            }
            prop_assert!(search.next().is_none());
        }
    }
}
