//! The steady-state gate: whether the fleet works before anything is done to it.
//!
//! Pure. The same fold runs live, fed with the workers' counts second by second, and in the right half, fed with `counts.csv`;
//! it looks only at whole seconds that ended a second before it is asked, so both see the same rows and decide the same.

use std::collections::BTreeMap;

use super::SteadyStats;
use crate::model::Offset;
use crate::plan::SteadyPlan;

const SECOND: i64 = 1_000_000_000;

/// Operations that ended, by second.
#[derive(Clone, Debug, Default)]
pub struct SteadyGate {
    seconds: BTreeMap<i64, (u64, u64)>,
}

impl SteadyGate {
    /// Adds the counts of a second: operations that ended ok, and all that ended (shed ones too).
    pub fn observe(&mut self, second: i64, ok: u64, ended: u64) {
        let counts = self.seconds.entry(second).or_default();
        counts.0 += ok;
        counts.1 += ended;
    }

    /// Decides at `at`: of the operations that ended in the `over` before the second before it, at least `share` were ok. None
    /// that ended is not steady.
    pub fn decide(&self, plan: &SteadyPlan, at: Offset) -> SteadyStats {
        let end = at.nanos().div_euclid(SECOND) - 1;
        let length = Offset::from_duration(plan.over).nanos();
        let length = (length.saturating_add(SECOND - 1) / SECOND).max(1);
        let (good, total) = self
            .seconds
            .range(end.saturating_sub(length)..end)
            .fold((0, 0), |sum, (_, counts)| {
                (sum.0 + counts.0, sum.1 + counts.1)
            });
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
        let steady = total > 0 && good as f64 >= plan.share.ratio() * total as f64;
        SteadyStats {
            at,
            steady,
            good,
            total,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plan() -> SteadyPlan {
        SteadyPlan {
            share: "90%".parse().unwrap(),
            over: Duration::from_secs(3),
        }
    }

    #[test]
    fn only_whole_seconds_that_are_a_second_old_count() {
        let mut gate = SteadyGate::default();
        for second in 0..10 {
            gate.observe(second, 90, 100);
        }
        gate.observe(6, 0, 1_000);
        let stats = gate.decide(&plan(), Offset(7_500_000_000));
        assert_eq!((stats.steady, stats.good, stats.total), (true, 270, 300));
        let stats = gate.decide(&plan(), Offset(8_000_000_000));
        assert_eq!((stats.steady, stats.good, stats.total), (false, 270, 1_300));
    }

    #[test]
    fn nothing_is_not_steady() {
        let stats = SteadyGate::default().decide(&plan(), Offset(9_000_000_000));
        assert!(!stats.steady);
        assert_eq!(stats.total, 0);
    }
}
