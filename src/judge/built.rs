//! A small synthetic run with known answers, for tests: a fleet of three servers at 200 operations a second, one of which is
//! killed.
//!
//! Not pure: it writes run directories below a temporary one.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag as LogTag};
use serde_json::json;

use crate::model::event::Ending;
use crate::model::session::{SessionRow, Transition};
use crate::model::{
    Call, Class, Event, EventKind, InstanceId, Offset, Outcome, ProtocolVersion, SlotId,
};
use crate::plan::{
    CheckPlan, Method, ObjectivePlan, OperationPlan, Plan, RecoveryPlan, StepPlan, WorkloadPlan,
};
use crate::record::layout;
use crate::record::rows::{CountRow, counts_header};
use crate::record::tag::{DIGITS, HIGHEST, LOWEST, Measure, Tag};

pub(crate) const MS: i64 = 1_000_000;
/// When server-2 is killed: half a second into `chaos`.
pub(crate) const KILL: Offset = Offset(7_500 * MS);
/// The end of the load.
pub(crate) const END: Offset = Offset(21_000 * MS);

/// A run that can be changed before it is written.
pub(crate) struct Built {
    pub(crate) plan: Plan,
    pub(crate) events: Vec<Event>,
    pub(crate) calls: Vec<Call>,
    /// Those that have rows, if not all have; the others are counted as left out.
    pub(crate) rows: Option<Vec<Call>>,
    pub(crate) sessions: Vec<SessionRow>,
    /// The generator's lag of every arrival.
    pub(crate) lag: Duration,
    /// Arrivals shed, by second.
    pub(crate) shed: BTreeMap<i64, u64>,
    /// Rows dropped, by second.
    pub(crate) unrecorded: BTreeMap<i64, u64>,
}

/// How the kill went.
#[derive(Clone, Copy)]
pub(crate) struct Kill {
    /// For how long operations of server-2 fail after it.
    pub(crate) outage: Duration,
    /// After how long it is ready again.
    pub(crate) back: Option<Duration>,
}

pub(crate) fn plan() -> Plan {
    let slot = |role: &str, number: u32| {
        json!({"id": format!("{role}-{number}"), "command": ["mcpload"], "env": {}, "secret_env": {},
            "directory": null, "files": [], "limits": {"open_files": null, "memory": null}})
    };
    let role = |name: &str, count: u32, restart: &str| {
        json!({"name": name, "needs": [], "restart": {"policy": restart, "backoff": "1s"},
            "ready": {"probe": {"http": "/health"}, "interval": "100ms", "timeout": "10s"},
            "stop_grace": "5s", "members": "none",
            "slots": (1..=count).map(|number| slot(name, number)).collect::<Vec<_>>()})
    };
    let phase = |name: &str, start: i64, end: i64, measure: bool| {
        json!({"name": name, "window": {"start": start * 1000 * MS, "end": end * 1000 * MS}, "measure": measure,
            "loads": {"main": {"kind": "constant", "with": {"rate": "200/s"}}}})
    };
    let check = |name: &str, kind: &str, with: serde_json::Value, fault: Option<&str>| json!({"name": name, "spec": {"kind": kind, "with": with}, "fault": fault, "line": 40});
    serde_json::from_value(json!({
        "name": "quickstart", "seed": 7, "workers": 1,
        "fleet": {"driver": {"kind": "process", "with": {}},
            "roles": [role("server", 3, "always"), role("balancer", 1, "none")],
            "endpoint": {"role": {"role": "balancer", "path": "/mcp"}}, "served_by": "mcpload-instance"},
        "workloads": [workload()],
        "phases": [phase("warm-up", 0, 3, false), phase("steady", 3, 7, true), phase("chaos", 7, 21, true)],
        "faults": [{"name": "one-dies", "spec": {"kind": "kill", "with": {}}, "targets": ["server-2"],
            "at": KILL.0, "heal_within": "30s"}],
        "steady": {"share": "90%", "over": "3s"},
        "objectives": [
            {"name": "fast", "promise": {"latency": {"share": "99%", "under": "250ms"}}, "of": "operations",
                "windows": [{"phase": "steady"}, {"after": "one-dies"}], "operations": [], "line": 30},
            {"name": "right", "promise": {"errors": {"under": "1%"}}, "of": "operations",
                "windows": [{"after": "one-dies"}], "operations": [], "line": 34}],
        "checks": [
            check("recovery-time one-dies", "recovery-time", json!({"max": "3s", "of": "redundancy", "hold": "10s"}), Some("one-dies")),
            check("sessions-lost one-dies", "sessions-lost", json!({"max_share": "50%", "re_established_within": null}), Some("one-dies")),
            check("generator-lag", "generator-lag", json!({"max": "50ms"}), None)],
        "origins": {}
    }))
    .unwrap()
}

