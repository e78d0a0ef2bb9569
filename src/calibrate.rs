//! Calibration: what this machine can generate, and whether the instrument tells the truth (`mcpload calibrate`).
//!
//! Pure. [`scenario`] writes what is played: ordinary scenarios against `mcpload serve stub`, executed and read back as any run
//! is. [`reading`] is what one of them showed, [`search`] decides which rate is tried next, [`proofs`] judges the instrument
//! against the stub's own log, [`tables`] and [`schema`] are for people and machines. Who plays: `cli/calibrate`. Invariant: a
//! number stands here with the number of samples that it rests on, and a proof that cannot be told is not a pass.

use serde::{Deserialize, Serialize};

use crate::check::Answer;
use crate::record::rows::HostFacts;

pub mod proofs;
pub mod reading;
pub mod scenario;
pub mod schema;
pub mod search;
pub mod tables;

use proofs::Proof;
use scenario::{Era, Shape};

/// The version of the layout of what `--json` prints.
pub const VERSION: &str = "0.1";

/// What was not measured, and why, each a clause.
pub const NOT_MEASURED: &[&str] = &[
    "HTTP/2, HTTP+SSE and WebSocket: mcpload speaks them, but neither its stub nor its reference server serves them",
    "TLS: the stub speaks none",
    "one machine made the load and served it: with the fleet elsewhere the generator has more of the cores and the network takes its part",
];

/// Everything that a calibration found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The version of this layout.
    pub version: String,
    /// Version of mcpload.
    pub tool: String,
    /// The machine.
    pub host: HostFacts,
    /// How many load workers a run has by default on it.
    pub workers: u32,
    /// What proves the instrument, or does not.
    pub proofs: Vec<Proof>,
    /// The rates that were found, by shape of call.
    pub rates: Vec<RateFound>,
    /// How many clients could be held, by era.
    pub clients: Vec<ClientsFound>,
    /// What was not measured, and why.
    pub not_measured: Vec<String>,
}

impl Calibration {
    /// Whether the instrument is proven: the worst answer of the proofs.
    pub fn answer(&self) -> Answer {
        let answers = self.proofs.iter().map(|proof| proof.answer);
        answers.max().unwrap_or(Answer::Pass)
    }
}

/// The highest open rate of one shape of call whose numbers can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateFound {
    /// What was called, and how it was answered.
    pub shape: Shape,
    /// How many load workers made the load.
    pub workers: u32,
    /// How many clients there were.
    pub clients: u32,
    /// How many rates were tried.
    pub probes: u32,
    /// The highest rate that was valid, calls a second; `None` if none was. Valid: so graded, every call ok, no client kept waiting.
    pub valid_rate: Option<u64>,
    /// The lowest rate above it that was not, calls a second; `None` if every rate that was tried was valid.
    pub refused_rate: Option<u64>,
    /// What its grade says, each a clause.
    pub refused_because: Vec<String>,
    /// What the highest valid rate cost.
    pub cost: Option<Cost>,
}

/// What the load at one rate cost, and how exact it was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Calls in the measured phase.
    pub samples: u64,
    /// CPU time of the generator (workers and conductor) per call, nanoseconds.
    pub generator_ns_per_call: Option<u64>,
    /// CPU time of the stub per call, nanoseconds.
    pub stub_ns_per_call: Option<u64>,
    /// Cores that the generator used.
    pub generator_cores: f64,
    /// Cores that the stub used.
    pub stub_cores: f64,
    /// 99th percentile of the generator's own lag, nanoseconds.
    pub lag_p99_ns: Option<u64>,
    /// Median service time, nanoseconds.
    pub service_p50_ns: Option<u64>,
    /// 99th percentile of the service time, nanoseconds.
    pub service_p99_ns: Option<u64>,
    /// 99th percentile of the response time, nanoseconds: with the waiting for clients that were busy.
    pub response_p99_ns: Option<u64>,
}

/// How many clients of one era this machine could hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientsFound {
    /// The era, and what its clients hold.
    pub era: Era,
    /// How many clients were connected in the smaller of two runs.
    pub few: u64,
    /// How many in the larger.
    pub many: u64,
    /// Resident memory of the worker with the few, bytes.
    pub few_bytes: u64,
    /// Resident memory of the worker with the many, bytes.
    pub many_bytes: u64,
    /// Memory that one more client takes, bytes.
    pub bytes_per_client: u64,
    /// Files that one more client takes in its worker.
    pub files_per_client: f64,
    /// Clients for which the memory is enough that was available.
    pub by_memory: u64,
    /// Clients for which the limit on open files is enough, of all workers that a run has by default.
    pub by_files: u64,
}

impl ClientsFound {
    /// How many clients could be held, and what bounds them.
    pub fn bound(&self) -> (u64, &'static str) {
        if self.by_files <= self.by_memory {
            (self.by_files, "the limit on open files")
        } else {
            (self.by_memory, "memory")
        }
    }
}

#[cfg(test)]
pub(crate) mod sample;
