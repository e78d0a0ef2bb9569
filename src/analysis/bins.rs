//! Bins: operations counted in equal spans of time around the begin of a fault.
//!
//! Pure. A bin's number is its distance from the fault's begin: 0 starts there, -1 ends there.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Offset, Window};

/// Steps of latency for each doubling: values within 1.1 % of each other share a step.
const STEPS: f64 = 64.0;

/// What was due (or sent, for what was served) in one span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// Operations that ended ok and in time.
    pub good: u64,
    /// Those that did not.
    pub bad: u64,
    /// Calls that ended badly on slots that were not targeted.
    pub collateral: u64,
    /// Response times of operations that ended ok, by step.
    latencies: BTreeMap<u16, u32>,
    /// By slot of the role: Calls served ok, and those of them that no session bound to a slot.
    served: Vec<(u32, u32)>,
}

impl Bin {
    /// Operations, good and bad.
    pub const fn total(&self) -> u64 {
        self.good + self.bad
    }

    /// Counts the end of an operation; `took` if it ended ok.
    pub fn end(&mut self, bad: bool, took: Option<Duration>) {
        if bad {
            self.bad += 1;
        } else {
            self.good += 1;
        }
        if let Some(took) = took {
            *self.latencies.entry(step(took)).or_default() += 1;
        }
    }

    /// Counts a Call that the slot at `place` served.
    pub fn serve(&mut self, place: usize, free: bool) {
        if self.served.len() <= place {
            self.served.resize(place + 1, (0, 0));
        }
        if let Some(served) = self.served.get_mut(place) {
            served.0 += 1;
            served.1 += u32::from(free);
        }
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        self.good += other.good;
        self.bad += other.bad;
        self.collateral += other.collateral;
        for (step, count) in &other.latencies {
            *self.latencies.entry(*step).or_default() += count;
        }
        if self.served.len() < other.served.len() {
            self.served.resize(other.served.len(), (0, 0));
        }
        for (mine, theirs) in self.served.iter_mut().zip(&other.served) {
            mine.0 += theirs.0;
            mine.1 += theirs.1;
        }
    }

    /// Calls that the slot at `place` served.
    pub fn served(&self, place: usize) -> u64 {
        self.served.get(place).map_or(0, |served| served.0.into())
    }

    /// Calls that the slot at `place` served and that no session bound to it.
    pub fn served_free(&self, place: usize) -> u64 {
        self.served.get(place).map_or(0, |served| served.1.into())
    }

    /// The 95th percentile of the response time within 1.1 %; `None` if it falls on an operation that did not end ok, or if
    /// there is none.
    pub fn p95(&self) -> Option<Duration> {
        let rank = (self.total() * 95).div_ceil(100).max(1);
        let mut below = 0;
        for (step, count) in &self.latencies {
            below += u64::from(*count);
            if rank <= below {
                return Some(length(*step));
            }
        }
        None
    }
}

/// The step of a latency: logarithmic above a microsecond.
fn step(took: Duration) -> u16 {
    let micros = took.as_secs_f64() * 1e6;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "64 steps for each of at most 60 doublings; the cast saturates"
    )]
    let step = (micros.max(1.0).log2() * STEPS).ceil() as u16;
    step
}

/// The longest latency of a step.
fn length(step: u16) -> Duration {
    Duration::from_secs_f64((f64::from(step) / STEPS).exp2() / 1e6)
}

/// Bins of one width around the begin of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bins {
    origin: Offset,
    span: Window,
    width: i64,
    filled: BTreeMap<i64, Bin>,
}

impl Bins {
    /// Bins for what is due in `span`, numbered from `origin`.
    pub fn new(origin: Offset, span: Window, width: Duration) -> Self {
        Self {
            origin,
            span,
            width: Offset::from_duration(width).nanos().max(1),
            filled: BTreeMap::new(),
        }
    }

    /// The bin that holds `at`; none outside the span.
    pub fn at(&mut self, at: Offset) -> Option<&mut Bin> {
        let number = self.number(at);
        self.span
            .contains(at)
            .then(|| self.filled.entry(number).or_default())
    }

    /// The number of the bin that holds `at`.
    pub const fn number(&self, at: Offset) -> i64 {
        at.nanos()
            .saturating_sub(self.origin.nanos())
            .div_euclid(self.width)
    }

    /// When the bin of this number starts.
    pub const fn start(&self, number: i64) -> Offset {
        Offset(
            self.origin
                .nanos()
                .saturating_add(number.saturating_mul(self.width)),
        )
    }

    /// The width of each.
    pub fn width(&self) -> Duration {
        Duration::from_nanos(self.width.unsigned_abs())
    }

    /// Where numbers start, and when the first bin does.
    pub const fn origin(&self) -> Offset {
        self.origin
    }

    /// The length of time before the origin.
    pub fn before(&self) -> Duration {
        self.origin.since(self.span.start)
    }

    /// The bins with something in them before the origin.
    pub fn baseline(&self) -> impl Iterator<Item = &Bin> {
        self.filled.range(..0).map(|(_, bin)| bin)
    }

    /// The bins with something in them that start in `[from, to)`.
    pub fn between(&self, from: Offset, to: Offset) -> impl Iterator<Item = (i64, &Bin)> {
        let first = self.number(from);
        self.filled
            .range(first..)
            .map(|(number, bin)| (*number, bin))
            .take_while(move |(number, _)| self.start(*number) < to)
    }

    /// The bins 0 to `count - 1`, empty ones included.
    pub fn from_origin(&self, count: usize) -> Vec<Bin> {
        let mut bins = vec![Bin::default(); count];
        for (number, bin) in self.filled.range(0..) {
            let place = usize::try_from(*number).unwrap_or(usize::MAX);
            if let Some(slot) = bins.get_mut(place) {
                slot.clone_from(bin);
            }
        }
        bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_starts_at_the_origin_and_none_outside_the_span() {
        let span = Window::new(Offset(0), Offset(1_000));
        let mut bins = Bins::new(Offset(500), span, Duration::from_nanos(100));
        assert_eq!(bins.number(Offset(500)), 0);
        assert_eq!(bins.number(Offset(499)), -1);
        assert_eq!(bins.start(-1), Offset(400));
        assert!(bins.at(Offset(1_000)).is_none() && bins.at(Offset(999)).is_some());
    }

    #[test]
    fn percentiles_of_bins_are_near_and_failed_ones_rank_above() {
        let mut bin = Bin::default();
        for millis in 1..=100 {
            bin.end(false, Some(Duration::from_millis(millis)));
        }
        let p95 = bin.p95().unwrap().as_secs_f64();
        assert!((0.095..0.0962).contains(&p95), "{p95}");
        for _ in 0..6 {
            bin.end(true, None);
        }
        assert_eq!(bin.p95(), None);
        assert_eq!(Bin::default().p95(), None);
    }
}
