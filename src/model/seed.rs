//! All chance of a run comes from one [`Seed`].
//!
//! Pure. Draws are counter-based: the stream for (purpose, index) is a position of a `ChaCha8` key stream, so any draw can be
//! taken anywhere, in any order, by any number of workers, and is the same.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The seed of a run, printed and stored with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// What a stream of draws is for. The numbers are part of the meaning of a stored seed: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Purpose {
    /// Client, operation and arguments of an arrival; the index is the arrival's.
    Arrival = 1,
    /// Traits of a client (its protocol version, whether it is cold); the index is the client's.
    Client = 2,
    /// The targets of a fault; the index is the fault's place in the plan.
    Target = 3,
    /// Think times and choices of a closed-load user; the index is the user's.
    User = 4,
    /// Times of random arrivals; the group is the workload, the index the phase.
    Profile = 5,
    /// Whether a call is cancelled; the index is the arrival's.
    Cancel = 6,
    /// Pauses before repeated attempts; the index is the arrival's, with the attempt.
    Backoff = 7,
    /// Rows of data files that arrivals take; the index is the arrival's.
    Data = 8,
    /// Whether the Calls of an operation are kept as rows; the index is the arrival's.
    Row = 12,
    /// What wire rules hit and how; the group is the rule's place, the index the number of the request that it meets.
    Wire = 16,
    /// By how much a fault is shifted; the group is the trial less one, the index the fault's place in the scenario.
    Moment = 20,
    /// Resamples of a bootstrap; the group is the measure, the index the fault's place in the plan.
    Bootstrap = 21,
    /// The session whose owner a fault acts on; the group is the trial less one, the index the fault's place in the scenario.
    Owner = 22,
    /// Which connections of a link a rule selects, and what it draws for each; the group is made of the rule's id, the index is
    /// the connection's.
    Link = 24,
}

impl Seed {
    /// The seed of what has this name: what draws beside others of its kind draws otherwise.
    #[must_use]
    pub fn of(self, name: &str) -> Self {
        // FNV-1a (Fowler, Noll, Vo) from the seed on.
        let hash = name
            .bytes()
            .fold(self.0 ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Self(hash)
    }

    /// The generator for `index` of `purpose` in workload (or group) number `group`, from 0.
    pub fn stream(self, purpose: Purpose, group: u32, index: u64) -> ChaCha8Rng {
        let mut key = [0_u8; 32];
        let (seed, rest) = key.split_at_mut(8);
        seed.copy_from_slice(&self.0.to_le_bytes());
        let (kind, rest) = rest.split_at_mut(2);
        kind.copy_from_slice(&(purpose as u16).to_le_bytes());
        let (number, _) = rest.split_at_mut(4);
        number.copy_from_slice(&group.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(index);
        generator
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn a_draw_depends_on_seed_purpose_group_and_index_and_nothing_else() {
        let draw =
            |seed, purpose, group, index| Seed(seed).stream(purpose, group, index).next_u64();
        let one = draw(7, Purpose::Arrival, 0, 5);
        assert_eq!(one, draw(7, Purpose::Arrival, 0, 5));
        for other in [
            draw(8, Purpose::Arrival, 0, 5),
            draw(7, Purpose::Client, 0, 5),
            draw(7, Purpose::Arrival, 1, 5),
            draw(7, Purpose::Arrival, 0, 6),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn the_mapping_from_seed_to_draws_never_changes() {
        // A stored seed must mean the same run in every later version.
        assert_eq!(
            Seed(1).stream(Purpose::Arrival, 0, 0).next_u64(),
            4_344_717_217_939_160_907
        );
    }
}
