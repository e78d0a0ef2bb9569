//! The begin of a fault of ours: its player, with what it needs; and how long all of them may keep a run alive.
//!
//! Not pure: it starts players, and tells why one is not started.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};

use super::Conductor;
use crate::clock::{self, Clock};
use crate::engine::player::Player;
use crate::fault::journal::Journal;
use crate::fault::kinds::FAULTS;
use crate::fault::{Fault, FleetHands, Site};
use crate::fleet::process::ProcessFleet;
use crate::model::EventKind;
use crate::plan::{FaultPlan, Plan};
use crate::registry::{Family, build};

impl Conductor<'_> {
    /// Lets a fault be played, unless it has no target or goes too far.
    pub(super) fn begin(
        &mut self,
        plan: &FaultPlan,
        clock: Clock,
        journal: &Arc<Mutex<Journal>>,
        faults: &mut JoinSet<()>,
    ) {
        let fault: Result<Box<dyn Fault>, _> = build(FAULTS, Family::Fault, &plan.spec);
        let aimed = fault
            .map_err(|error| error.to_string())
            .and_then(|fault| Ok((self.aimed(plan, &*fault)?, fault)));
        let (plan, fault) = match aimed {
            Ok(aimed) => aimed,
            Err(reason) => {
                let fault = plan.name.clone();
                return self.fact((clock::now(), EventKind::FaultFailed { fault, reason }));
            }
        };
        self.held.insert(plan.name.clone(), plan.targets.clone());
        let hands: Arc<dyn FleetHands> = Arc::<ProcessFleet>::clone(&self.hands);
        let site = Site {
            run: self.job.directory.path().to_owned(),
            scenario: self.job.scenario_dir.clone(),
            binary: self.job.binary.clone(),
        };
        let player = Player {
            plan,
            fault,
            hands,
            seed: self.job.plan.seed,
            site: Arc::new(site),
            journal: Arc::clone(journal),
            clock,
            facts: self.facts.clone(),
            haste: self.haste.subscribe(),
        };
        faults.spawn(player.play());
    }
}

impl Conductor<'_> {
    /// A fault was played to its end, or its player broke.
    pub(super) fn ended(&mut self, ended: Result<(), JoinError>) {
        if let Err(error) = ended {
            self.fail(format!("a fault was not played to its end: {error}"));
            self.given_up = true;
        }
    }

    /// The run does not end: what is not healed by now is said not to be, and left to the guard.
    pub(super) fn give_up(&mut self) {
        self.fail("the run did not end in its time".to_owned());
        self.given_up = true;
        for fault in self.held.keys().cloned().collect::<Vec<_>>() {
            let by_hand = "the run was given up before it was; `mcpload cleanup` heals".to_owned();
            self.fact((clock::now(), EventKind::FaultNotHealed { fault, by_hand }));
        }
    }
}

/// The longest that a fault may keep a run alive beyond its planned end: until it is healed, and that is proven.
pub(super) fn patience(plan: &Plan) -> Duration {
    let of = |fault: &FaultPlan| {
        let kind = build(FAULTS, Family::Fault, &fault.spec);
        kind.map_or(Duration::ZERO, |kind| {
            kind.takes_at_most() + kind.takes(fault.targets.len())
        }) + fault.heal_within
    };
    plan.faults.iter().map(of).max().unwrap_or_default()
}
