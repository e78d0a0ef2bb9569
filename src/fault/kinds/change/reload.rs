//! `reload`: renders the files of an instance anew and has it read them, as an operator does who edits a balancer's configuration.
//!
//! Proof: where an instance has several processes, some are new (as nginx's workers are); the instance is the same, and answers.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{names, settled};
use crate::fault::change::{Change, Way};
use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span, each};
use crate::fleet::Capability;
use crate::fleet::proc::ProcessId;
use crate::model::{InstanceId, SlotId};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Problem, Ty};

/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long new processes may take.
const NEW: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
struct Reload {
    signal: Option<String>,
    command: Option<Vec<String>>,
    /// What ran before, by target.
    #[serde(skip)]
    before: Vec<(Option<InstanceId>, Vec<ProcessId>)>,
    /// What was done, in words.
    #[serde(skip)]
    done: Vec<String>,
}

impl Fault for Reload {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Deploy]
    }

    fn span(&self) -> Span {
        Span::Once
    }

    fn planned(&self) -> bool {
        true
    }

    fn change(&self) -> Option<Change> {
        Some(Change::Reload {
            says_how: self.signal.is_some() || self.command.is_some(),
        })
    }

    fn undo(&self, _scene: &Scene<'_>) -> Undo {
        Undo::Nothing
    }

    fn by_hand(&self, targets: &[SlotId]) -> String {
        format!("{} have read their configuration", names(targets))
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let running = |slot| (scene.hands.instance(slot), scene.hands.processes(slot));
            self.before = scene.targets.iter().map(running).collect();
            let way = self.way();
            let reload = |slot| scene.hands.changes().reload(slot, &way);
            self.done = each(scene.targets, reload).await?;
            Ok(())
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let mut proofs = Vec::new();
            let targets = scene.targets.iter().zip(&self.before).zip(&self.done);
            for ((slot, (instance, before)), done) in targets {
                let seen = self.renewed(scene, slot, before).await?;
                scene.hands.answers(slot, scene.within).await?;
                if scene.hands.instance(slot) != *instance {
                    return Err(FaultError::Fleet(format!("{slot} did not survive it")));
                }
                proofs.push(Proof::of(format!("{done}; {seen}; it answers")));
            }
            Ok(Proof::join(proofs))
        })
    }

    fn heal<'a>(&'a mut self, _scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async { Ok(()) })
    }

    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(settled(scene, scene.targets))
    }
}

impl Reload {
    fn way(&self) -> Way {
        match (&self.command, &self.signal) {
            (Some(command), _) => Way::Command(command.clone()),
            (None, Some(signal)) => Way::Signal(signal.clone()),
            (None, None) => Way::Configured,
        }
    }

    /// What became of the processes. That a signal to several changed nothing is no proof.
    async fn renewed(
        &self,
        scene: &Scene<'_>,
        slot: &SlotId,
        before: &[ProcessId],
    ) -> Result<String, FaultError> {
        if before.len() <= 1 {
            return Ok("it goes on as one process".to_owned());
        }
        let within = NEW.min(scene.within);
        let deadline = Instant::now() + within;
        loop {
            let now = scene.hands.processes(slot);
            let new = now.iter().filter(|process| !before.contains(process));
            let new = new.count();
            if new > 0 {
                return Ok(format!("processes that are new: {new} of {}", now.len()));
            }
            if Instant::now() >= deadline {
                break;
            }
            sleep(LOOK).await;
        }
        if self.way() == Way::Configured || self.command.is_some() {
            return Ok("its processes stayed".to_owned());
        }
        Err(FaultError::Unproven {
            what: format!("a new process of {slot}"),
            within,
        })
    }
}

fn one_way(with: &Value) -> Result<(), Problem> {
    let given = |key| with.get(key).is_some_and(|value| !value.is_null());
    let problem = |key, message: &str| {
        Err(Problem {
            key,
            message: message.to_owned(),
            hint: None,
        })
    };
    if given("signal") && given("command") {
        return problem("signal", "expected `signal` or `command`, not both");
    }
    let command = with.get("command").and_then(Value::as_array);
    if command.is_some_and(Vec::is_empty) {
        return problem("command", "expected at least a program");
    }
    Ok(())
}

/// Has the targets read their configuration.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "reload",
        summary: "renders the target's files anew and has it read them: by `signal`, by `command`, or as `members` of its role says",
        example: "[[fault]]\nname = \"reread\"\nkind = \"reload\"\ntarget = { role = \"balancer\" }\nat = \"chaos + 1s\"\nsignal = \"HUP\"",
        fields: &[
            Field {
                key: "signal",
                ty: Ty::OneOf(&["HUP", "USR1", "USR2"]),
                need: Need::Optional,
                summary: "the signal that its first process gets",
                example: "\"HUP\"",
                acts: Acts::Now,
            },
            Field {
                key: "command",
                ty: Ty::List(&Ty::Text),
                need: Need::Optional,
                summary: "a command that is run in the slot's environment and directory, with templates; `MCPLOAD_PID` is the number of the instance's first process",
                example: "[\"nginx\", \"-p\", \"{{ slot.dir }}\", \"-s\", \"reload\"]",
                acts: Acts::Now,
            },
        ],
        validate: one_way,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Reload>()?)),
};
