//! Faults: what can be done to a fleet, how it proves itself, and how it is undone.
//!
//! This page is pure: the trait and its words. A fault of slots acts through [`FleetHands`], which the fleet driver lends it;
//! the conductor stamps begin, applied, effective and healed around its steps and keeps the undo journal ([`journal`]).

use std::time::Duration;

use futures_util::future::BoxFuture;
use thiserror::Error;

use crate::fleet::Capability;
use crate::model::{InstanceId, SlotId};

pub mod journal;
pub mod kinds;
pub mod link;
pub mod wire;

/// One kind of fault with its parameters.
pub trait Fault: Send + Sync {
    /// What the driver must be able to do for it; the plan refuses it elsewhere.
    fn needs(&self) -> &'static [Capability];

    /// Acts on the targets. Returns when the act is done, with what proves that it had its effect.
    fn inject<'a>(
        &'a self,
        targets: &'a [SlotId],
        hands: &'a dyn FleetHands,
    ) -> BoxFuture<'a, Result<Proof, FaultError>>;

    /// Undoes it, or waits until it is undone, and returns what proves that. Idempotent; always called.
    fn heal<'a>(
        &'a self,
        targets: &'a [SlotId],
        hands: &'a dyn FleetHands,
        within: Duration,
    ) -> BoxFuture<'a, Result<Proof, FaultError>>;

    /// The undo in words for the journal and for a person, absolute and repeatable.
    fn inverse(&self, targets: &[SlotId]) -> String;
}

/// What shows that an act, or its undo, took effect; one clause for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof(pub String);

/// What a fault can do to slots. Lent by the fleet.
pub trait FleetHands: Send + Sync {
    /// The instance that runs in the slot now, if one does.
    fn instance(&self, slot: &SlotId) -> Option<InstanceId>;

    /// Ends every process of the slot's instance with SIGKILL; returns when the last is reaped.
    fn kill<'a>(&'a self, slot: &'a SlotId) -> BoxFuture<'a, Result<Proof, FaultError>>;

    /// Waits until the slot is ready with an incarnation later than `after`, or its policy has given it up.
    fn up_again<'a>(
        &'a self,
        slot: &'a SlotId,
        after: Option<u32>,
        within: Duration,
    ) -> BoxFuture<'a, Result<Proof, FaultError>>;
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
}
