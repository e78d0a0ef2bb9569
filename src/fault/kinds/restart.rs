//! `restart`: ends the instance and starts the next at once, whatever restart policy and back-off say.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::terminate::{GRACE, MOST_GRACE};
use crate::fault::hands::{Ended, Manner, Then};
use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span, each};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::plan::TextDuration;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Debug, Deserialize)]
struct Restart {
    how: How,
    grace: Option<TextDuration>,
    #[serde(skip)]
    ended: Vec<Ended>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum How {
    Terminate,
    Kill,
}

impl Fault for Restart {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Kill, Capability::Deploy]
    }

    fn span(&self) -> Span {
        Span::Once
    }

    fn asks(&self) -> bool {
        self.how == How::Terminate
    }

    fn takes_at_most(&self) -> Duration {
        self.grace.map_or(MOST_GRACE, |grace| grace.0)
    }

    fn undo(&self, _scene: &Scene<'_>) -> Undo {
        Undo::Nothing
    }

    fn by_hand(&self, targets: &[SlotId]) -> String {
        let names: Vec<&str> = targets.iter().map(SlotId::as_str).collect();
        format!(
            "{} is up again, or its restart policy gives it up",
            names.join(", ")
        )
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let manner = match self.how {
                How::Terminate => Manner::Terminate {
                    grace: self.grace.map(|grace| grace.0),
                    by: Some(scene.fault.to_owned()),
                },
                How::Kill => Manner::Kill,
            };
            let end = |slot| scene.hands.end(slot, manner.clone(), Then::Start);
            self.ended = each(scene.targets, end).await?;
            Ok(())
        })
    }

    fn prove<'a>(&'a mut self, _scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        // The act returns when the last process is reaped; there is nothing to wait for.
        Box::pin(async move { Ok(Proof::join(self.ended.iter().map(Ended::proof))) })
    }

    fn heal<'a>(&'a mut self, _scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async { Ok(()) })
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

/// Ends the targets' instances and starts them again.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "restart",
        summary: "ends the target's instance and starts the next at once, whatever its restart policy and back-off say",
        example: "[[fault]]\nname = \"one-restarts\"\nkind = \"restart\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 2s\"\nhow = \"terminate\"",
        fields: &[
            Field {
                key: "how",
                ty: Ty::OneOf(&["terminate", "kill"]),
                need: Need::Default("\"terminate\""),
                summary: "`terminate`: SIGTERM, and SIGKILL after the grace period; `kill`: SIGKILL",
                example: "\"kill\"",
                acts: Acts::Now,
            },
            GRACE,
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Restart>()?)),
};
