//! Faults: what can be done to a fleet, how it proves itself, and how it is undone.
//!
//! This page is pure: the trait and its words. A fault of slots acts through [`FleetHands`], which the fleet driver lends it;
//! the conductor's player takes it through its steps, stamps each of them and keeps the undo journal ([`journal`]). Invariant:
//! what undoes a fault is on disk before the fault acts, and is absolute, so that doing it twice does no harm.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use thiserror::Error;

use self::change::{Change, ChangeHands};
use self::hands::{Doom, Ended, Manner, Then};
use self::journal::Undo;
use self::link::LinkRule;
use crate::fleet::Capability;
use crate::fleet::canary::Canary;
use crate::fleet::hog::{Hog, Order};
use crate::fleet::proc::ProcessId;
use crate::model::event::Effect;
use crate::model::{InstanceId, Seed, SlotId};
use crate::proxy::RuleStatus;

pub mod change;
pub mod hands;
pub mod journal;
pub mod kinds;
pub mod link;
pub mod wire;

/// How long a fault acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// It is one act, and what follows is the fleet's own recovery: it takes no `duration`.
    Once,
    /// It acts for a `duration`, and is then undone.
    Lasting,
}

/// One kind of fault with its parameters; an object for each time that it is played, so it may remember what it saw.
///
/// The steps are called in the order of their declaration, each at most once, and `heal` always, whatever happened before.
pub trait Fault: Send + Sync {
    /// What the driver must be able to do for it; the plan refuses it elsewhere.
    fn needs(&self) -> &'static [Capability];

    /// Whether it takes a duration.
    fn span(&self) -> Span;

    /// Whether it acts on slots, which its `target` names. One that does not may have targets all the same.
    fn aims(&self) -> bool {
        true
    }

    /// Whether mcpload acts. If not, it looks on while others do, and the fault's moment says only from when on.
    fn acts(&self) -> bool {
        true
    }

    /// How long the act and its proof may take at most, where they take time of their own.
    fn takes_at_most(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether it acts on the links of its targets, which then have a proxy before them from the begin of the run to its end.
    fn links(&self) -> Option<LinkUse> {
        None
    }

    /// Whether it is what an operator does on purpose: it is judged more strictly than a crash.
    fn planned(&self) -> bool {
        false
    }

    /// Whether it asks instances to end with SIGTERM before they are killed.
    fn asks(&self) -> bool {
        false
    }

    /// On how many of so many targets it acts at the same time; on all by default.
    fn at_once(&self, targets: usize) -> usize {
        targets
    }

    /// What it changes on purpose, as far as the plan must know.
    fn change(&self) -> Option<Change> {
        None
    }

    /// The least time that the act takes on so many slots; one act by default.
    fn takes(&self, _targets: usize) -> Duration {
        Duration::ZERO
    }

    /// What undoes it without the conductor; asked before the act, when its targets still run.
    fn undo(&self, scene: &Scene<'_>) -> Undo;

    /// The undo in words, for the journal and for a person: what must be so afterwards.
    fn by_hand(&self, targets: &[SlotId]) -> String;

    /// Acts on the targets; returns when the act is done.
    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>>;

    /// Sees that it acts on its path.
    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>>;

    /// Measures while it acts, for as long as that lasts: dropped when the undo begins. What it finds is part of the proof of the
    /// heal, for a proof that waits for figures would be late.
    fn measure<'a>(&'a mut self, _scene: &'a Scene<'a>) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    /// Sees, at the end of its duration, that it acted until now: what stopped acting earlier shows less than was asked for.
    fn still_acts<'a>(
        &'a mut self,
        _scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async { Ok(()) })
    }

    /// Undoes it; idempotent.
    fn heal<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>>;

    /// Sees that it acts no more, and that its targets work, within [`Scene::within`].
    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>>;
}

/// What a fault is played on.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The fault's name, unique in the run.
    pub fault: &'a str,
    /// The slots that it acts on.
    pub targets: &'a [SlotId],
    /// What can be done to them.
    pub hands: &'a dyn FleetHands,
    /// The run's seed: all chance comes from it.
    pub seed: Seed,
    /// How long it acts; `None` for one act.
    pub duration: Option<Duration>,
    /// The longest that a step may wait for its proof.
    pub within: Duration,
    /// Where the run is played.
    pub site: &'a Site,
}

/// Where a run is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The run directory, absolute.
    pub run: PathBuf,
    /// The directory from which the scenario's relative paths count, absolute.
    pub scenario: PathBuf,
    /// This program.
    pub binary: PathBuf,
}

/// What a fault needs of the proxy before its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkUse {
    /// Whether the proxy follows requests and answers of HTTP/1.1.
    pub http: bool,
}

/// What shows that an act, or its undo, took effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proof {
    /// One clause for the report.
    pub words: String,
    /// What was asked for and what was measured, where both are numbers.
    pub effects: Vec<Effect>,
}

impl Proof {
    /// A proof that has no numbers.
    pub fn of(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            effects: Vec::new(),
        }
    }

    /// Several proofs as one.
    pub fn join(proofs: impl IntoIterator<Item = Self>) -> Self {
        let mut words = Vec::new();
        let mut effects = Vec::new();
        for proof in proofs {
            words.push(proof.words);
            effects.extend(proof.effects);
        }
        Self {
            words: words.join("; "),
            effects,
        }
    }
}

/// What a fault can do to slots. Lent by the fleet.
pub trait FleetHands: Send + Sync {
    /// The instance that runs in the slot now, if one does.
    fn instance(&self, slot: &SlotId) -> Option<InstanceId>;

