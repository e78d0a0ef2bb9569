//! The conductor's side of the worker protocol: starts a worker on a thread and collects what it sends.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::Duration;

use mcpload::clock;
use mcpload::load::frames::{
    Assignment, Decoder, FromWorker, Message, Ready, Second, ToWorker, Totals,
};
use mcpload::load::worker::{self, WorkerError};
use mcpload::model::session::SessionRow;
use mcpload::model::{Call, Class};
use mcpload::plan::Plan;
use mcpload::record::rows::{CountRow, counts_header};

/// The longest wait for any frame.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Worker {
    stream: UnixStream,
    decoder: Decoder,
    plan: Plan,
    pub(crate) thread: JoinHandle<Result<(), WorkerError>>,
    pub(crate) ready: Option<Ready>,
}

/// What a worker recorded.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) calls: Vec<Call>,
    pub(crate) sessions: Vec<SessionRow>,
    pub(crate) counts: Vec<CountRow>,
    /// The `over_*` columns of each row of counts.
    pub(crate) over: Vec<Vec<u64>>,
    pub(crate) histograms: Vec<u8>,
    pub(crate) seconds: Vec<Second>,
    pub(crate) totals: Totals,
}

impl Worker {
    /// Starts a worker and assigns it this plan.
    pub(crate) fn assign(plan: &Plan, url: &str, index: u32, of: u32) -> Self {
        let (mine, its) = UnixStream::pair().unwrap();
        mine.set_read_timeout(Some(PATIENCE)).unwrap();
        let output = its.try_clone().unwrap();
        let thread = std::thread::spawn(move || worker::run(its, output));
        let mut worker = Self {
            stream: mine,
            decoder: Decoder::default(),
            plan: plan.clone(),
            thread,
            ready: None,
        };
        assert!(matches!(worker.next(), Some(FromWorker::Hello(_))));
        worker.tell(&ToWorker::Assign(Box::new(Assignment {
            plan: plan.clone(),
            endpoints: vec![url.to_owned()],
            source: Some("127.0.0.1".parse().unwrap()),
            index,
            of,
        })));
        worker
    }

    pub(crate) fn tell(&mut self, message: &ToWorker) {
        self.stream.write_all(&message.to_frame().unwrap()).unwrap();
    }

    /// Waits for Ready and starts the time line 20 ms ahead.
    pub(crate) fn start(&mut self) {
        match self.next() {
            Some(FromWorker::Ready(ready)) => self.ready = Some(ready),
            other => panic!("expected Ready, not {other:?}"),
        }
        self.tell(&ToWorker::Start {
            t0: clock::now() + 20_000_000,
        });
    }