fn workload() -> WorkloadPlan {
    WorkloadPlan {
        recovery: RecoveryPlan::preset("rmcp"),
        ..WorkloadPlan::new(
            "main",
            40,
            vec![OperationPlan {
                name: "echo".to_owned(),
                weight: 1,
                timeout: Duration::from_secs(2),
                steps: vec![StepPlan {
                    target: "echo".to_owned(),
                    ..StepPlan::new("echo", Method::ToolsCall)
                }],
                cancel: None,
            }],
        )
    }
}

fn event(at: Offset, kind: EventKind) -> Event {
    Event { at, kind }
}

fn server(number: u32, incarnation: u32) -> InstanceId {
    InstanceId {
        slot: SlotId::new("server", number),
        incarnation: Some(incarnation),
    }
}

/// An operation with one Call, due at `due`.
pub(crate) fn call(k: u64, due: Offset, took: Duration, class: Class, instance: &str) -> Call {
    let outcome = class.outcome(None);
    let phase = match due.0 / (1000 * MS) {
        0..=2 => "warm-up",
        3..=6 => "steady",
        _ => "chaos",
    };
    Call {
        done: due + took,
        operation_due: due,
        due,
        taken: Some(due),
        sent: Some(due),
        first_byte: None,
        first_event: None,
        connect_ns: None,
        tls_ns: None,
        worker: 0,
        workload: "main".to_owned(),
        operation: "echo".to_owned(),
        arrival: Some(k),
        step: 0,
        attempt: 0,
        client: u32::try_from(k % 40).unwrap(),
        session: None,
        protocol: ProtocolVersion::V2025_11_25,
        method: "tools/call".to_owned(),
        target: "echo".to_owned(),
        phase: phase.to_owned(),
        outcome,
        class,
        code: None,
        instance: instance.to_owned(),
        bytes_in: 100,
        bytes_out: 100,
        ends: Some(outcome),
    }
}

pub(crate) fn session(at: Offset, client: u32, number: u32, transition: Transition) -> SessionRow {
    SessionRow {
        at,
        worker: 0,
        workload: "main".to_owned(),
        client,
        session: number,
        protocol: ProtocolVersion::V2025_11_25,
        transition,
        instance: String::new(),
        cause: String::new(),
        missed: 0,
        doubled: 0,
    }
}

impl Built {
    /// A completed run in which server-2 was killed at [`KILL`].
    pub(crate) fn new(kill: Kill) -> Self {
        let mut events = vec![];
        for number in 1..=3 {
            events.push(event(
                Offset(-2_000 * MS),
                EventKind::SlotStarted {
                    instance: server(number, 1),
                    pid: 100 + number,
                    address: "127.0.0.1:1".to_owned(),
                },
            ));
            events.push(event(
                Offset(-1_500 * MS),
                EventKind::SlotReady {
                    instance: server(number, 1),
                },
            ));
        }
        let fault = || "one-dies".to_owned();
        events.push(event(
            KILL,
            EventKind::FaultBegan {
                fault: fault(),
                kind: "kill".to_owned(),
                targets: vec![server(2, 1)],
            },
        ));
        let exited = EventKind::SlotExited {
            instance: server(2, 1),
            status: "signal 9".to_owned(),
            expected: true,
        };
        events.push(event(Offset(KILL.0 + MS), exited));
        events.push(event(
            Offset(KILL.0 + 2 * MS),
            EventKind::FaultEffective {
                fault: fault(),
                proof: "reaped".to_owned(),
                effects: Vec::new(),
            },
        ));
        let healed = if let Some(back) = kill.back {
            let instance = server(2, 2);
            events.push(event(KILL + back, EventKind::SlotReady { instance }));
            KILL + back
        } else {
            let reason = "restart policy is none".to_owned();
            let slot = SlotId::new("server", 2);
            events.push(event(KILL, EventKind::SlotAbandoned { slot, reason }));
            Offset(KILL.0 + 3 * MS)
        };
        events.push(event(
            healed,
            EventKind::FaultHealProven {
                fault: fault(),
                proof: "up".to_owned(),
                effects: Vec::new(),
            },
        ));
        for (phase, end) in [("warm-up", 3), ("steady", 7), ("chaos", 21)] {
            let phase = phase.to_owned();
            events.push(event(
                Offset(end * 1000 * MS),
                EventKind::PhaseEnded { phase },
            ));
        }
        let how = Ending::Completed;
        events.push(event(Offset(22_000 * MS), EventKind::RunEnded { how }));
        let mut plan = plan();
        if kill.back.is_none() {
            plan.fleet.roles[0].restart.policy = crate::plan::RestartPolicy::None;
        }
        Self {
            plan,
            events,
            calls: (0..4200).map(|k| Self::operation(k, kill)).collect(),
            rows: None,
            sessions: Vec::new(),
            lag: Duration::from_micros(50),
            shed: BTreeMap::new(),
            unrecorded: BTreeMap::new(),
        }
    }

