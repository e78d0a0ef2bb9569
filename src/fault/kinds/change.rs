//! Planned changes: what operators do to a fleet on purpose, and in the order in which they do it.
//!
//! The balancer is told first, then the slot drains, and only then SIGTERM comes; a new instance is ready before it becomes a member.
//! Nothing is undone by itself: a change that stops half-way leaves the fleet as it is then, and nothing held down. Adding one: a
//! file below `change/`, and its line in `kinds.rs`.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::sleep;

use super::terminate::GRACE;
use crate::fault::hands::{Ended, Manner, Then};
use crate::fault::{FaultError, Proof, Scene, each};
use crate::model::event::Effect;
use crate::model::{InstanceId, SlotId};
use crate::plan::TextDuration;
use crate::registry::{Acts, Field, Need, Ty};

pub(super) mod re_create;
pub(super) mod reload;
pub(super) mod rollback;
pub(super) mod rolling_restart;
pub(super) mod rolling_update;
pub(super) mod scale;

/// `batch` of every rollout.
const BATCH: Field = Field {
    key: "batch",
    ty: Ty::Integer { min: 1, max: 500 },
    need: Need::Default("1"),
    summary: "how many slots are replaced at a time",
    example: "2",
    acts: Acts::Now,
};

/// `pause` of every rollout.
const PAUSE: Field = Field {
    key: "pause",
    ty: Ty::Duration {
        min: 0,
        max: 3_600_000_000_000,
    },
    need: Need::Default("\"0s\""),
    summary: "the time between a batch that is ready and the next",
    example: "\"1s\"",
    acts: Acts::Now,
};

/// `drain` of every change that ends instances. A balancer that is told by a reload needs a moment until its old processes are gone.
const DRAIN: Field = Field {
    key: "drain",
    ty: Ty::Duration {
        min: 0,
        max: 60_000_000_000,
    },
    need: Need::Default("\"500ms\""),
    summary: "the time between the balancer was told and SIGTERM",
    example: "\"1s\"",
    acts: Acts::Now,
};

/// `order` of every rollout.
const ORDER: Field = Field {
    key: "order",
    ty: Ty::OneOf(&["tell-first", "stop-first"]),
    need: Need::Default("\"tell-first\""),
    summary: "whether the balancer is told and the slot drains before SIGTERM, or is told only when the instance is gone, as by a naive rollout",
    example: "\"stop-first\"",
    acts: Acts::Now,
};

/// What rollouts take.
const ROLLOUT: &[Field] = &[BATCH, PAUSE, DRAIN, ORDER, GRACE];

/// Who hears first that a slot leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Order {
    /// Its balancer.
    TellFirst,
    /// It itself.
    StopFirst,
}

/// How fast slots are replaced.
#[derive(Debug, Deserialize)]
struct Pace {
    batch: usize,
    pause: TextDuration,
    drain: TextDuration,
    order: Order,
    grace: Option<TextDuration>,
}

/// A slot that was replaced.
#[derive(Debug)]
struct Renewed {
    ended: Ended,
    next: InstanceId,
}

impl Pace {
    /// The least time for so many slots: that their instances end and start takes more.
    fn takes(&self, slots: usize) -> Duration {
        let batches = u32::try_from(slots.div_ceil(self.batch.max(1))).unwrap_or(u32::MAX);
        let pauses = self.pause.0.saturating_mul(batches.saturating_sub(1));
        let drain = match self.order {
            Order::TellFirst => self.drain.0,
            Order::StopFirst => Duration::ZERO,
        };
        drain.saturating_mul(batches).saturating_add(pauses)
    }

    /// Replaces slots batch by batch, in their order; `meanwhile` is done to each while nothing runs in it.
    ///
    /// # Errors
    /// Where it stopped, and why. What was replaced stays so.
    async fn roll(
        &self,
        scene: &Scene<'_>,
        slots: &[SlotId],
        meanwhile: impl Fn(&SlotId) -> Result<(), FaultError> + Sync,
    ) -> Result<Vec<Renewed>, FaultError> {
        let mut renewed = Vec::new();
        for batch in slots.chunks(self.batch.max(1)) {
            if !renewed.is_empty() {
                sleep(self.pause.0).await;
            }
            match self.one_batch(scene, batch, &meanwhile).await {
                Ok(done) => renewed.extend(done),
                Err(error) => {
                    return Err(FaultError::Fleet(format!(
                        "it stopped after {} of {} slots: {error}",
                        renewed.len(),
                        slots.len()
                    )));
                }
            }
        }
        Ok(renewed)
    }

