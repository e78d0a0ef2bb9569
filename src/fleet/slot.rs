//! The supervisor of one slot: starts its incarnations, asks whether they are ready, restarts them by policy, ends them on request.
//!
//! Impure. It takes requests whatever the slot is doing; so one that comes at a bad moment is answered, never lost. `end` ends an
//! instance, `idle` is what happens while none runs, `doom` is what a crash loop remembers. Invariant: a slot has one instance at
//! most, and only its supervisor starts it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use self::doom::Doomed;
pub(super) use self::end::Order;
use super::instance::{self, Instance};
use super::outfit::Outfit;
use super::probe::Prober;
use crate::clock;
use crate::fault::hands::{Doom, Then};
use crate::model::{EventKind, InstanceId, SlotId};
use crate::plan::{ReadyPlan, RestartPlan, RestartPolicy, SlotPlan};

mod doom;
mod end;
mod idle;

/// What the fleet tells the conductor: a raw clock reading and a fact.
pub type Fact = (i64, EventKind);

/// How a slot is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The incarnation that runs or ran last; 0 before the first.
    pub(super) incarnation: u32,
    /// What it is doing.
    pub(super) standing: Standing,
    /// The shim of the running incarnation.
    pub(super) shim: Option<u32>,
}

impl State {
    /// Before the first start.
    pub(super) const fn first(plan: &SlotPlan) -> Self {
        Self {
            incarnation: 0,
            standing: if plan.standby {
                Standing::Standby
            } else {
                Standing::Down
            },
            shim: None,
        }
    }
}

/// What a slot is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing runs; something will.
    Down,
    /// Started, not ready.
    Starting,
    /// Ready.
    Ready,
    /// Asked to end, and still there.
    Ending,
    /// Nothing runs, until the fault of this name releases it.
    Held(String),
    /// Nothing runs, and nothing is missing.
    Standby,
    /// Nothing runs, and nothing will; why.
    Abandoned(String),
}

/// Who releases a slot that is on standby: no fault has no name.
pub(super) const STANDBY: &str = "";

/// What a slot is asked.
pub(super) enum Request {
    /// End the instance.
    End(Order),
    /// Start the slot again if this fault holds it.
    Release {
        /// The fault's name.
        fault: String,
        /// Answered at once.
        reply: oneshot::Sender<()>,
    },
    /// Kill every incarnation in its time.
    Doom(Doom, oneshot::Sender<()>),
    /// Kill no more; answered with how long each that was killed had lived.
    Spare(oneshot::Sender<Vec<Duration>>),
    /// End it for good: SIGTERM, grace, SIGKILL; at once, without the first two, if `hard`.
    Stop {
        /// Whether to kill at once.
        hard: bool,
    },
}

/// What does not change while a slot is supervised.
pub(super) struct Post {
    /// What its instances are started with.
    pub(super) outfit: Arc<Outfit>,
    pub(super) restart: RestartPlan,
    pub(super) ready: ReadyPlan,
    pub(super) grace: Duration,
    pub(super) http: reqwest::Client,
    pub(super) state: watch::Sender<State>,
    pub(super) facts: mpsc::Sender<Fact>,
}

/// What changes while a slot is supervised, its instances apart.
struct Watch {
    requests: mpsc::Receiver<Request>,
    /// Whether the slot was ever ready.
    proven: bool,
    /// The crash loop that it is in.
    doomed: Option<Doomed>,
}

/// A program that was never ready is given up after so many starts: it would not be by the next.
const FIRST_STARTS: u32 = 5;

/// Why an incarnation is no more.
enum End {
    /// By itself.
    Exited { status: String },
    /// By a fault, which says what comes next.
    Ended { status: String, then: Then },
    /// Because the fleet is taken down.
    Stopped,
}

/// What is done with a slot in which nothing runs.
enum Next {
    Start,
    Rest,
    Hold(String),
    Standby,
    Abandon(String),
}

impl Post {
    /// Supervises until the slot is stopped.
    pub(super) async fn supervise(self, requests: mpsc::Receiver<Request>) {
        let mut watch = Watch {
            requests,
            proven: false,
            doomed: None,
        };
        let mut incarnation = 0;
        if self.outfit.plan.standby && !self.idle_until_start(Next::Standby, 0, &mut watch).await {
            return;
        }
        loop {
            incarnation += 1;
            let end = match self.start(incarnation).await {
                Ok(instance) => self.attend(instance, incarnation, &mut watch).await,
                Err(reason) => {
                    self.tell(EventKind::SlotNotReady {
                        instance: self.id(incarnation),
                        reason: reason.clone(),
                    })
                    .await;
                    End::Exited { status: reason }
                }
            };
            let Some(next) = self.next(end, incarnation, watch.proven) else {
                return;
            };
            if !self.idle_until_start(next, incarnation, &mut watch).await {
                return;
            }
        }
    }

