//! `cpu-hog`: threads beside the instance that spin, on the processors that the fleet has, and so not on those of the load.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use tokio::time::Instant;

use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span, attempt_all, each};
use crate::fleet::Capability;
use crate::fleet::hog::{Hog, Order};
use crate::model::event::Effect;
use crate::model::{Share, SlotId};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

/// The part of what it could use at most that a hog must be seen to use: it shares the processors with the whole fleet.
const ENOUGH: f64 = 0.25;
/// How long the hog is watched for the proof: the kernel counts in hundredths of a second.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Deserialize)]
struct CpuHog {
    cores: u32,
    load: Share,
    #[serde(skip)]
    hogs: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    slot: SlotId,
    hog: Hog,
    since: Instant,
    /// Milliseconds of processor time a second, over its whole life; once it has ended.
    used: Option<f64>,
}

impl Running {
    /// The processor time that it used, seconds.
    fn seconds(&self) -> Result<f64, FaultError> {
        let usage = self.hog.usage();
        let ended = || FaultError::Fleet(format!("the hog beside {} ended", self.slot));
        Ok(usage.ok_or_else(ended)?.cpu_seconds)
    }
}

impl Fault for CpuHog {
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
            for slot in scene.targets {
                let order = Order {
                    threads: self.cores,
                    permille: permille(self.load),
                    ..Order::default()
                };
                let hog = scene.hands.hog(slot, scene.fault, &order)?;
                self.hogs.push(Running {
                    slot: slot.clone(),
                    hog,
                    since: Instant::now(),
                    used: None,
                });
            }
            Ok(())
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let until = Instant::now() + scene.within;
            loop {
                let (from, before) = (Instant::now(), self.seconds()?);
                tokio::time::sleep(LOOK).await;
                let after = self.seconds()?;
                let took = from.elapsed().as_secs_f64();
                let used = self.hogs.iter().zip(before.iter().zip(&after));
                let effects: Vec<Effect> = used
                    .map(|(running, (before, after))| {
                        self.effect(&running.slot, "at first", (after - before) / took * 1e3)
                    })
                    .collect();
                let could = self.possible();
                if effects
                    .iter()
                    .all(|effect| effect.achieved >= could * ENOUGH)
                {
                    return Ok(proof(effects));
                }
                if Instant::now() >= until {
                    return Err(FaultError::Unproven {
                        what: format!("the use of {:.0} ms/s by each hog", could * ENOUGH),
                        within: scene.within,
                    });
                }
            }
        })
    }

    fn still_acts<'a>(
        &'a mut self,
        _scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async {
            match self
                .hogs
                .iter()
                .find(|running| !running.hog.id().is_alive())
            {
                Some(gone) => Err(FaultError::Early(format!(
                    "the hog beside {} is gone",
                    gone.slot
                ))),
                None => Ok(()),
            }
        })
    }

    fn heal<'a>(&'a mut self, _scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let mut ended = Vec::new();
            for running in &mut self.hogs {
                if running.used.is_none() {
                    let seconds = running.seconds().unwrap_or_default();
                    running.used = Some(seconds / running.since.elapsed().as_secs_f64() * 1e3);
                }
                ended.push(running.hog.end().await.map_err(|error| {
                    FaultError::Fleet(format!("end of the hog beside {}: {error}", running.slot))
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
            if let Some(left) = self.hogs.iter().find(|running| running.hog.id().is_alive()) {
                let slot = &left.slot;
                return Err(FaultError::Fleet(format!("the hog beside {slot} runs on")));
            }
            let answers = |slot| scene.hands.answers(slot, scene.within);
            let mut healed = Proof::join(each(scene.targets, answers).await?);
            healed.words = format!("no hog runs; {}", healed.words);
            let used = self
                .hogs
                .iter()
                .filter_map(|running| Some(self.effect(&running.slot, "in all", running.used?)));
            healed.effects = used.collect();
            Ok(healed)
        })
    }
}

impl CpuHog {
    /// The processor time that each hog used, seconds.
    fn seconds(&self) -> Result<Vec<f64>, FaultError> {
        self.hogs.iter().map(Running::seconds).collect()
    }

    /// What each hog could use at most, milliseconds of processor time a second: no more than was asked for, nor its part of the
    /// processors.
    fn possible(&self) -> f64 {
        let processors = self
            .hogs
            .first()
            .map_or(1, |running| running.hog.processors());
        let processors = f64::from(u32::try_from(processors).unwrap_or(u32::MAX));
        let hogs = f64::from(u32::try_from(self.hogs.len()).unwrap_or(u32::MAX));
        let asked = f64::from(self.cores) * self.load.ratio() * 1e3;
        asked.min(processors * 1e3 / hogs)
    }

    fn effect(&self, slot: &SlotId, when: &str, achieved: f64) -> Effect {
        Effect {
            what: format!("processor time of the hog beside {slot}, {when}"),
            unit: "ms/s".to_owned(),
            requested: f64::from(self.cores) * self.load.ratio() * 1e3,
            achieved,
        }
    }
}

fn proof(effects: Vec<Effect>) -> Proof {
    let words: Vec<String> = effects
        .iter()
        .map(|effect| {
            format!(
                "{} {:.0} of {:.0} ms/s",
                effect.what, effect.achieved, effect.requested
            )
        })
        .collect();
    Proof {
        words: words.join("; "),
        effects,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is from 0 to 1"
)]
fn permille(load: Share) -> u32 {
    (load.ratio() * 1000.0).round() as u32
}

/// Takes processor time from the targets.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "cpu-hog",
        summary: "for `duration` takes processor time from the target's instance: threads that spin beside it, on the processors of the fleet",
        example: "[[fault]]\nname = \"one-is-starved\"\nkind = \"cpu-hog\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\ncores = 2",
        fields: &[
            Field {
                key: "cores",
                ty: Ty::Integer { min: 1, max: 256 },
                need: Need::Default("1"),
                summary: "how many threads spin beside each target, each of which can fill a processor",
                example: "2",
                acts: Acts::Now,
            },
            Field {
                key: "load",
                ty: Ty::Share,
                need: Need::Default("\"100%\""),
                summary: "which part of each 10 ms each thread spins",
                example: "\"50%\"",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<CpuHog>()?)),
};
