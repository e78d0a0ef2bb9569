//! `rollback`: takes an update back, batch by batch, over the slots that it had reached.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::super::terminate::GRACE;
use super::{BATCH, DRAIN, ORDER, PAUSE, Pace, Renewed, let_go, names, proof_of, settled};
use crate::fault::change::Change;
use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Debug, Deserialize)]
struct Rollback {
    of: String,
    #[serde(flatten)]
    pace: Pace,
    #[serde(skip)]
    renewed: Vec<Renewed>,
}

impl Fault for Rollback {
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
        Some(Change::RollBack {
            of: self.of.clone(),
        })
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
        format!("{} run what they ran before the update", names(targets))
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let changes = scene.hands.changes();
            let reached: Vec<SlotId> = scene
                .targets
                .iter()
                .filter(|slot| changes.is_revised(slot, &self.of))
                .cloned()
                .collect();
            if reached.is_empty() {
                let why = format!("no slot runs what {} brought", self.of);
                return Err(FaultError::Fleet(why));
            }
            let revert = |slot: &SlotId| {
                changes.revert(slot, &self.of);
                Ok(())
            };
            self.renewed = self.pace.roll(scene, &reached, revert).await?;
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

/// Takes an update back.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "rollback",
        summary: "takes an earlier `rolling-update` back, batch by batch, on the slots that it reached; it needs no `target`",
        example: "[[fault]]\nname = \"new-version\"\nkind = \"rolling-update\"\ntarget = { role = \"server\", count = 2 }\nat = \"chaos + 500ms\"\ncommand = [\"mcpload\", \"serve\", \"server\", \"--echo-delay\", \"5ms\"]\nbatch = 2\ndrain = \"100ms\"\n[[fault]]\nname = \"old-version\"\nkind = \"rollback\"\nof = \"new-version\"\nat = \"chaos + 4s\"\nbatch = 2\ndrain = \"100ms\"",
        fields: &[
            Field {
                key: "of",
                ty: Ty::Name,
                need: Need::Required,
                summary: "the update that is taken back, and with it those after it on the same slots",
                example: "\"new-version\"",
                acts: Acts::Now,
            },
            BATCH,
            PAUSE,
            DRAIN,
            ORDER,
            GRACE,
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Rollback>()?)),
};