    /// What follows from an end; none if the fleet is taken down.
    fn next(&self, end: End, incarnation: u32, proven: bool) -> Option<Next> {
        let status = match end {
            End::Stopped => return None,
            End::Ended { then, status } => match then {
                Then::Start => return Some(Next::Start),
                Then::Hold(by) | Then::Keep(by) => return Some(Next::Hold(by)),
                Then::Standby => return Some(Next::Standby),
                Then::Abandon(reason) => return Some(Next::Abandon(reason)),
                Then::Policy => status,
            },
            End::Exited { status } => status,
        };
        let hopeless = !proven && incarnation >= FIRST_STARTS;
        Some(if hopeless {
            Next::Abandon(format!(
                "never ready in {incarnation} starts; the last ended with {status}"
            ))
        } else {
            match self.restart.policy {
                RestartPolicy::Always => Next::Rest,
                RestartPolicy::OnFailure if status != "exit 0" => Next::Rest,
                RestartPolicy::OnFailure => Next::Abandon(format!(
                    "restart policy on-failure, and it ended with {status}"
                )),
                RestartPolicy::None => Next::Abandon("restart policy none".to_owned()),
            }
        })
    }

    async fn start(&self, incarnation: u32) -> Result<Instance, String> {
        let outfit = &self.outfit;
        let start = outfit.prepare(incarnation)?;
        let instance = Instance::start(&outfit.binary, &outfit.run, start).await?;
        self.set(incarnation, Standing::Starting, Some(instance.shim()));
        let address = outfit.address().to_string();
        self.tell(EventKind::SlotStarted {
            instance: self.id(incarnation),
            pid: instance.pid,
            address,
        })
        .await;
        Ok(instance)
    }

    /// Stays with a running incarnation until it has ended.
    async fn attend(&self, mut instance: Instance, incarnation: u32, watch: &mut Watch) -> End {
        let logs = instance::logs(self.outfit.directory.as_ref(), incarnation);
        let mut prober = Prober::new(&self.ready, self.outfit.address(), logs, &self.http);
        let started = Instant::now();
        let deadline = started + self.ready.timeout;
        let mut ready = None;
        let mut overdue = false;
        loop {
            let doom = watch
                .doomed
                .as_ref()
                .and_then(|doomed| doomed.due(started, ready));
            tokio::select! {
                exit = instance.exited() => {
                    let status = exit.status;
                    self.tell(EventKind::SlotExited { instance: self.id(incarnation), status: status.clone(), expected: false }).await;
                    instance.reap_shim().await;
                    return End::Exited { status };
                }
                () = sleep_until(doom.unwrap_or(deadline)), if doom.is_some() => {
                    if let Some(doomed) = &mut watch.doomed {
                        doomed.dies(started, ready);
                    }
                    return self.end(instance, incarnation, Order::kill(), watch).await;
                }
                () = prober.until_ready(), if ready.is_none() => {
                    ready = Some(Instant::now());
                    watch.proven = true;
                    // Told first: who waits for the state then finds the fact told, too.
                    self.tell(EventKind::SlotReady { instance: self.id(incarnation) }).await;
                    self.set(incarnation, Standing::Ready, Some(instance.shim()));
                }
                () = sleep_until(deadline), if ready.is_none() && !overdue => {
                    overdue = true;
                    let reason = format!("not ready after {}", humantime::format_duration(self.ready.timeout));
                    self.tell(EventKind::SlotNotReady { instance: self.id(incarnation), reason }).await;
                }
                request = watch.requests.recv() => match request {
                    Some(Request::End(order)) => return self.end(instance, incarnation, order, watch).await,
                    Some(Request::Release { reply, .. }) => drop(reply.send(())),
                    Some(Request::Doom(doom, reply)) => watch.doom(doom, reply),
                    Some(Request::Spare(reply)) => watch.spare(reply),
                    Some(Request::Stop { hard }) => return self.stop(instance, incarnation, hard, watch).await,
                    None => return self.stop(instance, incarnation, true, watch).await,
                },
            }
        }
    }

    fn slot(&self) -> &SlotId {
        self.outfit.slot()
    }

    fn id(&self, incarnation: u32) -> InstanceId {
        InstanceId {
            slot: self.slot().clone(),
            incarnation: Some(incarnation),
        }
    }

    fn set(&self, incarnation: u32, standing: Standing, shim: Option<u32>) {
        self.state.send_replace(State {
            incarnation,
            standing,
            shim,
        });
    }

    async fn tell(&self, kind: EventKind) {
        // Only a conductor that is gone does not listen, and then the shim ends with us.
        let _ = self.facts.send((clock::now(), kind)).await;
    }
}
