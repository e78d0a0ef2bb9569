//! What is promised: service level objectives, what they count, and in which windows.
//!
//! Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Share;
use crate::model::quantity::duration_text;

/// A service level objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectivePlan {
    /// Its name.
    pub name: String,
    /// What is promised.
    pub promise: Promise,
    /// What is counted.
    pub of: Counted,
    /// Where; each window is judged on its own.
    pub windows: Vec<WindowRef>,
    /// Which operations, by name; empty: all.
    pub operations: Vec<String>,
    /// Where it stands in the scenario, for annotations: line, from 1.
    pub line: u32,
}

/// What an objective promises.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// At least `share` of them end ok within `under` of their due time.
    Latency {
        /// The share that must be good.
        share: Share,
        /// The threshold, exclusive above: good is `latency <= under`.
        #[serde(with = "duration_text")]
        under: Duration,
    },
    /// Less than this share does not end ok.
    Errors {
        /// The bound of the share of bad ones.
        under: Share,
    },
    /// At least this share of the intended operations ended ok within the window's length (throughput achieved).
    Throughput {
        /// The share of the intended number.
        share: Share,
    },
}

/// What an objective counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// Operations, from their due time to the end of their last Call.
    Operations,
    /// Calls: every attempt, from its own due time.
    Calls,
}

/// A window that is named by a phase or a fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowRef {
    /// All measured phases.
    Measured,
    /// A phase.
    Phase(String),
    /// From the begin of the measured time to the fault's begin.
    Before(String),
    /// From the fault's begin until it was healed (to the end of the run, if it never was).
    During(String),
    /// From the heal of the fault to the end of the measured time.
    After(String),
}

impl std::fmt::Display for WindowRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Measured => f.write_str("measured"),
            Self::Phase(name) => f.write_str(name),
            Self::Before(fault) => write!(f, "before {fault}"),
            Self::During(fault) => write!(f, "during {fault}"),
            Self::After(fault) => write!(f, "after {fault}"),
        }
    }
}
