//! The left half's only impure step: `execute` turns a Plan into a run directory.
//!
//! [`conductor`] alone owns the state of a run and writes to its directory; fleet supervisors, fault players and load workers
//! tell it what happens over bounded channels. Nothing here judges: the right half reads what was written.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::fleet::process::FleetError;
use crate::model::event::Ending;
use crate::plan::Plan;
use crate::record::rows::RunFacts;
use crate::record::writer::RunDirectory;
use crate::registry::SpecError;

pub mod conductor;
pub mod control;
mod live;
mod owners;
mod player;
mod signals;
mod watch;
mod workers;

pub use conductor::execute;

/// Everything that a run needs.
#[derive(Debug)]
pub struct Job {
    /// What will happen.
    pub plan: Plan,
    /// Where it is recorded.
    pub directory: RunDirectory,
    /// What was so at the start.
    pub facts: RunFacts,
    /// The scenario's text.
    pub scenario: String,
    /// The directory from which the scenario's relative paths count.
    pub scenario_dir: PathBuf,
    /// This program: also worker, shim and reference fleet.
    pub binary: PathBuf,
    /// Picks the run's loopback network.
    pub network: u16,
}

/// What a run says while it goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A line for the operator: set-up, faults, trouble.
    Line(String),
    /// The figures of the last second.
    Figures(Figures),
}

/// Live figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// The phase, empty before the first and after the last.
    pub phase: String,
    /// Since the start of the load.
    pub elapsed: Duration,
    /// Length of the time line.
    pub total: Duration,
    /// Operations that ended in the last whole second.
    pub rate: u64,
    /// Of these, not ok (and shed arrivals).
    pub bad: u64,
    /// Operations that ended so far.
    pub ended: u64,
    /// Of these, not ok (and shed arrivals).
    pub ended_bad: u64,
    /// 99th percentile of the response time in that second, nanoseconds; none if too many failed or there was nothing.
    pub p99_ns: Option<u64>,
    /// Slots ready.
    pub slots_ready: usize,
    /// Slots there are.
    pub slots: usize,
    /// What faults did so far, oldest first: `one-dies began`.
    pub marks: Vec<String>,
}

/// How an execution ended, when it was recorded to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// As the last event says.
    pub how: Ending,
    /// The exit code of the signal, if one ended it.
    pub signal_exit: Option<u8>,
    /// Whether a second signal asked to leave without a report.
    pub at_once: bool,
}

/// Why a run could not be executed or recorded.
#[derive(Debug, Error)]
pub enum ExecuteError {
    /// Something could not be written; the fleet was taken down.
    #[error("cannot record the run in {path}")]
    Record {
        /// The run directory.
        path: PathBuf,
        /// What the file system says.
        #[source]
        source: std::io::Error,
    },
    /// The plan names a kind that this version does not have.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Signals or worker processes could not be set up.
    #[error("cannot set up the run")]
    SetUp(#[source] std::io::Error),
    /// The fleet has no addresses.
    #[error(transparent)]
    Fleet(FleetError),
}
