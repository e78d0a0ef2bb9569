//! The Plan: a Scenario with nothing left open, stored as `plan.json`; everything that executes or judges a run reads this.
//!
//! Pure. Defaults are filled in, names resolved, targets drawn, phase edges and fault moments fixed as offsets from `t0`. Only
//! addresses are open (`{{ … }}` in commands): they are bound when the fleet is brought up, and recorded in `bindings.jsonl`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::kinds::observed;
use crate::model::quantity::{duration_text, optional_duration_text};
use crate::model::{Offset, Seed, Share, SlotId, Window};
use crate::registry::Spec;

pub mod blast;
pub mod budget;
pub mod compile;
pub mod operation;
pub mod pinning;
pub mod preview;
pub mod promise;
pub mod target;
pub mod timeline;
pub mod workload;

pub use blast::BlastRadius;
pub use operation::{CancelPlan, Expectation, Method, OperationPlan, Pages, Reference, StepPlan};
pub use pinning::Pinning;
pub use promise::{Counted, ObjectivePlan, Promise, WindowRef};
pub use workload::{
    AuthPlan, ConnectionPlan, CredentialsPlan, DataPlan, Dialect, HeaderValue, HttpVersion, Pick,
    RecoveryPlan, RetryPlan, Sharing, SourceRange, Transport, VanishHow, VanishPlan, WorkloadPlan,
};

/// The version of the layout of a run directory, `plan.json` included. It is 0.x, and may break, until the first release.
pub const FORMAT: &str = "0.1";

/// What will happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario's name.
    pub name: String,
    /// All chance of the run comes from it.
    pub seed: Seed,
    /// How many load workers there are; results do not depend on it.
    pub workers: u32,
    /// Which processors generator and fleet have for themselves; `None`: both use all.
    #[serde(default)]
    pub pinning: Option<Pinning>,
    /// What is written down of what happens.
    #[serde(default)]
    pub record: RecordPlan,
    /// What is deployed, or what is there.
    pub fleet: FleetPlan,
    /// The workloads, in the order of the scenario.
    pub workloads: Vec<WorkloadPlan>,
    /// The phases, in order, without gaps, from offset 0.
    pub phases: Vec<PhasePlan>,
    /// The faults, in the order of their begin.
    pub faults: Vec<FaultPlan>,
    /// The steady-state gate before the first fault.
    pub steady: SteadyPlan,
    /// What ends the run early, if anything does.
    #[serde(default)]
    pub abort: Option<AbortPlan>,
    /// What faults may hold at the most, if the scenario says so.
    #[serde(default)]
    pub blast_radius: Option<BlastRadius>,
    /// The service level objectives, in the order of the scenario.
    pub objectives: Vec<ObjectivePlan>,
    /// The checks, in the order of the scenario.
    pub checks: Vec<CheckPlan>,
    /// Where each value that is not in the scenario file came from: path -> `default`, `--set`, `variant NAME`, `env.X`, `drawn`.
    pub origins: BTreeMap<String, String>,
}

impl Plan {
    /// When the last phase ends.
    pub fn end(&self) -> Offset {
        self.phases
            .last()
            .map_or(Offset::ZERO, |phase| phase.window.end)
    }

    /// The phase that holds `at`; none before the first and after the last.
    pub fn phase_at(&self, at: Offset) -> Option<&PhasePlan> {
        self.phases.iter().find(|phase| phase.window.contains(at))
    }

    /// The same with the paths of its input files below this run directory, for whoever reads them.
    #[must_use]
    pub fn located(mut self, directory: &Path) -> Self {
        let data = self
            .workloads
            .iter_mut()
            .flat_map(|workload| &mut workload.data);
        let files = data.map(|data| &mut data.file);
        for file in files.chain(self.fleet.tls.ca.as_mut()) {
            *file = directory.join(&*file).to_string_lossy().into_owned();
        }
        self
    }

    /// The trials of the fault that the scenario calls `of`, in the order of their begin.
    pub fn trials<'a>(&'a self, of: &'a str) -> impl Iterator<Item = &'a FaultPlan> {
        self.faults.iter().filter(move |fault| fault.of == of)
    }

    /// The workload of this name.
    pub fn workload(&self, name: &str) -> Option<&WorkloadPlan> {
        self.workloads.iter().find(|workload| workload.name == name)
    }

    /// The objectives that have a latency threshold, in order: those that counts.csv has a column for.
    pub fn latency_objectives(&self) -> impl Iterator<Item = &ObjectivePlan> {
        self.objectives
            .iter()
            .filter(|objective| matches!(objective.promise, Promise::Latency { .. }))
    }

    /// The longest that an operation can last after its due time: waiting for its client, then all of its steps.
    pub fn longest_operation(&self) -> Duration {
        let operations = self.workloads.iter().flat_map(|workload| {
            let operations = workload.operations.iter();
            operations.map(move |operation| longest(workload, operation))
        });
        operations.max().unwrap_or_default()
    }
}

