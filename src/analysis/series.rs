//! The time line: one row a second.
//!
//! Pure. Operations count in the second in which they were due, percentiles in that in which they ended; slots are those that
//! were ready at the end of the second.

use std::collections::BTreeMap;

use super::latency::SecondLatency;
use super::timeline::Timeline;
use super::{SecondStats, Tally};
use crate::model::{Call, Offset, Outcome};
use crate::plan::Plan;

const SECOND: i64 = 1_000_000_000;

/// Counts by second of due time.
#[derive(Clone, Debug, Default)]
pub struct SeriesFold {
    seconds: BTreeMap<i64, Tally>,
}

impl SeriesFold {
    /// Counts the end of an operation.
    pub fn observe(&mut self, call: &Call) {
        let (true, Some(ends)) = (call.ends_operation(), call.ends) else {
            return;
        };
        let tally = self
            .seconds
            .entry(call.operation_due.nanos().div_euclid(SECOND))
            .or_default();
        tally.due += 1;
        match ends {
            Outcome::Ok => tally.ok += 1,
            Outcome::Fail => tally.fail += 1,
            Outcome::Info => tally.info += 1,
        }
    }

    /// Counts arrivals that were shed in `second`.
    pub fn shed(&mut self, second: i64, count: u64) {
        let tally = self.seconds.entry(second).or_default();
        tally.due += count;
        tally.shed += count;
    }

    /// Takes what was due and what ended ok from the counts of each second (released, ended ok): rows of good ones were left out.
    pub fn complete(&mut self, counted: &BTreeMap<i64, (u64, u64)>) {
        for tally in self.seconds.values_mut() {
            (tally.due, tally.ok) = (tally.shed, 0);
        }
        for (second, (released, ok)) in counted {
            let tally = self.seconds.entry(*second).or_default();
            tally.due += released;
            tally.ok += ok;
        }
    }

    /// The rows, from the first second with anything in it to the last, without gaps.
    pub fn finish(
        self,
        plan: &Plan,
        timeline: &Timeline,
        latencies: &BTreeMap<i64, SecondLatency>,
    ) -> Vec<SecondStats> {
        let firsts = [self.seconds.keys().next(), latencies.keys().next()];
        let lasts = [self.seconds.keys().last(), latencies.keys().last()];
        let first = firsts.into_iter().flatten().min();
        let last = lasts.into_iter().flatten().max();
        let (Some(first), Some(last)) = (first, last) else {
            return Vec::new();
        };
        // A damaged row could name any second; a run has no more of them than its plan and a margin.
        let most = plan.end().nanos().div_euclid(SECOND) + 3600;
        ((*first).max(-3600)..=(*last).min(most))
            .map(|second| {
                let tally = self.seconds.get(&second).copied().unwrap_or_default();
                let latency = latencies.get(&second).copied().unwrap_or_default();
                SecondStats {
                    second,
                    due: tally.due,
                    ok: tally.ok,
                    fail: tally.fail,
                    info: tally.info,
                    shed: tally.shed,
                    response: latency.response,
                    lag_p99_ns: latency.lag.p99_ns,
                    ready: ready(plan, timeline, Offset((second + 1) * SECOND - 1)),
                }
            })
            .collect()
    }
}

fn ready(plan: &Plan, timeline: &Timeline, at: Offset) -> Vec<(String, u32)> {
    if timeline.slots.is_empty() {
        return Vec::new();
    }
    plan.fleet
        .roles
        .iter()
        .map(|role| {
            let ready = role
                .slots
                .iter()
                .filter_map(|slot| timeline.slots.get(&slot.id))
                .filter(|life| life.ready_at(at))
                .count();
            (role.name.clone(), u32::try_from(ready).unwrap_or(u32::MAX))
        })
        .collect()
}
