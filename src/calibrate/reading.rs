//! [`Reading`]: what one run of a calibration showed, folded from its stored rows; and [`StubLog`], what the stub itself saw.
//!
//! Pure. Everything comes from the run directory, as for any other run; the stub writes its log to its standard output when it is
//! told to stop. CPU time is taken between the first and the last look at the processes within the load, and so are the calls that
//! it is divided by; memory and files at the last look.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Cost;
use super::scenario::{MEASURED, STUB};
use crate::analysis::{Analysis, PhaseStats, Trust};
use crate::model::metric::{CPU_SECONDS, OPEN_FILES, RESIDENT_BYTES};
use crate::model::time::humane;
use crate::model::{Call, Offset, Outcome};
use crate::record::rows::{CountRow, SampleRow};
use crate::report::words::plural;

/// What the stub says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StubLog {
    /// Calls that it read.
    pub calls: u64,
    /// The times that it took for them.
    pub service_ns: StubTimes,
}

/// Times of the stub, from a request that was read to an answer that the system had taken, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StubTimes {
    /// How many.
    pub count: u64,
    /// Median.
    pub p50: Option<u64>,
    /// Greatest.
    pub max: Option<u64>,
}

/// Numbers of a process, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Use {
    cpu_seconds: f64,
    bytes: f64,
    files: f64,
}

/// One look at the processes of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Look {
    /// The workers and the conductor.
    generator: Use,
    /// The workers.
    workers: Use,
    stub: Use,
}

/// What one run showed.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// By the moment of the look.
    looks: BTreeMap<Offset, Look>,
    /// Calls by the second in which they ended.
    ended: BTreeMap<i64, u64>,
    /// When each client first sent a call.
    clients: BTreeMap<u32, Offset>,
    /// Calls of tools that were sent.
    sent: u64,
    /// Calls of tools that did not end ok.
    bad: u64,
    shortest_ns: Option<u64>,
}

impl Reading {
    /// Adds a row of `samples.csv`.
    pub fn sample(&mut self, row: &SampleRow) {
        let look = self.looks.entry(row.at).or_default();
        let mut places = Vec::new();
        if row.slot == STUB {
            places.push(&mut look.stub);
        } else {
            if row.slot.starts_with("worker-") {
                places.push(&mut look.workers);
            }
            places.push(&mut look.generator);
        }
        for place in places {
            if row.metric == CPU_SECONDS.name {
                place.cpu_seconds += row.value;
            } else if row.metric == RESIDENT_BYTES.name {
                place.bytes += row.value;
            } else if row.metric == OPEN_FILES.name {
                place.files += row.value;
            }
        }
    }

    /// Adds a row of `counts.csv`.
    pub fn count(&mut self, row: &CountRow) {
        *self.ended.entry(row.second).or_default() +=
            row.calls_ok + row.calls_fail + row.calls_info;
    }

    /// Adds a row of `calls.csv.zst`; only calls of tools count.
    pub fn call(&mut self, call: &Call) {
        if call.method != "tools/call" {
            return;
        }
        self.bad += u64::from(call.outcome != Outcome::Ok);
        let Some(sent) = call.sent else { return };
        self.sent += 1;
        let first = self.clients.entry(call.client).or_insert(sent);
        *first = sent.min(*first);
        let took = u64::try_from(call.done.since(sent).as_nanos()).unwrap_or(u64::MAX);
        self.shortest_ns = Some(self.shortest_ns.map_or(took, |known| known.min(took)));
    }

    /// Calls of tools that were sent, as `calls.csv.zst` has them.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Those that did not end ok, or were never sent.
    pub const fn bad(&self) -> u64 {
        self.bad
    }

    /// The shortest time from sent to done, nanoseconds.
    pub const fn shortest_ns(&self) -> Option<u64> {
        self.shortest_ns
    }

