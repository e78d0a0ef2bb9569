//! `stop`: ends the instance and holds its slot down, for a duration or for good, whatever its restart policy says.

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use serde::Deserialize;

use super::terminate::{GRACE, MOST_GRACE};
use crate::fault::hands::{Ended, Manner, Then};
use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span, each};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::model::time::humane;
use crate::plan::TextDuration;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Debug, Deserialize)]
struct Stop {
    for_good: bool,
    grace: Option<TextDuration>,
    /// What it ended: it starts those again, and nothing that another fault holds.
    #[serde(skip)]
    ended: Vec<Ended>,
}

impl Fault for Stop {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Kill, Capability::Deploy]
    }

    fn span(&self) -> Span {
        if self.for_good {
            Span::Once
        } else {
            Span::Lasting
        }
    }

    fn asks(&self) -> bool {
        true
    }

    fn takes_at_most(&self) -> Duration {
        self.grace.map_or(MOST_GRACE, |grace| grace.0)
    }

    fn undo(&self, _scene: &Scene<'_>) -> Undo {
        // Without the conductor there is no fleet in which a slot could be missing.
        Undo::Nothing
    }

    fn by_hand(&self, targets: &[SlotId]) -> String {
        let names: Vec<&str> = targets.iter().map(SlotId::as_str).collect();
        let state = if self.for_good {
            "stays down"
        } else {
            "is up again, or its restart policy gives it up"
        };
        format!("{} {state}", names.join(", "))
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let manner = Manner::Terminate {
                grace: self.grace.map(|grace| grace.0),
                by: Some(scene.fault.to_owned()),
            };
            let then = if self.for_good {
                Then::Abandon(format!("stopped for good by {}", scene.fault))
            } else {
                Then::Hold(scene.fault.to_owned())
            };
            let end = |slot| scene.hands.end(slot, manner.clone(), then.clone());
            let mut failed = Ok(());
            for result in join_all(scene.targets.iter().map(end)).await {
                match result {
                    Ok(ended) => self.ended.push(ended),
                    Err(error) => failed = Err(error),
                }
            }
            failed
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        // The act returns when the last process is reaped; there is nothing to wait for.
        Box::pin(async move {
            let took = self.ended.iter().map(|ended| ended.took).max();
            if let (Some(duration), Some(took)) = (scene.duration, took)
                && took >= duration
            {
                return Err(FaultError::Early(format!(
                    "its end took {}, and it was to be down for what was left of {}",
                    humane(took),
                    humane(duration)
                )));
            }
            Ok(Proof::join(self.ended.iter().map(Ended::proof)))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            for ended in &self.ended {
                scene
                    .hands
                    .release(&ended.instance.slot, scene.fault)
                    .await?;
            }
            Ok(())
        })
    }

    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let up = |slot: &'a SlotId| {
                let ended = self.ended.iter().find(|ended| ended.instance.slot == *slot);
                let after = ended.and_then(|ended| ended.instance.incarnation);
                scene.hands.up_again(slot, after, scene.within)
            };
            Ok(Proof::join(each(scene.targets, up).await?))
        })
    }
}

/// Holds the targets down.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "stop",
        summary: "ends the target's instance (SIGTERM, then SIGKILL) and holds it down for `duration`, or for good, whatever its restart policy says",
        example: "[[fault]]\nname = \"one-is-out\"\nkind = \"stop\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\ngrace = \"1s\"",
        fields: &[
            Field {
                key: "for_good",
                ty: Ty::Bool,
                need: Need::Default("false"),
                summary: "whether nothing brings it back; then it takes no `duration`",
                example: "true",
                acts: Acts::Now,
            },
            GRACE,
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Stop>()?)),
};
