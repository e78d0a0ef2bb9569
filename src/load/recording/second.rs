//! [`Second`]: all that happened on a worker in one second (or in several that had to wait).
//!
//! Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;

use super::{Attempt, Move};
use crate::load::frames;
use crate::model::ProtocolVersion;
use crate::model::outcome::Outcome;
use crate::record::tag::{DIGITS, HIGHEST, LOWEST, Measure};

/// A label set, by numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Label {
    /// The workload.
    pub(crate) workload: u32,
    /// The operation; `None` for session upkeep.
    pub(crate) operation: Option<u32>,
    /// The version.
    pub(crate) protocol: ProtocolVersion,
    /// The phase; `None` for set-up.
    pub(crate) phase: Option<u32>,
}

impl Label {
    /// The operation that stands for those beyond the cap of label sets.
    pub(crate) const OTHER: u32 = u32::MAX;
}

/// What a histogram is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A measure of a label set.
    Label(Measure, Label),
    /// Service times of a slot in a phase.
    Slot(Arc<str>, Option<u32>),
}

/// How many ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) ok: u64,
    pub(crate) fail: u64,
    pub(crate) info: u64,
}

impl Ended {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Fail => self.fail += 1,
            Outcome::Info => self.info += 1,
        }
    }
}

/// The counters of one label set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) arrivals: u64,
    pub(crate) shed: u64,
    pub(crate) unrecorded: u64,
    pub(crate) left_out: u64,
    pub(crate) operations: Ended,
    pub(crate) calls: Ended,
    /// One for each latency objective; may be shorter, missing ones are zero.
    pub(crate) over: Vec<u64>,
}

/// What happened in one second.
#[derive(Debug)]
pub(crate) struct Second {
    /// The figures of this second.
    pub(crate) live: frames::Second,
    // Few labels, many lookups: trees are faster than hashing here, and in order.
    counts: BTreeMap<Label, Counters>,
    /// Seconds before this one that had to wait, oldest first.
    pub(crate) waited: Vec<(frames::Second, BTreeMap<Label, Counters>)>,
    pub(crate) rows: Vec<Attempt>,
    pub(crate) moves: Vec<Move>,
    ledgers: BTreeMap<Label, Ledger>,
    slots: BTreeMap<(Arc<str>, Option<u32>), Histogram<u64>>,
}

impl Second {
    /// An empty one with this number.
    pub(crate) fn new(second: i64) -> Self {
        Self {
            live: frames::Second {
                second,
                ..frames::Second::default()
            },
            counts: BTreeMap::new(),
            waited: Vec::new(),
            rows: Vec::new(),
            moves: Vec::new(),
            ledgers: BTreeMap::new(),
            slots: BTreeMap::new(),
        }
    }

