//! Plays one fault: journal, act, proof, its time, undo, proof; each step stamped and told to the conductor.
//!
//! Impure. Invariants: what cannot be journalled is not done; what was begun is undone, whatever happened in between, and
//! however the run ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::clock::{self, Clock};
use crate::fault::journal::{Actor, Entry, Journal, Stage, Undo};
use crate::fault::{Fault, FaultError, FleetHands, Proof, Scene, Site};
use crate::fleet::slot::Fact;
use crate::model::{EventKind, InstanceId, Seed};
use crate::plan::FaultPlan;

/// How long a proof may take after somebody asked the run to stop: the fleet is about to be taken down.
const HURRIED: Duration = Duration::from_secs(5);
/// How much later than planned a guard takes over: it does what the conductor should have done, and must not be first.
const OVERDUE: Duration = Duration::from_secs(10);

/// How much time there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Haste {
    /// As planned.
    #[default]
    None,
    /// The load is over: what still changes the fleet is seen by nobody.
    Over,
    /// The run stops: undo now.
    Soon,
    /// Undo now, and wait for no proof.
    AtOnce,
}

/// What a fault is played with.
pub(super) struct Player {
    pub(super) plan: FaultPlan,
    pub(super) fault: Box<dyn Fault>,
    pub(super) hands: Arc<dyn FleetHands>,
    pub(super) seed: Seed,
    pub(super) site: Arc<Site>,
    pub(super) journal: Arc<Mutex<Journal>>,
    pub(super) clock: Clock,
    pub(super) facts: mpsc::Sender<Fact>,
    pub(super) haste: watch::Receiver<Haste>,
}

/// What the journal says of this fault in every line.
struct Subject {
    targets: Vec<InstanceId>,
    undo: Undo,
    words: String,
    deadline: i64,
}

impl Player {
    /// Plays the fault to its proven end.
    pub(super) async fn play(mut self) {
        let plan = self.plan.clone();
        let (hands, site) = (Arc::clone(&self.hands), Arc::clone(&self.site));
        let scene = Scene {
            fault: &plan.name,
            targets: &plan.targets,
            hands: &*hands,
            seed: self.seed,
            duration: plan.duration,
            within: plan.heal_within,
            site: &site,
        };
        let subject = self.subject(&scene);
        if let Err(error) = self.note(Stage::Intended, &subject) {
            let reason = format!("the undo journal cannot be written: {error}");
            return self.failed(reason).await;
        }
        self.tell(EventKind::FaultBegan {
            fault: plan.name.clone(),
            kind: plan.spec.kind.clone(),
            targets: subject.targets.clone(),
        })
        .await;
        match self.inject(&scene).await {
            None => {}
            Some(Ok(())) => {
                self.noted(Stage::Applied, &subject).await;
                let fault = plan.name.clone();
                self.tell(EventKind::FaultApplied { fault }).await;
                if self.prove(&scene, &subject).await && self.act(&scene).await {
                    self.see_it_act(&scene).await;
                }
            }
            // What was begun may have been done by half: it is undone like a whole one.
            Some(Err(error)) => self.failed(error.to_string()).await,
        }
        self.undo(&scene, &subject).await;
    }

    /// Has the fault act, unless somebody wants to leave at once: an instance may take long to end. A program may take longer still, and
    /// is given up as soon as the run stops. A planned change takes as long as it takes: it is left half done when the load is over;
    /// `None` if the run stops.
    async fn inject(&mut self, scene: &Scene<'_>) -> Option<Result<(), FaultError>> {
        let mut haste = self.haste.clone();
        let planned = self.fault.planned();
        let least = match (planned, self.fault.aims()) {
            (true, _) => Haste::Over,
            (false, true) => Haste::AtOnce,
            (false, false) => Haste::Soon,
        };
        tokio::select! {
            done = self.fault.inject(scene) => return Some(done),
            () = asked(&mut haste, least) => {}
        }
        let why = match (planned, *haste.borrow()) {
            (true, Haste::Over) => {
                "the load was over before it was done; what was changed stays so"
            }
            (true, _) => return None,
            (false, _) => "the run was left before the act was done",
        };
        Some(Err(FaultError::Fleet(why.to_owned())))
    }

    /// Has the fault show its effect; whether it could.
    async fn prove(&mut self, scene: &Scene<'_>, subject: &Subject) -> bool {
        let mut haste = self.haste.clone();
        let fault = self.plan.name.clone();
        // One that lasts ends when it was planned to, proven or not.
        let left = scene.duration.map(|_| self.left());
        let proof = tokio::select! {
            proof = self.fault.prove(scene) => proof,
            () = asked(&mut haste, Haste::Soon) => return false,
            () = over(left) => Err(FaultError::Unproven {
                what: "its effect".to_owned(),
                within: left.unwrap_or_default(),
            }),
        };
        match proof {
            Ok(Proof { words, effects }) => {
                self.noted(Stage::Verified, subject).await;
                let kind = EventKind::FaultEffective {
                    fault,
                    proof: words,
                    effects,
                };
                self.tell(kind).await;
                true
            }
            Err(error) => {
                self.failed(error.to_string()).await;
                false
            }
        }
    }