    fn operation(k: u64, kill: Kill) -> Call {
        let due = Offset(i64::try_from(k).unwrap() * 5 * MS);
        let took = Duration::from_micros(2_000 + k % 100);
        let down = due >= KILL && kill.back.is_none_or(|back| due < KILL + back);
        let place = k % 3 + 1;
        let incarnation = if due >= KILL && place == 2 { 2 } else { 1 };
        if place == 2 && down {
            if due < KILL + kill.outage {
                return call(k, due, took, Class::Connect, "");
            }
            let other = if k.is_multiple_of(2) {
                "server-1#1"
            } else {
                "server-3#1"
            };
            return call(k, due, took, Class::None, other);
        }
        call(
            k,
            due,
            took,
            Class::None,
            &format!("server-{place}#{incarnation}"),
        )
    }

    pub(crate) fn objective(&mut self, name: &str) -> &mut ObjectivePlan {
        let found = self
            .plan
            .objectives
            .iter_mut()
            .find(|known| known.name == name);
        found.unwrap()
    }

    pub(crate) fn check(&mut self, kind: &str) -> &mut CheckPlan {
        let found = self
            .plan
            .checks
            .iter_mut()
            .find(|known| known.spec.kind == kind);
        found.unwrap()
    }

    /// Writes the run directory.
    pub(crate) fn write(&self, directory: &Path) {
        let put = |name: &str, content: Vec<u8>| fs::write(directory.join(name), content).unwrap();
        let run = json!({"format": crate::plan::FORMAT, "name": "quickstart", "id": "quickstart-1", "seed": 7, "tool": "0.1.0",
            "started": "2026-01-01T00:00:00Z", "source": "quickstart.toml", "host": {"kernel": "Linux", "processor": "x",
            "cores": 2, "memory_bytes": 1, "open_files": 20000}});
        put(layout::RUN, serde_json::to_vec(&run).unwrap());
        put(layout::PLAN, serde_json::to_vec(&self.plan).unwrap());
        let events: Vec<String> = self
            .events
            .iter()
            .map(|event| serde_json::to_string(event).unwrap() + "\n")
            .collect();
        put(layout::EVENTS, events.concat().into_bytes());
        put(
            layout::CALLS,
            compressed(self.rows.as_ref().unwrap_or(&self.calls)),
        );
        put(layout::SESSIONS, compressed(&self.sessions));
        put(layout::COUNTS, self.counts());
        put(layout::HISTOGRAMS, self.histograms());
        let samples = "at,slot,metric,labels,value\n\
            3000000000,server-1,process_cpu_seconds_total,,1.0\n\
            5000000000,server-1,process_cpu_seconds_total,,1.5\n\
            5000000000,server-1,process_resident_memory_bytes,,4096\n";
        put(layout::SAMPLES, samples.as_bytes().to_vec());
    }

