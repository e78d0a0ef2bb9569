//! `wrong-answers`: nobody got an answer that was not theirs, or not right.
//!
//! Pure. No load makes an answer wrong, so a failure stands in a run that is otherwise no measurement (exit code 6).

use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, ErrorStats};
use crate::check::words::{count, plural};
use crate::check::{Answer, Category, Check, Dependence, Finding};
use crate::plan::CheckPlan;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct WrongAnswers {
    max: u64,
}

/// Where a kind of wrong answer came from, and when.
fn line(error: &ErrorStats) -> String {
    let slots: Vec<String> = error
        .by_slot
        .iter()
        .take(5)
        .map(|(slot, calls)| match slot.as_str() {
            "" => format!("unknown {}", count(*calls)),
            slot => format!("{slot} {}", count(*calls)),
        })
        .collect();
    format!(
        "{} {}, the first at {}: {}",
        count(error.calls),
        error.class,
        error.first,
        slots.join(", ")
    )
}

impl Check for WrongAnswers {
    fn evaluate(&self, plan: &CheckPlan, analysis: &Analysis) -> Finding {
        let wrong: Vec<&ErrorStats> = analysis
            .errors
            .iter()
            .filter(|error| !error.class.load_can_cause())
            .collect();
        let found: u64 = wrong.iter().map(|error| error.calls).sum();
        let calls = analysis.whole.calls;
        let allowed = match self.max {
            0 => "none is allowed".to_owned(),
            max => format!("allowed at most {}", count(max)),
        };
        let answer = if found > self.max {
            Answer::Fail
        } else if calls == 0 {
            Answer::Inconclusive
        } else {
            Answer::Pass
        };
        let mut headline = format!(
            "{} of {} had a wrong answer, {allowed}",
            count(found),
            plural(calls, "call")
        );
        let mut slots = wrong.iter().flat_map(|error| &error.by_slot);
        // All of them from one slot: it is named first.
        if answer == Answer::Fail
            && let Some((slot, _)) = slots.next()
            && !slot.as_str().is_empty()
            && slots.all(|(other, _)| other == slot)
        {
            headline = format!("{slot}: {headline}");
        }
        Finding {
            name: plan.name.clone(),
            kind: plan.spec.kind.clone(),
            category: Category::Resilience,
            answer,
            headline,
            evidence: wrong.into_iter().map(line).collect(),
            samples: calls,
            load_can_cause: false,
            depends_on: Dependence::default(),
            line: plan.line,
        }
    }
}

/// Wrong answers.
pub(super) const KIND: Kind<dyn Check> = Kind {
    info: KindInfo {
        name: "wrong-answers",
        summary: "no call of the run, warm-up included, is answered with what is malformed, another's, or not what its operation expects; no load excuses it",
        example: "[[check]]\nkind = \"wrong-answers\"",
        fields: &[Field {
            key: "max",
            ty: Ty::Integer {
                min: 0,
                max: 1_000_000_000,
            },
            need: Need::Default("0"),
            summary: "how many may be wrong all the same",
            example: "0",
            acts: Acts::Now,
        }],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<WrongAnswers>()?)),
};