/// The longest that this operation can last. Each Call has the timeout for itself.
fn longest(workload: &WorkloadPlan, operation: &OperationPlan) -> Duration {
    let recovery = &workload.recovery;
    // With a new session (two requests) a call is sent again; a token that is refused is replaced and the call sent again once.
    let again = u32::from(matches!(workload.auth, AuthPlan::ClientCredentials(_)));
    let sent = recovery
        .retries
        .saturating_mul(3)
        .saturating_add(recovery.retry.attempts)
        .saturating_add(1 + again);
    let pauses = recovery
        .retry
        .max_backoff
        .saturating_mul(recovery.retry.attempts);
    // A stream that is cut is asked for again, each time after a pause that its server chooses.
    let resumed = operation
        .timeout
        .saturating_add(Duration::from_secs(10))
        .saturating_mul(recovery.resumes);
    let steps = operation.steps.iter().map(|step| {
        let pages = step.pages.most();
        operation
            .timeout
            .saturating_mul(sent.saturating_mul(pages))
            .saturating_add(pauses.saturating_mul(pages))
            .saturating_add(resumed)
            .saturating_add(step.think.unwrap_or_default())
    });
    steps.fold(operation.timeout, Duration::saturating_add)
}

/// What is written down of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPlan {
    /// The share of the operations whose Calls are kept as rows. What did not end ok or exceeded a threshold is kept whatever it
    /// says; counts, exceedances and histograms hold everything.
    pub calls: Share,
}

impl Default for RecordPlan {
    fn default() -> Self {
        Self { calls: Share::ONE }
    }
}

impl RecordPlan {
    /// Whether rows are left out.
    pub fn is_sampled(&self) -> bool {
        self.calls < Share::ONE
    }
}

/// The fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FleetPlan {
    /// The driver and its parameters.
    pub driver: Spec,
    /// The roles, in the order in which they are started (by `needs`).
    pub roles: Vec<RolePlan>,
    /// Where the clients go.
    pub endpoint: EndpointPlan,
    /// The response header that names the instance that served a Call; `None` if the scenario has none.
    pub served_by: Option<String>,
    /// Whom clients trust where the endpoint speaks TLS.
    #[serde(default)]
    pub tls: TlsPlan,
}

/// Whom clients trust where the endpoint speaks TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsPlan {
    /// A PEM file with the certificates of the authorities that are trusted, in place of the system's; in the run directory
    /// ([`Plan::located`]).
    pub ca: Option<String>,
    /// Whether any certificate is taken, unchecked.
    pub insecure: bool,
}

impl FleetPlan {
    /// The role of this name.
    pub fn role(&self, name: &str) -> Option<&RolePlan> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// Every slot with its role, in start order.
    pub fn slots(&self) -> impl Iterator<Item = (&RolePlan, &SlotPlan)> {
        self.roles
            .iter()
            .flat_map(|role| role.slots.iter().map(move |slot| (role, slot)))
    }
}

/// A role: the slots that run the same program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolePlan {
    /// Its name.
    pub name: String,
    /// Roles that must be ready before it is started.
    pub needs: Vec<String>,
    /// What happens when an instance exits.
    pub restart: RestartPlan,
    /// When an instance counts as ready.
    pub ready: ReadyPlan,
    /// How long an instance has to end after SIGTERM before it is killed.
    pub stop_grace: TextDuration,
    /// How a balancer hears of scaling.
    pub members: Members,
    /// Its slots.
    pub slots: Vec<SlotPlan>,
}

/// A [`Duration`] that is stored as text (`1s 500ms`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TextDuration(#[serde(with = "duration_text")] pub Duration);

/// One slot and what runs in it. Texts may hold `{{ slot.address }}`, `{{ slot.port }}`, `{{ slot.name }}`, `{{ slot.dir }}`,
/// `{{ slot.incarnation }}`, `{{ link.SLOT }}` (`host:port`), `{{ links.ROLE }}` (`server-1=host:port,…`), `{{ each.ROLE "TEXT" }}`
/// (a line for each member; `{name}`, `{link}`, `{host}`, `{port}` in it).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotPlan {
    /// Its name.
    pub id: SlotId,
    /// Program and arguments; the program `mcpload` is this binary.
    pub command: Vec<String>,
    /// Environment variables, added to the harness's own. Secrets are not stored: see `secret_env`.
    pub env: BTreeMap<String, String>,
    /// Environment variables whose values are read when the slot is started: name -> where from.
    pub secret_env: BTreeMap<String, Secret>,
    /// The working directory; the slot's directory in the run directory by default.
    pub directory: Option<String>,
    /// Template files that are rendered into the slot's directory before each start, relative to the scenario file.
    pub files: Vec<String>,
    /// Limits that the shim sets.
    pub limits: Limits,
    /// What faults select it by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The proxy before it, if it has one.
    #[serde(default)]
    pub wire: Option<WirePlan>,
    /// Whether nothing runs in it at the begin: a fault of kind `scale` starts it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub standby: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields over by reference"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// The proxy before a slot, in place from before the slots start to after they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WirePlan {
    /// Whether it follows requests and answers of HTTP/1.1; what is none passes unchanged.
    pub http: bool,
    /// Whether it names the instance behind it in the header `mcpload-instance` of the answers.
    pub names: bool,
}

