//! The Analysis: every number that a check or a report needs, computed once from the stored run.
//!
//! Pure. Analyses are folds over the streams of the run directory; memory depends on the length of the run and the number of
//! label sets, not on the number of Calls. Nothing below this layer computes a number; nothing in it judges one. Everything
//! is an offset or a count with its unit in the name; percentiles are of histograms, never averaged.

use serde::{Deserialize, Serialize};

use crate::model::event::Ending;
use crate::model::{Class, Offset, ProtocolVersion, SlotId, Window};
use crate::plan::{ObjectivePlan, RecordPlan, WindowRef};
use crate::record::rows::RunFacts;

pub mod bins;
pub mod change;
pub mod counts;
pub mod errors;
pub mod faults;
pub mod fold;
mod impact;
pub mod latency;
pub mod little;
pub mod names;
pub mod objectives;
pub mod processor;
pub mod recovery;
pub mod series;
pub mod sessions;
pub mod slots;
pub mod statistics;
pub mod steady;
pub mod timeline;
pub mod trials;
pub mod trust;
pub mod windows;

pub use impact::{
    AfterHeal, ChangeExample, ChangeFailures, ChangeStats, FaultStats, FirstBad, Reached, Recovery,
    RecoveryTimes, StopSignal, TrialStats,
};

/// Everything that is known of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// What was so at the start.
    pub run: RunFacts,
    /// How the run ended; `None` if it was cut (the last event is missing).
    pub ending: Option<Ending>,
    /// Problems met while reading: torn lines, missing files. A clean run has none.
    pub damage: Vec<String>,
    /// Totals of all measured phases.
    pub measured: Tally,
    /// Totals of the whole run, set-up and warm-up included.
    pub whole: Tally,
    /// The phases, in order.
    pub phases: Vec<PhaseStats>,
    /// Per workload, operation and protocol version, over the measured phases.
    pub operations: Vec<OperationStats>,
    /// Each objective in each of its windows.
    pub objectives: Vec<ObjectiveStats>,
    /// The faults, in the order of their begin.
    pub faults: Vec<FaultStats>,
    /// How long recovery took over the trials of a fault, for each that has several.
    #[serde(default)]
    pub trials: Vec<TrialStats>,
    /// Legacy sessions.
    pub sessions: SessionStats,
    /// The slots that served or were deployed, by name.
    pub slots: Vec<SlotStats>,
    /// Errors of Calls over the whole run, most frequent first.
    pub errors: Vec<ErrorStats>,
    /// One row a second, from the first to the last with anything in it.
    pub series: Vec<SecondStats>,
    /// The trust grade of each phase.
    pub trust: Vec<TrustStats>,
    /// Workers that were lost: number and reason.
    pub lost_workers: Vec<(u32, String)>,
    /// The steady-state gate, if it was asked.
    pub steady: Option<SteadyStats>,
    /// What stopped the run or kept the fleet from being ready, in the order in which it was said.
    #[serde(default)]
    pub troubles: Vec<String>,
    /// Which Calls were kept as rows.
    #[serde(default)]
    pub record: RecordPlan,
    /// Answers that set a cookie: MCP clients keep none, so affinity by cookie does not work for them.
    pub cookies: u64,
}

/// Counts of operations, by how they ended, and of their Calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Operations that were due.
    pub due: u64,
    /// Operations that were shed by our own fault.
    pub shed: u64,
    /// Operations that ended ok.
    pub ok: u64,
    /// Operations that ended `fail`.
    pub fail: u64,
    /// Operations that ended `info`.
    pub info: u64,
    /// Calls, attempts and session upkeep included.
    pub calls: u64,
    /// Rows that the recorder dropped.
    pub unrecorded: u64,
    /// Rows that the sampling of the scenario left out.
    #[serde(default)]
    pub left_out: u64,
}

impl Tally {
    /// Operations that ended, in whatever way, shed ones included (they count as over every threshold).
    pub const fn ended(&self) -> u64 {
        self.ok + self.fail + self.info + self.shed
    }

