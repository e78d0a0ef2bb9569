//! The steady-state gate: whether the fleet works before anything is done to it, and whether so much fails that the run must end.
//!
//! Pure. The same fold runs live, fed with the workers' counts second by second, and in the right half, fed with `counts.csv`;
//! it looks only at whole seconds that ended a second before it is asked, so both see the same rows and decide the same.

use std::collections::BTreeMap;
use std::time::Duration;

use super::SteadyStats;
use crate::model::{Offset, Share};
use crate::plan::SteadyPlan;

const SECOND: i64 = 1_000_000_000;
/// The least number of operations of which a share of errors is told.
const LEAST: u64 = 20;

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

    /// Whether at `at` more than `errors` of the operations that ended in the `over` before the second before it were bad: bad ones
    /// and all of them, if so. Fewer than `LEAST` tell nothing.
    pub fn exceeded(&self, errors: Share, over: Duration, at: Offset) -> Option<(u64, u64)> {
        let (good, total) = self.counted(over, at);
        let bad = total.saturating_sub(good);
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
        let exceeded = total >= LEAST && bad as f64 > errors.ratio() * total as f64;
        exceeded.then_some((bad, total))
    }

    /// Operations that ended ok, and all, in the `over` before the second before `at`.
    fn counted(&self, over: Duration, at: Offset) -> (u64, u64) {
        let end = at.nanos().div_euclid(SECOND) - 1;
        let length = Offset::from_duration(over).nanos();
        let length = (length.saturating_add(SECOND - 1) / SECOND).max(1);
        self.seconds
            .range(end.saturating_sub(length)..end)
            .fold((0, 0), |sum, (_, counts)| {
                (sum.0 + counts.0, sum.1 + counts.1)
            })
    }

    /// Decides at `at`: of the operations that ended in the `over` before the second before it, at least `share` were ok. None
    /// that ended is not steady.
    pub fn decide(&self, plan: &SteadyPlan, at: Offset) -> SteadyStats {
        let (good, total) = self.counted(plan.over, at);
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
    fn errors_are_exceeded_when_more_than_the_share_of_enough_operations_is_bad() {
        let mut gate = SteadyGate::default();
        let half: Share = "50%".parse().unwrap();
        let over = Duration::from_secs(2);
        gate.observe(0, 0, 19);
        let at = |second: i64| Offset(second * SECOND);
        assert_eq!(gate.exceeded(half, over, at(2)), None);
        gate.observe(1, 20, 21);
        assert_eq!(gate.exceeded(half, over, at(3)), None);
        gate.observe(2, 0, 1);
        gate.observe(3, 0, 30);
        assert_eq!(gate.exceeded(half, over, at(4)), None);
        assert_eq!(gate.exceeded(half, over, at(5)), Some((31, 31)));
    }

    #[test]
    fn nothing_is_not_steady() {
        let stats = SteadyGate::default().decide(&plan(), Offset(9_000_000_000));
        assert!(!stats.steady);
        assert_eq!(stats.total, 0);
    }
}