/// Where a secret's value is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secret {
    /// An environment variable of the harness.
    Env(String),
    /// A file; trailing line ends are cut off.
    File(String),
}

/// Limits of an instance (`setrlimit`), hard and soft alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Open files.
    pub open_files: Option<u64>,
    /// Address space, bytes.
    pub memory: Option<u64>,
}

/// When a slot is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPlan {
    /// Whether at all.
    pub policy: RestartPolicy,
    /// The pause between the end of an instance and the start of the next.
    #[serde(with = "duration_text")]
    pub backoff: Duration,
}

/// Whether an instance that exited is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Whatever its status.
    Always,
    /// Unless it exited with status 0.
    OnFailure,
    /// Never.
    None,
}

/// How a balancer hears of members that come and go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Members {
    /// Through the reference balancer's members API.
    Api,
    /// By a command.
    Reload(Vec<String>),
    /// It does not.
    None,
}

/// When an instance counts as ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyPlan {
    /// What is asked.
    pub probe: Probe,
    /// How often.
    #[serde(with = "duration_text")]
    pub interval: Duration,
    /// How long an instance may take to become ready.
    #[serde(with = "duration_text")]
    pub timeout: Duration,
}

/// What tells that an instance is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// GET of this path on the slot's address answers 2xx.
    Http(String),
    /// The slot's port accepts a connection.
    Tcp,
    /// Its output has a line that contains this text.
    LogLine(String),
}

/// Where clients go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointPlan {
    /// The slots of a role at this path; clients are spread over them, client c to slot c mod n.
    Role {
        /// The role.
        role: String,
        /// The path, `/mcp` by default.
        path: String,
    },
    /// URLs outside (`http://host:port/path`); clients are spread over them likewise.
    Urls(Vec<String>),
}

/// A phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhasePlan {
    /// Its name.
    pub name: String,
    /// Its offsets.
    pub window: Window,
    /// Whether it counts for objectives that name no window.
    pub measure: bool,
    /// The load profile of each workload (by name) in it; one without an entry rests.
    pub loads: BTreeMap<String, Spec>,
}

/// A fault on the time line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultPlan {
    /// Its name: that of the scenario, and from the second trial on with its number (`one-dies#2`).
    pub name: String,
    /// Its name in the scenario, which windows and checks speak of; all its trials have the same.
    pub of: String,
    /// Which of its trials this is, from 1.
    pub trial: u32,
    /// Its kind and parameters.
    pub spec: Spec,
    /// The slots that it acts on, drawn by the seed; none, if `owner` says how they are found when it acts.
    pub targets: Vec<SlotId>,
    /// The client whose last Call tells which slot it acts on.
    #[serde(default)]
    pub owner: Option<OwnerPlan>,
    /// The role whose new slots it acts on, too, while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
    /// When it acts; from when on it is awaited, if others do it.
    pub at: Offset,
    /// How long it acts; `None` for a fault that is one act.
    #[serde(default, with = "optional_duration_text")]
    pub duration: Option<Duration>,
    /// The longest that healing may take before it counts as failed.
    #[serde(with = "duration_text")]
    pub heal_within: Duration,
}

/// A client with a session; the slot that owns the session is the one that served the client's last Call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnerPlan {
    /// Its workload.
    pub workload: String,
    /// Its number in the workload, from 0.
    pub client: u32,
}

impl FaultPlan {
    /// When it ends by plan: when it begins, for a fault that is one act.
    pub fn end(&self) -> Offset {
        self.at + self.duration.unwrap_or_default()
    }

    /// Whether mcpload only looks on while others do it; then `at` is the moment from which on it is awaited.
    pub fn is_observed(&self) -> bool {
        self.spec.kind == observed::NAME
    }
}

/// The gate before the first fault: of the operations that ended in the `over` before it, at least `share` were ok.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SteadyPlan {
    /// The least share of operations that ended ok.
    pub share: Share,
    /// The length of time looked at.
    #[serde(with = "duration_text")]
    pub over: Duration,
}

/// What ends the run early: any of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AbortPlan {
    /// More than this share of the operations that ended in the last `over` did not end ok.
    pub errors: Option<Share>,
    /// The length of time in which errors are counted.
    #[serde(with = "duration_text")]
    pub over: Duration,
    /// GET of this URL is not answered with 2xx.
    pub url: Option<String>,
    /// This file exists; relative to the scenario.
    pub file: Option<String>,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckPlan {
    /// Its name; by default kind and fault.
    pub name: String,
    /// Its kind and parameters.
    pub spec: Spec,
    /// The fault that it speaks of, if any.
    pub fault: Option<String>,
    /// Where it stands in the scenario, line from 1; 0 for one that mcpload adds by itself.
    pub line: u32,
}
