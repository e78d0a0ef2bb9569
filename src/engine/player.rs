//! Plays one fault: journal, act, proof, undo, proof; each step stamped and told to the conductor.

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use crate::clock::{self, Clock};
use crate::fault::journal::{Actor, Entry, Journal, Stage, Undo};
use crate::fault::{Fault, FleetHands};
use crate::fleet::slot::Fact;
use crate::model::{EventKind, InstanceId};
use crate::plan::FaultPlan;

/// What a fault is played with.
pub(super) struct Player {
    pub(super) plan: FaultPlan,
    pub(super) fault: Box<dyn Fault>,
    pub(super) hands: Arc<dyn FleetHands>,
    pub(super) journal: Arc<Mutex<Journal>>,
    pub(super) clock: Clock,
    pub(super) facts: mpsc::Sender<Fact>,
}

impl Player {
    /// Plays the fault to its proven end.
    pub(super) async fn play(self) {
        let name = self.plan.name.clone();
        let targets: Vec<InstanceId> = self
            .plan
            .targets
            .iter()
            .map(|slot| {
                self.hands.instance(slot).unwrap_or_else(|| InstanceId {
                    slot: slot.clone(),
                    incarnation: None,
                })
            })
            .collect();
        // The intention is on disk before the act: what cannot be journalled is not done.
        if let Err(error) = self.note(Stage::Intended, &targets) {
            let reason = format!("the undo journal cannot be written: {error}");
            return self
                .tell(EventKind::FaultFailed {
                    fault: name,
                    reason,
                })
                .await;
        }
        let kind = self.plan.spec.kind.clone();
        self.tell(EventKind::FaultBegan {
            fault: name.clone(),
            kind,
            targets: targets.clone(),
        })
        .await;
        match self.fault.inject(&self.plan.targets, &*self.hands).await {
            Ok(proof) => {
                self.tell(EventKind::FaultApplied {
                    fault: name.clone(),
                })
                .await;
                self.tell(EventKind::FaultEffective {
                    fault: name.clone(),
                    proof: proof.0,
                })
                .await;
            }
            Err(error) => {
                self.tell(EventKind::FaultFailed {
                    fault: name.clone(),
                    reason: error.to_string(),
                })
                .await;
            }
        }
        // A line that is missing from here on makes clean-up look again; it loses nothing.
        let _ = self.note(Stage::Applied, &targets);
        self.tell(EventKind::FaultHealing {
            fault: name.clone(),
        })
        .await;
        match self
            .fault
            .heal(&self.plan.targets, &*self.hands, self.plan.heal_within)
            .await
        {
            Ok(proof) => {
                let _ = self.note(Stage::Undone, &targets);
                self.tell(EventKind::FaultHealed {
                    fault: name,
                    proof: proof.0,
                })
                .await;
            }
            Err(error) => {
                let _ = self.note(Stage::NotUndone, &targets);
                let by_hand = format!(
                    "{error}; make sure that {}",
                    self.fault.inverse(&self.plan.targets)
                );
                self.tell(EventKind::FaultNotHealed {
                    fault: name,
                    by_hand,
                })
                .await;
            }
        }
    }

    fn note(&self, stage: Stage, targets: &[InstanceId]) -> std::io::Result<()> {
        let entry = Entry {
            at: self.clock.now(),
            fault: self.plan.name.clone(),
            stage,
            targets: targets.to_vec(),
            undo: Undo::Nothing,
            words: self.fault.inverse(&self.plan.targets),
            deadline: i64::MAX,
            by: Actor::Conductor,
        };
        let mut journal = self
            .journal
            .lock()
            .map_err(|_| std::io::Error::other("another fault broke the journal"))?;
        journal.write(&entry)
    }

    async fn tell(&self, kind: EventKind) {
        // Only a conductor that is gone does not listen, and then there is no run to record.
        let _ = self.facts.send((clock::now(), kind)).await;
    }
}