    /// Every process of the slot's instance, its shim left out; none if nothing runs.
    fn processes(&self, slot: &SlotId) -> Vec<ProcessId>;

    /// Where the slot's instance listens, whatever stands before it.
    fn address(&self, slot: &SlotId) -> Option<SocketAddr>;

    /// Ends the slot's instance, all its processes; returns when the last is reaped.
    fn end<'a>(
        &'a self,
        slot: &'a SlotId,
        manner: Manner,
        then: Then,
    ) -> BoxFuture<'a, Result<Ended, FaultError>>;

    /// Ends every process of the slot's instance with SIGKILL; returns when the last is reaped.
    fn kill<'a>(&'a self, slot: &'a SlotId) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let ended = self.end(slot, Manner::Kill, Then::Policy).await?;
            Ok(ended.proof())
        })
    }

    /// Starts the slot again if `fault` holds it down, and else nothing.
    fn release<'a>(
        &'a self,
        slot: &'a SlotId,
        fault: &'a str,
    ) -> BoxFuture<'a, Result<(), FaultError>>;

    /// From now on kills every incarnation of the slot in its time.
    fn doom<'a>(&'a self, slot: &'a SlotId, doom: Doom) -> BoxFuture<'a, Result<(), FaultError>>;

    /// Lets the slot's incarnations live again; how long each that was killed had lived, from where [`Doom::since`] says.
    fn spare<'a>(&'a self, slot: &'a SlotId) -> BoxFuture<'a, Result<Vec<Duration>, FaultError>>;

    /// Waits until the slot is ready with an incarnation later than `after`, or its policy has given it up.
    fn up_again<'a>(
        &'a self,
        slot: &'a SlotId,
        after: Option<u32>,
        within: Duration,
    ) -> BoxFuture<'a, Result<Proof, FaultError>>;

    /// What can be done to the links that have a proxy.
    fn links(&self) -> &dyn LinkHands;

    /// What an operator can do to the fleet.
    fn changes(&self) -> &dyn ChangeHands;

    /// Waits until this incarnation of the slot runs no more; at once if there is none.
    fn gone<'a>(
        &'a self,
        slot: &'a SlotId,
        incarnation: Option<u32>,
        within: Duration,
    ) -> BoxFuture<'a, Result<Proof, FaultError>>;

    /// Starts a hog for the fault on the processors of the slot's instance. It carries the fault's name, and ends with the
    /// conductor.
    ///
    /// # Errors
    /// If it cannot be started.
    fn hog(&self, slot: &SlotId, fault: &str, order: &Order) -> Result<Hog, FaultError>;

    /// Asks the slot's readiness probe anew, until it succeeds.
    fn answers<'a>(
        &'a self,
        slot: &'a SlotId,
        within: Duration,
    ) -> BoxFuture<'a, Result<Proof, FaultError>>;
}

/// Over a link or beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the proxy, as everybody goes.
    Link,
    /// Straight to the slot.
    Direct,
}

/// What a fault can do to the links that have a proxy. Lent by the fleet.
pub trait LinkHands: Send + Sync {
    /// Lets a rule act before the slot, in the name of this fault; how many live connections it selects. Idempotent.
    fn apply<'a>(
        &'a self,
        slot: &'a SlotId,
        fault: &'a str,
        rule: &'a LinkRule,
    ) -> BoxFuture<'a, Result<u64, FaultError>>;

    /// Lets no rule of this fault act before the slot. Idempotent.
    fn lift<'a>(
        &'a self,
        slot: &'a SlotId,
        fault: &'a str,
    ) -> BoxFuture<'a, Result<(), FaultError>>;

    /// What the proxy before the slot counted of this fault's rule.
    fn counted<'a>(
        &'a self,
        slot: &'a SlotId,
        fault: &'a str,
    ) -> BoxFuture<'a, Result<Option<RuleStatus>, FaultError>>;

    /// Whether the proxy before the slot has ended, and every rule with it.
    fn is_lost(&self, slot: &SlotId) -> bool;

    /// Sends one request of our own to the slot.
    fn canary<'a>(&'a self, slot: &'a SlotId, way: Way, within: Duration) -> BoxFuture<'a, Canary>;
}

/// Why a fault could not be done or undone.
#[derive(Clone, Debug, Error)]
pub enum FaultError {
    /// Nothing runs in the slot.
    #[error("nothing runs in {0}")]
    Down(SlotId),
    /// It could not be proven in time.
    #[error("{what} was not seen within {} s", .within.as_secs_f64())]
    Unproven {
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
    },
    /// The fleet could not do it.
    #[error("{0}")]
    Fleet(String),
    /// It did not act for as long as it should have.
    #[error("it stopped acting before its time was over: {0}")]
    Early(String),
}

/// Does something to every target at the same time; the first error, if one fails.
///
/// # Errors
/// Those of `act`.
pub async fn each<'a, T, F>(
    targets: &'a [SlotId],
    act: impl Fn(&'a SlotId) -> F,
) -> Result<Vec<T>, FaultError>
where
    F: Future<Output = Result<T, FaultError>> + 'a,
{
    // All are tried, even if one fails: half a fault is worse to explain than a whole one.
    let all = futures_util::future::join_all(targets.iter().map(act)).await;
    all.into_iter().collect()
}

/// Does all of it, whatever fails; the first error, if one did. What is undone is undone as far as it goes.
///
/// # Errors
/// The first of them.
pub fn attempt_all(
    results: impl IntoIterator<Item = Result<(), FaultError>>,
) -> Result<(), FaultError> {
    let mut first = Ok(());
    for result in results {
        first = first.and(result);
    }
    first
}
