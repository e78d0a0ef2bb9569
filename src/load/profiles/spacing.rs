//! When arrivals are due whose rate changes: where the number of intended arrivals reaches theirs.
//!
//! Pure. With I(t) the integral of the rate up to t, arrival k is due at the t with I(t) = k, rounded to a nanosecond. Random arrivals
//! are due where I(t) reaches the sum of their gaps, which are drawn from an exponential distribution with mean 1: a Poisson
//! process with this rate (time rescaling; Çınlar, "Introduction to Stochastic Processes", 1975, section 4.7). Invariants:
//! due times never go back; what is counted is what arrives. Logarithms come from `libm`, so that they are the same on every machine.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::load::Span;
use crate::model::Offset;
use crate::model::seed::Purpose;
use crate::registry::{Acts, Field, Need, Ty};

/// A rate over time.
pub(super) trait Intensity: Send + Sync {
    /// How many arrivals are intended up to this many seconds after the begin of the phase; never falls.
    fn intended(&self, seconds: f64) -> f64;

    /// When so many are intended, seconds; infinite if they never are.
    fn reached(&self, arrivals: f64) -> f64;
}

/// How arrivals lie within their rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Spacing {
    /// As evenly as the rate allows.
    #[default]
    Even,
    /// At random: each arrival comes whatever the others do.
    Poisson,
}

impl Spacing {
    /// The words after a rate.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Even => "",
            Self::Poisson => ", at random times",
        }
    }
}

/// `spacing` of profiles with a rate that changes.
pub(super) const SPACING: Field = Field {
    key: "spacing",
    ty: Ty::OneOf(&["even", "poisson"]),
    need: Need::Default("\"even\""),
    summary: "whether arrivals are spaced as evenly as the rate allows, or come at random times (drawn from the seed)",
    example: "\"poisson\"",
    acts: Acts::Now,
};

/// The due times of a phase.
pub(super) fn arrivals<'a, I: Intensity + 'a>(
    intensity: I,
    spacing: Spacing,
    span: &Span,
) -> Box<dyn Iterator<Item = Offset> + Send + 'a> {
    let end = Offset::from_duration(span.length);
    match spacing {
        Spacing::Even => {
            let count = evenly_before(&intensity, end);
            let dues = (0..count).map(move |k| due(&intensity, number(k)));
            Box::new(rising(dues, end))
        }
        Spacing::Poisson => {
            let mut generator =
                span.seed
                    .stream(Purpose::Profile, span.workload, u64::from(span.phase));
            let sums = std::iter::repeat_with(move || gap(&mut generator))
                .scan(0.0, |sum, gap| {
                    *sum += gap;
                    Some(*sum)
                })
                .map(move |sum| due(&intensity, sum))
                .take_while(move |due| *due < end);
            Box::new(rising(sums, end))
        }
    }
}

/// How many of them are due before `at`.
pub(super) fn count_before<I: Intensity>(
    intensity: I,
    spacing: Spacing,
    span: &Span,
    at: Offset,
) -> u64 {
    match spacing {
        Spacing::Even => evenly_before(&intensity, at.min(Offset::from_duration(span.length))),
        Spacing::Poisson => {
            let before = arrivals(intensity, spacing, span).take_while(|due| *due < at);
            u64::try_from(before.count()).unwrap_or(u64::MAX)
        }
    }
}

/// Evenly spaced arrivals that are due before `at`: the integral says about how many, and their due times how many exactly.
fn evenly_before<I: Intensity>(intensity: &I, at: Offset) -> u64 {
    if at <= Offset::ZERO {
        return 0;
    }
    let mut count = whole(intensity.intended(at.seconds()));
    while count > 0 && due(intensity, number(count - 1)) >= at {
        count -= 1;
    }
    while due(intensity, number(count)) < at {
        count += 1;
    }
    count
}

/// The gap before an arrival at rate 1: `-ln u`, with u drawn evenly from (0, 1].
fn gap(generator: &mut ChaCha8Rng) -> f64 {
    // 53 bits, so that every u is exact.
    let steps = (generator.next_u64() >> 11) + 1;
    -libm::log(number(steps) / number(1 << 53))
}

fn due<I: Intensity>(intensity: &I, arrivals: f64) -> Offset {
    let nanos = (intensity.reached(arrivals) * 1e9).round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float is cut to the range when it is cast: what is never reached is due never"
    )]
    Offset(nanos as i64)
}

/// The same due times where rounding could have turned two around, within the phase.
fn rising(dues: impl Iterator<Item = Offset>, end: Offset) -> impl Iterator<Item = Offset> {
    let last = Offset(end.nanos().saturating_sub(1));
    dues.scan(Offset::ZERO, move |latest, due| {
        *latest = due.max(*latest).min(last);
        Some(*latest)
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count is not negative, and a float is cut to the range when it is cast"
)]
fn whole(count: f64) -> u64 {
    count.ceil() as u64
}
