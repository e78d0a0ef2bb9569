//! What the fleet does for planned changes: members, revisions, addresses, reloads.
//!
//! Impure. Whoever needs a role and has `members` other than none is told of its members, one after the other; what it renders comes
//! from the register, so that one which starts anew knows as much as one that was told.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use nix::sys::signal::Signal;

use super::{ProcessFleet, Slot};
use crate::clock;
use crate::fault::change::{ChangeHands, Revision, Way};
use crate::fault::{FaultError, FleetHands};
use crate::fleet::slot::{Request, STANDBY, Standing, State};
use crate::fleet::{errand, members};
use crate::model::{EventKind, InstanceId, SlotId};
use crate::plan::{Members, RolePlan};

/// What members do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Move {
    Leave,
    Join,
}

impl ProcessFleet {
    fn slot(&self, slot: &SlotId) -> Result<&Slot, FaultError> {
        let found = self.slots.get(slot);
        found.ok_or_else(|| FaultError::Down(slot.clone()))
    }

    /// Notes who moves, and tells all balancers that run.
    async fn tell(&self, slots: &[SlotId], what: Move) -> Result<(), FaultError> {
        let _alone = self.telling.lock().await;
        let mut roles: Vec<&str> = Vec::new();
        for slot in slots {
            match what {
                Move::Leave => self.register.leave(slot),
                Move::Join => self.register.join(slot),
            }
            let role = self.slot(slot)?.role.as_str();
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        for role in roles {
            let of_role: Vec<&SlotId> = slots
                .iter()
                .filter(|slot| self.slots.get(slot).is_some_and(|slot| slot.role == role))
                .collect();
            let told = self.roles.iter().filter(|other| {
                other.needs.iter().any(|need| need == role) && other.members != Members::None
            });
            for balancers in told {
                self.tell_role(balancers, role, &of_role, what).await?;
            }
        }
        Ok(())
    }

    /// Tells every instance of a role of balancers.
    async fn tell_role(
        &self,
        balancers: &RolePlan,
        role: &str,
        slots: &[&SlotId],
        what: Move,
    ) -> Result<(), FaultError> {
        for balancer in &balancers.slots {
            let target = self.slot(&balancer.id)?;
            // One that does not run is rendered from the register when it starts.
            let Some(instance) = self.instance(&balancer.id) else {
                continue;
            };
            let result = match &balancers.members {
                Members::None => Ok(()),
                Members::Api => self.tell_api(&balancer.id, target, slots, what).await,
                Members::Reload(command) => self.run(target, &instance, command).await,
            };
            let trouble =
                |error| FaultError::Fleet(format!("{} was not told: {error}", balancer.id));
            result.map_err(trouble)?;
            let all = self.register.roll();
            let members = all.members(role).unwrap_or_default();
            let kind = EventKind::MembersTold {
                slot: balancer.id.clone(),
                role: role.to_owned(),
                members: members.into_iter().map(|(slot, _)| slot.clone()).collect(),
            };
            // Only a conductor that is gone does not listen.
            let _ = self.facts.send((clock::now(), kind)).await;
        }
        Ok(())
    }

    async fn tell_api(
        &self,
        balancer: &SlotId,
        target: &Slot,
        slots: &[&SlotId],
        what: Move,
    ) -> Result<(), String> {
        let address = target.outfit.address().to_string();
        let links = self.register.roll().links;
        for slot in slots {
            let key = (balancer.clone(), (*slot).clone());
            let weights = || self.weights.lock().unwrap_or_else(PoisonError::into_inner);
            match what {
                Move::Leave => {
                    let weight = members::remove(&self.http, &address, slot).await?;
                    if let Some(weight) = weight {
                        weights().insert(key, weight);
                    }
                }
                Move::Join => {
                    let weight = weights().get(&key).copied().unwrap_or(1);
                    let link = links.get(slot).map_or("", String::as_str);
                    members::add(&self.http, &address, slot, link, weight).await?;
                }
            }
        }
        Ok(())
    }

    /// Renders the files of an instance anew and runs a command beside it.
    async fn run(
        &self,
        target: &Slot,
        instance: &InstanceId,
        command: &[String],
    ) -> Result<(), String> {
        let start = target
            .outfit
            .errand(instance.incarnation.unwrap_or(0), command)?;
        let log = target.directory.join("reload.log");
        let first = self.first_process(&instance.slot);
        errand::run(&start, self.place.run(), &log, first).await
    }

    /// The first process of the instance in a slot: the child of its shim.
    fn first_process(&self, slot: &SlotId) -> Option<u32> {
        // Children come before grandchildren.
        let processes = self.processes(slot);
        processes.first().map(|process| process.pid)
    }
}

impl ChangeHands for ProcessFleet {
    fn leave<'a>(&'a self, slots: &'a [SlotId]) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(self.tell(slots, Move::Leave))
    }

