//! Processor time: how much of the machine the run itself used in each phase, generator and fleet apart.
//!
//! Pure. Where the run saturates the machine, generator and fleet compete for it, and neither's slowness can be told from the
//! other's. Counters are compared only between samples of one slot within one phase; one that went back (a restart) counts
//! nothing.

use std::collections::BTreeMap;

use crate::model::Offset;
use crate::model::metric::CPU_SECONDS;
use crate::plan::Plan;
use crate::record::rows::SampleRow;

/// The slot of mcpload itself among the samples.
const CONDUCTOR: &str = "mcpload";

/// Cores that were used in a phase, on average.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CoresUsed {
    /// By everything that belongs to the run: mcpload, its workers, the instances that it deployed.
    pub run: f64,
    /// By mcpload itself and its workers, without the instances.
    pub generator: f64,
    /// By the busiest load worker; its load is made by one thread.
    pub busiest_worker: f64,
}

/// A fold over the samples.
#[derive(Clone, Debug, Default)]
pub struct ProcessorFold {
    /// The last sample of each slot: when, and seconds used since the start of its instance.
    last: BTreeMap<String, (Offset, f64)>,
    /// By phase and slot: seconds used, and seconds looked at.
    phases: BTreeMap<String, BTreeMap<String, (f64, f64)>>,
}

impl ProcessorFold {
    /// Adds a sample; only those of processor time count.
    pub fn sample(&mut self, plan: &Plan, row: &SampleRow) {
        if row.metric != CPU_SECONDS.name {
            return;
        }
        let before = self.last.insert(row.slot.clone(), (row.at, row.value));
        let Some(phase) = plan.phase_at(row.at) else {
            return;
        };
        let Some((at, value)) = before.filter(|(at, _)| phase.window.contains(*at)) else {
            return;
        };
        if row.value >= value && row.at > at {
            let slots = self.phases.entry(phase.name.clone()).or_default();
            let used = slots.entry(row.slot.clone()).or_default();
            used.0 += row.value - value;
            used.1 += row.at.since(at).as_secs_f64();
        }
    }

    /// What was used in the phase; nothing if it was not sampled.
    pub fn used(&self, phase: &str) -> CoresUsed {
        let mut used = CoresUsed::default();
        for (slot, (seconds, span)) in self.phases.get(phase).into_iter().flatten() {
            let cores = if *span > 0.0 { seconds / span } else { 0.0 };
            used.run += cores;
            let is_worker = slot.starts_with("worker-");
            if is_worker {
                used.busiest_worker = used.busiest_worker.max(cores);
            }
            if is_worker || slot == CONDUCTOR {
                used.generator += cores;
            }
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::judge::built;

    fn row(second: u64, slot: &str, value: f64) -> SampleRow {
        SampleRow {
            at: Offset::from_duration(Duration::from_secs(second)),
            slot: slot.to_owned(),
            metric: CPU_SECONDS.name.to_owned(),
            labels: String::new(),
            value,
        }
    }

    #[test]
    fn cores_are_seconds_used_over_seconds_seen_and_a_restart_counts_nothing() {
        let plan = built::plan();
        let phase = plan.phases.last().unwrap();
        let start = u64::try_from(phase.window.start.nanos() / 1_000_000_000).unwrap() + 1;
        let mut fold = ProcessorFold::default();
        for (second, value) in [(0, 1.0), (1, 1.5), (2, 2.0), (3, 0.2), (4, 0.7)] {
            fold.sample(&plan, &row(start + second, "server-1", value));
            fold.sample(&plan, &row(start + second, "worker-0", value / 2.0));
            fold.sample(&plan, &row(start + second, "mcpload", value / 5.0));
        }
        let used = fold.used(&phase.name);
        assert!((used.busiest_worker - 0.25).abs() < 1e-9, "{used:?}");
        assert!((used.run - 0.85).abs() < 1e-9, "{used:?}");
        assert!((used.generator - 0.35).abs() < 1e-9, "{used:?}");
        assert_eq!(fold.used("no such phase"), CoresUsed::default());
    }
}