    /// Looks within the load, up to `end`.
    fn within(&self, end: Offset) -> Option<((Offset, Look), (Offset, Look))> {
        let mut looks = self.looks.range(Offset::ZERO..=end);
        let first = looks.next()?;
        let last = looks.next_back()?;
        Some(((*first.0, *first.1), (*last.0, *last.1)))
    }

    /// What the load up to `end` cost; the rest is of the measured phase.
    pub fn cost(&self, end: Offset, phase: &PhaseStats) -> Cost {
        let mut cost = Cost {
            samples: phase.service.samples,
            generator_ns_per_call: None,
            stub_ns_per_call: None,
            generator_cores: 0.0,
            stub_cores: 0.0,
            lag_p99_ns: phase.lag.p99_ns,
            service_p50_ns: phase.service.p50_ns,
            service_p99_ns: phase.service.p99_ns,
            response_p99_ns: phase.response.p99_ns,
        };
        if let Some(((from, first), (to, last))) = self.within(end) {
            let span = to.since(from).as_secs_f64();
            let calls: u64 = self
                .ended
                .range(whole_second(from)..whole_second(to))
                .map(|(_, calls)| calls)
                .sum();
            let generator = last.generator.cpu_seconds - first.generator.cpu_seconds;
            let stub = last.stub.cpu_seconds - first.stub.cpu_seconds;
            cost.generator_ns_per_call = per_call(generator, calls);
            cost.stub_ns_per_call = per_call(stub, calls);
            cost.generator_cores = generator / span;
            cost.stub_cores = stub / span;
        }
        cost
    }

    /// The clients that had called by the last look up to `end`, and what the workers held then: bytes and open files.
    pub fn held(&self, end: Offset) -> Option<Held> {
        let (at, look) = self.looks.range(Offset::ZERO..=end).next_back()?;
        let clients = self.clients.values().filter(|first| *first <= at).count();
        Some(Held {
            clients: u64::try_from(clients).unwrap_or(u64::MAX),
            bytes: look.workers.bytes,
            files: look.workers.files,
        })
    }
}

/// What the workers held at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// Clients that had called.
    pub clients: u64,
    /// Resident memory, bytes.
    pub bytes: f64,
    /// Open files.
    pub files: f64,
}

/// The second that is nearest: looks are made at whole seconds, and a little later.
const fn whole_second(at: Offset) -> i64 {
    (at.nanos() + 500_000_000).div_euclid(1_000_000_000)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "CPU times of seconds and counts below 2^52; a negative one becomes zero"
)]
fn per_call(seconds: f64, calls: u64) -> Option<u64> {
    (calls > 0).then(|| (seconds * 1e9 / calls as f64).round() as u64)
}

/// The measured phase of a run, with its grade and the reasons for it.
pub fn measured(analysis: &Analysis) -> Option<(&PhaseStats, Trust, &[String])> {
    let phase = analysis
        .phases
        .iter()
        .find(|phase| phase.name == MEASURED)?;
    let grade = analysis
        .trust
        .iter()
        .find(|grade| grade.phase == MEASURED)?;
    Some((phase, grade.trust, &grade.reasons))
}

/// Client wait p99 above which a machine does not keep up with a stub that answers at once: nobody else makes a client busy. It is
/// the limit that the generator's lag has for a valid grade.
const WAIT_LIMIT: Duration = Duration::from_millis(10);

