//! `command`: a fault of the user's own. Programs of the scenario do it, prove it and undo it.
//!
//! Impure. `inject` acts; it has acted when it ends with code 0. `probe` is the proof: it is asked again and again until it ends
//! with code 0. With `heal` the fault lasts, and `heal` is in the undo journal before the act, so that others can run it. What
//! the commands leave running is ended before `heal` is run. How one is run: `run`.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use self::run::{Ended, Task, end_marked, resolved};
use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::model::quantity::duration_text;
use crate::model::time::humane;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Problem, Ty};

mod run;

/// The pause between two asks of a probe.
const PAUSE: Duration = Duration::from_millis(100);
/// How long what the commands left running may take to end.
const LEFT: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
struct Own {
    inject: Vec<String>,
    probe: Vec<String>,
    heal: Option<Vec<String>>,
    healed_probe: Option<Vec<String>>,
    #[serde(with = "duration_text")]
    within: Duration,
    /// What the commands are told, as it was before the act.
    #[serde(skip)]
    variables: OnceLock<BTreeMap<String, String>>,
    /// Until when it must be proven that it is healed.
    #[serde(skip)]
    healed_by: Option<Instant>,
}

impl Own {
    fn variables(&self, scene: &Scene<'_>) -> &BTreeMap<String, String> {
        self.variables.get_or_init(|| variables(scene))
    }

    async fn run(
        &self,
        scene: &Scene<'_>,
        step: &str,
        command: &[String],
        within: Duration,
    ) -> Result<Ended, FaultError> {
        let task = Task {
            step,
            command,
            variables: self.variables(scene),
            fault: scene.fault,
            site: scene.site,
            within,
        };
        task.run().await
    }

    /// Asks a probe until it ends as it should: with code 0 if `wanted`, else with any other.
    async fn ask(
        &self,
        scene: &Scene<'_>,
        step: &str,
        command: &[String],
        wanted: bool,
        until: Instant,
    ) -> Result<Proof, FaultError> {
        let from = Instant::now();
        for times in 1_u32.. {
            let left = until.saturating_duration_since(Instant::now());
            let ended = self.run(scene, step, command, left.max(PAUSE)).await?;
            if ended.is_well() == wanted {
                let after = humane(from.elapsed());
                let asked = match times {
                    1 => format!("asked once, after {after}"),
                    _ => format!("asked {times} times, after {after}"),
                };
                return Ok(Proof::of(format!("`{step}` {ended} ({asked})")));
            }
            if Instant::now() + PAUSE >= until {
                let should = if wanted { "succeed" } else { "fail" };
                let within = humane(from.elapsed());
                return Err(FaultError::Fleet(format!(
                    "`{step}` did not {should} within {within}: at last it {ended}"
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(FaultError::Fleet(format!("`{step}` was asked in vain")))
    }
}

/// What the commands are told of what they act on.
fn variables(scene: &Scene<'_>) -> BTreeMap<String, String> {
    let names: Vec<&str> = scene.targets.iter().map(SlotId::as_str).collect();
    let mut told = BTreeMap::from([
        ("MCPLOAD_TARGETS".to_owned(), names.join(" ")),
        ("MCPLOAD_SEED".to_owned(), scene.seed.0.to_string()),
    ]);
    for (number, slot) in (1..).zip(scene.targets) {
        let mut tell = |what: &str, value: String| {
            told.insert(format!("MCPLOAD_{what}_{number}"), value);
        };
        tell("TARGET", slot.to_string());
        let instance = scene.hands.instance(slot);
        let instance = instance.map(|instance| instance.to_string());
        tell("INSTANCE", instance.unwrap_or_default());
        let address = scene.hands.address(slot);
        let address = address.map(|address| address.to_string());
        tell("ADDRESS", address.unwrap_or_default());
        let processes = scene.hands.processes(slot);
        let processes = processes.iter().map(|id| id.pid.to_string());
        tell("PIDS", processes.collect::<Vec<String>>().join(" "));
    }
    told
}

impl Fault for Own {
    fn needs(&self) -> &'static [Capability] {
        &[]
    }

    fn span(&self) -> Span {
        match self.heal {
            Some(_) => Span::Lasting,
            None => Span::Once,
        }
    }

    fn aims(&self) -> bool {
        false
    }

    fn takes_at_most(&self) -> Duration {
        self.within * 2
    }

    fn undo(&self, scene: &Scene<'_>) -> Undo {
        let Some(heal) = &self.heal else {
            return Undo::EndMarked;
        };
        let mut environment = self.variables(scene).clone();
        environment.insert(run::STEP.to_owned(), "heal".to_owned());
        Undo::Command {
            command: resolved(heal, scene.site),
            environment,
            directory: scene.site.scenario.to_string_lossy().into_owned(),
            within: scene.within,
        }
    }

    fn by_hand(&self, _: &[SlotId]) -> String {
        match (&self.healed_probe, &self.heal) {
            (Some(probe), _) => format!("`{}` succeeds", probe.join(" ")),
            (None, Some(_)) => format!("`{}` fails", self.probe.join(" ")),
            (None, None) => format!("nothing is left running of `{}`", self.inject.join(" ")),
        }
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let ended = self.run(scene, "inject", &self.inject, self.within).await?;
            if ended.is_well() {
                return Ok(());
            }
            Err(FaultError::Fleet(format!("`inject` {ended}")))
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let until = Instant::now() + self.within;
            self.ask(scene, "probe", &self.probe, true, until).await
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            self.healed_by = Some(Instant::now() + scene.within);
            end_marked(scene.site, scene.fault, LEFT).await?;
            let Some(heal) = &self.heal else {
                return Ok(());
            };
            let ended = self.run(scene, "heal", heal, scene.within).await?;
            if ended.is_well() {
                return Ok(());
            }
            Err(FaultError::Fleet(format!("`heal` {ended}")))
        })
    }

    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let until = self.healed_by.unwrap_or_else(Instant::now);
            match (&self.healed_probe, &self.heal) {
                (Some(probe), _) => self.ask(scene, "healed_probe", probe, true, until).await,
                (None, Some(_)) => self.ask(scene, "probe", &self.probe, false, until).await,
                (None, None) => Ok(Proof::of("one act: there is nothing to undo")),
            }
        })
    }
}

