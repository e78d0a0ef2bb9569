//! Little's law: the mean number of operations in the system is their rate times the mean time that each spends in it.
//!
//! Pure. `L = lambda W` (Little, "A Proof for the Queuing Formula L = lambda W", Operations Research 9, 1961) holds whatever the
//! distributions. Here L comes from what the workers counted as under way, second by second, and lambda and W from the
//! histograms; they travel apart, so that a disagreement means that the instrument lost or invented something. All are of the
//! operations that were due in the phase, each from its begin to its end, so there is no error of edges or of sampling; what is
//! left is the resolution of the histograms. The lag before the release is taken off what the histograms count from the due time;
//! where operations were shed their lag is among it, and it widens the tolerance instead.

use std::collections::BTreeMap;

use super::LittleStats;
use super::latency::Distribution;
use crate::model::Window;
use crate::model::metric::UNDER_WAY;
use crate::plan::Plan;
use crate::record::rows::SampleRow;

/// Fewer operations tell nothing.
const ENOUGH: u64 = 30;
/// The part by which both may differ.
const TOLERANCE: f64 = 0.01;
/// By how much a stored time may be off beside that, seconds: the least step of the histograms, twice.
const STEP_S: f64 = 1e-6;
/// By what part of it a stored lag may be off.
const LAG_ERROR: f64 = 0.005;

/// The time that operations spent in the system, by the phase in which they were due; operations times seconds.
#[derive(Clone, Debug, Default)]
pub struct LittleFold {
    areas: BTreeMap<String, f64>,
}

/// What the histograms say of a phase.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Its offsets.
    pub window: Window,
    /// From due to end, of the operations that ended ok.
    pub good: &'a Distribution,
    /// Of those that did not.
    pub bad: &'a Distribution,
    /// From due to release, of these and of those that were shed.
    pub lag: &'a Distribution,
    /// How many were shed.
    pub shed: u64,
}

impl LittleFold {
    /// Adds a sample; only those of operations under way count.
    pub fn sample(&mut self, plan: &Plan, row: &SampleRow) {
        if row.metric != UNDER_WAY.name || !row.value.is_finite() {
            return;
        }
        let Some(name) = row.labels.strip_prefix("phase=") else {
            return;
        };
        // A damaged row adds no phase that the plan has not.
        if plan.phases.iter().any(|phase| phase.name == name) {
            // One row a second: a mean over a second is operations times seconds.
            *self.areas.entry(name.to_owned()).or_default() += row.value;
        }
    }

    /// Both sides of the law for a phase; none if nobody counted what was under way.
    pub fn stats(&self, phase: &str, told: &Told<'_>) -> Option<LittleStats> {
        let area = *self.areas.get(phase)?;
        let length = told.window.length().as_secs_f64();
        let operations = told.good.samples() + told.bad.samples();
        if length <= 0.0 || operations == 0 {
            return None;
        }
        let count = real(operations);
        let lag = told.lag.total_seconds();
        let all = told.good.total_seconds() + told.bad.total_seconds();
        // Users of a closed model have no lag.
        let (spent, doubt) = if told.shed == 0 {
            (all - lag, lag * LAG_ERROR)
        } else {
            (all, lag)
        };
        let time_s = spent.max(0.0) / count;
        let rate = count / length;
        let under_way = area / length;
        let expected = rate * time_s;
        Some(LittleStats {
            operations,
            enough: operations >= ENOUGH,
            under_way,
            rate,
            time_s,
            expected,
            tolerance: TOLERANCE * under_way.abs().max(expected) + doubt / length + rate * STEP_S,
        })
    }
}

impl LittleStats {
    /// Whether both sides agree, or there is too little to tell.
    pub fn agrees(&self) -> bool {
        !self.enough || (self.under_way - self.expected).abs() <= self.tolerance
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
const fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::built;
    use crate::model::Offset;

    fn stats(operations: u64, each_ms: u64, under_way: f64) -> LittleStats {
        let plan = built::plan();
        let phase = plan.phases.last().unwrap();
        let length = phase.window.length().as_secs();
        let mut fold = LittleFold::default();
        for second in 0..length {
            for (worker, part) in [("worker-0", 0.25), ("worker-1", 0.75)] {
                let row = SampleRow {
                    at: Offset(i64::try_from(second).unwrap()),
                    slot: worker.to_owned(),
                    metric: UNDER_WAY.name.to_owned(),
                    labels: format!("phase={}", phase.name),
                    value: under_way * part,
                };
                fold.sample(&plan, &row);
                fold.sample(
                    &plan,
                    &SampleRow {
                        labels: "phase=none".to_owned(),
                        ..row
                    },
                );
            }
        }
        let (mut good, bad, lag) = <(Distribution, Distribution, Distribution)>::default();
        good.add(each_ms * 1_000_000, operations);
        let told = Told {
            window: phase.window,
            good: &good,
            bad: &bad,
            lag: &lag,
            shed: 0,
        };
        assert_eq!(fold.stats("no such phase", &told), None);
        fold.stats(&phase.name, &told).unwrap()
    }

    #[test]
    fn rate_times_time_is_what_is_under_way() {
        // 14 s: 100/s of 250 ms each.
        let right = stats(1_400, 250, 25.0);
        assert!(
            (right.expected - 25.0).abs() < 1e-9 && right.agrees(),
            "{right:?}"
        );
        assert!(!stats(1_400, 250, 26.0).agrees());
        assert!(!stats(1_400, 250, 24.0).agrees());
        assert!(stats(1_400, 250, 25.1).agrees());
    }

    #[test]
    fn few_operations_tell_nothing() {
        let few = stats(29, 250, 100.0);
        assert!(!few.enough && few.agrees());
    }

    #[test]
    fn the_lag_is_taken_off_or_allowed_for() {
        let (mut good, bad, mut lag) = <(Distribution, Distribution, Distribution)>::default();
        good.add(30_000_000, 1_400);
        lag.add(20_000_000, 1_400);
        let plan = built::plan();
        let phase = plan.phases.last().unwrap();
        let mut fold = LittleFold::default();
        fold.areas.insert(phase.name.clone(), 14.0);
        let told = Told {
            window: phase.window,
            good: &good,
            bad: &bad,
            lag: &lag,
            shed: 0,
        };
        let law = fold.stats(&phase.name, &told).unwrap();
        assert!(law.agrees() && (law.expected - 1.0).abs() < 1e-9, "{law:?}");
        let shed = Told { shed: 7, ..told };
        let law = fold.stats(&phase.name, &shed).unwrap();
        assert!(law.agrees() && (law.expected - 3.0).abs() < 1e-9, "{law:?}");
    }
}
