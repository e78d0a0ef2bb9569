//! `open-files`: the instance may open no more files than it has: it can accept no connection and open none, while those that it
//! has go on.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span, attempt_all, each};
use crate::fleet::Capability;
use crate::fleet::proc::ProcessId;
use crate::fleet::proc::files::{self, Limit};
use crate::model::SlotId;
use crate::model::event::Effect;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

/// A connection that is not answered for so long is not served.
const UNSERVED: Duration = Duration::from_secs(1);
/// So many connections more than are left may be served: others were closed meanwhile.
const CLOSED_MEANWHILE: u32 = 256;

#[derive(Debug, Deserialize)]
struct OpenFiles {
    left: u32,
    /// The limit as it was.
    #[serde(skip)]
    before: Option<Limit>,
}

impl Fault for OpenFiles {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Limit]
    }

    fn span(&self) -> Span {
        Span::Lasting
    }

    fn undo(&self, scene: &Scene<'_>) -> Undo {
        let processes = processes(scene);
        // Without a process there is no act: it fails for the same reason.
        let Some(limit) = processes.first().copied().and_then(files::limit) else {
            return Undo::Nothing;
        };
        Undo::OpenFiles {
            processes,
            soft: limit.soft,
            hard: limit.hard,
        }
    }

    fn by_hand(&self, targets: &[SlotId]) -> String {
        let names: Vec<&str> = targets.iter().map(SlotId::as_str).collect();
        let limit = self.before.map_or_else(
            || "as before".to_owned(),
            |limit| format!("--nofile={}:{}", limit.soft, limit.hard),
        );
        format!(
            "every process of {} may open files again (prlimit --pid PID {limit})",
            names.join(", ")
        )
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            if let Some(down) = scene
                .targets
                .iter()
                .find(|slot| scene.hands.processes(slot).is_empty())
            {
                return Err(FaultError::Down(down.clone()));
            }
            let processes = processes(scene);
            let mut limits = processes.iter().copied().filter_map(files::limit);
            let first = limits.next().ok_or_else(|| {
                FaultError::Fleet("no process shows its limit of open files".to_owned())
            })?;
            if limits.any(|limit| limit != first) {
                // One undo for all would set some of them wrong.
                return Err(FaultError::Fleet(
                    "the processes have different limits of open files".to_owned(),
                ));
            }
            self.before = Some(first);
            for process in processes {
                let next = files::next(&files::open(process));
                let soft = next.saturating_add(u64::from(self.left)).min(first.soft);
                set(process, Limit { soft, ..first })?;
            }
            Ok(())
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        let (before, left) = (self.before, self.left);
        Box::pin(async move {
            let proofs = each(scene.targets, |slot| exhausted(scene, slot, before, left));
            Ok(Proof::join(proofs.await?))
        })
    }

    fn still_acts<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let before = self.before.map(|before| before.soft);
            let as_before = |process: &ProcessId| {
                let limit = files::limit(*process);
                limit.is_none_or(|limit| Some(limit.soft) >= before)
            };
            match processes(scene).into_iter().find(as_before) {
                Some(process) => Err(FaultError::Early(format!(
                    "process {} may open as many files as before",
                    process.pid
                ))),
                None => Ok(()),
            }
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let Some(before) = self.before else {
                return Ok(());
            };
            // Those that were forked meanwhile have inherited it.
            let all = processes(scene).into_iter();
            attempt_all(all.map(|process| set(process, before)))
        })
    }

    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            for process in processes(scene) {
                let limit = files::limit(process);
                if limit.is_some() && self.before.is_some() && limit != self.before {
                    return Err(FaultError::Fleet(format!(
                        "process {} has another limit of open files than before",
                        process.pid
                    )));
                }
            }
            let answers = |slot| scene.hands.answers(slot, scene.within);
            let mut healed = Proof::join(each(scene.targets, answers).await?);
            if let Some(before) = self.before {
                healed.words = format!("the limit is {} again; {}", before.soft, healed.words);
            }
            Ok(healed)
        })
    }
}

fn processes(scene: &Scene<'_>) -> Vec<ProcessId> {
    let all = scene.targets.iter();
    all.flat_map(|slot| scene.hands.processes(slot)).collect()
}

fn set(process: ProcessId, limit: Limit) -> Result<(), FaultError> {
    let set = files::set_limit(process, limit).map(drop);
    set.map_err(|error| {
        FaultError::Fleet(format!(
            "limit of open files of process {}: {error}",
            process.pid
        ))
    })
}

/// Sees that the limit acts: it shows, and a connection is not served.
async fn exhausted(
    scene: &Scene<'_>,
    slot: &SlotId,
    before: Option<Limit>,
    left: u32,
) -> Result<Proof, FaultError> {
    let mut free = 0;
    let mut least = u64::MAX;
    for process in scene.hands.processes(slot) {
        let Some(limit) = files::limit(process) else {
            continue;
        };
        if before.is_some_and(|before| limit.soft >= before.soft) {
            return Err(FaultError::Fleet(format!(
                "process {} of {slot} may open {} files as before",
                process.pid, limit.soft
            )));
        }
        least = least.min(limit.soft);
        let open = files::open(process).len() as u64;
        free = free.max(limit.soft.saturating_sub(open));
    }
    let address = scene.hands.address(slot);
    let address = address.ok_or_else(|| FaultError::Down(slot.clone()))?;
    let most = left.saturating_add(CLOSED_MEANWHILE);
    let served = unserved(address, most).await;
    let served = served.ok_or_else(|| FaultError::Unproven {
        what: format!("a connection that {slot} does not serve, of {most},"),
        within: UNSERVED,
    })?;
    Ok(Proof {
        words: format!(
            "{slot} may have {least} files and did not serve a new connection after {served} others"
        ),
        effects: vec![Effect {
            what: format!("files that {slot} may still open"),
            unit: "files".to_owned(),
            requested: f64::from(left),
            achieved: f64::from(u32::try_from(free).unwrap_or(u32::MAX)),
        }],
    })
}

/// Opens connections and keeps them until one is not served; how many were. None if `most` were.
async fn unserved(address: SocketAddr, most: u32) -> Option<usize> {
    let mut held = Vec::new();
    while held.len() < most as usize {
        match timeout(UNSERVED, knock(address)).await {
            Ok(Ok(stream)) => held.push(stream),
            // Refused, cut, or left without an answer.
            Ok(Err(_)) | Err(_) => return Some(held.len()),
        }
    }
    None
}

/// A connection on which the server said something. What it says to this question does not matter: HTTP or not, it took note.
async fn knock(address: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let question = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut one = [0];
    stream.read_exact(&mut one).await?;
    Ok(stream)
}

/// Lets the targets open no more files.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "open-files",
        summary: "for `duration` lowers the limit of open files of the target's instance to what it has: it can accept and open no more connections",
        example: "[[fault]]\nname = \"one-is-full\"\nkind = \"open-files\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"",
        fields: &[Field {
            key: "left",
            ty: Ty::Integer { min: 0, max: 1000 },
            need: Need::Default("0"),
            summary: "how many more files it may open; those that it closes come on top",
            example: "2",
            acts: Acts::Now,
        }],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<OpenFiles>()?)),
};
