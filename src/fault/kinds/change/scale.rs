//! `scale`: gives a role another number of slots. New ones become members when they are ready; those that go are drained first.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use tokio::time::sleep;

use super::super::terminate::GRACE;
use super::{DRAIN, names, settled};
use crate::fault::change::Change;
use crate::fault::hands::{Ended, Manner, Then};
use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span, each};
use crate::fleet::Capability;
use crate::model::event::Effect;
use crate::model::{InstanceId, SlotId};
use crate::plan::TextDuration;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Debug, Deserialize)]
struct Scale {
    to: u32,
    drain: TextDuration,
    grace: Option<TextDuration>,
    #[serde(skip)]
    started: Vec<InstanceId>,
    #[serde(skip)]
    ended: Vec<Ended>,
}

impl Fault for Scale {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Kill, Capability::Deploy]
    }

    fn span(&self) -> Span {
        Span::Once
    }

    fn planned(&self) -> bool {
        true
    }

    fn change(&self) -> Option<Change> {
        Some(Change::Scale { to: self.to })
    }

    fn undo(&self, _scene: &Scene<'_>) -> Undo {
        Undo::Nothing
    }

    fn by_hand(&self, targets: &[SlotId]) -> String {
        format!(
            "{} are up, or down, as {} slots need it",
            names(targets),
            self.to
        )
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let changes = scene.hands.changes();
            let standby = |slot: &&SlotId| changes.is_on_standby(slot);
            if scene.targets.iter().filter(standby).count() == scene.targets.len() {
                self.started = each(scene.targets, |slot| start(scene, slot)).await?;
                return Ok(());
            }
            changes.leave(scene.targets).await?;
            sleep(self.drain.0).await;
            let manner = Manner::Terminate {
                grace: self.grace.map(|grace| grace.0),
                by: Some(scene.fault.to_owned()),
            };
            let end = |slot| scene.hands.end(slot, manner.clone(), Then::Standby);
            self.ended = each(scene.targets, end).await?;
            Ok(())
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        // The act returns when new slots are ready, and old ones reaped; there is nothing to wait for.
        Box::pin(async move {
            let started = self.started.iter();
            let started = started.map(|instance| Proof::of(format!("{instance} is ready")));
            let mut proof = Proof::join(self.ended.iter().map(Ended::proof).chain(started));
            if let Some(role) = scene.targets.first().and_then(role_of) {
                proof.effects.push(Effect {
                    what: format!("slots of {role} that are ready"),
                    unit: "slots".to_owned(),
                    requested: f64::from(self.to),
                    achieved: f64::from(scene.hands.changes().count(role)),
                });
            }
            Ok(proof)
        })
    }

    fn heal<'a>(&'a mut self, _scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async { Ok(()) })
    }

    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let down = scene.targets.iter().find(|slot| {
                let instance = scene.hands.instance(slot);
                instance.is_some() && !self.ended.is_empty()
            });
            match down {
                Some(slot) => Err(FaultError::Fleet(format!("something runs in {slot}"))),
                None if self.ended.is_empty() => settled(scene, scene.targets).await,
                None => Ok(Proof::of(format!(
                    "nothing runs in {}",
                    names(scene.targets)
                ))),
            }
        })
    }
}

/// Starts a slot; it becomes a member once it is ready, whatever the others do.
async fn start(scene: &Scene<'_>, slot: &SlotId) -> Result<InstanceId, FaultError> {
    let changes = scene.hands.changes();
    let before = changes.start(slot).await?;
    let instance = changes.ready(slot, before, scene.within).await?;
    changes.join(std::slice::from_ref(slot)).await?;
    Ok(instance)
}

fn role_of(slot: &SlotId) -> Option<&str> {
    slot.as_str().rsplit_once('-').map(|(role, _)| role)
}

/// Changes the number of slots of a role.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "scale",
        summary: "changes the number of slots of a role; those with the highest numbers come and go",
        example: "[[fault]]\nname = \"more\"\nkind = \"scale\"\ntarget = { role = \"server\" }\nat = \"chaos + 500ms\"\nto = 5\n[[fault]]\nname = \"fewer\"\nkind = \"scale\"\ntarget = { role = \"server\" }\nat = \"chaos + 4s\"\nto = 2\ndrain = \"300ms\"",
        fields: &[
            Field {
                key: "to",
                ty: Ty::Integer { min: 1, max: 500 },
                need: Need::Required,
                summary: "how many slots the role has from then on",
                example: "5",
                acts: Acts::Now,
            },
            DRAIN,
            GRACE,
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Scale>()?)),
};
