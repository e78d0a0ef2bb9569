//! `rolling-update`: a rolling restart into a second command, which later incarnations run, too.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

use super::super::terminate::GRACE;
use super::{BATCH, DRAIN, ORDER, PAUSE, Pace, Renewed, let_go, names, proof_of, settled};
use crate::fault::change::{Change, Revision};
use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Problem, Ty};

#[derive(Debug, Deserialize)]
struct RollingUpdate {
    command: Vec<String>,
    env: BTreeMap<String, String>,
    #[serde(flatten)]
    pace: Pace,
    #[serde(skip)]
    renewed: Vec<Renewed>,
}

impl Fault for RollingUpdate {
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
        Some(Change::Update {
            command: self.command.clone(),
            env: self.env.clone(),
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
        format!("{} run the second command", names(targets))
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let revise = |slot: &SlotId| {
                let revision = Revision {
                    by: scene.fault.to_owned(),
                    command: self.command.clone(),
                    env: self.env.clone(),
                };
                scene.hands.changes().revise(slot, revision)
            };
            self.renewed = self.pace.roll(scene, scene.targets, revise).await?;
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

/// Replaces what the targets run.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "rolling-update",
        summary: "a rolling restart into a second `command`; it stops where a new instance does not become ready, and what was updated stays so",
        example: "[[fault]]\nname = \"new-version\"\nkind = \"rolling-update\"\ntarget = { role = \"server\" }\nat = \"chaos + 1s\"\ncommand = [\"mcpload\", \"serve\", \"server\", \"--echo-delay\", \"5ms\"]\nenv = { RELEASE = \"2\" }\ndrain = \"300ms\"",
        fields: &[
            Field {
                key: "command",
                ty: Ty::List(&Ty::Text),
                need: Need::Required,
                summary: "program and arguments, with templates, in full: `args` of the role and its slots are not added",
                example: "[\"python3\", \"server2.py\", \"--port\", \"{{ slot.port }}\"]",
                acts: Acts::Now,
            },
            Field {
                key: "env",
                ty: Ty::Map(&Ty::Text),
                need: Need::Default("{}"),
                summary: "environment variables, added to those of the slot",
                example: "{ RELEASE = \"2\" }",
                acts: Acts::Now,
            },
            BATCH,
            PAUSE,
            DRAIN,
            ORDER,
            GRACE,
        ],
        validate: has_a_program,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<RollingUpdate>()?)),
};

fn has_a_program(with: &Value) -> Result<(), Problem> {
    let command = with.get("command").and_then(Value::as_array);
    if command.is_some_and(|command| !command.is_empty()) {
        return Ok(());
    }
    Err(Problem {
        key: "command",
        message: "expected at least a program".to_owned(),
        hint: None,
    })
}
