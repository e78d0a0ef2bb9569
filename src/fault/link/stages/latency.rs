//! Delays.
//!
//! Pure. A chunk leaves so long after it came, whatever waits before it: what is pipelined is late, not slow. A draw that would
//! overtake the chunk before it leaves together with that one.

use rand_chacha::ChaCha8Rng;

use super::super::item::{Item, nanos};
use super::super::queue::Queue;
use super::super::rules::{Armed, unit};
use super::super::toxic::{Distribution, Latency};
use super::Stage;

#[derive(Debug)]
pub(super) struct Late {
    latency: Latency,
    random: ChaCha8Rng,
}

impl Late {
    pub(super) fn new(latency: Latency, random: ChaCha8Rng) -> Self {
        Self { latency, random }
    }
}

impl Stage for Late {
    fn take(&mut self, item: Item, held: &mut Queue, armed: &Armed) {
        let delay = delay(&self.latency, &mut self.random);
        if delay > 0 {
            armed.tally.hits(item.at);
        }
        held.put(item.at.saturating_add(delay), item.what);
    }
}

/// One delay, nanoseconds.
pub(in super::super) fn delay(latency: &Latency, random: &mut ChaCha8Rng) -> i64 {
    let base = nanos(latency.delay);
    if latency.jitter.is_zero() {
        return base;
    }
    let off = match latency.distribution {
        Distribution::Uniform => unit(random).mul_add(2.0, -1.0),
        Distribution::Normal => {
            // Box and Muller, "A Note on the Generation of Random Normal Deviates" (1958); 1 - u is never zero.
            let radius = libm::sqrt(-2.0 * libm::log(1.0 - unit(random)));
            radius * libm::cos(std::f64::consts::TAU * unit(random))
        }
        Distribution::Pareto => (libm::pow(1.0 - unit(random), -1.0 / 3.0) - 1.0).min(100.0),
    };
    let off = off * latency.jitter.as_secs_f64() * 1e9;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a conversion from a float saturates, and 292 years are enough"
    )]
    let off = off as i64;
    base.saturating_add(off).max(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng;

    use super::*;

    fn drawn(distribution: Distribution) -> Vec<i64> {
        let latency = Latency {
            delay: Duration::from_millis(50),
            jitter: Duration::from_millis(10),
            distribution,
            connect: false,
        };
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut drawn: Vec<i64> = (0..20_000).map(|_| delay(&latency, &mut random)).collect();
        drawn.sort_unstable();
        drawn
    }

    #[test]
    fn delays_are_distributed_as_they_say() {
        let near = |found: i64, milliseconds: f64| {
            let found = Duration::from_nanos(found.unsigned_abs()).as_secs_f64() * 1e3;
            let off = (found - milliseconds).abs();
            assert!(off < 0.5, "{found} is not near {milliseconds} ms");
        };
        let uniform = drawn(Distribution::Uniform);
        assert!(uniform[0] >= 40_000_000 && uniform[19_999] <= 60_000_000);
        near(uniform[10_000], 50.0);
        near(uniform[5_000], 45.0);
        let normal = drawn(Distribution::Normal);
        near(normal[10_000], 50.0);
        // One standard deviation below the mean: 15.87 %.
        near(normal[3_173], 40.0);
        let pareto = drawn(Distribution::Pareto);
        assert!(pareto[0] >= 50_000_000 && pareto[19_999] <= 1_050_000_000);
        // The median of a Pareto variable with exponent 3 is the cube root of 2.
        near(pareto[10_000], 52.6);
    }
}