    /// Operations that did not end ok, shed ones included.
    pub const fn bad(&self) -> u64 {
        self.fail + self.info + self.shed
    }
}

/// A distribution. Percentiles are `None` where the samples that rank there did not end ok: such an operation exceeds every
/// value. `samples` counts ok and bad ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many samples, bad ones included.
    pub samples: u64,
    /// How many of them did not end ok.
    pub bad: u64,
    /// Median, nanoseconds.
    pub p50_ns: Option<u64>,
    /// 90th percentile, nanoseconds.
    pub p90_ns: Option<u64>,
    /// 95th percentile, nanoseconds.
    pub p95_ns: Option<u64>,
    /// 99th percentile, nanoseconds.
    pub p99_ns: Option<u64>,
    /// 99.9th percentile, nanoseconds.
    pub p999_ns: Option<u64>,
    /// Greatest ok sample, nanoseconds.
    pub max_ns: Option<u64>,
}

/// A phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseStats {
    /// Its name.
    pub name: String,
    /// Its offsets.
    pub window: Window,
    /// Whether it is measured.
    pub measured: bool,
    /// Its load in words, by workload: `main: 100/s`.
    pub load: String,
    /// Whether any of its load is closed.
    pub closed: bool,
    /// Whether all of its closed load is paced: then each act has a due time, and response times count from it.
    #[serde(default)]
    pub paced: bool,
    /// Operations intended by the schedule; `None` for a closed model, unless its users have so many to do.
    pub intended: Option<u64>,
    /// What became of them.
    pub tally: Tally,
    /// Response time of its operations (from due).
    pub response: Quantiles,
    /// Service time of its Calls (from sent).
    pub service: Quantiles,
    /// Client wait.
    pub client_wait: Quantiles,
    /// The generator's own lag.
    pub lag: Quantiles,
}

/// An operation of one workload and protocol version, over the measured phases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationStats {
    /// The workload.
    pub workload: String,
    /// The operation.
    pub operation: String,
    /// The protocol version.
    pub protocol: ProtocolVersion,
    /// What became of them.
    pub tally: Tally,
    /// Response time (from due).
    pub response: Quantiles,
    /// Service time of the Calls (from sent).
    pub service: Quantiles,
    /// From sent to the head of the answer.
    pub first_byte: Quantiles,
}

/// An objective in one of its windows. Counts are exact: from the Calls, and where rows were left out, the good ones from the
/// counts of the workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveStats {
    /// The objective.
    pub objective: ObjectivePlan,
    /// Which of its windows.
    pub window: WindowRef,
    /// The window's offsets; `None` if it does not exist (its fault never began).
    pub span: Option<Window>,
    /// Operations (or Calls) counted in it, by their due time; shed ones included.
    pub samples: u64,
    /// Those that broke the promise: not ok, or over the threshold.
    pub bad: u64,
    /// Those of `bad` that load can cause.
    pub bad_by_load: u64,
    /// Operations that the schedule intended in it; `None` for a closed model, unless its users have so many to do.
    pub intended: Option<u64>,
    /// Samples and bad ones by the slot that served the (last) Call, most bad first; the empty name is "unknown".
    pub by_slot: Vec<SlotShare>,
    /// Bad ones by error class (`none`: ok, but over the threshold), most frequent first.
    pub by_class: Vec<(Class, u64)>,
}

/// A slot's part in an objective.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotShare {
    /// The slot; empty if unknown.
    pub slot: SlotId,
    /// Samples that it served; `None` where rows were left out, and nobody counted them.
    pub samples: Option<u64>,
    /// Bad ones of them.
    pub bad: u64,
}