/// Why a probe of a rate does not count as valid, each a clause; nothing if it does: its phase was graded valid, every call ended ok,
/// and clients were not kept waiting.
pub fn refusals(phase: &PhaseStats, trust: Trust, reasons: &[String], bad: u64) -> Vec<String> {
    let mut all = Vec::new();
    if trust != Trust::Valid {
        all.extend(reasons.iter().cloned());
        if all.is_empty() {
            all.push("it was not graded valid".to_owned());
        }
    }
    if bad > 0 {
        all.push(format!("{} did not end ok", plural(bad, "call")));
    }
    let wait = phase.client_wait.p99_ns.map(Duration::from_nanos);
    if let Some(wait) = wait.filter(|wait| *wait > WAIT_LIMIT) {
        let (found, limit) = (humane(wait), humane(WAIT_LIMIT));
        all.push(format!(
            "arrivals waited for their clients, p99 {found}, above {limit}"
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_at_which_clients_wait_or_calls_fail_is_not_valid_whatever_its_grade() {
        let none: [String; 0] = [];
        let mut phase = phase();
        assert_eq!(refusals(&phase, Trust::Valid, &none, 0), none);
        assert_eq!(refusals(&phase, Trust::Degraded, &none, 0).len(), 1);
        assert_eq!(
            refusals(&phase, Trust::Valid, &none, 1),
            ["1 call did not end ok"]
        );
        phase.client_wait.p99_ns = Some(11_000_000);
        let reasons = ["the generator's lag".to_owned()];
        assert_eq!(refusals(&phase, Trust::Invalid, &reasons, 2).len(), 3);
    }

    fn sample(milliseconds: i64, slot: &str, metric: &str, value: f64) -> SampleRow {
        SampleRow {
            at: Offset(milliseconds * 1_000_000),
            slot: slot.to_owned(),
            metric: metric.to_owned(),
            labels: String::new(),
            value,
        }
    }

    fn count(second: i64, calls_ok: u64) -> CountRow {
        CountRow {
            second,
            worker: 0,
            phase: MEASURED.to_owned(),
            workload: "main".to_owned(),
            operation: "echo".to_owned(),
            protocol: crate::model::ProtocolVersion::V2026_07_28,
            arrivals: 0,
            shed: 0,
            unrecorded: 0,
            operations_ok: calls_ok,
            operations_fail: 0,
            operations_info: 0,
            calls_ok,
            calls_fail: 0,
            calls_info: 0,
        }
    }

    fn phase() -> PhaseStats {
        crate::calibrate::sample::phase()
    }

    #[test]
    fn cpu_time_is_divided_by_the_calls_between_the_same_two_looks() {
        let mut reading = Reading::default();
        for (second, used) in [(0, 1.0), (1, 1.3), (2, 1.6), (4, 9.9)] {
            let at = second * 1_000 + 3;
            reading.sample(&sample(at, "worker-0", CPU_SECONDS.name, used));
            reading.sample(&sample(at, "mcpload", CPU_SECONDS.name, 0.5));
            reading.sample(&sample(at, STUB, CPU_SECONDS.name, used / 2.0));
            reading.count(&count(second, 10_000));
        }
        let cost = reading.cost(Offset(2_500_000_000), &phase());
        assert_eq!(cost.generator_ns_per_call, Some(30_000));
        assert_eq!(cost.stub_ns_per_call, Some(15_000));
        assert!((cost.generator_cores - 0.3).abs() < 1e-9, "{cost:?}");
        // One look shows no use.
        let cost = reading.cost(Offset(500_000_000), &phase());
        assert_eq!(cost.generator_ns_per_call, None);
    }

    #[test]
    fn memory_is_that_of_the_workers_and_clients_are_those_that_had_called_by_then() {
        let mut reading = Reading::default();
        for (milliseconds, bytes) in [(1_000, 5.0), (2_000, 7.0), (3_000, 1.0)] {
            for slot in ["worker-0", "worker-1", "mcpload", STUB] {
                reading.sample(&sample(milliseconds, slot, RESIDENT_BYTES.name, bytes));
                reading.sample(&sample(milliseconds, slot, OPEN_FILES.name, 9.0));
            }
        }
        for (client, sent) in [(3, 100), (3, 2_600), (4, 1_900), (5, 2_100)] {
            reading
                .clients
                .entry(client)
                .or_insert(Offset(sent * 1_000_000));
        }
        let held = reading.held(Offset(2_500_000_000)).unwrap();
        assert_eq!((held.clients, held.bytes, held.files), (2, 14.0, 18.0));
    }
}
