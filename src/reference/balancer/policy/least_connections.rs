//! `least-connections`: the member with the fewest requests in flight for its weight; equals take turns.
//!
//! Pure. Invariant: no candidate has a smaller `active / weight` than the chosen one.
//!
//! As nginx's `least_conn`, it compares `active / weight`. Ties matter: an idle fleet is one big tie, and without turns the
//! first member would get every request.

use super::{Candidate, Facts, Kind, Policy, next_after};
use crate::reference::balancer::member::Ordinal;

pub(super) const KIND: Kind = Kind {
    name: "least-connections",
    summary: "the member with the fewest requests in flight for its weight",
    build: || Box::new(LeastConnections::default()),
};

#[derive(Debug, Default)]
struct LeastConnections {
    last: Option<Ordinal>,
}

impl Policy for LeastConnections {
    fn choose(&mut self, candidates: &[Candidate<'_>], _: &Facts<'_>) -> Option<Ordinal> {
        let least = candidates.iter().copied().reduce(|least, other| {
            if is_busier(&least, &other) {
                other
            } else {
                least
            }
        })?;
        let equals = candidates
            .iter()
            .filter(|candidate| !is_busier(candidate, &least));
        let chosen = next_after(self.last, equals)?;
        self.last = Some(chosen);
        Some(chosen)
    }
}

/// `a.active / a.weight > b.active / b.weight`, without division.
fn is_busier(a: &Candidate<'_>, b: &Candidate<'_>) -> bool {
    u64::from(a.active) * u64::from(b.weight) > u64::from(b.active) * u64::from(a.weight)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{ANYONE, candidates, members};
    use super::*;

    #[test]
    fn the_least_busy_for_its_weight_is_chosen() {
        let choose = |of: &[(u32, u32)]| {
            LeastConnections::default()
                .choose(&candidates(&members(of)), &ANYONE)
                .unwrap()
                .0
        };
        assert_eq!(choose(&[(1, 3), (1, 1), (1, 2)]), 2);
        assert_eq!(
            choose(&[(1, 3), (10, 20), (1, 4)]),
            2,
            "20 / 10 is less than 3 / 1"
        );
    }

    #[test]
    fn an_idle_fleet_shares_evenly() {
        let members = members(&[(1, 0), (1, 0), (1, 0)]);
        let mut policy = LeastConnections::default();
        let turns: Vec<_> = (0..6)
            .map(|_| policy.choose(&candidates(&members), &ANYONE).unwrap().0)
            .collect();
        assert_eq!(turns, [1, 2, 3, 1, 2, 3]);
    }

    proptest! {
        #[test]
        fn none_is_less_busy_than_the_chosen_one(of in prop::collection::vec((1_u32..=1000, 0_u32..50), 1..9), before in 0_u64..9) {
            let members = members(&of);
            let here = candidates(&members);
            let mut policy = LeastConnections { last: Some(Ordinal(before)) };
            let chosen = policy.choose(&here, &ANYONE).unwrap();
            let chosen = here.iter().find(|candidate| candidate.ordinal == chosen).unwrap();
            prop_assert!(here.iter().all(|other| !is_busier(chosen, other)));
        }
    }
}
