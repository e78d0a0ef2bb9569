//! `kill`: SIGKILL to the whole instance; the slot comes back as its restart policy says.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span, each};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

#[derive(Debug, Serialize, Deserialize)]
struct Kill {
    /// How each instance ended, once it was killed.
    #[serde(skip)]
    ended: Vec<Proof>,
}

impl Fault for Kill {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Kill]
    }

    fn span(&self) -> Span {
        Span::Once
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
            self.ended = each(scene.targets, |slot| scene.hands.kill(slot)).await?;
            Ok(())
        })
    }

    fn prove<'a>(&'a mut self, _scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        // The act returns when the last process is reaped; there is nothing to wait for.
        Box::pin(async move { Ok(Proof::join(self.ended.clone())) })
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

/// Kills every process of the targets' instances.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "kill",
        summary: "ends every process of the target's instance with SIGKILL; the restart policy decides whether it comes back",
        example: "[[fault]]\nname = \"one-dies\"\nkind = \"kill\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 3s\"",
        fields: &[],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Kill>()?)),
};
