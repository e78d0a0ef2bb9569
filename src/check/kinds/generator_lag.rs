//! `generator-lag`: mcpload itself sent its load in time.
//!
//! Pure. Its failure says nothing of the fleet: the run is no measurement (exit code 7).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, PhaseStats};
use crate::check::words::nanos;
use crate::check::{Answer, Category, Check, Dependence, Finding};
use crate::model::quantity::duration_text;
use crate::model::time::humane;
use crate::plan::CheckPlan;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct GeneratorLag {
    #[serde(with = "duration_text")]
    max: Duration,
}

impl GeneratorLag {
    fn answer(&self, phases: &[&PhaseStats]) -> (Answer, String) {
        let promised = format!("allowed at most {}", humane(self.max));
        if !phases.is_empty()
            && phases
                .iter()
                .all(|phase| phase.closed && phase.lag.samples == 0)
        {
            let headline = "the closed model has no schedule to be late for";
            return (Answer::Pass, headline.to_owned());
        }
        let idle = |phase: &&PhaseStats| phase.closed || phase.intended == Some(0);
        if !phases.is_empty()
            && phases.iter().all(idle)
            && phases.iter().all(|phase| phase.lag.samples == 0)
        {
            let headline = "nothing was to be released, so nothing could be late";
            return (Answer::Pass, headline.to_owned());
        }
        let worst = phases
            .iter()
            .filter_map(|phase| Some((phase.lag.p99_ns?, &phase.name)))
            .max_by_key(|(lag, _)| *lag);
        let Some((lag, phase)) = worst else {
            let headline = format!("no arrival was released, so no lag was measured, {promised}");
            return (Answer::Inconclusive, headline);
        };
        let headline = format!(
            "mcpload's own lag p99 is {} in `{phase}`, {promised}",
            nanos(lag)
        );
        if Duration::from_nanos(lag) <= self.max {
            (Answer::Pass, headline)
        } else {
            (Answer::Fail, headline)
        }
    }
}

impl Check for GeneratorLag {
    fn evaluate(&self, plan: &CheckPlan, analysis: &Analysis) -> Finding {
        let phases: Vec<&PhaseStats> = analysis
            .phases
            .iter()
            .filter(|phase| phase.measured)
            .collect();
        let (answer, headline) = self.answer(&phases);
        let line = |phase: &&PhaseStats| {
            let [p50, p99, max] = [phase.lag.p50_ns, phase.lag.p99_ns, phase.lag.max_ns]
                .map(|value| value.map_or_else(|| "-".to_owned(), nanos));
            format!("`{}`: p50 {p50}, p99 {p99}, greatest {max}", phase.name)
        };
        Finding {
            name: plan.name.clone(),
            kind: plan.spec.kind.clone(),
            category: Category::Validity,
            answer,
            headline,
            evidence: phases.iter().map(line).collect(),
            samples: phases.iter().map(|phase| phase.lag.samples).sum(),
            load_can_cause: false,
            depends_on: Dependence::default(),
            line: plan.line,
        }
    }
}

/// The generator's own lag.
pub(super) const KIND: Kind<dyn Check> = Kind {
    info: KindInfo {
        name: "generator-lag",
        summary: "mcpload's own lateness (99th percentile, in each measured phase) stays below a limit; else the run is no measurement",
        example: "[[check]]\nkind = \"generator-lag\"\nmax = \"50ms\"",
        fields: &[Field {
            key: "max",
            ty: Ty::Duration {
                min: 1_000,
                max: 60_000_000_000,
            },
            need: Need::Default("\"50ms\""),
            summary: "the greatest 99th percentile of the time from an arrival's due time to its release",
            example: "\"50ms\"",
            acts: Acts::Now,
        }],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<GeneratorLag>()?)),
};
