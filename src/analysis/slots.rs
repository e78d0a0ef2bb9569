//! Slots: what each of them served, when it was ready, and what it used.
//!
//! Pure. One fold over the Calls and one over the samples; samples of a slot are in the order of time.

use std::collections::BTreeMap;

use super::SlotStats;
use super::latency::Latencies;
use super::names::{SlotNames, SlotNumber};
use super::timeline::Timeline;
use crate::model::{Call, Class, Outcome, SlotId, metric};
use crate::plan::Plan;
use crate::record::rows::SampleRow;

/// How many series of samples are told apart.
const MOST_SERIES: usize = 10_000;

/// What slots served and used.
#[derive(Clone, Debug, Default)]
pub struct SlotFold {
    served: BTreeMap<SlotNumber, (u64, u64)>,
    cpu: BTreeMap<(String, String), f64>,
    cpu_used: BTreeMap<String, f64>,
    peak: BTreeMap<String, u64>,
}

impl SlotFold {
    /// Counts a Call that was due in a measured phase; where rows are left out (`sampled`), only one that did not end ok: the
    /// others are in the histograms.
    pub fn observe(&mut self, call: &Call, slot: SlotNumber, sampled: bool) {
        if slot != SlotNumber::UNKNOWN && !(sampled && call.class == Class::None) {
            let served = self.served.entry(slot).or_default();
            served.0 += 1;
            served.1 += u64::from(call.outcome != Outcome::Ok);
        }
    }

    /// Adds a sample; `measured` if it was taken in a measured phase.
    pub fn sample(&mut self, row: SampleRow, measured: bool) {
        if row.metric == metric::RESIDENT_BYTES.name {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "bytes; the cast saturates"
            )]
            let bytes = row.value as u64;
            let peak = self.peak.entry(row.slot).or_default();
            *peak = bytes.max(*peak);
        } else if row.metric == metric::CPU_SECONDS.name && self.cpu.len() < MOST_SERIES {
            let key = (row.slot, row.labels);
            // The counter starts from zero with each incarnation.
            let used = match self.cpu.get(&key) {
                Some(before) if *before <= row.value => row.value - before,
                Some(_) => row.value,
                None => 0.0,
            };
            if measured {
                *self.cpu_used.entry(key.0.clone()).or_default() += used;
            }
            self.cpu.insert(key, row.value);
        }
    }

    /// The slots by name: those of the plan, and whoever served.
    pub fn finish(
        self,
        plan: &Plan,
        timeline: &Timeline,
        names: &SlotNames,
        latencies: &Latencies,
    ) -> Vec<SlotStats> {
        let measured = |phase: &str| {
            plan.phases
                .iter()
                .any(|known| known.measure && known.name == phase)
        };
        let mut slots: BTreeMap<_, (String, u64, u64)> = plan
            .fleet
            .slots()
            .map(|(role, slot)| (slot.id.clone(), (role.name.clone(), 0, 0)))
            .collect();
        for (slot, (calls, bad)) in self.served {
            let entry = slots.entry(names.name(slot)).or_default();
            entry.1 = calls;
            entry.2 = bad;
        }
        if plan.record.is_sampled() {
            for slot in latencies.slots() {
                slots.entry(SlotId(slot.to_owned())).or_default();
            }
            for (slot, entry) in &mut slots {
                entry.1 += latencies.slot(slot.as_str(), measured).samples;
            }
        }
        slots
            .into_iter()
            .map(|(slot, (role, calls, bad))| {
                let life = timeline.slots.get(&slot);
                SlotStats {
                    role,
                    incarnations: life.map_or(0, |life| life.starts),
                    start_ns: life.and_then(|life| life.start_ns),
                    ready: life.map(|life| life.ready.clone()).unwrap_or_default(),
                    calls,
                    bad,
                    service: latencies.slot(slot.as_str(), measured),
                    cpu_seconds: self.cpu_used.get(slot.as_str()).copied(),
                    peak_resident_bytes: self.peak.get(slot.as_str()).copied(),
                    slot,
                }
            })
            .collect()
    }
}
