//! `weighted`: turns in proportion to the weights, spread out evenly.
//!
//! Pure. Invariant: over `W` choices from the same candidates, `W` the sum of their weights, each is chosen exactly as often as
//! its weight says.
//!
//! nginx's smooth weighted round robin (`ngx_http_upstream_get_peer`): each choice adds to every candidate's credit its weight,
//! takes the greatest credit, and subtracts `W` from it. Weights 5, 1, 1 give `a a b a c a a`, not `a a a a a b c`.

use std::collections::HashMap;

use super::{Candidate, Facts, Kind, Policy};
use crate::reference::balancer::member::Ordinal;

pub(super) const KIND: Kind = Kind {
    name: "weighted",
    summary: "turns in proportion to the members' weights, spread out evenly",
    build: || Box::new(Weighted::default()),
};

#[derive(Debug, Default)]
struct Weighted {
    credit: HashMap<Ordinal, i64>,
}

impl Policy for Weighted {
    fn choose(&mut self, candidates: &[Candidate<'_>], _: &Facts<'_>) -> Option<Ordinal> {
        // Members that left for good would stay here for ever.
        if self.credit.len() > 2 * candidates.len() {
            self.credit.retain(|ordinal, _| {
                candidates
                    .iter()
                    .any(|candidate| candidate.ordinal == *ordinal)
            });
        }
        let mut best: Option<(Ordinal, i64)> = None;
        let mut total = 0;
        for candidate in candidates {
            let weight = i64::from(candidate.weight);
            let credit = self.credit.entry(candidate.ordinal).or_default();
            *credit += weight;
            total += weight;
            if best.is_none_or(|(_, most)| *credit > most) {
                best = Some((candidate.ordinal, *credit));
            }
        }
        let (chosen, credit) = best?;
        self.credit.insert(chosen, credit - total);
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{ANYONE, candidates, members};
    use super::*;

    #[test]
    fn turns_are_spread_out() {
        let members = members(&[(5, 0), (1, 0), (1, 0)]);
        let mut policy = Weighted::default();
        let turns: Vec<_> = (0..7)
            .map(|_| policy.choose(&candidates(&members), &ANYONE).unwrap().0)
            .collect();
        assert_eq!(turns, [1, 1, 2, 1, 3, 1, 1]);
    }

    #[test]
    fn members_that_left_are_forgotten() {
        let mut policy = Weighted::default();
        for number in 1..1000 {
            let candidate = Candidate {
                ordinal: Ordinal(number),
                name: "a",
                weight: 1,
                active: 0,
            };
            assert_eq!(policy.choose(&[candidate], &ANYONE), Some(Ordinal(number)));
        }
        assert!(policy.credit.len() <= 3);
    }

    proptest! {
        #[test]
        fn shares_are_exactly_the_weights(weights in prop::collection::vec(1_u32..30, 1..7), rounds in 1_u32..4) {
            let members = members(&weights.iter().map(|weight| (*weight, 0)).collect::<Vec<_>>());
            let here = candidates(&members);
            let mut policy = Weighted::default();
            let mut counts: HashMap<Ordinal, u32> = HashMap::new();
            for _ in 0..weights.iter().sum::<u32>() * rounds {
                *counts.entry(policy.choose(&here, &ANYONE).unwrap()).or_default() += 1;
            }
            for candidate in &here {
                prop_assert_eq!(counts[&candidate.ordinal], candidate.weight * rounds);
            }
        }
    }
}