    fn join<'a>(&'a self, slots: &'a [SlotId]) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(self.tell(slots, Move::Join))
    }

    fn is_member(&self, slot: &SlotId) -> bool {
        !self.register.roll().absent.contains(slot)
    }

    fn is_on_standby(&self, slot: &SlotId) -> bool {
        let slot = self.slots.get(slot);
        slot.is_some_and(|slot| slot.state.borrow().standing == Standing::Standby)
    }

    fn start<'a>(&'a self, slot: &'a SlotId) -> BoxFuture<'a, Result<u32, FaultError>> {
        Box::pin(async move {
            let before = self.slot(slot)?.state.borrow().incarnation;
            self.ask(slot, |reply| Request::Release {
                fault: STANDBY.to_owned(),
                reply,
            })
            .await?;
            Ok(before)
        })
    }

    fn ready<'a>(
        &'a self,
        slot: &'a SlotId,
        after: u32,
        within: Duration,
    ) -> BoxFuture<'a, Result<InstanceId, FaultError>> {
        Box::pin(async move {
            let target = self.slot(slot)?;
            let within = within.min(target.ready.timeout);
            let mut state = target.state.clone();
            let is_up =
                |state: &State| state.standing == Standing::Ready && state.incarnation > after;
            let settled = state.wait_for(|state| {
                is_up(state)
                    || (matches!(state.standing, Standing::Abandoned(_))
                        && state.incarnation > after)
            });
            match tokio::time::timeout(within, settled).await {
                Ok(Ok(state)) => match &state.standing {
                    Standing::Abandoned(reason) => Err(FaultError::Fleet(format!(
                        "{slot} is not ready and stays down: {reason}"
                    ))),
                    _ => Ok(InstanceId {
                        slot: slot.clone(),
                        incarnation: Some(state.incarnation),
                    }),
                },
                Ok(Err(_)) => Err(FaultError::Fleet(format!("the supervisor of {slot} ended"))),
                Err(_) => Err(FaultError::Unproven {
                    what: format!("readiness of {slot}"),
                    within,
                }),
            }
        })
    }

    fn count(&self, role: &str) -> u32 {
        let ready = self
            .slots
            .values()
            .filter(|slot| slot.role == role && slot.state.borrow().standing == Standing::Ready);
        u32::try_from(ready.count()).unwrap_or(u32::MAX)
    }

    fn revise(&self, slot: &SlotId, revision: Revision) -> Result<(), FaultError> {
        self.slot(slot)?.outfit.revise(revision);
        Ok(())
    }

    fn is_revised(&self, slot: &SlotId, of: &str) -> bool {
        let slot = self.slots.get(slot);
        slot.is_some_and(|slot| slot.outfit.has(of))
    }

    fn revert(&self, slot: &SlotId, of: &str) {
        if let Some(slot) = self.slots.get(slot) {
            slot.outfit.revert(of);
        }
    }

    fn move_away(&self, slot: &SlotId) -> Result<SocketAddr, FaultError> {
        let target = self.slot(slot)?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // Reserved ones may be free just now: their slots are down.
        let free = self
            .network
            .free_ports(1 + used.len())
            .map_err(|error| FaultError::Fleet(error.to_string()))?;
        let port = free.into_iter().find(|port| !used.contains(port));
        let port = port.ok_or_else(|| FaultError::Fleet("no port is free".to_owned()))?;
        used.insert(port);
        let address = SocketAddr::new(self.network.fleet(), port);
        let outfit = Arc::clone(&target.outfit);
        outfit.move_to(address);
        self.register.moved(slot, target.link().to_string());
        Ok(address)
    }

    fn reload<'a>(
        &'a self,
        slot: &'a SlotId,
        way: &'a Way,
    ) -> BoxFuture<'a, Result<String, FaultError>> {
        Box::pin(async move {
            let _alone = self.telling.lock().await;
            let target = self.slot(slot)?;
            let instance = self
                .instance(slot)
                .ok_or_else(|| FaultError::Down(slot.clone()))?;
            let trouble = |error| FaultError::Fleet(format!("{instance}: {error}"));
            let command = match way {
                Way::Signal(name) => {
                    let incarnation = instance.incarnation.unwrap_or(0);
                    target.outfit.prepare(incarnation).map_err(trouble)?;
                    self.signal(slot, name).map_err(trouble)?;
                    return Ok(format!("SIG{name} was sent to {instance}"));
                }
                Way::Command(command) => command,
                Way::Configured => {
                    let role = self.roles.iter().find(|role| role.name == target.role);
                    match role.map(|role| &role.members) {
                        Some(Members::Reload(command)) => command,
                        _ => return Err(trouble("its role has no `reload`".to_owned())),
                    }
                }
            };
            self.run(target, &instance, command)
                .await
                .map_err(trouble)?;
            Ok(format!(
                "`{}` of {instance} ended with exit 0",
                command.join(" ")
            ))
        })
    }
}

impl ProcessFleet {
    /// A signal to the first process of a slot's instance.
    fn signal(&self, slot: &SlotId, name: &str) -> Result<(), String> {
        let signal: Signal = format!("SIG{name}")
            .parse()
            .map_err(|_| format!("there is no signal {name}"))?;
        let process = self.processes(slot).into_iter().next();
        let process = process.ok_or_else(|| "it has no process".to_owned())?;
        match process.signal(signal) {
            Ok(true) => Ok(()),
            Ok(false) => Err("it is gone".to_owned()),
            Err(error) => Err(format!("the signal cannot be sent: {error}")),
        }
    }
}