    fn counts(&self) -> Vec<u8> {
        let mut rows: BTreeMap<(i64, String), CountRow> = BTreeMap::new();
        let mut over: BTreeMap<(i64, String), u64> = BTreeMap::new();
        let row = |second: i64, phase: &str| CountRow {
            second,
            worker: 0,
            phase: phase.to_owned(),
            workload: "main".to_owned(),
            operation: "echo".to_owned(),
            protocol: ProtocolVersion::V2025_11_25,
            arrivals: 0,
            shed: 0,
            unrecorded: 0,
            left_out: 0,
            operations_ok: 0,
            operations_fail: 0,
            operations_info: 0,
            calls_ok: 0,
            calls_fail: 0,
            calls_info: 0,
        };
        let second = |at: Offset| at.0.div_euclid(1000 * MS);
        for call in &self.calls {
            let key = |at| (second(at), call.phase.clone());
            let new = |at| row(second(at), &call.phase);
            let due = call.operation_due;
            rows.entry(key(due)).or_insert_with(|| new(due)).arrivals += 1;
            let ended = rows.entry(key(call.done)).or_insert_with(|| new(call.done));
            ended.end_call(call.outcome);
            ended.end_operation(call.ends.unwrap());
            let rows = self.rows.as_ref();
            let has_row =
                rows.is_none_or(|rows| rows.iter().any(|row| row.arrival == call.arrival));
            ended.left_out += u64::from(!has_row);
            if call.ends != Some(Outcome::Ok) || call.done.since(due) > Duration::from_millis(250) {
                *over.entry(key(call.done)).or_default() += 1;
            }
        }
        for ((second, shed), unrecorded) in [(&self.shed, false), (&self.unrecorded, true)]
            .into_iter()
            .flat_map(|(map, flag)| map.iter().map(move |entry| (entry, flag)))
        {
            let phase = self.plan.phase_at(Offset(second * 1000 * MS)).unwrap();
            let key = (*second, phase.name.clone());
            let row = rows.entry(key).or_insert_with(|| row(*second, &phase.name));
            if unrecorded {
                row.unrecorded += shed;
            } else {
                row.shed += shed;
            }
        }
        let mut out = counts_header(&self.plan).into_bytes();
        out.push(b'\n');
        for (key, row) in &rows {
            let mut writer = csv::WriterBuilder::new()
                .has_headers(false)
                .from_writer(vec![]);
            writer.serialize(row).unwrap();
            let mut line = writer.into_inner().unwrap();
            line.pop();
            for _ in self.plan.latency_objectives() {
                write!(line, ",{}", over.get(key).copied().unwrap_or(0)).unwrap();
            }
            out.extend(line);
            out.push(b'\n');
        }
        out
    }

    fn histograms(&self) -> Vec<u8> {
        let mut all: BTreeMap<(i64, String), Histogram<u64>> = BTreeMap::new();
        let mut record = |at: Offset, tag: Tag, took: Duration| {
            let histogram = all
                .entry((at.0.div_euclid(1000 * MS), tag.to_string()))
                .or_insert_with(|| Histogram::new_with_bounds(LOWEST, HIGHEST, DIGITS).unwrap());
            histogram.saturating_record(u64::try_from(took.as_nanos()).unwrap());
        };
        for call in &self.calls {
            let label = |measure| Tag::Label {
                measure,
                workload: call.workload.clone(),
                operation: call.operation.clone(),
                protocol: call.protocol,
                phase: call.phase.clone(),
            };
            let took = call.done.since(call.operation_due);
            record(call.due, label(Measure::Lag), self.lag);
            record(call.due, label(Measure::ClientWait), Duration::ZERO);
            if call.ends == Some(Outcome::Ok) {
                record(call.done, label(Measure::Response), took);
                record(call.done, label(Measure::Service), took);
                let slot = call.instance.split('#').next().unwrap().to_owned();
                let phase = call.phase.clone();
                record(call.done, Tag::SlotService { slot, phase }, took);
            } else {
                record(call.done, label(Measure::ResponseBad), took);
            }
        }
        let mut out = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment("nanoseconds")
            .begin_log_with(&mut out, &mut serializer)
            .unwrap();
        for ((second, tag), histogram) in &all {
            let start = Duration::from_secs(u64::try_from(*second).unwrap());
            let tag = LogTag::new(tag).unwrap();
            log.write_histogram(histogram, start, Duration::from_secs(1), Some(tag))
                .unwrap();
        }
        out
    }
}

/// Rows in zstd frames: the header in the first, then a hundred rows each.
fn compressed<T: serde::Serialize>(rows: &[T]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(vec![]);
    for row in rows {
        writer.serialize(row).unwrap();
    }
    let text = writer.into_inner().unwrap();
    let mut out = Vec::new();
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let (header, rows) = lines.split_at(lines.len().min(1));
    for frame in std::iter::once(header).chain(rows.chunks(100)) {
        out.extend(zstd::encode_all(frame.concat().as_slice(), 1).unwrap());
    }
    out
}
