//! Draws: who an arrival goes to, what it does, and what a client is like.
//!
//! Pure. Every draw comes from a stream of the seed that depends on (purpose, workload, index) alone, so it is the same on any
//! number of workers. The mapping from 64 random bits to a choice among n is `bits * n / 2^64` (Lemire, "Fast Random Integer
//! Generation in an Interval", 2019, without the rejection: the bias is below n / 2^64); it is written here, and not taken from
//! a library, because a stored seed must mean the same run for ever.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::model::seed::Purpose;
use crate::model::{ProtocolVersion, Seed, Share};
use crate::plan::{Dialect, RetryPlan, VanishHow, WorkloadPlan};

/// A number from 0 to `below - 1`; 0 if `below` is 0.
pub fn below(generator: &mut ChaCha8Rng, below: u64) -> u64 {
    let product = u128::from(generator.next_u64()) * u128::from(below);
    u64::try_from(product >> 64).unwrap_or(0)
}

/// Weights, as running sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    sums: Vec<u64>,
}

impl Weights {
    /// Of these weights, in order; one of zero is never drawn.
    pub fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        let sums = weights
            .into_iter()
            .scan(0_u64, |sum, weight| {
                *sum += u64::from(weight);
                Some(*sum)
            })
            .collect();
        Self { sums }
    }

    /// The place of a weight, drawn in proportion; `None` if all are zero.
    pub fn draw(&self, generator: &mut ChaCha8Rng) -> Option<usize> {
        let total = *self.sums.last()?;
        if total == 0 {
            return None;
        }
        let at = below(generator, total);
        Some(self.sums.partition_point(|sum| *sum <= at))
    }
}

/// Draws arrivals of one workload.
#[derive(Clone, Debug)]
pub struct Arrivals {
    seed: Seed,
    number: u32,
    clients: u32,
    weights: Weights,
}

impl Arrivals {
    /// Of this workload.
    pub fn new(seed: Seed, workload: &WorkloadPlan) -> Self {
        Self {
            seed,
            number: workload.number,
            clients: workload.clients,
            weights: Weights::new(workload.operations.iter().map(|operation| operation.weight)),
        }
    }

    /// The generator of arrival `k`, and the client that it goes to: any of all, busy or not.
    pub fn client(&self, k: u64) -> (ChaCha8Rng, u32) {
        let mut generator = self.seed.stream(Purpose::Arrival, self.number, k);
        let client = below(&mut generator, u64::from(self.clients));
        (generator, u32::try_from(client).unwrap_or(0))
    }

    /// The operation that it does, by place; drawn after the client. `None` if every weight is zero.
    pub fn operation(&self, generator: &mut ChaCha8Rng) -> Option<usize> {
        self.weights.draw(generator)
    }

    /// The generator of closed-load user `user`, for all of its draws.
    pub fn user(&self, user: u32) -> ChaCha8Rng {
        self.seed
            .stream(Purpose::User, self.number, u64::from(user))
    }
}

/// What a client is like for the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// What it asks to speak.
    pub dialect: Dialect,
    /// Whether it opens a new connection for each call.
    pub cold: bool,
    /// Whether it keeps a stream of the server's messages open.
    pub listens: bool,
    /// How it vanishes after each operation, if it does.
    pub vanishes: Option<VanishHow>,
}

impl Traits {
    /// Whether it speaks whatever it finds.
    pub fn is_auto(self) -> bool {
        self.dialect == Dialect::Auto
    }

    /// Whether it may speak this version: a client of one version stays in its era.
    pub fn may_speak(self, version: ProtocolVersion) -> bool {
        match self.dialect {
            Dialect::Auto => true,
            Dialect::Version(own) => own.era() == version.era(),
        }
    }
}

