//! `crash-loop`: for its duration every incarnation is killed soon after it came up; restart policy and back-off act as they are
//! configured, and decide how often that is.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::fault::hands::{Doom, Since, milliseconds};
use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span, each};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::model::event::Effect;
use crate::model::quantity::duration_text;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Debug, Deserialize)]
struct CrashLoop {
    #[serde(with = "duration_text")]
    after: Duration,
    when: Since,
    /// The incarnations that ran before the act.
    #[serde(skip)]
    before: Vec<Option<u32>>,
    /// How long each incarnation had lived, by target.
    #[serde(skip)]
    lives: Vec<Vec<Duration>>,
}

impl Fault for CrashLoop {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Kill, Capability::Deploy]
    }

    fn span(&self) -> Span {
        Span::Lasting
    }

    fn undo(&self, _scene: &Scene<'_>) -> Undo {
        // It is the fleet's supervisor that kills: without the conductor nobody does.
        Undo::Nothing
    }

    fn by_hand(&self, targets: &[SlotId]) -> String {
        let names: Vec<&str> = targets.iter().map(SlotId::as_str).collect();
        format!("{} stays up", names.join(", "))
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let running = |slot| scene.hands.instance(slot)?.incarnation;
            self.before = scene.targets.iter().map(running).collect();
            let down = scene.targets.iter().zip(&self.before);
            if let Some((slot, _)) = down.into_iter().find(|(_, before)| before.is_none()) {
                return Err(FaultError::Down(slot.clone()));
            }
            let doom = Doom {
                after: self.after,
                since: self.when,
            };
            each(scene.targets, |slot| scene.hands.doom(slot, doom)).await?;
            Ok(())
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let died = scene
                .targets
                .iter()
                .zip(&self.before)
                .map(|(slot, before)| scene.hands.gone(slot, *before, scene.within));
            Ok(Proof::join(futures_util::future::try_join_all(died).await?))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            self.lives = each(scene.targets, |slot| scene.hands.spare(slot)).await?;
            Ok(())
        })
    }

    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let up = |slot| scene.hands.up_again(slot, None, scene.within);
            let mut proof = Proof::join(each(scene.targets, up).await?);
            for (slot, lives) in scene.targets.iter().zip(&self.lives) {
                proof.effects.extend(self.effects(slot, lives));
            }
            Ok(proof)
        })
    }
}

impl CrashLoop {
    /// How often a slot died, and how long the longest life was; the first does not count if it had lived before the fault.
    fn effects(&self, slot: &SlotId, lives: &[Duration]) -> Vec<Effect> {
        let later = lives.get(1..).unwrap_or_default();
        let mut effects = vec![Effect {
            what: format!("deaths of {slot}, at least one"),
            unit: "deaths".to_owned(),
            requested: 1.0,
            achieved: f64::from(u32::try_from(lives.len()).unwrap_or(u32::MAX)),
        }];
        effects.extend(later.iter().max().map(|longest| Effect {
            what: format!("longest life of an incarnation of {slot} in the loop"),
            unit: "ms".to_owned(),
            requested: milliseconds(self.after),
            achieved: milliseconds(*longest),
        }));
        effects
    }
}

/// Kills every incarnation of the targets for a time.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "crash-loop",
        summary: "for `duration` kills every incarnation of the target `after` a time; restart policy and back-off act as configured",
        example: "[[fault]]\nname = \"one-crashes\"\nkind = \"crash-loop\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\nafter = \"200ms\"",
        fields: &[
            Field {
                key: "after",
                ty: Ty::Duration {
                    min: 0,
                    max: 3_600_000_000_000,
                },
                need: Need::Default("\"200ms\""),
                summary: "how long each incarnation lives",
                example: "\"200ms\"",
                acts: Acts::Now,
            },
            Field {
                key: "when",
                ty: Ty::OneOf(&["started", "ready"]),
                need: Need::Default("\"started\""),
                summary: "from when that counts: from the start of the incarnation, or from when it is ready",
                example: "\"ready\"",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<CrashLoop>()?)),
};
