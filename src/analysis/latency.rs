//! Percentiles: histograms of the log merged per label, and per second for the time line.
//!
//! Pure. Histograms are merged by adding counts, never percentiles by averaging. A sample that did not end ok exceeds every
//! value, so percentiles rank over both and are `None` where the rank falls on such a one.

use std::collections::{BTreeMap, BTreeSet};

use super::Quantiles;
use crate::model::ProtocolVersion;
use crate::record::tag::{Interval, Measure, Tag};

/// How many seconds stay open for late rows of slow workers; a worker that is silent for 10 s is lost.
const OPEN_SECONDS: usize = 64;

/// Counts by value, exact up to the resolution of the stored histograms (0.1 %).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    counts: BTreeMap<u64, u64>,
    total: u64,
}

impl Distribution {
    /// Adds `count` samples of `value` nanoseconds.
    pub fn add(&mut self, value: u64, count: u64) {
        *self.counts.entry(value).or_default() += count;
        self.total += count;
    }

    /// Adds all samples of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (value, count) in &other.counts {
            self.add(*value, *count);
        }
    }

    /// How many samples there are.
    pub const fn samples(&self) -> u64 {
        self.total
    }

    /// The sum of all samples, seconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a sum of times; its digits beyond 2^52 are none"
    )]
    pub fn total_seconds(&self) -> f64 {
        let sum = self.counts.iter().fold(0.0, |sum, (value, count)| {
            (*value as f64).mul_add(*count as f64, sum)
        });
        sum / 1e9
    }

    /// The percentiles of these samples and of `bad` more that exceed every value.
    pub fn quantiles(&self, bad: u64) -> Quantiles {
        let samples = self.total + bad;
        // Ranks in thousandths; the rank of quantile q of n samples is ceil(q n), at least 1.
        let ranks = [500, 900, 950, 990, 999].map(|thousandths: u64| {
            let rank = (u128::from(samples) * u128::from(thousandths)).div_ceil(1000);
            u64::try_from(rank).unwrap_or(u64::MAX).max(1)
        });
        let mut values = [None; 5];
        let mut below = 0;
        for (value, count) in &self.counts {
            below += count;
            for (slot, rank) in values.iter_mut().zip(ranks) {
                if slot.is_none() && rank <= below {
                    *slot = Some(*value);
                }
            }
        }
        let [half, most, nearly, hundredth, thousandth] = values;
        Quantiles {
            samples,
            bad,
            p50_ns: half,
            p90_ns: most,
            p95_ns: nearly,
            p99_ns: hundredth,
            p999_ns: thousandth,
            max_ns: self.counts.last_key_value().map(|(value, _)| *value),
        }
    }
}

/// The open parts of a second: ok responses, bad responses, lag.
#[derive(Clone, Debug, Default)]
struct Open {
    ok: Distribution,
    bad: u64,
    lag: Distribution,
}

/// The percentiles of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecondLatency {
    /// Response time of the operations that ended in it.
    pub response: Quantiles,
    /// The generator's lag.
    pub lag: Quantiles,
}

impl Open {
    fn close(&self) -> SecondLatency {
        SecondLatency {
            response: self.ok.quantiles(self.bad),
            lag: self.lag.quantiles(0),
        }
    }
}

/// All histograms of a run, merged.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    labels: BTreeMap<Tag, Distribution>,
    open: BTreeMap<i64, Open>,
    closed: BTreeMap<i64, SecondLatency>,
    late: u64,
}

impl Latencies {
    /// Adds one histogram of the log.
    pub fn add(&mut self, interval: &Interval) {
        let total = self.labels.entry(interval.tag.clone()).or_default();
        for (value, count) in &interval.counts {
            total.add(*value, *count);
        }
        let Tag::Label { measure, .. } = interval.tag else {
            return;
        };
        if !matches!(
            measure,
            Measure::Response | Measure::ResponseBad | Measure::Lag
        ) {
            return;
        }
        if self.closed.contains_key(&interval.second) {
            self.late += 1;
            return;
        }
        let open = self.open.entry(interval.second).or_default();
        for (value, count) in &interval.counts {
            match measure {
                Measure::Response => open.ok.add(*value, *count),
                Measure::ResponseBad => open.bad += count,
                _ => open.lag.add(*value, *count),
            }
        }
        if self.open.len() > OPEN_SECONDS
            && let Some((second, open)) = self.open.pop_first()
        {
            self.closed.insert(second, open.close());
        }
    }

    /// The merged samples of the tags that `wanted` picks.
    pub fn merged(&self, wanted: impl Fn(&Tag) -> bool) -> Distribution {
        let mut merged = Distribution::default();
        for (tag, distribution) in &self.labels {
            if wanted(tag) {
                merged.merge(distribution);
            }
        }
        merged
    }

