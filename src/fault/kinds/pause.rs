//! `pause`: SIGSTOP to every process of the instance, and SIGCONT when its time is over. Its connections stay open and its port
//! accepts, as the kernel does both; nothing answers.

use std::time::Duration;

use futures_util::future::BoxFuture;
use nix::sys::signal::Signal;
use serde::Deserialize;

use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span, attempt_all, each};
use crate::fleet::Capability;
use crate::fleet::proc::ProcessId;
use crate::model::SlotId;
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(2);
/// How long it may take until all of them stand, or go on.
const SETTLE: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
struct Pause {
    /// What was seen to stand.
    #[serde(skip)]
    stopped: Vec<ProcessId>,
}

impl Fault for Pause {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Pause]
    }

    fn span(&self) -> Span {
        Span::Lasting
    }

    fn undo(&self, scene: &Scene<'_>) -> Undo {
        Undo::Continue {
            processes: processes(scene),
        }
    }

    fn by_hand(&self, targets: &[SlotId]) -> String {
        let names: Vec<&str> = targets.iter().map(SlotId::as_str).collect();
        format!(
            "every process of {} goes on (kill -CONT PID)",
            names.join(", ")
        )
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            each(scene.targets, |slot| async move {
                if scene.hands.processes(slot).is_empty() {
                    return Err(FaultError::Down(slot.clone()));
                }
                signal(scene, slot, Signal::SIGSTOP)
            })
            .await?;
            Ok(())
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let stopped = each(scene.targets, |slot| async move {
                // A process that was just being forked is stopped by the next look.
                settle(scene, slot, Signal::SIGSTOP, true).await?;
                let count = scene.hands.processes(slot).len();
                Ok(Proof::of(format!(
                    "{count} {} of {} stopped",
                    if count == 1 { "process" } else { "processes" },
                    instance(scene, slot)
                )))
            });
            let proof = Proof::join(stopped.await?);
            self.stopped = processes(scene);
            Ok(proof)
        })
    }

    fn still_acts<'a>(
        &'a mut self,
        _scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async {
            match self.stopped.iter().find(|process| !process.is_stopped()) {
                Some(process) if process.is_alive() => Err(FaultError::Early(format!(
                    "process {} goes on",
                    process.pid
                ))),
                Some(process) => Err(FaultError::Early(format!(
                    "process {} is gone",
                    process.pid
                ))),
                None => Ok(()),
            }
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let all = processes(scene).into_iter();
            attempt_all(all.map(|process| send(process, Signal::SIGCONT)))
        })
    }

    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let going = each(scene.targets, |slot| async move {
                settle(scene, slot, Signal::SIGCONT, false).await?;
                scene.hands.answers(slot, scene.within).await
            });
            Ok(Proof::join(going.await?))
        })
    }
}

fn processes(scene: &Scene<'_>) -> Vec<ProcessId> {
    let all = scene.targets.iter();
    all.flat_map(|slot| scene.hands.processes(slot)).collect()
}

fn instance(scene: &Scene<'_>, slot: &SlotId) -> String {
    let instance = scene.hands.instance(slot);
    instance.map_or_else(|| slot.to_string(), |instance| instance.to_string())
}

fn signal(scene: &Scene<'_>, slot: &SlotId, signal: Signal) -> Result<(), FaultError> {
    let mut all = scene.hands.processes(slot).into_iter();
    all.try_for_each(|process| send(process, signal))
}

fn send(process: ProcessId, signal: Signal) -> Result<(), FaultError> {
    // One that ended meanwhile needs no signal.
    let sent = process.signal(signal).map(drop);
    sent.map_err(|error| FaultError::Fleet(format!("{signal} to process {}: {error}", process.pid)))
}

/// Sends the signal until every process of the slot stands (`stopped`), or none does.
async fn settle(
    scene: &Scene<'_>,
    slot: &SlotId,
    with: Signal,
    stopped: bool,
) -> Result<(), FaultError> {
    let until = tokio::time::Instant::now() + SETTLE.min(scene.within);
    loop {
        let others: Vec<ProcessId> = scene
            .hands
            .processes(slot)
            .into_iter()
            .filter(|process| process.is_stopped() != stopped)
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        for process in &others {
            send(*process, with)?;
        }
        if tokio::time::Instant::now() >= until {
            let state = if stopped { "standstill" } else { "going on" };
            return Err(FaultError::Unproven {
                what: format!("the {state} of {} processes of {slot}", others.len()),
                within: SETTLE.min(scene.within),
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Stops every process of the targets' instances for a time.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "pause",
        summary: "stops every process of the target's instance (SIGSTOP) and lets it go on after `duration`: a server that hangs, its connections open",
        example: "[[fault]]\nname = \"one-hangs\"\nkind = \"pause\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 3s\"\nduration = \"3s\"",
        fields: &[],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Pause>()?)),
};
