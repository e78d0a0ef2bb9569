//! The supervisor of one slot: starts its incarnations, asks whether they are ready, restarts them by policy, kills on request.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::bind::Names;
use super::instance::{self, Instance};
use super::probe::Prober;
use crate::clock;
use crate::model::{EventKind, InstanceId, SlotId};
use crate::plan::{ReadyPlan, RestartPlan, RestartPolicy, SlotPlan};

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

/// What a slot is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing runs; something will.
    Down,
    /// Started, not ready.
    Starting,
    /// Ready.
    Ready,
    /// Nothing runs, and nothing will; why.
    Abandoned(String),
}

/// What a slot is asked.
pub(super) enum Request {
    /// Kill the instance; answered with how many processes were reaped, or why not.
    Kill(oneshot::Sender<Result<String, String>>),
    /// End it for good: SIGTERM, grace, SIGKILL; at once, without the first two, if `hard`.
    Stop {
        /// Whether to kill at once.
        hard: bool,
    },
}

/// What does not change while a slot is supervised.
pub(super) struct Post {
    pub(super) plan: SlotPlan,
    pub(super) restart: RestartPlan,
    pub(super) ready: ReadyPlan,
    pub(super) grace: Duration,
    pub(super) address: SocketAddr,
    pub(super) directory: String,
    pub(super) links: Arc<BTreeMap<SlotId, String>>,
    pub(super) scenario_dir: PathBuf,
    pub(super) binary: PathBuf,
    /// The run directory.
    pub(super) run: PathBuf,
    pub(super) processors: Vec<u32>,
    pub(super) http: reqwest::Client,
    pub(super) state: watch::Sender<State>,
    pub(super) facts: mpsc::Sender<Fact>,
}

fn processes(count: u32) -> String {
    if count == 1 {
        "1 process".to_owned()
    } else {
        format!("{count} processes")
    }
}

/// A program that was never ready is given up after so many starts: it would not be by the next.
const FIRST_STARTS: u32 = 5;

/// Why an incarnation is no more.
enum End {
    /// By itself.
    Exited { status: String },
    /// By a fault.
    Killed { status: String },
    /// Because the fleet is taken down.
    Stopped,
}

impl Post {
    /// Supervises until the slot is stopped.
    pub(super) async fn supervise(self, mut requests: mpsc::Receiver<Request>) {
        let mut incarnation = 0;
        // Whether the slot was ever ready.
        let mut proven = false;
        loop {
            incarnation += 1;
            let end = match self.start(incarnation).await {
                Ok(instance) => {
                    self.attend(instance, incarnation, &mut requests, &mut proven)
                        .await
                }
                Err(reason) => {
                    self.tell(EventKind::SlotNotReady {
                        instance: self.id(incarnation),
                        reason: reason.clone(),
                    })
                    .await;
                    End::Exited { status: reason }
                }
            };
            let status = match end {
                End::Stopped => return,
                End::Exited { status } | End::Killed { status } => status,
            };
            let hopeless = !proven && incarnation >= FIRST_STARTS;
            if hopeless || !self.restarts(&status) {
                let reason = if hopeless {
                    format!("never ready in {incarnation} starts; the last ended with {status}")
                } else if self.restart.policy == RestartPolicy::None {
                    "restart policy none".to_owned()
                } else {
                    format!("restart policy on-failure, and it ended with {status}")
                };
                self.set(incarnation, Standing::Abandoned(reason.clone()), None);
                self.tell(EventKind::SlotAbandoned {
                    slot: self.plan.id.clone(),
                    reason,
                })
                .await;
                return self.lie_down(&mut requests).await;
            }
            self.set(incarnation, Standing::Down, None);
            if !self.rest(&mut requests).await {
                return;
            }
        }
    }

