//! A slot in which nothing runs: waiting for its back-off, held by a fault, on standby, or given up.

use tokio::time::{Instant, sleep_until};

use super::{Next, Post, Request, STANDBY, Standing, Watch};
use crate::fault::hands::Then;
use crate::model::EventKind;

/// What a request means to a slot in which nothing runs.
enum Idle {
    Stay,
    Released(String),
    /// It is kept down from now on, by a fault or on standby.
    Kept(Next),
    Stop,
}

impl Post {
    /// Goes through whatever is done with a slot in which nothing runs. False if it is stopped before it is started again.
    pub(super) async fn idle_until_start(
        &self,
        first: Next,
        incarnation: u32,
        watch: &mut Watch,
    ) -> bool {
        let mut next = first;
        loop {
            let then = match next {
                Next::Start => return true,
                Next::Rest => {
                    self.set(incarnation, Standing::Down, None);
                    self.rest(watch).await
                }
                Next::Hold(by) => {
                    self.set(incarnation, Standing::Held(by.clone()), None);
                    self.hold(&by, watch).await
                }
                // Of those two it is told first: who waits for the state then finds the fact told, too.
                Next::Standby => {
                    let slot = self.slot().clone();
                    self.tell(EventKind::SlotOnStandby { slot }).await;
                    self.set(incarnation, Standing::Standby, None);
                    self.hold(STANDBY, watch).await
                }
                Next::Abandon(reason) => {
                    self.tell(EventKind::SlotAbandoned {
                        slot: self.slot().clone(),
                        reason: reason.clone(),
                    })
                    .await;
                    self.set(incarnation, Standing::Abandoned(reason), None);
                    self.lie_down(watch).await
                }
            };
            match then {
                Some(then) => next = then,
                None => return false,
            }
        }
    }

    /// Waits out the back-off. None if the slot was stopped meanwhile.
    async fn rest(&self, watch: &mut Watch) -> Option<Next> {
        let end = Instant::now() + self.restart.backoff;
        loop {
            tokio::select! {
                () = sleep_until(end) => return Some(Next::Start),
                request = watch.requests.recv() => match self.idle(request, watch) {
                    Idle::Kept(next) => return Some(next),
                    Idle::Released(_) | Idle::Stay => {}
                    Idle::Stop => return None,
                },
            }
        }
    }

    /// Waits until the fault that holds the slot releases it. None if the slot was stopped meanwhile.
    async fn hold(&self, by: &str, watch: &mut Watch) -> Option<Next> {
        loop {
            let request = match watch.requests.recv().await {
                // What another fault holds is its own.
                Some(Request::End(order)) => {
                    order.refuse(&format!("nothing runs in {}", self.slot()));
                    continue;
                }
                request => request,
            };
            match self.idle(request, watch) {
                Idle::Released(fault) if fault == by => return Some(Next::Start),
                Idle::Released(_) | Idle::Kept(_) | Idle::Stay => {}
                Idle::Stop => return None,
            }
        }
    }

    /// Answers for a slot in which nothing will run by itself, until it is kept for something else. None if it is stopped.
    async fn lie_down(&self, watch: &mut Watch) -> Option<Next> {
        loop {
            let request = watch.requests.recv().await;
            match self.idle(request, watch) {
                Idle::Kept(next) => return Some(next),
                Idle::Released(_) | Idle::Stay => {}
                Idle::Stop => return None,
            }
        }
    }

    /// Answers a request while nothing runs.
    fn idle(&self, request: Option<Request>, watch: &mut Watch) -> Idle {
        match request {
            Some(Request::End(order)) => {
                let next = match &order.then {
                    Then::Keep(by) => Next::Hold(by.clone()),
                    Then::Standby => Next::Standby,
                    _ => {
                        order.refuse(&format!("nothing runs in {}", self.slot()));
                        return Idle::Stay;
                    }
                };
                order.was_down(self.id(self.state.borrow().incarnation));
                return Idle::Kept(next);
            }
            Some(Request::Release { fault, reply }) => {
                // Whether it still waits or not: the slot is released.
                let _ = reply.send(());
                return Idle::Released(fault);
            }
            Some(Request::Doom(doom, reply)) => watch.doom(doom, reply),
            Some(Request::Spare(reply)) => watch.spare(reply),
            Some(Request::Stop { .. }) | None => return Idle::Stop,
        }
        Idle::Stay
    }
}
