//! Planned changes: what an operator does to a fleet on purpose, and what of it must be known before the run.
//!
//! Pure: the words. A change acts through [`ChangeHands`], which the fleet lends it; the kinds are in `kinds/change/`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::FaultError;
use crate::model::{InstanceId, SlotId};

/// What the plan must know of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A role gets another number of slots.
    Scale {
        /// How many.
        to: u32,
    },
    /// The targets are replaced, one batch after the other.
    Roll,
    /// They are replaced by what another command runs.
    Update {
        /// Program and arguments, with templates.
        command: Vec<String>,
        /// Environment variables, with templates.
        env: BTreeMap<String, String>,
    },
    /// An update is taken back.
    RollBack {
        /// Its name in the scenario.
        of: String,
    },
    /// The targets read their configuration anew.
    Reload {
        /// Whether it says itself how; if not, the role's `members` must.
        says_how: bool,
    },
    /// The targets are replaced, under other addresses.
    Move,
}

/// What later incarnations of a slot run in place of its first command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The change that brought it, by the name in the run (`update#2`).
    pub by: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment variables, added to those of the slot.
    pub env: BTreeMap<String, String>,
}

impl Revision {
    /// Whether a change of this name in the scenario brought it, whichever of its trials.
    pub fn is_of(&self, of: &str) -> bool {
        self.by.split('#').next() == Some(of)
    }
}

/// How an instance is made to read its configuration anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// As `members` of its role says.
    Configured,
    /// By a signal to its first process: `HUP`, `USR1` or `USR2`.
    Signal(String),
    /// By a command, with templates.
    Command(Vec<String>),
}

/// What an operator can do to a fleet. Lent by the fleet.
///
/// Members are taken out and put in before and after whatever happens to their instances: nothing is told by itself.
pub trait ChangeHands: Send + Sync {
    /// The slots are members no more; whoever balances load over them is told.
    fn leave<'a>(&'a self, slots: &'a [SlotId]) -> BoxFuture<'a, Result<(), FaultError>>;

    /// The slots are members; whoever balances load over them is told.
    fn join<'a>(&'a self, slots: &'a [SlotId]) -> BoxFuture<'a, Result<(), FaultError>>;

    /// Whether the slot is a member of its role.
    fn is_member(&self, slot: &SlotId) -> bool;

    /// Whether the slot is on standby: nothing runs in it, and nothing is missing.
    fn is_on_standby(&self, slot: &SlotId) -> bool;

    /// Starts a slot that is on standby; the number of its last incarnation, 0 if it had none.
    fn start<'a>(&'a self, slot: &'a SlotId) -> BoxFuture<'a, Result<u32, FaultError>>;

    /// Waits until an incarnation of the slot later than `after` is ready, as long as its role gives it and `within` at most.
    /// A slot that is given up is an error.
    fn ready<'a>(
        &'a self,
        slot: &'a SlotId,
        after: u32,
        within: Duration,
    ) -> BoxFuture<'a, Result<InstanceId, FaultError>>;

    /// How many slots of the role are ready.
    fn count(&self, role: &str) -> u32;

    /// Lets later incarnations of the slot run this.
    ///
    /// # Errors
    /// If there is no such slot.
    fn revise(&self, slot: &SlotId, revision: Revision) -> Result<(), FaultError>;

    /// Whether the slot has what the update `of` brought.
    fn is_revised(&self, slot: &SlotId, of: &str) -> bool;

    /// Lets later incarnations of the slot run what they ran before the update `of`.
    fn revert(&self, slot: &SlotId, of: &str);

    /// Lets later incarnations of the slot listen elsewhere; where.
    ///
    /// # Errors
    /// If the run has no free address.
    fn move_away(&self, slot: &SlotId) -> Result<SocketAddr, FaultError>;

    /// Renders the files of the slot anew and has its instance read them; what was done, in words.
    fn reload<'a>(
        &'a self,
        slot: &'a SlotId,
        way: &'a Way,
    ) -> BoxFuture<'a, Result<String, FaultError>>;
}