    fn restarts(&self, status: &str) -> bool {
        match self.restart.policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => status != "exit 0",
            RestartPolicy::None => false,
        }
    }

    async fn start(&self, incarnation: u32) -> Result<Instance, String> {
        let names = Names {
            slot: &self.plan.id,
            address: &self.address.ip().to_string(),
            port: self.address.port(),
            directory: &self.directory,
            incarnation,
            links: &self.links,
        };
        let mut start = instance::prepare(&self.plan, &names, &self.scenario_dir, &self.binary)?;
        start.processors.clone_from(&self.processors);
        let instance = Instance::start(&self.binary, &self.run, start).await?;
        self.set(incarnation, Standing::Starting, Some(instance.shim()));
        let address = self.address.to_string();
        self.tell(EventKind::SlotStarted {
            instance: self.id(incarnation),
            pid: instance.pid,
            address,
        })
        .await;
        Ok(instance)
    }

    /// Stays with a running incarnation until it has ended.
    async fn attend(
        &self,
        mut instance: Instance,
        incarnation: u32,
        requests: &mut mpsc::Receiver<Request>,
        proven: &mut bool,
    ) -> End {
        let logs = instance::logs(self.directory.as_ref(), incarnation);
        let mut prober = Prober::new(&self.ready, self.address, logs, &self.http);
        let deadline = tokio::time::sleep(self.ready.timeout);
        tokio::pin!(deadline);
        let mut waiting = true;
        let mut overdue = false;
        loop {
            tokio::select! {
                exit = instance.exited() => {
                    let status = exit.status;
                    self.tell(EventKind::SlotExited { instance: self.id(incarnation), status: status.clone(), expected: false }).await;
                    instance.reap_shim().await;
                    return End::Exited { status };
                }
                () = prober.until_ready(), if waiting => {
                    waiting = false;
                    *proven = true;
                    // Told first: who waits for the state then finds the fact told, too.
                    self.tell(EventKind::SlotReady { instance: self.id(incarnation) }).await;
                    self.set(incarnation, Standing::Ready, Some(instance.shim()));
                }
                () = &mut deadline, if waiting && !overdue => {
                    overdue = true;
                    let reason = format!("not ready after {}", humantime::format_duration(self.ready.timeout));
                    self.tell(EventKind::SlotNotReady { instance: self.id(incarnation), reason }).await;
                }
                request = requests.recv() => match request {
                    Some(Request::Kill(reply)) => {
                        let exit = instance.kill().await;
                        self.set(incarnation, Standing::Down, None);
                        self.tell(EventKind::SlotExited { instance: self.id(incarnation), status: exit.status.clone(), expected: true }).await;
                        let proof = format!("{} ended with {}; {} reaped", self.id(incarnation), exit.status, processes(exit.reaped));
                        // The fault that asked may have been given up; the kill stands all the same.
                        let _ = reply.send(if exit.is_proven() { Ok(proof) } else { Err(proof) });
                        instance.reap_shim().await;
                        return End::Killed { status: exit.status };
                    }
                    Some(Request::Stop { hard }) => return self.stop(instance, incarnation, hard, requests).await,
                    None => return self.stop(instance, incarnation, true, requests).await,
                },
            }
        }
    }

    async fn stop(
        &self,
        mut instance: Instance,
        incarnation: u32,
        hard: bool,
        requests: &mut mpsc::Receiver<Request>,
    ) -> End {
        let mut exit = None;
        if !hard {
            instance.terminate().await;
            let grace = tokio::time::sleep(self.grace);
            tokio::pin!(grace);
            loop {
                tokio::select! {
                    ended = instance.exited() => { exit = Some(ended); break }
                    () = &mut grace => break,
                    request = requests.recv() => match request {
                        Some(Request::Kill(reply)) => drop(reply.send(Err("the fleet is being taken down".to_owned()))),
                        Some(Request::Stop { hard: false }) => {}
                        Some(Request::Stop { hard: true }) | None => break,
                    },
                }
            }
        }
        let exit = match exit {
            Some(exit) => exit,
            None => instance.kill().await,
        };
        self.set(
            incarnation,
            Standing::Abandoned("the fleet was taken down".to_owned()),
            None,
        );
        self.tell(EventKind::SlotExited {
            instance: self.id(incarnation),
            status: exit.status,
            expected: true,
        })
        .await;
        instance.reap_shim().await;
        End::Stopped
    }

    /// Waits out the back-off. False if the slot was stopped meanwhile.
    async fn rest(&self, requests: &mut mpsc::Receiver<Request>) -> bool {
        let pause = tokio::time::sleep(self.restart.backoff);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return true,
                request = requests.recv() => match request {
                    Some(Request::Kill(reply)) => drop(reply.send(Err(format!("nothing runs in {}", self.plan.id)))),
                    Some(Request::Stop { .. }) | None => return false,
                },
            }
        }
    }

    /// Answers for a slot in which nothing will run any more, until it is stopped.
    async fn lie_down(&self, requests: &mut mpsc::Receiver<Request>) {
        while let Some(request) = requests.recv().await {
            match request {
                Request::Kill(reply) => {
                    drop(reply.send(Err(format!("nothing runs in {}", self.plan.id))));
                }
                Request::Stop { .. } => return,
            }
        }
    }

    fn id(&self, incarnation: u32) -> InstanceId {
        InstanceId {
            slot: self.plan.id.clone(),
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