    /// Whether nothing happened in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
            && self.rows.is_empty()
            && self.moves.is_empty()
            && self.waited.is_empty()
    }

    /// The counters of a label set.
    pub(crate) fn counters(&mut self, label: Label) -> &mut Counters {
        self.counts.entry(label).or_default()
    }

    /// Every second in it with its counters, oldest first; counters in the order of their labels.
    pub(crate) fn seconds(&self) -> Vec<(frames::Second, Vec<(Label, &Counters)>)> {
        self.waited
            .iter()
            .map(|(live, counts)| (live, counts))
            .chain(std::iter::once((&self.live, &self.counts)))
            .map(|(live, counts)| {
                let rows = counts.iter().map(|(label, counters)| (*label, counters));
                (live.clone(), rows.collect())
            })
            .collect()
    }

    /// Drops the rows and counts them as unrecorded; returns how many.
    pub(crate) fn drop_rows(&mut self) -> u64 {
        let rows = std::mem::take(&mut self.rows);
        let dropped = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        for row in &rows {
            self.counters(row.label()).unrecorded += 1;
        }
        self.live.unrecorded += dropped;
        dropped
    }

    /// Takes up the second after it.
    pub(crate) fn append(&mut self, next: Self) {
        self.waited.push((
            std::mem::replace(&mut self.live, next.live),
            std::mem::take(&mut self.counts),
        ));
        self.counts = next.counts;
        self.rows.extend(next.rows);
        self.moves.extend(next.moves);
        for (label, ledger) in next.ledgers {
            let own = self.ledgers.entry(label).or_default();
            for (own, next) in own.histograms.iter_mut().zip(ledger.histograms) {
                add(own, next);
            }
        }
        for (key, histogram) in next.slots {
            match self.slots.get_mut(&key) {
                // Both have the same bounds, so adding cannot fail.
                Some(sum) => drop(sum.add(histogram)),
                None => drop(self.slots.insert(key, histogram)),
            }
        }
    }

    /// Whether there is a ledger of this label set.
    pub(crate) fn has_ledger(&self, label: &Label) -> bool {
        self.ledgers.contains_key(label)
    }

    /// The histograms of a label set.
    pub(crate) fn ledger(&mut self, label: Label) -> &mut Ledger {
        self.ledgers.entry(label).or_default()
    }

    /// Records a service time of a slot; `new` makes a histogram where there is none.
    pub(crate) fn slot(
        &mut self,
        slot: &Arc<str>,
        phase: Option<u32>,
        value: u64,
        new: impl FnOnce() -> Option<Histogram<u64>>,
    ) {
        let key = (Arc::clone(slot), phase);
        if let Some(known) = self.slots.get_mut(&key) {
            known.saturating_record(value);
        } else if let Some(mut made) = new() {
            made.saturating_record(value);
            self.slots.insert(key, made);
        }
    }

    /// Every histogram that there is, in the order of their keys.
    pub(crate) fn into_histograms(self) -> Vec<(Key, Histogram<u64>)> {
        let labels = self.ledgers.into_iter().flat_map(|(label, ledger)| {
            let measures = Measure::ALL.into_iter().zip(ledger.histograms);
            measures.filter_map(move |(measure, histogram)| {
                Some((Key::Label(measure, label), histogram?))
            })
        });
        let slots = self.slots.into_iter();
        let slots = slots.map(|((slot, phase), histogram)| (Key::Slot(slot, phase), histogram));
        let mut all: Vec<_> = labels.chain(slots).collect();
        all.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        all
    }
}

/// The histograms of one label set, by measure.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    histograms: [Option<Histogram<u64>>; Measure::ALL.len()],
}

impl Ledger {
    /// Records a value; `new` makes a histogram where there is none.
    pub(crate) fn record(
        &mut self,
        measure: Measure,
        value: u64,
        new: impl FnOnce() -> Option<Histogram<u64>>,
    ) {
        // Every measure has a place.
        if let Some(place) = self.histograms.get_mut(measure as usize) {
            if place.is_none() {
                *place = new();
            }
            if let Some(histogram) = place {
                histogram.saturating_record(value);
            }
        }
    }
}

fn add(sum: &mut Option<Histogram<u64>>, more: Option<Histogram<u64>>) {
    match (&mut *sum, more) {
        (Some(sum), Some(more)) => drop(sum.add(more)),
        (None, more) => *sum = more,
        (Some(_), None) => {}
    }
}

/// An empty histogram with the bounds of the format.
pub(crate) fn new_histogram() -> Option<Histogram<u64>> {
    Histogram::new_with_bounds(LOWEST, HIGHEST, DIGITS).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label() -> Label {
        Label {
            workload: 0,
            operation: Some(1),
            protocol: ProtocolVersion::V2025_11_25,
            phase: Some(0),
        }
    }

    fn with(second: i64, value: u64) -> Second {
        let mut one = Second::new(second);
        one.counters(label()).arrivals += value;
        let ledger = one.ledger(label());
        ledger.record(Measure::Lag, value * 1_000_000, new_histogram);
        one
    }

    #[test]
    fn seconds_that_wait_keep_their_counts_apart_and_their_histograms_together() {
        let mut both = with(4, 1);
        both.append(with(5, 2));
        both.append(with(6, 3));
        let counts: Vec<(i64, u64)> = both
            .seconds()
            .iter()
            .map(|(live, rows)| {
                (
                    live.second,
                    rows.iter().map(|(_, counters)| counters.arrivals).sum(),
                )
            })
            .collect();
        assert_eq!(counts, [(4, 1), (5, 2), (6, 3)]);
        let histograms = both.into_histograms();
        let lengths: Vec<u64> = histograms.iter().map(|(_, one)| one.len()).collect();
        assert_eq!(lengths, [3]);
    }
}