    /// The next message; `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<FromWorker> {
        loop {
            if let Some(message) = self.decoder.next_message().unwrap() {
                return Some(message);
            }
            let mut chunk = [0; 8192];
            match self.stream.read(&mut chunk).unwrap() {
                0 => return None,
                length => self.decoder.push(&chunk[..length]),
            }
        }
    }

    /// Hangs up.
    pub(crate) fn leave(self) -> JoinHandle<Result<(), WorkerError>> {
        self.thread
    }

    /// Collects until End.
    pub(crate) fn finish(mut self) -> Record {
        let mut record = Record::default();
        loop {
            match self.next().expect("the worker ended without End") {
                FromWorker::Counts(bytes) => self.counts(&bytes, &mut record),
                FromWorker::Calls(bytes) => record.calls.extend(rows::<Call>(&bytes)),
                FromWorker::Sessions(bytes) => record.sessions.extend(rows::<SessionRow>(&bytes)),
                FromWorker::Histograms(bytes) => record.histograms.extend(bytes),
                FromWorker::Second(second) => record.seconds.push(second),
                FromWorker::End(totals) => {
                    record.totals = totals;
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        drop(self.stream);
        self.thread.join().unwrap().unwrap();
        record
    }

    fn counts(&self, bytes: &[u8], record: &mut Record) {
        let text = format!(
            "{}\n{}",
            counts_header(&self.plan),
            String::from_utf8(bytes.to_vec()).unwrap()
        );
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let fixed = CountRow::COLUMNS.len();
        for row in reader.records() {
            let row = row.unwrap();
            let head: csv::StringRecord = row.iter().take(fixed).collect();
            record.counts.push(head.deserialize(None).unwrap());
            record.over.push(
                row.iter()
                    .skip(fixed)
                    .map(|cell| cell.parse().unwrap())
                    .collect(),
            );
        }
    }
}

fn rows<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Vec<T> {
    let plain = zstd::decode_all(bytes).unwrap();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(plain.as_slice());
    reader.deserialize().map(Result::unwrap).collect()
}

/// Runs one worker from beginning to end.
pub(crate) fn run(plan: &Plan, url: &str) -> Record {
    let mut worker = Worker::assign(plan, url, 0, 1);
    worker.start();
    worker.finish()
}

impl Record {
    /// The calls of arrivals, without session upkeep.
    pub(crate) fn of_arrivals(&self) -> Vec<&Call> {
        self.calls
            .iter()
            .filter(|call| call.arrival.is_some())
            .collect()
    }

    /// How many calls of arrivals ended with each class and code.
    pub(crate) fn call_classes(&self) -> BTreeMap<(Class, Option<i64>), usize> {
        let mut classes = BTreeMap::new();
        for call in self.of_arrivals() {
            *classes.entry((call.class, call.code)).or_default() += 1;
        }
        classes
    }

    /// Sums a column of counts.
    pub(crate) fn sum(&self, column: fn(&CountRow) -> u64) -> u64 {
        self.counts.iter().map(column).sum()
    }

    /// How many values the histograms with this prefix of the tag hold.
    pub(crate) fn values(&self, prefix: &str) -> u64 {
        self.by_tag()
            .iter()
            .filter(|(tag, _)| tag.starts_with(prefix))
            .map(|(_, count)| count)
            .sum()
    }

    /// The value at a quantile of the histograms with this prefix of the tag, milliseconds.
    pub(crate) fn quantile_ms(&self, prefix: &str, quantile: f64) -> u64 {
        let mut sum =
            hdrhistogram::Histogram::<u64>::new_with_bounds(1_000, 600_000_000_000, 3).unwrap();
        for (tag, histogram) in self.histograms() {
            if tag.starts_with(prefix) {
                sum.add(histogram).unwrap();
            }
        }
        sum.value_at_quantile(quantile) / 1_000_000
    }

    /// The number of values by tag.
    pub(crate) fn by_tag(&self) -> BTreeMap<String, u64> {
        let mut tags = BTreeMap::new();
        for (tag, histogram) in self.histograms() {
            *tags.entry(tag).or_default() += histogram.len();
        }
        tags
    }

    /// Every histogram with its tag.
    fn histograms(&self) -> Vec<(String, hdrhistogram::Histogram<u64>)> {
        use hdrhistogram::serialization::Deserializer;
        use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
        let mut all = Vec::new();
        for entry in IntervalLogIterator::new(&self.histograms) {
            let LogEntry::Interval(interval) = entry.unwrap() else {
                panic!("a line that is no interval");
            };
            let bytes = base64(interval.encoded_histogram());
            let histogram: hdrhistogram::Histogram<u64> = Deserializer::new()
                .deserialize(&mut bytes.as_slice())
                .unwrap();
            all.push((interval.tag().unwrap().as_str().to_owned(), histogram));
        }
        all
    }
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|letter| ALPHABET.find(letter))
        .map(|digit| u32::try_from(digit).unwrap())
        .collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let value = (0..4).fold(0, |sum, place| {
            sum << 6 | group.get(place).copied().unwrap_or(0)
        });
        bytes.extend(value.to_be_bytes()[1..group.len()].iter());
    }
    bytes
}