/// Draws the traits of a client; `None` if the workload has no protocol of a weight above zero.
pub fn traits(seed: Seed, workload: &WorkloadPlan, client: u32) -> Option<Traits> {
    let mut generator = seed.stream(Purpose::Client, workload.number, u64::from(client));
    let weights = Weights::new(workload.protocols.iter().map(|(_, weight)| *weight));
    let (dialect, _) = *workload.protocols.get(weights.draw(&mut generator)?)?;
    Some(Traits {
        dialect,
        cold: is_drawn(&mut generator, workload.connections.cold),
        // Later traits are drawn after earlier ones, so that a stored seed keeps its meaning.
        listens: is_drawn(&mut generator, workload.listen) || client < workload.held,
        vanishes: workload
            .vanish
            .filter(|vanish| is_drawn(&mut generator, vanish.share))
            .map(|vanish| vanish.how),
    })
}

/// Whether the call of arrival `k` is cancelled.
pub fn cancels(seed: Seed, workload: u32, k: u64, share: Share) -> bool {
    share > Share::ZERO && is_drawn(&mut seed.stream(Purpose::Cancel, workload, k), share)
}

/// Whether the Calls of arrival `k` are kept as rows, of which this share is.
pub fn is_kept(seed: Seed, workload: u32, k: u64, share: Share) -> bool {
    share > Share::ZERO && is_drawn(&mut seed.stream(Purpose::Row, workload, k), share)
}

/// The pause before attempt `attempt` of arrival `k` is sent again for the `retried`-th time (from 0): it doubles each time up to the
/// longest, and is drawn evenly from its half to its whole, so that clients that failed together do not come back together.
pub fn backoff(
    seed: Seed,
    workload: u32,
    k: u64,
    attempt: u32,
    retried: u32,
    retry: &RetryPlan,
) -> Duration {
    let whole = retry
        .backoff
        .saturating_mul(2_u32.saturating_pow(retried))
        .min(retry.max_backoff);
    let mut generator = seed.stream(
        Purpose::Backoff,
        workload,
        k.rotate_left(8) ^ u64::from(attempt),
    );
    let half = whole / 2;
    let span = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
    half + Duration::from_nanos(below(&mut generator, span.saturating_add(1)))
}

/// Whether something that happens with probability `share` happens.
fn is_drawn(generator: &mut ChaCha8Rng, share: Share) -> bool {
    // In billionths, the unit of a share: 100 % is always drawn and 0 % never.
    let billionths = below(generator, 1_000_000_000);
    #[expect(clippy::cast_precision_loss, reason = "billionths are exact in a f64")]
    let drawn = billionths as f64 / 1e9;
    drawn < share.ratio()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_of_zero_is_never_drawn_and_others_in_proportion() {
        let weights = Weights::new([9, 0, 1]);
        let mut generator = Seed(3).stream(Purpose::Arrival, 0, 0);
        let mut seen = [0_u32; 3];
        for _ in 0..10_000 {
            seen[weights.draw(&mut generator).unwrap()] += 1;
        }
        assert_eq!(seen[1], 0);
        assert!((8_800..9_200).contains(&seen[0]), "{seen:?}");
        assert_eq!(Weights::new([0, 0]).draw(&mut generator), None);
        assert_eq!(Weights::new([]).draw(&mut generator), None);
    }

    #[test]
    fn the_mapping_from_bits_to_choices_never_changes() {
        // A stored seed must mean the same run in every later version.
        let mut generator = Seed(1).stream(Purpose::Arrival, 0, 0);
        // The first 64 bits are 4344717217939160907, 0.2355 of 2^64.
        assert_eq!(below(&mut generator, 1000), 235);
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut generator = Seed(3).stream(Purpose::Arrival, 0, 0);
        assert!((0..1000).all(|_| below(&mut generator, 7) < 7));
        assert_eq!(below(&mut generator, 1), 0);
        assert_eq!(below(&mut generator, 0), 0);
    }

    #[test]
    fn shares_at_their_ends_are_certain() {
        let mut generator = Seed(3).stream(Purpose::Client, 0, 0);
        assert!((0..1000).all(|_| is_drawn(&mut generator, Share::ONE)));
        assert!((0..1000).all(|_| !is_drawn(&mut generator, Share::ZERO)));
    }
}
