//! The shim: parent of one instance, so that nothing of it outlives the run.
//!
//! This page is pure: the words between the conductor and a shim, one JSON object a line over the shim's standard input,
//! which is a socket. `process` is the shim itself. Whatever happens to the conductor, the socket closes with it, and the
//! shim then ends every process of its instance; it is their subreaper, so that a daemon that lets itself be orphaned stays
//! within reach.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::plan::Limits;

pub mod process;

/// What the conductor asks of a shim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// Start the instance; the first request, and the only one of its kind.
    Start(Box<Start>),
    /// SIGTERM to the instance's process group.
    Terminate,
    /// SIGKILL to every process of the instance.
    Kill,
}

/// What is to be started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment variables, added to the inherited ones.
    pub environment: BTreeMap<String, String>,
    /// The working directory.
    pub directory: PathBuf,
    /// Where standard output goes (appended).
    pub stdout: PathBuf,
    /// Where standard error goes (appended).
    pub stderr: PathBuf,
    /// Limits of open files and memory.
    pub limits: Limits,
    /// The processors that it may use; empty: those of the shim.
    pub processors: Vec<u32>,
}

/// The status of an instance that was not seen to end: SIGKILL did not reach it in time.
pub const UNKNOWN: &str = "unknown";

/// What a shim answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "kebab-case")]
pub enum Tell {
    /// The instance runs.
    Started {
        /// The id of its first process.
        pid: u32,
    },
    /// The instance could not be started.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// The instance ended, and every process that it left was ended and reaped.
    Exited {
        /// `exit 0` or `signal 9`, of its first process.
        status: String,
        /// How many processes were reaped, the first one included.
        reaped: u32,
    },
}