    /// Lets the fault act for its duration; less, and false, if the run stops.
    async fn act(&mut self, scene: &Scene<'_>) -> bool {
        let mut haste = self.haste.clone();
        let left = self.left();
        let measured = async {
            self.fault.measure(scene).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            stopped = timeout(left, asked(&mut haste, Haste::Soon)) => stopped.is_err(),
            () = measured => true,
        }
    }

    /// A fault that lasts has acted to its end, or was none.
    async fn see_it_act(&mut self, scene: &Scene<'_>) {
        if scene.duration.is_some()
            && let Err(error) = self.fault.still_acts(scene).await
        {
            self.failed(error.to_string()).await;
        }
    }

    /// How long it acts from now on. The time line is static: a fault ends when it was planned to, however long its steps took.
    fn left(&self) -> Duration {
        let end = self.plan.end();
        end.since(self.clock.now().min(end))
    }

    async fn undo(&mut self, scene: &Scene<'_>, subject: &Subject) {
        let fault = || scene.fault.to_owned();
        self.tell(EventKind::FaultHealing { fault: fault() }).await;
        if let Err(error) = self.fault.heal(scene).await {
            return self.not_undone(scene, subject, &error).await;
        }
        self.noted(Stage::Undone, subject).await;
        self.tell(EventKind::FaultHealed { fault: fault() }).await;
        match self.proof_of_heal(scene).await {
            Some(Ok(Proof { words, effects })) => {
                self.noted(Stage::UndoVerified, subject).await;
                let kind = EventKind::FaultHealProven {
                    fault: fault(),
                    proof: words,
                    effects,
                };
                self.tell(kind).await;
            }
            Some(Err(error)) => self.not_undone(scene, subject, &error).await,
            // Nobody waits for a proof: the fleet goes down.
            None => {}
        }
    }

    /// What proves the heal; `None` if there is no time for it.
    async fn proof_of_heal(&mut self, scene: &Scene<'_>) -> Option<Result<Proof, FaultError>> {
        let (mut haste, mut hurry) = (self.haste.clone(), self.haste.clone());
        tokio::select! {
            proof = self.fault.prove_healed(scene) => Some(proof),
            () = asked(&mut haste, Haste::AtOnce) => None,
            () = async { asked(&mut hurry, Haste::Soon).await; tokio::time::sleep(HURRIED).await } => None,
        }
    }

    async fn not_undone(&self, scene: &Scene<'_>, subject: &Subject, error: &FaultError) {
        self.noted(Stage::NotUndone, subject).await;
        let by_hand = format!(
            "{error}; make sure that {}",
            self.fault.by_hand(scene.targets)
        );
        let fault = scene.fault.to_owned();
        self.tell(EventKind::FaultNotHealed { fault, by_hand })
            .await;
    }

    fn subject(&self, scene: &Scene<'_>) -> Subject {
        let instance = |slot: &crate::model::SlotId| {
            self.hands.instance(slot).unwrap_or_else(|| InstanceId {
                slot: slot.clone(),
                incarnation: None,
            })
        };
        // Each slot of a rollout may take its time until it is ready.
        let rounds = match (self.fault.planned(), u32::try_from(scene.targets.len())) {
            (false, _) => 1,
            (true, targets) => targets.unwrap_or(u32::MAX).saturating_add(1),
        };
        let patience = (scene.within.saturating_mul(rounds))
            .saturating_add(scene.duration.unwrap_or_default())
            .saturating_add(self.fault.takes(scene.targets.len()))
            .saturating_add(self.fault.takes_at_most())
            .saturating_add(OVERDUE);
        Subject {
            targets: scene.targets.iter().map(instance).collect(),
            undo: self.fault.undo(scene),
            words: self.fault.by_hand(scene.targets),
            deadline: clock::now()
                .saturating_add(i64::try_from(patience.as_nanos()).unwrap_or(i64::MAX)),
        }
    }

    /// A line that is missing makes a clean-up look again; it loses nothing. That it is missing is said.
    async fn noted(&self, stage: Stage, subject: &Subject) {
        if let Err(error) = self.note(stage, subject) {
            let reason = format!("the undo journal cannot be written: {error}");
            self.failed(reason).await;
        }
    }

    fn note(&self, stage: Stage, subject: &Subject) -> std::io::Result<()> {
        let entry = Entry {
            at: self.clock.now(),
            fault: self.plan.name.clone(),
            stage,
            targets: subject.targets.clone(),
            undo: subject.undo.clone(),
            words: subject.words.clone(),
            deadline: subject.deadline,
            by: Actor::Conductor,
        };
        let mut journal = self
            .journal
            .lock()
            .map_err(|_| std::io::Error::other("another fault broke the journal"))?;
        journal.write(&entry)
    }

    async fn failed(&self, reason: String) {
        let fault = self.plan.name.clone();
        self.tell(EventKind::FaultFailed { fault, reason }).await;
    }

    async fn tell(&self, kind: EventKind) {
        // Only a conductor that is gone does not listen, and then there is no run to record.
        let _ = self.facts.send((clock::now(), kind)).await;
    }
}

/// Waits so long; for ever, if there is no end.
async fn over(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Waits until there is at least this haste; for ever, if it never comes.
async fn asked(haste: &mut watch::Receiver<Haste>, least: Haste) {
    if haste.wait_for(|haste| *haste >= least).await.is_err() {
        std::future::pending::<()>().await;
    }
}
