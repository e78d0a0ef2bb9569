//! What the fleet does for faults: reads and changes of single slots, through their supervisors.
//!
//! Impure. A request is answered by the slot's supervisor, which alone starts and ends instances.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::ProcessFleet;
use crate::fault::change::ChangeHands;
use crate::fault::hands::{Doom, Ended, Manner, Then};
use crate::fault::{FaultError, FleetHands, LinkHands, Proof};
use crate::fleet::hog::{Hog, Order as HogOrder};
use crate::fleet::link::Links;
use crate::fleet::probe::Prober;
use crate::fleet::proc::{self, ProcessId};
use crate::fleet::slot::{Order, Request, Standing, State};
use crate::model::{InstanceId, SlotId};

impl ProcessFleet {
    /// Asks the supervisor of a slot, and waits for its answer.
    pub(super) async fn ask<T>(
        &self,
        slot: &SlotId,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, FaultError> {
        let target = self
            .slots
            .get(slot)
            .ok_or_else(|| FaultError::Down(slot.clone()))?;
        let gone = || FaultError::Fleet(format!("the supervisor of {slot} ended"));
        let (reply, answer) = oneshot::channel();
        target
            .requests
            .send(request(reply))
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

impl FleetHands for ProcessFleet {
    fn instance(&self, slot: &SlotId) -> Option<InstanceId> {
        let state = self.slots.get(slot)?.state.borrow().clone();
        state.shim.map(|_| InstanceId {
            slot: slot.clone(),
            incarnation: Some(state.incarnation),
        })
    }

    fn processes(&self, slot: &SlotId) -> Vec<ProcessId> {
        let shim = self
            .slots
            .get(slot)
            .and_then(|slot| slot.state.borrow().shim);
        shim.map(proc::below).unwrap_or_default()
    }

    fn address(&self, slot: &SlotId) -> Option<SocketAddr> {
        self.slots.get(slot).map(|slot| slot.outfit.address())
    }

    fn end<'a>(
        &'a self,
        slot: &'a SlotId,
        manner: Manner,
        then: Then,
    ) -> BoxFuture<'a, Result<Ended, FaultError>> {
        Box::pin(async move {
            let end = |reply| {
                Request::End(Order {
                    manner,
                    then,
                    replies: vec![reply],
                })
            };
            self.ask(slot, end).await?.map_err(FaultError::Fleet)
        })
    }

    fn release<'a>(
        &'a self,
        slot: &'a SlotId,
        fault: &'a str,
    ) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(self.ask(slot, |reply| Request::Release {
            fault: fault.to_owned(),
            reply,
        }))
    }

    fn doom<'a>(&'a self, slot: &'a SlotId, doom: Doom) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(self.ask(slot, move |reply| Request::Doom(doom, reply)))
    }

    fn spare<'a>(&'a self, slot: &'a SlotId) -> BoxFuture<'a, Result<Vec<Duration>, FaultError>> {
        Box::pin(self.ask(slot, Request::Spare))
    }

    fn up_again<'a>(
        &'a self,
        slot: &'a SlotId,
        after: Option<u32>,
        within: Duration,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let target = self
                .slots
                .get(slot)
                .ok_or_else(|| FaultError::Down(slot.clone()))?;
            let mut state = target.state.clone();
            let later = |state: &State| after.is_none_or(|after| state.incarnation > after);
            let settled = state.wait_for(|state| {
                matches!(state.standing, Standing::Abandoned(_))
                    || (state.standing == Standing::Ready && later(state))
            });
            match tokio::time::timeout(within, settled).await {
                Ok(Ok(state)) => Ok(Proof::of(match &state.standing {
                    Standing::Abandoned(reason) => format!("{slot} stays down: {reason}"),
                    _ => format!("{slot}#{} answers its readiness probe", state.incarnation),
                })),
                Ok(Err(_)) => Err(FaultError::Fleet(format!("the supervisor of {slot} ended"))),
                Err(_) => Err(FaultError::Unproven {
                    what: format!("readiness of {slot}"),
                    within,
                }),
            }
        })
    }

    fn gone<'a>(
        &'a self,
        slot: &'a SlotId,
        incarnation: Option<u32>,
        within: Duration,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let target = self
                .slots
                .get(slot)
                .ok_or_else(|| FaultError::Down(slot.clone()))?;
            let Some(incarnation) = incarnation else {
                return Ok(Proof::of(format!("nothing ran in {slot}")));
            };
            let mut state = target.state.clone();
            let gone =
                state.wait_for(|state| state.shim.is_none() || state.incarnation > incarnation);
            match tokio::time::timeout(within, gone).await {
                Ok(Ok(_)) => Ok(Proof::of(format!("{slot}#{incarnation} is gone"))),
                Ok(Err(_)) => Err(FaultError::Fleet(format!("the supervisor of {slot} ended"))),
                Err(_) => Err(FaultError::Unproven {
                    what: format!("the end of {slot}#{incarnation}"),
                    within,
                }),
            }
        })
    }

    fn hog(&self, slot: &SlotId, fault: &str, order: &HogOrder) -> Result<Hog, FaultError> {
        Hog::start(&self.place, fault, order)
            .map_err(|error| FaultError::Fleet(format!("a hog beside {slot}: {error}")))
    }

    fn links(&self) -> &dyn LinkHands {
        // Nothing is played before the fleet is up.
        self.links.get_or_init(Links::default)
    }

    fn changes(&self) -> &dyn ChangeHands {
        self
    }

    fn answers<'a>(
        &'a self,
        slot: &'a SlotId,
        within: Duration,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let target = self
                .slots
                .get(slot)
                .ok_or_else(|| FaultError::Down(slot.clone()))?;
            let incarnation = target.state.borrow().incarnation;
            let logs = crate::fleet::instance::logs(&target.directory, incarnation);
            let mut prober = Prober::new(&target.ready, target.outfit.address(), logs, &self.http);
            match tokio::time::timeout(within, prober.until_ready()).await {
                Ok(()) => Ok(Proof::of(format!(
                    "{slot}#{incarnation} answers its readiness probe"
                ))),
                Err(_) => Err(FaultError::Unproven {
                    what: format!("an answer of {slot} to its readiness probe"),
                    within,
                }),
            }
        })
    }
}
