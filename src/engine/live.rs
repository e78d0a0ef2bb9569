//! The live figures: a fold over the workers' seconds and histograms.
//!
//! Pure.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use crate::load::frames::Second;
use crate::record::tag::{Measure, Tag};

/// Sums over the workers.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// Per second: operations that ended, those not ok or shed, and the response times.
    seconds: BTreeMap<i64, Tally>,
    ended: u64,
    ended_bad: u64,
    waiting: BTreeMap<u32, Vec<Histogram<u64>>>,
}

#[derive(Debug, Default)]
struct Tally {
    ended: u64,
    bad: u64,
    workers: u32,
    response: Option<Histogram<u64>>,
}

/// What a whole second looked like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Glance {
    pub(super) second: i64,
    pub(super) ended: u64,
    pub(super) bad: u64,
    pub(super) p99_ns: Option<u64>,
    pub(super) total_ended: u64,
    pub(super) total_bad: u64,
}

impl Live {
    /// Takes a worker's histogram lines; they belong to the Second that follows.
    pub(super) fn histograms(&mut self, worker: u32, lines: &[u8]) {
        let mut deserializer = Deserializer::new();
        for entry in IntervalLogIterator::new(lines).flatten() {
            let LogEntry::Interval(interval) = entry else {
                continue;
            };
            let Some(Ok(Tag::Label {
                measure: Measure::Response,
                ..
            })) = interval.tag().map(|tag| tag.as_str().parse())
            else {
                continue;
            };
            let Ok(bytes) = STANDARD.decode(interval.encoded_histogram()) else {
                continue;
            };
            if let Ok(histogram) = deserializer.deserialize::<u64, _>(&mut bytes.as_slice()) {
                self.waiting.entry(worker).or_default().push(histogram);
            }
        }
    }

    /// Takes a worker's second. Returns the second if all `workers` have now told it.
    pub(super) fn second(&mut self, worker: u32, told: &Second, workers: u32) -> Option<Glance> {
        let tally = self.seconds.entry(told.second).or_default();
        tally.ended += told.ok + told.bad + told.shed;
        tally.bad += told.bad + told.shed;
        tally.workers += 1;
        self.ended += told.ok + told.bad + told.shed;
        self.ended_bad += told.bad + told.shed;
        for histogram in self.waiting.remove(&worker).unwrap_or_default() {
            match &mut tally.response {
                Some(sum) => drop(sum.add(&histogram)),
                None => tally.response = Some(histogram),
            }
        }
        if tally.workers < workers {
            return None;
        }
        let tally = self.seconds.remove(&told.second)?;
        // Seconds that a lost worker left open are not waited for.
        self.seconds = self.seconds.split_off(&told.second);
        Some(Glance {
            second: told.second,
            ended: tally.ended,
            bad: tally.bad,
            p99_ns: tally.p99(),
            total_ended: self.ended,
            total_bad: self.ended_bad,
        })
    }
}

impl Tally {
    /// The 99th percentile of all that ended, bad ones above everything; none if the rank falls on a bad one.
    fn p99(&self) -> Option<u64> {
        let rank = self.ended - self.ended / 100;
        let good = self.response.as_ref()?;
        if rank == 0 || rank > good.len() {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "operations of one second are far below 2^52"
        )]
        let quantile = rank as f64 / good.len() as f64;
        Some(good.value_at_quantile(quantile))
    }
}
