//! Which member gets a request that no session binds: the [`Policy`] trait and [`POLICIES`], the list of all.
//!
//! Pure. Adding a policy is one file in `policy/` and one line in [`POLICIES`].
//!
//! Invariant: a policy chooses one of the candidates that it is given, and none only if there are none.

mod consistent_hash;
mod least_connections;
mod round_robin;
mod weighted;

use std::fmt;

use super::member::Ordinal;

/// A member that may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Identifies the member; candidates come in ascending order of it.
    pub ordinal: Ordinal,
    /// Its name.
    pub name: &'a str,
    /// Its weight, 1 to 1000, relative to the others.
    pub weight: u32,
    /// Requests that it has and has not finished answering, open streams included.
    pub active: u32,
}

/// What is known of the request.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its session id.
    pub session: Option<&'a str>,
    /// The client's address, without the port.
    pub client: &'a str,
}

/// A way to choose; keeps what it must remember between choices.
pub trait Policy: fmt::Debug + Send {
    /// Chooses one of the candidates; none only if there are none.
    fn choose(&mut self, candidates: &[Candidate<'_>], facts: &Facts<'_>) -> Option<Ordinal>;
}

/// A policy as users know it.
#[derive(Debug)]
pub struct Kind {
    /// The name that `--policy` takes.
    pub name: &'static str,
    /// One sentence for help and lists.
    pub summary: &'static str,
    /// Makes one that has not chosen yet.
    pub build: fn() -> Box<dyn Policy>,
}

/// Every policy; the first is the default.
pub const POLICIES: &[Kind] = &[
    least_connections::KIND,
    round_robin::KIND,
    weighted::KIND,
    consistent_hash::KIND,
];

/// The policy with this name.
pub fn find(name: &str) -> Option<&'static Kind> {
    POLICIES.iter().find(|kind| kind.name == name)
}

/// The first of `candidates` after `last`, in a circle.
fn next_after<'a, 'b>(
    last: Option<Ordinal>,
    mut candidates: impl Iterator<Item = &'b Candidate<'a>> + Clone,
) -> Option<Ordinal>
where
    'a: 'b,
{
    let first = candidates.clone().next();
    let next = candidates.find(|candidate| Some(candidate.ordinal) > last);
    next.or(first).map(|candidate| candidate.ordinal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Members `server-1`, `server-2`, … with these weights and requests.
    pub(super) fn members(of: &[(u32, u32)]) -> Vec<(String, u32, u32)> {
        let numbered = of.iter().zip(1..);
        numbered
            .map(|((weight, active), number)| (format!("server-{number}"), *weight, *active))
            .collect()
    }

    pub(super) fn candidates(members: &[(String, u32, u32)]) -> Vec<Candidate<'_>> {
        let numbered = members.iter().zip(1..);
        numbered
            .map(|((name, weight, active), number)| Candidate {
                ordinal: Ordinal(number),
                name,
                weight: *weight,
                active: *active,
            })
            .collect()
    }

    pub(super) const ANYONE: Facts<'static> = Facts {
        session: None,
        client: "127.0.0.1",
    };

    #[test]
    fn names_are_unique_and_found() {
        for kind in POLICIES {
            assert_eq!(find(kind.name).unwrap().summary, kind.summary);
        }
        assert!(find("random").is_none());
    }

    #[test]
    fn no_policy_chooses_from_nothing() {
        for kind in POLICIES {
            assert_eq!((kind.build)().choose(&[], &ANYONE), None, "{}", kind.name);
        }
    }

    proptest! {
        #[test]
        fn every_policy_chooses_a_candidate_whatever_comes_and_goes(
            rounds in prop::collection::vec(prop::collection::vec((1_u32..=1000, 0_u32..9, any::<bool>()), 1..6), 1..20),
        ) {
            for kind in POLICIES {
                let mut policy = (kind.build)();
                for round in &rounds {
                    let all: Vec<_> = round.iter().map(|(weight, active, _)| (*weight, *active)).collect();
                    let all = members(&all);
                    let mut here = candidates(&all);
                    let mut present = round.iter().map(|(_, _, present)| *present);
                    here.retain(|_| present.next().unwrap());
                    let chosen = policy.choose(&here, &ANYONE);
                    prop_assert_eq!(chosen.is_none(), here.is_empty());
                    prop_assert!(chosen.is_none_or(|chosen| here.iter().any(|candidate| candidate.ordinal == chosen)));
                }
            }
        }
    }
}
