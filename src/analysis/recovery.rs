//! Recovery: when users were served again after a fault, as fast as before, and with all slots.
//!
//! Pure. `ARCHITECTURE.md`, "Recovery", has the definitions; every time is the edge of a bin and carries the bin's width as its
//! resolution. What was not seen to its end is censored ([`Reached::NotWithin`]), never a number.

use std::time::Duration;

use super::bins::{Bin, Bins};
use super::statistics::{binomial_tail, fisher, wilson_least, wilson_upper};
use super::timeline::SlotLife;
use super::{Reached, Recovery};
use crate::model::{Offset, SlotId, Window};
use crate::plan::RestartPolicy;

mod after_heal;
mod redundancy;

/// The chance below which a bin differs.
const SIGNIFICANT: f64 = 0.001;
/// Fewer operations than these are no baseline.
const LEAST_BASELINE: u64 = 100;
/// Good operations must reach this part of what the baseline had, or of what was due.
const LEAST_GOODPUT: f64 = 0.95;
/// A 95th percentile that is worse by this part of the baseline's is as fast as before.
const LATENCY_MARGIN: f64 = 0.2;
/// And so is one that is worse by this part of the promised latency.
const PROMISED_MARGIN: f64 = 0.1;
/// And by this, where none is promised.
const LEAST_MARGIN: Duration = Duration::from_millis(5);

/// Everything that recovery depends on.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Operations around the begin of the fault.
    pub bins: &'a Bins,
    /// From when its effect counts.
    pub effect: Offset,
    /// From when every slot can be back: the undo of a fault that lasts, its effect where it is one act.
    pub undone: Offset,
    /// Up to when it was observed.
    pub until: Offset,
    /// Operations a second that the schedule has; `None` for a closed model.
    pub rate: Option<f64>,
    /// The share of bad operations that is promised at most.
    pub tolerance: f64,
    /// The largest promised latency.
    pub latency_limit: Option<Duration>,
    /// The shortest time that recovery must hold.
    pub hold: Duration,
    /// The slots of the role that was hit.
    pub slots: &'a [RoleSlot<'a>],
}

/// A slot of the role that was hit.
#[derive(Clone, Debug)]
pub struct RoleSlot<'a> {
    /// Its name.
    pub name: SlotId,
    /// What happened to it, if anything is known.
    pub life: Option<&'a SlotLife>,
    /// Whether it is started again.
    pub policy: Option<RestartPolicy>,
}

