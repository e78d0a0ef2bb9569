//! `consistent-hash`: the member that the session id hashes to, or the client's address where there is no session.
//!
//! Pure, and without memory: the same key and candidates always give the same member, in every balancer of a fleet.
//!
//! Invariant: when a member leaves, only its own keys move; when one joins, keys move only to it.
//!
//! Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights as in Schindelhauer and Schomaker 2005): each candidate `i`
//! with weight `w_i` draws `u_i` in (0, 1) from the hash of key and name, and the smallest `-ln(u_i) / w_i` wins, so its
//! share of the keys is `w_i` over the sum of weights. The cost is one hash a member, less than keeping a ring up to date.
//!
//! `initialize` has no session yet and goes by the client's address, so with `--no-sticky` the session's later requests go to
//! another member unless servers share their sessions. That is a property of hashing by session id, not a defect of this file.

use super::{Candidate, Facts, Kind, Policy};
use crate::reference::balancer::member::Ordinal;

pub(super) const KIND: Kind = Kind {
    name: "consistent-hash",
    summary: "the member that the session id hashes to, else the client's address",
    build: || Box::new(ConsistentHash),
};

#[derive(Debug)]
struct ConsistentHash;

impl Policy for ConsistentHash {
    fn choose(&mut self, candidates: &[Candidate<'_>], facts: &Facts<'_>) -> Option<Ordinal> {
        let key = fnv1a(facts.session.unwrap_or(facts.client));
        let distances = candidates
            .iter()
            .map(|candidate| (candidate.ordinal, distance(key, candidate)));
        distances
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(ordinal, _)| ordinal)
    }
}

/// `-ln(u) / weight` with `u` in (0, 1), drawn from key and name.
#[expect(
    clippy::cast_precision_loss,
    reason = "the value has 53 bits, which a f64 holds exactly"
)]
fn distance(key: u64, candidate: &Candidate<'_>) -> f64 {
    let hash = mixed(key ^ mixed(fnv1a(candidate.name)));
    let unit = ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -unit.ln() / f64::from(candidate.weight)
}

/// FNV-1a of 64 bits (Fowler, Noll, Vo): the same on every machine and in every version, unlike the standard library's hash.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014): FNV alone barely spreads the last bytes of a text.
fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{candidates, members};
    use super::*;

    const KEYS: u32 = 20_000;

    fn chosen(here: &[Candidate<'_>], key: u32) -> Ordinal {
        let key = format!("session-{key}");
        let facts = Facts {
            session: Some(&key),
            client: "127.0.0.1",
        };
        ConsistentHash.choose(here, &facts).unwrap()
    }

    #[test]
    fn shares_follow_the_weights() {
        let members = members(&[(1, 0), (2, 0), (5, 0)]);
        let here = candidates(&members);
        for (candidate, share) in here.iter().zip([1.0 / 8.0, 2.0 / 8.0, 5.0 / 8.0]) {
            let count = (0..KEYS)
                .filter(|key| chosen(&here, *key) == candidate.ordinal)
                .count();
            let count = f64::from(u32::try_from(count).unwrap());
            // Five standard deviations of a binomial count; the keys are fixed, so this never flickers.
            let deviation = (f64::from(KEYS) * share * (1.0 - share)).sqrt();
            assert!(
                (count - f64::from(KEYS) * share).abs() < 5.0 * deviation,
                "{} has {count}",
                candidate.name
            );
        }
    }

    #[test]
    fn without_a_session_the_client_address_decides() {
        let members = members(&[(1, 0); 5]);
        let here = candidates(&members);
        let by_client = |client: &str| {
            ConsistentHash
                .choose(
                    &here,
                    &Facts {
                        session: None,
                        client,
                    },
                )
                .unwrap()
        };
        assert_eq!(by_client("127.0.0.1"), by_client("127.0.0.1"));
        assert!(
            (2..50).any(|last| by_client(&format!("127.0.0.{last}")) != by_client("127.0.0.1"))
        );
    }

    proptest! {
        #[test]
        fn only_the_keys_of_a_member_that_leaves_move(count in 2_usize..8, leaving in 0_usize..8, key in any::<u32>()) {
            let members = members(&vec![(1, 0); count]);
            let before = candidates(&members);
            let mut after = before.clone();
            let left = after.remove(leaving % count).ordinal;
            let (was, is) = (chosen(&before, key), chosen(&after, key));
            prop_assert!(was == left || was == is);
        }
    }

    #[test]
    fn about_one_in_n_keys_moves_when_a_member_leaves() {
        let members = members(&[(1, 0); 10]);
        let before = candidates(&members);
        let after = &before[..9];
        let moved = (0..KEYS)
            .filter(|key| chosen(&before, *key) != chosen(after, *key))
            .count();
        let limit = usize::try_from(KEYS / 10).unwrap();
        assert!(
            moved > limit * 8 / 10 && moved < limit * 12 / 10,
            "{moved} of {KEYS} moved"
        );
    }
}
