//! `rolling-restart`: slot after slot leaves the balancer, drains, is asked to end, starts again, and joins.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::{Pace, ROLLOUT, Renewed, let_go, names, proof_of, settled};
use crate::fault::change::Change;
use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

#[derive(Debug, Deserialize)]
struct RollingRestart {
    #[serde(flatten)]
    pace: Pace,
    #[serde(skip)]
    renewed: Vec<Renewed>,
}

impl Fault for RollingRestart {
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
        Some(Change::Roll)
    }

    fn at_once(&self, _targets: usize) -> usize {
        self.pace.batch
    }

    fn takes(&self, targets: usize) -> Duration {
        self.pace.takes(targets)
    }

    fn undo(&self, _scene: &Scene<'_>) -> Undo {
        Undo::Nothing
    }

    fn by_hand(&self, targets: &[SlotId]) -> String {
        format!("{} are up again", names(targets))
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let nothing = |_: &SlotId| Ok(());
            self.renewed = self.pace.roll(scene, scene.targets, nothing).await?;
            Ok(())
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        // Each new instance was ready before the next slot left; there is nothing to wait for.
        Box::pin(async move { proof_of(scene, &self.renewed) })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(let_go(scene))
    }

    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(settled(scene, scene.targets))
    }
}

/// Restarts the targets one batch after the other.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "rolling-restart",
        summary: "restarts the target batch by batch: out of the balancer, drain, SIGTERM, start, ready, back in; all slots of a role if no number is given",
        example: "[[fault]]\nname = \"restart-all\"\nkind = \"rolling-restart\"\ntarget = { role = \"server\" }\nat = \"chaos + 1s\"\nbatch = 1\ndrain = \"300ms\"",
        fields: ROLLOUT,
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<RollingRestart>()?)),
};