/// The width of bins: the smallest of 0.1, 0.5 and 1 s with at least 30 operations a bin.
pub fn bin_width(rate: Option<f64>) -> Duration {
    match rate {
        Some(rate) if rate >= 300.0 => Duration::from_millis(100),
        Some(rate) if rate >= 60.0 => Duration::from_millis(500),
        _ => Duration::from_secs(1),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
const fn real(count: u64) -> f64 {
    count as f64
}

/// The measure of good times, and the bins that are held against it.
struct Measured<'a> {
    question: &'a Question<'a>,
    baseline: Bin,
    /// Bad ratio that still counts as served.
    tolerance: f64,
    /// Good operations a second in the baseline.
    goodput: f64,
    /// The slowest 95th percentile that counts as fast; `None`: any.
    slowest: Option<Duration>,
    after: Vec<Bin>,
    /// Bins that must hold.
    hold: usize,
}

/// Decides when what was reached.
pub fn decide(question: &Question<'_>) -> Recovery {
    let width = question.bins.width();
    let mut baseline = Bin::default();
    question.bins.baseline().for_each(|bin| baseline.add(bin));
    let samples = baseline.total();
    let bad_ratio = real(baseline.bad) / real(samples).max(1.0);
    let seconds = question.bins.before().as_secs_f64();
    let goodput = real(baseline.good) / seconds.max(1e-9);
    let tolerance = question.tolerance.max(2.0 * bad_ratio + 0.005).min(1.0);
    let rate = question
        .rate
        .unwrap_or_else(|| real(samples) / seconds.max(1e-9));
    let least = Duration::try_from_secs_f64(wilson_least(tolerance) / rate.max(1e-9));
    let hold = question.hold.max(least.unwrap_or(Duration::MAX));
    let mut recovery = Recovery {
        baseline_bad_ratio: bad_ratio,
        baseline_samples: samples,
        baseline_goodput: if seconds > 0.0 { goodput } else { 0.0 },
        tolerance,
        resolution_ns: nanos(
            width.max(Duration::try_from_secs_f64(1.0 / rate.max(1e-9)).unwrap_or(width)),
        ),
        hold_ns: nanos(hold),
        onset: None,
        service: Reached::Unknown,
        performance: Reached::Unknown,
        redundancy: Reached::Unknown,
        missing: String::new(),
        lost_good: 0.0,
        depth: 0.0,
        after_heal: None,
    };
    if samples < LEAST_BASELINE {
        recovery.missing = format!("only {samples} operations before the fault to compare with");
        return recovery;
    }
    let observed = question.until.since(question.bins.origin());
    let count = usize::try_from(observed.as_nanos() / width.as_nanos().max(1)).unwrap_or(0);
    if count == 0 {
        "nothing was observed after the fault".clone_into(&mut recovery.missing);
        return recovery;
    }
    let measured = Measured {
        question,
        tolerance,
        goodput,
        slowest: slowest(question, &baseline),
        after: question.bins.from_origin(count),
        hold: usize::try_from(hold.as_nanos().div_ceil(width.as_nanos().max(1)))
            .unwrap_or(usize::MAX)
            .max(1),
        baseline,
    };
    measured.fill(&mut recovery);
    recovery
}

impl Measured<'_> {
    fn fill(&self, recovery: &mut Recovery) {
        let onset = self.after.iter().position(|bin| self.starts(bin));
        recovery.onset = onset.map(|number| self.start(number));
        let served = self.first(onset.unwrap_or(0), |window| self.is_served(window));
        let fast = served.and_then(|from| {
            self.first(from, |window| {
                self.is_served(window) && self.is_fast(window)
            })
        });
        recovery.service = match (onset, served) {
            (None, _) => Reached::NoImpact,
            (Some(_), Some(number)) => Reached::After(self.since_effect(self.start(number))),
            (Some(_), None) => Reached::NotWithin(self.refuted()),
        };
        // Without an onset, what is short of a whole window to look at is no impact either.
        let whole = self.after.len() >= self.hold;
        recovery.performance = match (onset, fast) {
            (None, Some(0)) => Reached::NoImpact,
            (None, None) if !whole => Reached::NoImpact,
            (_, Some(number)) => Reached::After(self.since_effect(self.start(number))),
            (_, None) => Reached::NotWithin(self.refuted()),
        };
        let from = fast.or((onset.is_none() && !whole).then_some(0));
        let (redundancy, missing) = self.redundancy(from, onset.is_none());
        recovery.redundancy = redundancy;
        recovery.missing = missing;
        if let Some(onset) = onset {
            let affected = onset..served.unwrap_or(self.after.len());
            self.loss(self.after.get(affected).unwrap_or_default(), recovery);
        }
    }

    /// Whether the impact shows in this bin: more bad ones than the baseline has, significantly.
    fn starts(&self, bin: &Bin) -> bool {
        let more = real(bin.bad) * real(self.baseline.total())
            > real(self.baseline.bad) * real(bin.total());
        more && fisher(
            bin.bad,
            bin.total(),
            self.baseline.bad,
            self.baseline.total(),
        ) < SIGNIFICANT
    }

    /// Whether users are not served in this bin.
    fn violates(&self, bin: &Bin) -> bool {
        bin.bad > 0 && binomial_tail(bin.bad, bin.total(), self.tolerance) < SIGNIFICANT
    }

    fn sum(window: &[Bin]) -> Bin {
        window.iter().fold(Bin::default(), |mut sum, bin| {
            sum.add(bin);
            sum
        })
    }

    fn seconds(&self, window: &[Bin]) -> f64 {
        let width = self.question.bins.width().as_secs_f64();
        real(u64::try_from(window.len()).unwrap_or(u64::MAX)) * width
    }

    fn is_served(&self, window: &[Bin]) -> bool {
        let (good, bad) = window
            .iter()
            .fold((0, 0), |(good, bad), bin| (good + bin.good, bad + bin.bad));
        let wanted = (self.goodput * self.seconds(window)).min(real(good + bad));
        good + bad > 0
            && wilson_upper(bad, good + bad) <= self.tolerance
            && real(good) >= LEAST_GOODPUT * wanted
            && !window.iter().any(|bin| self.violates(bin))
    }

    fn is_fast(&self, window: &[Bin]) -> bool {
        match (self.slowest, Self::sum(window).p95()) {
            (None, _) => true,
            (Some(slowest), Some(p95)) => p95 <= slowest,
            (Some(_), None) => false,
        }
    }

    /// The first bin, at `from` or later, that starts a whole window with this property.
    fn first(&self, from: usize, holds: impl Fn(&[Bin]) -> bool) -> Option<usize> {
        let last = self.after.len().checked_sub(self.hold)?;
        (from..=last).find(|start| {
            self.after
                .get(*start..start + self.hold)
                .is_some_and(&holds)
        })
    }

    fn start(&self, number: usize) -> Offset {
        self.question
            .bins
            .start(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn since_effect(&self, at: Offset) -> u64 {
        nanos(at.since(self.question.effect))
    }

    /// Up to when it is sure that recovery had not begun: no window that starts by then held.
    fn refuted(&self) -> u64 {
        let last_start = self.after.len().saturating_sub(self.hold);
        let last_violation = self.after.iter().rposition(|bin| self.violates(bin));
        let number = last_start.max(last_violation.map_or(0, |number| number + 1));
        self.since_effect(self.start(number))
    }

    /// Good operations lost against the baseline, or against what was due where that was less.
    fn loss(&self, affected: &[Bin], recovery: &mut Recovery) {
        let width = self.question.bins.width().as_secs_f64();
        for bin in affected {
            let wanted = (self.goodput * width).min(real(bin.total()).max(self.expected(width)));
            let lost = (wanted - real(bin.good)).max(0.0);
            recovery.lost_good += lost;
            recovery.depth = recovery.depth.max(lost / wanted.max(1e-9)).min(1.0);
        }
    }

    /// What the schedule has in a bin; for a closed model, what the baseline had.
    fn expected(&self, width: f64) -> f64 {
        self.question.rate.unwrap_or(self.goodput) * width
    }

    fn window(&self, start: usize, bins: usize) -> Window {
        Window::new(self.start(start), self.start(start + bins))
    }
}

/// The slowest 95th percentile that is as fast as before: the baseline's plus the largest of a fifth of it, three times the
/// median absolute deviation of its bins, and a tenth of the promised latency.
fn slowest(question: &Question<'_>, baseline: &Bin) -> Option<Duration> {
    let p95 = baseline.p95()?.as_secs_f64();
    let bins: Vec<f64> = question
        .bins
        .baseline()
        .filter_map(|bin| bin.p95().map(|p95| p95.as_secs_f64()))
        .collect();
    let middle = median(bins.clone());
    let deviation = median(bins.iter().map(|value| (value - middle).abs()).collect());
    let promised = question
        .latency_limit
        .map_or(LEAST_MARGIN, |limit| limit.mul_f64(PROMISED_MARGIN));
    let margin = (p95 * LATENCY_MARGIN)
        .max(3.0 * deviation)
        .max(promised.as_secs_f64());
    Duration::try_from_secs_f64(p95 + margin).ok()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
