//! [`Second`]: all that happened on a worker in one second (or in several that had to wait).
//!
//! Pure.

use std::collections::HashMap;
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
    counts: HashMap<Label, Counters>,
    /// Seconds before this one that had to wait, oldest first.
    pub(crate) waited: Vec<(frames::Second, HashMap<Label, Counters>)>,
    pub(crate) rows: Vec<Attempt>,
    pub(crate) moves: Vec<Move>,
    /// `None` only if the bounds were refused, which they are not.
    pub(crate) histograms: HashMap<Key, Option<Histogram<u64>>>,
}

impl Second {
    /// An empty one with this number.
    pub(crate) fn new(second: i64) -> Self {
        Self {
            live: frames::Second {
                second,
                ..frames::Second::default()
            },
            counts: HashMap::new(),
            waited: Vec::new(),
            rows: Vec::new(),
            moves: Vec::new(),
            histograms: HashMap::new(),
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
        let sorted = |counts: &'_ HashMap<Label, Counters>| {
            let mut labels: Vec<Label> = counts.keys().copied().collect();
            labels.sort_unstable();
            labels
        };
        self.waited
            .iter()
            .map(|(live, counts)| (live, counts))
            .chain(std::iter::once((&self.live, &self.counts)))
            .map(|(live, counts)| {
                let rows = sorted(counts)
                    .into_iter()
                    .filter_map(|label| Some((label, counts.get(&label)?)))
                    .collect();
                (live.clone(), rows)
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
        for (key, histogram) in next.histograms {
            match (self.histograms.get_mut(&key), &histogram) {
                // Both have the same bounds, so adding cannot fail.
                (Some(Some(sum)), Some(more)) => {
                    let _ = sum.add(more);
                }
                _ => {
                    self.histograms.insert(key, histogram);
                }
            }
        }
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
        let mut histogram = new_histogram().unwrap();
        histogram.saturating_record(value * 1_000_000);
        one.histograms
            .insert(Key::Label(Measure::Lag, label()), Some(histogram));
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
        assert_eq!(both.histograms.len(), 1);
        assert!(
            both.histograms
                .values()
                .all(|histogram| histogram.as_ref().unwrap().len() == 3)
        );
    }
}