/// Legacy sessions over the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStats {
    /// First sessions established.
    pub born: u64,
    /// Sessions that the server no longer knew.
    pub lost: u64,
    /// Sessions that replaced lost ones.
    pub re_established: u64,
    /// Attempts to establish one that failed.
    pub failed: u64,
    /// Sessions ended by DELETE.
    pub closed: u64,
    /// Sessions that their clients left without a word, as the scenario wants it.
    pub abandoned: u64,
    /// Streams of the server's messages that were opened, in both eras.
    pub streams: u64,
    /// Streams that ended before their time.
    pub streams_cut: u64,
    /// Those that were resumed where they had ended.
    pub resumed: u64,
    /// Messages that did not come on a resumed stream although later ones did.
    pub missed: u64,
    /// Messages that came twice.
    pub doubled: u64,
}

/// A slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotStats {
    /// Its name.
    pub slot: SlotId,
    /// Its role; empty if it was not deployed by the run.
    pub role: String,
    /// How often it was started.
    pub incarnations: u32,
    /// Time from its start to ready, of the first incarnation, nanoseconds.
    pub start_ns: Option<u64>,
    /// Spans in which it was ready.
    pub ready: Vec<Window>,
    /// Calls that it served in the measured phases.
    pub calls: u64,
    /// Those that did not end ok.
    pub bad: u64,
    /// Service time of the ok ones over the measured phases.
    pub service: Quantiles,
    /// CPU seconds used over the measured phases, if sampled.
    pub cpu_seconds: Option<f64>,
    /// Greatest resident memory, bytes, if sampled.
    pub peak_resident_bytes: Option<u64>,
}

/// One kind of error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorStats {
    /// The class.
    pub class: Class,
    /// The code, if the class has one.
    pub code: Option<i64>,
    /// Calls.
    pub calls: u64,
    /// First and last time that one ended so.
    pub first: Offset,
    /// Last time.
    pub last: Offset,
    /// By slot, most frequent first; the empty name is "unknown".
    pub by_slot: Vec<(SlotId, u64)>,
}

/// One second of the run. Operations are counted in the second in which they were due; where rows were left out, in that in which
/// they were released (`due`) and ended (`ok`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SecondStats {
    /// The second, from `t0`.
    pub second: i64,
    /// Operations due.
    pub due: u64,
    /// Of these, ended ok.
    pub ok: u64,
    /// Of these, ended `fail`.
    pub fail: u64,
    /// Of these, ended `info`.
    pub info: u64,
    /// Of these, shed.
    pub shed: u64,
    /// Response time of the operations that ended in this second.
    pub response: Quantiles,
    /// 99th percentile of the generator's lag, nanoseconds.
    pub lag_p99_ns: Option<u64>,
    /// Slots ready at the end of the second, by role.
    pub ready: Vec<(String, u32)>,
}

/// How far the numbers of a phase can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The generator did what it should.
    Valid,
    /// It was late at times; latencies contain some of its own lag.
    Degraded,
    /// What load can cause cannot be told from what the generator caused.
    Invalid,
}

/// The trust grade of a phase, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrustStats {
    /// The phase.
    pub phase: String,
    /// Its offsets.
    pub window: Window,
    /// The grade.
    pub trust: Trust,
    /// What made it less than valid, each a clause with its numbers.
    pub reasons: Vec<String>,
    /// Little's law, if what was under way was counted and the phase was played to its end.
    #[serde(default)]
    pub little: Option<LittleStats>,
}

/// Both sides of Little's law in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LittleStats {
    /// Operations that ended, shed ones left out.
    pub operations: u64,
    /// Whether they are enough to tell anything.
    pub enough: bool,
    /// Operations under way on average, as the workers counted them.
    pub under_way: f64,
    /// Operations a second.
    pub rate: f64,
    /// The mean time of each, from its release to its end (from due where some were shed), seconds.
    pub time_s: f64,
    /// Their product: how many should have been under way.
    pub expected: f64,
    /// By how much both may differ.
    pub tolerance: f64,
}

/// The steady-state gate's answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SteadyStats {
    /// When it was asked.
    pub at: Offset,
    /// Whether the fleet was steady.
    pub steady: bool,
    /// Operations that ended ok.
    pub good: u64,
    /// Operations that ended.
    pub total: u64,
}