/// Refuses commands without a program.
fn validate(with: &Value) -> Result<(), Problem> {
    for key in ["inject", "probe", "heal", "healed_probe"] {
        let Some(words) = with.get(key).and_then(Value::as_array) else {
            continue;
        };
        let program = words.first().and_then(Value::as_str).unwrap_or_default();
        if program.is_empty() {
            return Err(Problem {
                key,
                message: "expected a program and its arguments".to_owned(),
                hint: Some("for a line of a shell: `[\"sh\", \"-c\", \"LINE\"]`".to_owned()),
            });
        }
    }
    Ok(())
}

const fn command(
    key: &'static str,
    need: Need,
    summary: &'static str,
    example: &'static str,
) -> Field {
    Field {
        key,
        ty: Ty::List(&Ty::Text),
        need,
        summary,
        example,
        acts: Acts::Now,
    }
}

/// Programs of the user's own.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "command",
        summary: "programs of your own do it, prove it and undo it, on a target or on something outside of the fleet, each bounded in time",
        example: "[[fault]]\nname = \"own-pause\"\nkind = \"command\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\ninject = [\"sh\", \"-c\", \"kill -STOP $MCPLOAD_PIDS_1\"]\nprobe = [\"sh\", \"-c\", \"grep -q ^State:.T /proc/${MCPLOAD_PIDS_1%% *}/status\"]\nheal = [\"sh\", \"-c\", \"kill -CONT $MCPLOAD_PIDS_1\"]",
        fields: &[
            command(
                "inject",
                Need::Required,
                "what acts: program and arguments, no shell, run in the scenario's directory; it has acted when it ends with code 0, and what it left running is ended when the fault is healed. All commands are told the target in variables, as it was before the act: MCPLOAD_TARGETS (`server-1 server-2`) and for each of them, counted from 1, MCPLOAD_TARGET_1, MCPLOAD_INSTANCE_1, MCPLOAD_ADDRESS_1, MCPLOAD_PIDS_1; and MCPLOAD_RUN, MCPLOAD_FAULT, MCPLOAD_STEP, MCPLOAD_SEED",
                "[\"./cut-the-cable\", \"eth1\"]",
            ),
            command(
                "probe",
                Need::Required,
                "what proves that it acts, by code 0; asked again until then, or until `within` is over",
                "[\"./is-it-cut\", \"eth1\"]",
            ),
            command(
                "heal",
                Need::Optional,
                "what undoes it after `duration`, within `heal_within`; it may be run more than once, and without the run. What it starts and is to outlive the run must not have MCPLOAD_RUN in its environment (`env -u MCPLOAD_RUN`). Without it the fault is one act",
                "[\"./mend-the-cable\", \"eth1\"]",
            ),
            command(
                "healed_probe",
                Need::Optional,
                "what proves that it is healed, by code 0; where there is `heal` and not this, `probe` must fail",
                "[\"ping\", \"-c\", \"1\", \"10.0.0.1\"]",
            ),
            Field {
                key: "within",
                ty: Ty::Duration {
                    min: 10_000_000,
                    max: 600_000_000_000,
                },
                need: Need::Default("\"10s\""),
                summary: "how long `inject` may take, and then until `probe` succeeds; what takes longer is ended with all that it started, and the fault has failed",
                example: "\"10s\"",
                acts: Acts::Now,
            },
        ],
        validate,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Own>()?)),
};
