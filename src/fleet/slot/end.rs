//! The end of an instance: by a fault, or because the fleet is taken down.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::{End, Post, Request, Standing, Watch};
use crate::fault::hands::{Ended, Manner, Then};
use crate::fleet::instance::Instance;
use crate::model::{EventKind, InstanceId};

/// That an instance is to be ended, and who wants to know how it went.
pub(in crate::fleet) struct Order {
    /// How.
    pub(in crate::fleet) manner: Manner,
    /// What comes next.
    pub(in crate::fleet) then: Then,
    /// Answered when the last process is reaped, or with why that was not seen.
    pub(in crate::fleet) replies: Vec<oneshot::Sender<Result<Ended, String>>>,
}

impl Order {
    /// A kill that nobody asks about; the restart policy decides what comes next.
    pub(super) const fn kill() -> Self {
        Self {
            manner: Manner::Kill,
            then: Then::Policy,
            replies: Vec::new(),
        }
    }

    /// Answers that it will not be done.
    pub(super) fn refuse(self, why: &str) {
        self.answer(&Err(why.to_owned()));
    }

    /// Answers that nothing had to be ended.
    pub(super) fn was_down(self, instance: InstanceId) {
        self.answer(&Ok(Ended {
            instance,
            status: "nothing to end".to_owned(),
            reaped: 0,
            took: Duration::ZERO,
            grace: None,
            killed: false,
        }));
    }

    fn answer(self, answer: &Result<Ended, String>) {
        for reply in self.replies {
            // The fault that asked may have been given up; what was done stands all the same.
            let _ = reply.send(answer.clone());
        }
    }

    /// Takes over another order that came while this one is carried out.
    fn join(&mut self, other: Self) {
        if self.then == Then::Policy {
            self.then = other.then;
        }
        self.replies.extend(other.replies);
    }
}

impl Post {
    /// Ends the instance as ordered.
    pub(super) async fn end(
        &self,
        mut instance: Instance,
        incarnation: u32,
        mut order: Order,
        watch: &mut Watch,
    ) -> End {
        let from = Instant::now();
        let (grace, by) = match &order.manner {
            Manner::Kill => (None, None),
            Manner::Terminate { grace, by } => (Some(grace.unwrap_or(self.grace)), by.clone()),
        };
        let mut stopped = false;
        let mut exit = None;
        if let Some(grace) = grace {
            self.set(incarnation, Standing::Ending, Some(instance.shim()));
            instance.terminate().await;
            if let Some(fault) = by {
                let instance = self.id(incarnation);
                self.tell(EventKind::SlotStopping {
                    instance,
                    fault,
                    grace,
                })
                .await;
            }
            let mut deadline = from + grace;
            loop {
                tokio::select! {
                    ended = instance.exited() => { exit = Some(ended); break }
                    () = sleep_until(deadline) => break,
                    request = watch.requests.recv() => match request {
                        Some(Request::Stop { hard: false }) => {
                            stopped = true;
                            deadline = deadline.min(Instant::now() + self.grace);
                        }
                        Some(Request::Stop { hard: true }) | None => { stopped = true; break }
                        Some(request) => if self.meanwhile(request, &mut order, watch) { break },
                    },
                }
            }
        }
        let killed = exit.is_none();
        let exit = match exit {
            Some(exit) => exit,
            None => instance.kill().await,
        };
        let took = from.elapsed();
        self.set(incarnation, Standing::Down, None);
        self.tell(EventKind::SlotExited {
            instance: self.id(incarnation),
            status: exit.status.clone(),
            expected: true,
        })
        .await;
        let ended = Ended {
            instance: self.id(incarnation),
            status: exit.status.clone(),
            reaped: exit.reaped,
            took,
            grace,
            killed,
        };
        let then = order.then.clone();
        order.answer(&if exit.is_proven() {
            Ok(ended)
        } else {
            Err(ended.proof().words)
        });
        instance.reap_shim().await;
        if stopped {
            return End::Stopped;
        }
        End::Ended {
            status: exit.status,
            then,
        }
    }

    /// Answers a request while an instance has its grace period. True if that is over.
    fn meanwhile(&self, request: Request, order: &mut Order, watch: &mut Watch) -> bool {
        match request {
            Request::End(other) if other.manner == Manner::Kill => {
                order.join(other);
                return true;
            }
            Request::End(other) => {
                other.refuse(&format!("{} is being ended already", self.slot()));
            }
            Request::Release { fault, reply } => {
                if matches!(&order.then, Then::Hold(by) | Then::Keep(by) if *by == fault) {
                    order.then = Then::Start;
                }
                let _ = reply.send(());
            }
            Request::Doom(doom, reply) => watch.doom(doom, reply),
            Request::Spare(reply) => watch.spare(reply),
            // Answered by the caller.
            Request::Stop { .. } => {}
        }
        false
    }

    /// Ends the instance because the fleet is taken down.
    pub(super) async fn stop(
        &self,
        instance: Instance,
        incarnation: u32,
        hard: bool,
        watch: &mut Watch,
    ) -> End {
        let reason = "the fleet was taken down".to_owned();
        let order = Order {
            manner: if hard {
                Manner::Kill
            } else {
                Manner::Terminate {
                    grace: None,
                    by: None,
                }
            },
            then: Then::Abandon(reason.clone()),
            replies: Vec::new(),
        };
        self.end(instance, incarnation, order, watch).await;
        self.set(incarnation, Standing::Abandoned(reason), None);
        End::Stopped
    }
}