    /// The percentiles of a measure over the label sets (workload, operation, protocol, phase) that `wanted` picks; for
    /// response times, the operations that did not end ok and `shed` more rank above every value.
    pub fn label(
        &self,
        measure: Measure,
        shed: u64,
        wanted: impl Fn(&Label<'_>) -> bool,
    ) -> Quantiles {
        let of = |asked: Measure| {
            self.merged(|tag| {
                Label::of(tag).is_some_and(|(of, label)| of == asked && wanted(&label))
            })
        };
        let bad = match measure {
            Measure::Response => of(Measure::ResponseBad).samples() + shed,
            _ => 0,
        };
        of(measure).quantiles(bad)
    }

    /// The percentiles of service time of the Calls that `slot` answered in the phases that `wanted` picks.
    pub fn slot(&self, slot: &str, wanted: impl Fn(&str) -> bool) -> Quantiles {
        self.merged(|tag| match tag {
            Tag::SlotService { slot: of, phase } => of == slot && wanted(phase),
            Tag::Label { .. } => false,
        })
        .quantiles(0)
    }

    /// The slots that answered anything ok.
    pub fn slots(&self) -> BTreeSet<&str> {
        let slots = self.labels.keys().filter_map(|tag| match tag {
            Tag::SlotService { slot, .. } => Some(slot.as_str()),
            Tag::Label { .. } => None,
        });
        slots.collect()
    }

    /// The percentiles of each second that has any, in order.
    pub fn seconds(&self) -> BTreeMap<i64, SecondLatency> {
        let mut seconds = self.closed.clone();
        seconds.extend(
            self.open
                .iter()
                .map(|(second, open)| (*second, open.close())),
        );
        seconds
    }

    /// How many histograms came so late that they are missing in their second (they are in all other percentiles).
    pub const fn late(&self) -> u64 {
        self.late
    }
}

/// A label set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// The workload.
    pub workload: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The protocol version.
    pub protocol: ProtocolVersion,
    /// The phase.
    pub phase: &'a str,
}

impl<'a> Label<'a> {
    fn of(tag: &'a Tag) -> Option<(Measure, Self)> {
        match tag {
            Tag::Label {
                measure,
                workload,
                operation,
                protocol,
                phase,
            } => Some((
                *measure,
                Self {
                    workload,
                    operation,
                    protocol: *protocol,
                    phase,
                },
            )),
            Tag::SlotService { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;
    use crate::record::tag::{DIGITS, HIGHEST, LOWEST};

    fn interval(measure: Measure, second: i64, counts: Vec<(u64, u64)>) -> Interval {
        Interval {
            second,
            tag: format!("{}/main/echo/2025-11-25/chaos", measure.name())
                .parse()
                .unwrap(),
            counts,
        }
    }

    #[test]
    fn what_did_not_end_ok_ranks_above_everything() {
        let mut latencies = Latencies::default();
        latencies.add(&interval(
            Measure::Response,
            3,
            vec![(1_000, 90), (2_000, 5)],
        ));
        latencies.add(&interval(Measure::ResponseBad, 3, vec![(500, 4)]));
        let all = latencies.label(Measure::Response, 1, |label| label.phase == "chaos");
        assert_eq!((all.samples, all.bad), (100, 5));
        assert_eq!((all.p50_ns, all.p90_ns), (Some(1_000), Some(1_000)));
        assert_eq!((all.p95_ns, all.p99_ns), (Some(2_000), None));
        assert_eq!(all.max_ns, Some(2_000));
        let second = latencies.seconds()[&3].response;
        assert_eq!((second.samples, second.bad), (99, 4));
    }

    #[test]
    fn nothing_has_no_percentiles() {
        assert_eq!(Distribution::default().quantiles(0), Quantiles::default());
    }

    #[test]
    fn seconds_are_closed_and_late_rows_counted() {
        let mut latencies = Latencies::default();
        for second in 0..200 {
            latencies.add(&interval(Measure::Lag, second, vec![(1_000, 1)]));
        }
        latencies.add(&interval(Measure::Lag, 0, vec![(9_000, 1)]));
        assert_eq!(latencies.late(), 1);
        assert_eq!(latencies.seconds().len(), 200);
        assert_eq!(latencies.label(Measure::Lag, 0, |_| true).samples, 201);
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_a_sorted_list_within_a_thousandth(
            mut values in proptest::collection::vec(LOWEST..HIGHEST, 1..400)
        ) {
            let mut histogram = Histogram::<u64>::new_with_bounds(LOWEST, HIGHEST, DIGITS).unwrap();
            for value in &values {
                histogram.record(*value).unwrap();
            }
            let mut distribution = Distribution::default();
            for step in histogram.iter_recorded() {
                let value = histogram.highest_equivalent(step.value_iterated_to());
                distribution.add(value, step.count_since_last_iteration());
            }
            values.sort_unstable();
            let quantiles = distribution.quantiles(0);
            for (share, found) in [(500, quantiles.p50_ns), (950, quantiles.p95_ns), (999, quantiles.p999_ns)] {
                let rank = (values.len() * share).div_ceil(1000).max(1);
                let exact = values[rank - 1];
                let found = found.unwrap();
                prop_assert!(found.abs_diff(exact) <= exact / 1000 + 1_000, "{found} {exact}");
            }
        }
    }
}
