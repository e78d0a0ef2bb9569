//! A scenario as written, in canonical form: every value checked by itself and defaults filled in, names not yet resolved.
//!
//! Pure. Plain structs that deserialise from what the reader yields; the meaning of each key stands in `tables`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::model::quantity::{duration_text, optional_duration_text};
use crate::model::{Rate, Share};
use crate::plan::{Counted, RestartPolicy, Secret};
use crate::registry::Spec;

mod workload;

pub use workload::{
    Auth, Bearers, Connections, Data, Expect, Operation, PageCount, Protocol, Recovery,
    RecoverySettings, Retry, Workload,
};

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::top`")]
pub struct Scenario {
    pub name: String,
    pub seed: Option<u64>,
    pub workers: Option<u32>,
    pub fleet: Fleet,
    pub workload: Vec<Workload>,
    pub phase: Vec<Phase>,
    pub fault: Vec<Fault>,
    pub steady: Steady,
    pub abort: Option<Abort>,
    pub blast_radius: Option<BlastRadius>,
    pub record: Record,
    pub slo: Vec<Slo>,
    pub check: Vec<Check>,
}

/// `[fleet]`.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::fleet`")]
pub struct Fleet {
    #[serde(flatten)]
    pub driver: Spec,
    pub allow_external: bool,
    pub endpoint: Option<Endpoint>,
    pub served_by: Option<String>,
    #[serde(default)]
    pub role: BTreeMap<String, Role>,
}

/// `[fleet] endpoint`.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::fleet`")]
pub struct Endpoint {
    pub role: Option<String>,
    pub path: Option<String>,
    pub url: Option<String>,
    pub urls: Option<Vec<String>>,
    pub ca: Option<String>,
    pub insecure: Option<bool>,
}

/// `[fleet.role.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::role`")]
pub struct Role {
    pub replicas: u32,
    pub command: Option<Vec<String>>,
    pub args: Vec<String>,
    pub env: BTreeMap<String, TextOrSecret>,
    pub directory: Option<String>,
    pub files: Vec<String>,
    pub ready: Option<Ready>,
    pub restart: Restart,
    pub needs: Vec<String>,
    pub limits: Limits,
    #[serde(with = "duration_text")]
    pub stop_grace: Duration,
    #[serde(default)]
    pub proxy: bool,
    pub members: Option<Members>,
    pub labels: BTreeMap<String, String>,
    pub slot: BTreeMap<String, Slot>,
}

/// A value that may be a secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum TextOrSecret {
    /// As it stands.
    Text(String),
    /// Where it is.
    Secret(Secret),
}

/// `members` of a role.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Members {
    /// `api` or `none`.
    Word(String),
    /// A command.
    Command {
        /// The command.
        reload: Vec<String>,
    },
}

/// What is different in one slot.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::role`")]
pub struct Slot {
    pub args: Vec<String>,
    pub env: BTreeMap<String, TextOrSecret>,
    pub labels: BTreeMap<String, String>,
}

/// `ready` of a role.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::role`")]
pub struct Ready {
    pub http: Option<String>,
    pub tcp: Option<bool>,
    pub log: Option<String>,
    #[serde(with = "duration_text")]
    pub interval: Duration,
    #[serde(with = "duration_text")]
    pub timeout: Duration,
}

/// `restart` of a role.
#[derive(Clone, Copy, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::role`")]
pub struct Restart {
    pub policy: RestartPolicy,
    #[serde(with = "duration_text")]
    pub backoff: Duration,
}

/// `limits` of a role.
#[derive(Clone, Copy, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::role`")]
pub struct Limits {
    pub open_files: Option<u64>,
    pub memory: Option<u64>,
}

/// `[[phase]]`.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::phase`")]
pub struct Phase {
    pub name: String,
    #[serde(with = "duration_text")]
    pub duration: Duration,
    pub rate: Option<Rate>,
    pub load: Option<Spec>,
    pub loads: Option<BTreeMap<String, Spec>>,
    pub measure: bool,
}

/// `[[fault]]`.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::fault`")]
pub struct Fault {
    pub name: Option<String>,
    #[serde(flatten)]
    pub spec: Spec,
    pub target: Option<Target>,
    pub at: Option<String>,
    #[serde(default, with = "optional_duration_text")]
    pub every: Option<Duration>,
    pub trials: Option<u32>,
    #[serde(default, with = "optional_duration_text")]
    pub jitter: Option<Duration>,
    #[serde(default, with = "optional_duration_text")]
    pub duration: Option<Duration>,
    #[serde(with = "duration_text")]
    pub heal_within: Duration,
}

/// `target` of a fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// A word that is resolved when the fault acts.
    Word(String),
    /// Slots.
    Slots(TargetSlots),
}

/// The slots that a fault acts on.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::fault`")]
pub struct TargetSlots {
    pub role: Option<String>,
    pub count: Option<u32>,
    pub share: Option<Share>,
    pub slot: Option<OneOrMany>,
    pub label: Option<BTreeMap<String, String>>,
    pub follow: Option<String>,
    pub new_slots: String,
}

/// One text or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// `[steady]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::top`")]
pub struct Steady {
    pub share: Share,
    #[serde(with = "duration_text")]
    pub over: Duration,
}

/// `[abort]`.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::top`")]
pub struct Abort {
    pub errors: Option<Share>,
    #[serde(with = "duration_text")]
    pub over: Duration,
    pub url: Option<String>,
    pub file: Option<String>,
}

/// `[blast_radius]`.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::top`")]
pub struct BlastRadius {
    #[serde(default)]
    pub max_slots: BTreeMap<String, u32>,
    pub max_share: Option<Share>,
    pub spare: Vec<String>,
    #[serde(default)]
    pub spare_label: BTreeMap<String, String>,
}

/// `[record]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::top`")]
pub struct Record {
    pub calls: Share,
}

/// `[[slo]]`.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::slo`")]
pub struct Slo {
    pub name: Option<String>,
    pub latency: Option<Latency>,
    pub errors: Option<Errors>,
    pub throughput: Option<Throughput>,
    pub windows: Vec<String>,
    pub of: Counted,
    pub operations: Vec<String>,
}

/// `latency` of an objective.
#[derive(Clone, Copy, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::slo`")]
pub struct Latency {
    pub share: Share,
    #[serde(with = "duration_text")]
    pub under: Duration,
}

/// `errors` of an objective.
#[derive(Clone, Copy, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::slo`")]
pub struct Errors {
    pub under: Share,
}

/// `throughput` of an objective.
#[derive(Clone, Copy, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::slo`")]
pub struct Throughput {
    pub share: Share,
}

/// `[[check]]`.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::check`")]
pub struct Check {
    pub name: Option<String>,
    #[serde(flatten)]
    pub spec: Spec,
    pub fault: Option<String>,
}
