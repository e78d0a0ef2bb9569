//! The fleet: what is deployed, where it is reached, and what can be done to it.
//!
//! This page is pure: words that plans and faults need. `process` deploys local processes, each below a `shim`; `external`
//! speaks of endpoints that already run.

use serde::{Deserialize, Serialize};

pub mod address;
pub mod affinity;
pub mod bind;
pub mod canary;
pub mod drivers;
mod errand;
pub mod hog;
pub mod instance;
mod link;
mod members;
mod outfit;
pub mod probe;
pub mod proc;
pub mod process;
pub mod shim;
pub mod slot;

/// Something that a driver can do to a slot; a fault names what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// End all processes of an instance with SIGKILL.
    Kill,
    /// Stop all processes of an instance, and let them go on.
    Pause,
    /// Put a proxy before a slot.
    Proxy,
    /// Start slots and bring them back by policy.
    Deploy,
    /// Read the processor time and memory of an instance.
    Sample,
    /// Run something beside an instance that takes from what it needs.
    Hog,
    /// Change the limits of an instance that runs.
    Limit,
}

impl Capability {
    /// The word in diagnostics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Proxy => "proxy",
            Self::Deploy => "deploy",
            Self::Sample => "sample",
            Self::Hog => "hog",
            Self::Limit => "limit",
        }
    }
}

/// A fleet driver as the plan sees it. What it does while running is behind `engine`.
pub trait Driver: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> &'static [Capability];
}
