//! Tallies: the counters of `counts.csv`, added up by phase and by label set.
//!
//! Pure. Counters were counted where things happened, so they are whole even where rows of Calls were dropped. The sums do not
//! depend on the order or the split of the rows.

use std::collections::BTreeMap;

use super::Tally;
use crate::model::ProtocolVersion;
use crate::record::rows::CountRow;

/// What keeps sessions outside any operation stands under this name.
pub const UPKEEP: &str = "session";

/// Whose counters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelKey {
    /// The workload.
    pub workload: String,
    /// The operation.
    pub operation: String,
    /// The protocol version.
    pub protocol: ProtocolVersion,
    /// The phase in which the operations were due.
    pub phase: String,
}

/// The counters of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    labels: BTreeMap<LabelKey, Tally>,
    /// Arrivals that were shed, by second and operation.
    pub shed: BTreeMap<(i64, String), u64>,
    /// Arrivals and operations that ended ok, by second.
    pub seconds: BTreeMap<i64, (u64, u64)>,
    /// The latest second that has a row.
    pub last_second: Option<i64>,
}

impl Tally {
    /// Adds the counts of `other`.
    pub const fn add(&mut self, other: &Self) {
        self.due += other.due;
        self.shed += other.shed;
        self.ok += other.ok;
        self.fail += other.fail;
        self.info += other.info;
        self.calls += other.calls;
        self.unrecorded += other.unrecorded;
        self.left_out += other.left_out;
    }
}

impl Counts {
    /// Adds a row.
    pub fn observe(&mut self, row: CountRow) {
        let tally = Tally {
            due: row.arrivals + row.shed,
            shed: row.shed,
            ok: row.operations_ok,
            fail: row.operations_fail,
            info: row.operations_info,
            calls: row.calls_ok + row.calls_fail + row.calls_info,
            unrecorded: row.unrecorded,
            left_out: row.left_out,
        };
        self.last_second = self.last_second.max(Some(row.second));
        let second = self.seconds.entry(row.second).or_default();
        second.0 += row.arrivals;
        second.1 += row.operations_ok;
        if row.shed > 0 {
            *self
                .shed
                .entry((row.second, row.operation.clone()))
                .or_default() += row.shed;
        }
        let key = LabelKey {
            workload: row.workload,
            operation: row.operation,
            protocol: row.protocol,
            phase: row.phase,
        };
        self.labels.entry(key).or_default().add(&tally);
    }

    /// The sum over the label sets that `wanted` picks.
    pub fn sum(&self, wanted: impl Fn(&LabelKey) -> bool) -> Tally {
        let mut sum = Tally::default();
        for (key, tally) in &self.labels {
            if wanted(key) {
                sum.add(tally);
            }
        }
        sum
    }

    /// Workload, operation and protocol version of everything that was due in a phase that `wanted` picks, in order.
    pub fn operations(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<(String, String, ProtocolVersion)> {
        let mut operations: Vec<_> = self
            .labels
            .keys()
            .filter(|key| key.operation != UPKEEP && wanted(&key.phase))
            .map(|key| (key.workload.clone(), key.operation.clone(), key.protocol))
            .collect();
        operations.sort();
        operations.dedup();
        operations
    }
}

/// The middle of a second, nanoseconds from `t0`: shed arrivals have no row, so they belong to the window that holds it.
pub const fn middle(second: i64) -> i64 {
    second
        .saturating_mul(1_000_000_000)
        .saturating_add(500_000_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(second: i64, worker: u32, phase: &str, arrivals: u64, shed: u64) -> CountRow {
        CountRow {
            second,
            worker,
            phase: phase.to_owned(),
            workload: "main".to_owned(),
            operation: "echo".to_owned(),
            protocol: ProtocolVersion::V2025_11_25,
            arrivals,
            shed,
            unrecorded: 1,
            left_out: 0,
            operations_ok: arrivals,
            operations_fail: 2,
            operations_info: 3,
            calls_ok: arrivals,
            calls_fail: 0,
            calls_info: 5,
        }
    }

    proptest! {
        #[test]
        fn counts_add_up_over_any_order_and_split(
            rows in proptest::collection::vec((0_i64..20, 0_u32..4, 0_u8..3, 0_u64..100, 0_u64..5), 1..60),
            turn in 0_usize..60,
        ) {
            let rows: Vec<CountRow> = rows
                .iter()
                .map(|(second, worker, phase, arrivals, shed)| row(*second, *worker, &format!("p{phase}"), *arrivals, *shed))
                .collect();
            let count = |rows: &[CountRow]| {
                let mut counts = Counts::default();
                rows.iter().cloned().for_each(|row| counts.observe(row));
                counts
            };
            let mut turned = rows.clone();
            turned.rotate_left(turn % rows.len());
            prop_assert_eq!(count(&rows), count(&turned));

            let (one, two) = rows.split_at(turn % rows.len());
            let mut sum = count(one).sum(|_| true);
            sum.add(&count(two).sum(|_| true));
            prop_assert_eq!(sum, count(&rows).sum(|_| true));
            let by_phase = (0..3).fold(Tally::default(), |mut all, phase| {
                all.add(&count(&rows).sum(|key| key.phase == format!("p{phase}")));
                all
            });
            prop_assert_eq!(by_phase, sum);
        }
    }
}
