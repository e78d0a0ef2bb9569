//! The rows of a run directory that are no part of the vocabulary: counts, samples, bindings, and the facts of `run.json`.
//!
//! Pure.

use serde::{Deserialize, Serialize};

use crate::model::{InstanceId, Offset, Outcome, ProtocolVersion, Seed};
use crate::plan::{Pinning, Plan};

/// `run.json`: what was so when the run started. The only place with wall-clock time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// The version of the layout, `plan::FORMAT`.
    pub format: String,
    /// The scenario's name.
    pub name: String,
    /// The directory's own name, which identifies the run.
    pub id: String,
    /// The seed.
    pub seed: Seed,
    /// Version of mcpload.
    pub tool: String,
    /// When the run started, RFC 3339 in UTC, for people.
    pub started: String,
    /// The scenario's file name as given on the command line, or `--url`.
    pub source: String,
    /// The host.
    pub host: HostFacts,
}

/// The host that generated the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Operating system and kernel release.
    pub kernel: String,
    /// Processor model.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: u32,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Soft limit of open files, of mcpload and each worker.
    pub open_files: u64,
    /// Which processors generator and fleet had for themselves; `None`: both used all.
    #[serde(default)]
    pub pinning: Option<Pinning>,
}

/// Counters of one second, worker and label set, counted where they happened: arrivals when they were taken, ends when they
/// ended. After the fixed columns stands one column `over_NAME` for each latency objective: operations (or calls, if the
/// objective counts calls) that ended in this second and exceeded its threshold or did not end ok.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountRow {
    /// The second, counted from `t0`; set-up has negative ones.
    pub second: i64,
    /// The worker, from 0.
    pub worker: u32,
    /// The phase in which the operations were due; `set-up` before the first.
    pub phase: String,
    /// The workload.
    pub workload: String,
    /// The operation; `session` for session upkeep.
    pub operation: String,
    /// The protocol version.
    pub protocol: ProtocolVersion,
    /// Arrivals that were released to their clients.
    pub arrivals: u64,
    /// Arrivals that were shed, too late by our own fault.
    pub shed: u64,
    /// Rows of `calls.csv.zst` that were dropped because the recorder could not keep up.
    pub unrecorded: u64,
    /// Rows that the sampling of the scenario left out.
    #[serde(default)]
    pub left_out: u64,
    /// Operations that ended ok.
    pub operations_ok: u64,
    /// Operations that ended `fail`.
    pub operations_fail: u64,
    /// Operations that ended `info`.
    pub operations_info: u64,
    /// Calls that ended ok.
    pub calls_ok: u64,
    /// Calls that ended `fail`.
    pub calls_fail: u64,
    /// Calls that ended `info`.
    pub calls_info: u64,
}

impl CountRow {
    /// The names of the fixed columns, in order.
    pub const COLUMNS: [&'static str; 16] = [
        "second",
        "worker",
        "phase",
        "workload",
        "operation",
        "protocol",
        "arrivals",
        "shed",
        "unrecorded",
        "left_out",
        "operations_ok",
        "operations_fail",
        "operations_info",
        "calls_ok",
        "calls_fail",
        "calls_info",
    ];

    /// Counts the end of an operation.
    pub fn end_operation(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ok => self.operations_ok += 1,
            Outcome::Fail => self.operations_fail += 1,
            Outcome::Info => self.operations_info += 1,
        }
    }

    /// Counts the end of a Call.
    pub fn end_call(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ok => self.calls_ok += 1,
            Outcome::Fail => self.calls_fail += 1,
            Outcome::Info => self.calls_info += 1,
        }
    }
}

/// The header of `counts.csv` for this plan, without line end.
pub fn counts_header(plan: &Plan) -> String {
    let mut header = CountRow::COLUMNS.join(",");
    for objective in plan.latency_objectives() {
        header.push_str(",over_");
        header.push_str(&objective.name);
    }
    header
}

/// A row of `samples.csv`: what was measured beside the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRow {
    /// When.
    pub at: Offset,
    /// The slot, or `mcpload` / `worker-0` for the harness's own processes.
    pub slot: String,
    /// The metric's name, of `model::metric::SAMPLES`.
    pub metric: String,
    /// `key=value` pairs joined by `;`, empty for none.
    pub labels: String,
    /// The value, in the metric's unit.
    pub value: f64,
}

/// A line of `bindings.jsonl`: where a slot is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Since when.
    pub at: Offset,
    /// The instance for which it was made; its slot keeps the address for the run.
    pub instance: InstanceId,
    /// `host:port` of the slot.
    pub address: String,
    /// `host:port` that others use: the slot's own, or that of a proxy before it.
    pub link: String,
}