    async fn one_batch(
        &self,
        scene: &Scene<'_>,
        batch: &[SlotId],
        meanwhile: impl Fn(&SlotId) -> Result<(), FaultError>,
    ) -> Result<Vec<Renewed>, FaultError> {
        let (hands, changes) = (scene.hands, scene.hands.changes());
        if self.order == Order::TellFirst {
            changes.leave(batch).await?;
            sleep(self.drain.0).await;
        }
        let manner = Manner::Terminate {
            grace: self.grace.map(|grace| grace.0),
            by: Some(scene.fault.to_owned()),
        };
        let keep = || Then::Keep(scene.fault.to_owned());
        let ended = each(batch, |slot| hands.end(slot, manner.clone(), keep())).await?;
        if self.order == Order::StopFirst {
            changes.leave(batch).await?;
        }
        for slot in batch {
            meanwhile(slot)?;
        }
        each(batch, |slot| hands.release(slot, scene.fault)).await?;
        let before = |slot: &SlotId| {
            let of_slot = ended.iter().find(|ended| ended.instance.slot == *slot);
            let incarnation = of_slot.and_then(|ended| ended.instance.incarnation);
            incarnation.unwrap_or(0)
        };
        let up = |slot| changes.ready(slot, before(slot), scene.within);
        let next = each(batch, up).await?;
        changes.join(batch).await?;
        let pairs = ended.into_iter().zip(next);
        Ok(pairs.map(|(ended, next)| Renewed { ended, next }).collect())
    }
}

/// Lets every slot go that a rollout holds down, if it stopped half-way.
async fn let_go(scene: &Scene<'_>) -> Result<(), FaultError> {
    each(scene.targets, |slot| scene.hands.release(slot, scene.fault)).await?;
    Ok(())
}

/// That the new instances are those that run, and how the old ones ended.
fn proof_of(scene: &Scene<'_>, renewed: &[Renewed]) -> Result<Proof, FaultError> {
    let mut proofs = Vec::new();
    for Renewed { ended, next } in renewed {
        let running = scene.hands.instance(&next.slot);
        if running.as_ref() != Some(next) {
            return Err(FaultError::Fleet(format!("{next} runs no more")));
        }
        let mut proof = ended.proof();
        proof.words = format!("{}, and {next} is ready", proof.words);
        proofs.push(proof);
    }
    let mut proof = Proof::join(proofs);
    proof.effects.push(Effect {
        what: "slots replaced".to_owned(),
        unit: "slots".to_owned(),
        requested: real(scene.targets.len()),
        achieved: real(renewed.len()),
    });
    Ok(proof)
}

/// That every target answers its readiness probe, or is down as it should be. One that a rollout which stopped had taken out joins
/// again if it comes up; else it stays out, as nothing is undone.
async fn settled(scene: &Scene<'_>, slots: &[SlotId]) -> Result<Proof, FaultError> {
    Ok(Proof::join(
        each(slots, |slot| one_settled(scene, slot)).await?,
    ))
}

async fn one_settled(scene: &Scene<'_>, slot: &SlotId) -> Result<Proof, FaultError> {
    let changes = scene.hands.changes();
    if changes.is_on_standby(slot) {
        return Ok(Proof::of(format!("{slot} is on standby")));
    }
    if !changes.is_member(slot) {
        match changes.ready(slot, 0, scene.within).await {
            Ok(_) => changes.join(std::slice::from_ref(slot)).await?,
            Err(error) => return Ok(Proof::of(format!("{slot} stays out: {error}"))),
        }
    }
    scene.hands.answers(slot, scene.within).await
}

/// A count as a number of effects.
fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// Names for sentences.
fn names(slots: &[SlotId]) -> String {
    let names: Vec<&str> = slots.iter().map(SlotId::as_str).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_takes_at_least_its_drains_and_pauses() {
        let pace = Pace {
            batch: 2,
            pause: TextDuration(Duration::from_secs(3)),
            drain: TextDuration(Duration::from_secs(1)),
            order: Order::TellFirst,
            grace: None,
        };
        let seconds = |slots| pace.takes(slots).as_secs();
        assert_eq!(
            [seconds(0), seconds(1), seconds(2), seconds(5)],
            [0, 1, 1, 9]
        );
    }
}
