//! `memory-hog`: a process beside the instance that holds memory and keeps it in use. It takes from the machine, not from a limit of
//! the instance; so it is refused where the machine would run out.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use tokio::time::Instant;

use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span, attempt_all, each};
use crate::fleet::Capability;
use crate::fleet::hog::{Hog, Order};
use crate::model::SlotId;
use crate::model::event::Effect;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Problem, Ty};

/// What must be left to the machine, bytes.
const RESERVE: u64 = 256 << 20;
/// How often the hog is looked at.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Deserialize)]
struct MemoryHog {
    size: u64,
    #[serde(skip)]
    hogs: Vec<(SlotId, Hog)>,
}

impl Fault for MemoryHog {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Hog]
    }

    fn span(&self) -> Span {
        Span::Lasting
    }

    fn undo(&self, _scene: &Scene<'_>) -> Undo {
        Undo::EndMarked
    }

    fn by_hand(&self, targets: &[SlotId]) -> String {
        let names: Vec<&str> = targets.iter().map(SlotId::as_str).collect();
        format!("no `mcpload hog` runs beside {}", names.join(", "))
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let targets = u64::try_from(scene.targets.len()).unwrap_or(u64::MAX);
            refuse(self.size.saturating_mul(targets), available()?)?;
            for slot in scene.targets {
                let order = Order {
                    bytes: self.size,
                    ..Order::default()
                };
                let hog = scene.hands.hog(slot, scene.fault, &order)?;
                self.hogs.push((slot.clone(), hog));
            }
            Ok(())
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let until = Instant::now() + scene.within;
            let mut proofs = Vec::new();
            for (slot, hog) in &self.hogs {
                let resident = loop {
                    let ended = || FaultError::Fleet(format!("the hog beside {slot} ended"));
                    let resident = hog.memory().ok_or_else(ended)?;
                    if resident >= self.size {
                        break resident;
                    }
                    if Instant::now() >= until {
                        return Err(FaultError::Unproven {
                            what: format!("{} bytes of the hog beside {slot}", self.size),
                            within: scene.within,
                        });
                    }
                    tokio::time::sleep(LOOK).await;
                };
                let effect = Effect {
                    what: format!("memory in use by the hog beside {slot}"),
                    unit: "MiB".to_owned(),
                    requested: mebibytes(self.size),
                    achieved: mebibytes(resident),
                };
                proofs.push(Proof {
                    words: format!("{} {:.0} MiB", effect.what, effect.achieved),
                    effects: vec![effect],
                });
            }
            Ok(Proof::join(proofs))
        })
    }

    fn still_acts<'a>(
        &'a mut self,
        _scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async {
            match self.hogs.iter().find(|(_, hog)| !hog.id().is_alive()) {
                Some((slot, _)) => Err(FaultError::Early(format!("the hog beside {slot} is gone"))),
                None => Ok(()),
            }
        })
    }

    fn heal<'a>(&'a mut self, _scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let mut ended = Vec::new();
            for (slot, hog) in &mut self.hogs {
                ended.push(hog.end().await.map_err(|error| {
                    FaultError::Fleet(format!("end of the hog beside {slot}: {error}"))
                }));
            }
            attempt_all(ended)
        })
    }

    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            if let Some((slot, _)) = self.hogs.iter().find(|(_, hog)| hog.id().is_alive()) {
                return Err(FaultError::Fleet(format!("the hog beside {slot} runs on")));
            }
            let answers = |slot| scene.hands.answers(slot, scene.within);
            let mut healed = Proof::join(each(scene.targets, answers).await?);
            healed.words = format!("no hog runs; {}", healed.words);
            Ok(healed)
        })
    }
}

/// Refuses what the machine has not.
fn refuse(wanted: u64, available: u64) -> Result<(), FaultError> {
    if wanted.saturating_add(RESERVE) <= available {
        return Ok(());
    }
    Err(FaultError::Fleet(format!(
        "{:.0} MiB are wanted, and of the {:.0} MiB that the machine has left {:.0} must stay free",
        mebibytes(wanted),
        mebibytes(available),
        mebibytes(RESERVE)
    )))
}

/// The bytes that the machine can still give without swapping.
fn available() -> Result<u64, FaultError> {
    let text = std::fs::read_to_string("/proc/meminfo")
        .map_err(|error| FaultError::Fleet(format!("cannot read /proc/meminfo: {error}")))?;
    parse(&text)
        .ok_or_else(|| FaultError::Fleet("/proc/meminfo does not say MemAvailable".to_owned()))
}

/// Reads `MemAvailable:   123456 kB`.
fn parse(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[expect(clippy::cast_precision_loss, reason = "bytes stay below 2^53")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Takes memory from what runs beside it.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "memory-hog",
        summary: "for `duration` holds memory of the machine beside the target's instance and keeps it in use; refused where less than that and 256 MiB are left",
        example: "[[fault]]\nname = \"memory-is-short\"\nkind = \"memory-hog\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\nsize = \"64MiB\"",
        fields: &[Field {
            key: "size",
            ty: Ty::Bytes,
            need: Need::Required,
            summary: "how much is held beside each target",
            example: "\"64MiB\"",
            acts: Acts::Now,
        }],
        validate: |with| match with.get("size").and_then(serde_json::Value::as_u64) {
            Some(0) => Err(Problem {
                key: "size",
                message: "expected more than nothing".to_owned(),
                hint: None,
            }),
            _ => Ok(()),
        },
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<MemoryHog>()?)),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_exhaust_the_machine_is_refused() {
        assert!(refuse(1 << 30, (1 << 30) + RESERVE).is_ok());
        assert!(refuse(1 << 30, (1 << 30) + RESERVE - 1).is_err());
        assert!(refuse(u64::MAX, 1 << 40).is_err());
    }

    #[test]
    fn what_is_available_is_read() {
        let text = "MemTotal:  100 kB\nMemFree:  10 kB\nMemAvailable:     40 kB\n";
        assert_eq!(parse(text), Some(40_960));
        assert_eq!(parse("MemTotal: 100 kB\n"), None);
        assert!(available().unwrap() > 0);
    }
}
