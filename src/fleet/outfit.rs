//! What the instances of a slot are started with: command, environment, files and address, as they stand now.
//!
//! Not pure: it renders files. It is shared by the slot's supervisor, who starts with it, and by the fleet, which changes it while
//! nothing is started. Invariant: what an update brought is on a pile, so that each can be taken back in the reverse order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bind::Names;
use super::instance;
use super::members::Register;
use super::shim::Start;
use crate::fault::change::Revision;
use crate::model::SlotId;
use crate::plan::SlotPlan;

/// What does not change.
pub(super) struct Outfit {
    pub(super) plan: SlotPlan,
    /// The slot's directory.
    pub(super) directory: String,
    pub(super) scenario_dir: PathBuf,
    pub(super) binary: PathBuf,
    /// The run directory.
    pub(super) run: PathBuf,
    pub(super) processors: Vec<u32>,
    pub(super) register: Arc<Register>,
    pub(super) now: Mutex<Now>,
}

/// What may change.
pub(super) struct Now {
    address: SocketAddr,
    revisions: Vec<Revision>,
}

impl Now {
    /// The first command, at this address.
    pub(super) const fn at(address: SocketAddr) -> Mutex<Self> {
        Mutex::new(Self {
            address,
            revisions: Vec::new(),
        })
    }
}

impl Outfit {
    /// The slot.
    pub(super) const fn slot(&self) -> &SlotId {
        &self.plan.id
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        // Nothing under the lock panics; were it to, what is there would still be whole.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the slot listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.now().address
    }

    /// The next incarnation listens there.
    pub(super) fn move_to(&self, address: SocketAddr) {
        self.now().address = address;
    }

    /// The next incarnations run this.
    pub(super) fn revise(&self, revision: Revision) {
        self.now().revisions.push(revision);
    }

    /// Takes an update back, and those after it; whether it was there.
    pub(super) fn revert(&self, of: &str) -> bool {
        let revisions = &mut self.now().revisions;
        let place = revisions.iter().position(|revision| revision.is_of(of));
        if let Some(place) = place {
            revisions.truncate(place);
        }
        place.is_some()
    }

    /// Whether the slot has what this update brought.
    pub(super) fn has(&self, of: &str) -> bool {
        let now = self.now();
        now.revisions.iter().any(|revision| revision.is_of(of))
    }

    /// What this incarnation is started with; its files are rendered.
    ///
    /// # Errors
    /// What cannot be rendered, read or written.
    pub(super) fn prepare(&self, incarnation: u32) -> Result<Start, String> {
        self.render(incarnation, None)
    }

    /// The same with another command: one that is run beside the instance.
    ///
    /// # Errors
    /// What cannot be rendered, read or written.
    pub(super) fn errand(&self, incarnation: u32, command: &[String]) -> Result<Start, String> {
        self.render(incarnation, Some(command))
    }

    fn render(&self, incarnation: u32, command: Option<&[String]>) -> Result<Start, String> {
        let (address, revision) = {
            let now = self.now();
            (now.address, now.revisions.last().cloned())
        };
        let mut plan = self.plan.clone();
        if let Some(revision) = revision {
            plan.command = revision.command;
            for name in revision.env.keys() {
                plan.secret_env.remove(name);
            }
            plan.env.extend(revision.env);
        }
        if let Some(command) = command {
            plan.command = command.to_vec();
        }
        let roll = self.register.roll();
        let names = Names {
            slot: &plan.id,
            address: &address.ip().to_string(),
            port: address.port(),
            directory: &self.directory,
            incarnation,
            roll: &roll,
        };
        let mut start = instance::prepare(&plan, &names, &self.scenario_dir, &self.binary)?;
        start.processors.clone_from(&self.processors);
        Ok(start)
    }
}
