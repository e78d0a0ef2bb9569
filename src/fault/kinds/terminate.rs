//! `terminate`: SIGTERM, the grace period, and only then SIGKILL; how long the instance took to drain is measured.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::fault::hands::{Ended, Manner, Then};
use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span, each};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::plan::TextDuration;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

/// The longest grace period.
pub(super) const MOST_GRACE: Duration = Duration::from_mins(1);
/// `grace` of every fault that asks an instance to end. A run that is stopped waits for it, so it is bounded.
pub(super) const GRACE: Field = Field {
    key: "grace",
    ty: Ty::Duration {
        min: 0,
        max: 60_000_000_000,
    },
    need: Need::Optional,
    summary: "how long the instance may take to end after SIGTERM before it is killed; `stop_grace` of its role if it is left out",
    example: "\"2s\"",
    acts: Acts::Now,
};

#[derive(Debug, Deserialize)]
struct Terminate {
    grace: Option<TextDuration>,
    #[serde(skip)]
    ended: Vec<Ended>,
}

impl Fault for Terminate {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Kill]
    }

    fn span(&self) -> Span {
        Span::Once
    }

    fn asks(&self) -> bool {
        true
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
            let manner = Manner::Terminate {
                grace: self.grace.map(|grace| grace.0),
                by: Some(scene.fault.to_owned()),
            };
            let end = |slot| scene.hands.end(slot, manner.clone(), Then::Policy);
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
            let up = |slot| scene.hands.up_again(slot, None, scene.within);
            Ok(Proof::join(each(scene.targets, up).await?))
        })
    }
}

/// Asks the targets' instances to end.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "terminate",
        summary: "asks the target's instance to end with SIGTERM, measures how long it drains, and kills it after the grace period; the restart policy decides whether it comes back",
        example: "[[fault]]\nname = \"one-leaves\"\nkind = \"terminate\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 2s\"\ngrace = \"2s\"",
        fields: &[GRACE],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Terminate>()?)),
};
