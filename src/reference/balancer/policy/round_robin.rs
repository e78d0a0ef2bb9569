//! `round-robin`: the members in turn, in the order in which they joined; weights do not count.
//!
//! Pure. Invariant: over any row of choices from the same candidates their counts differ by at most one.

use super::{Candidate, Facts, Kind, Policy, next_after};
use crate::reference::balancer::member::Ordinal;

pub(super) const KIND: Kind = Kind {
    name: "round-robin",
    summary: "the members in turn, whatever their weights",
    build: || Box::new(RoundRobin::default()),
};

#[derive(Debug, Default)]
struct RoundRobin {
    last: Option<Ordinal>,
}

impl Policy for RoundRobin {
    fn choose(&mut self, candidates: &[Candidate<'_>], _: &Facts<'_>) -> Option<Ordinal> {
        let chosen = next_after(self.last, candidates.iter())?;
        self.last = Some(chosen);
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ANYONE, candidates, members};
    use super::*;

    #[test]
    fn members_take_turns_and_one_that_is_missing_is_skipped() {
        let members = members(&[(1, 0), (9, 5), (1, 0)]);
        let all = candidates(&members);
        let mut policy = RoundRobin::default();
        let mut turn = |here: &[Candidate<'_>]| policy.choose(here, &ANYONE).unwrap().0;
        assert_eq!(
            [turn(&all), turn(&all), turn(&all), turn(&all)],
            [1, 2, 3, 1]
        );
        let without_second = [all[0], all[2]];
        assert_eq!([turn(&without_second), turn(&without_second)], [3, 1]);
        assert_eq!(turn(&all), 2);
    }
}
