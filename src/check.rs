//! Checks and the Verdict: what the numbers mean.
//!
//! Pure. A [`Check`] answers one question out of the [`Analysis`]; its answer is a [`Finding`]. No data is never a pass. The
//! verdict merges findings: Fail beats Inconclusive beats Pass, after validity has had its say (`verdict`).

use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, FaultStats};
use crate::model::{Offset, Window};
use crate::plan::CheckPlan;

mod blame;
pub mod kinds;
mod objectives;
pub mod verdict;
mod words;

/// One kind of check with its parameters.
pub trait Check: Send + Sync {
    /// Answers for the check `plan`. Never panics, whatever is missing in the analysis.
    fn evaluate(&self, plan: &CheckPlan, analysis: &Analysis) -> Finding;
}

/// What a check or an objective answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It holds.
    Pass,
    /// It cannot be told.
    Inconclusive,
    /// It does not hold.
    Fail,
}

impl Answer {
    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        }
    }
}

/// Which exit code a failed finding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// A service level objective: 4.
    Objective,
    /// A resilience check: 6.
    Resilience,
    /// The run itself: 7.
    Validity,
    /// A fault that could not be undone: 8.
    Healing,
}

/// One check's answer, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's or objective's name, with its window where it has several.
    pub name: String,
    /// Its kind: `latency`, `errors`, `throughput`, or the check's kind.
    pub kind: String,
    /// What a failure leads to.
    pub category: Category,
    /// The answer.
    pub answer: Answer,
    /// One line: what was promised, what was found, and where (the slot first, if one is to blame).
    pub headline: String,
    /// More lines: numbers with units, windows, samples.
    pub evidence: Vec<String>,
    /// How many samples the answer rests on.
    pub samples: u64,
    /// Whether load can cause a failure of this; if so, an invalid window makes it inconclusive.
    pub load_can_cause: bool,
    /// The phases and faults whose validity it depends on.
    pub depends_on: Dependence,
    /// The line in the scenario, from 1; 0 if it is not written there.
    pub line: u32,
}

/// What a finding depends on for its validity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependence {
    /// Phases whose trust grade matters.
    pub phases: Vec<String>,
    /// A fault that must be proven.
    pub fault: Option<String>,
}

/// The answer of the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The answer.
    pub answer: Answer,
    /// The exit code that goes with it.
    pub exit: u8,
    /// One sentence.
    pub headline: String,
}

/// The trials of the fault that the scenario calls `of`, in the order of their begin. Those that were not proven tell nothing
/// beside others that were; if none was, all are here, and the verdict says why nothing can be told.
fn trials<'a>(analysis: &'a Analysis, of: &str) -> Vec<&'a FaultStats> {
    let all = || analysis.faults.iter().filter(|fault| fault.of == of);
    let proven: Vec<&FaultStats> = all().filter(|fault| fault.effective.is_some()).collect();
    if proven.is_empty() {
        all().collect()
    } else {
        proven
    }
}

/// Says of which trial a headline speaks, where there are several.
fn of_trial(headline: String, fault: Option<&FaultStats>, trials: usize) -> String {
    match fault {
        Some(fault) if trials > 1 => {
            format!("worst of {trials} trials ({}): {headline}", fault.name)
        }
        _ => headline,
    }
}

/// The phases that share a part with `span`; all of them if there is none.
fn phases_in(analysis: &Analysis, span: Option<&Window>) -> Vec<String> {
    analysis
        .phases
        .iter()
        .filter(|phase| span.is_none_or(|span| span.intersect(&phase.window).is_some()))
        .map(|phase| phase.name.clone())
        .collect()
}

/// The phases that end after `from`; all of them if it is not known.
fn phases_from(analysis: &Analysis, from: Option<Offset>) -> Vec<String> {
    let span = from.map(|from| Window::new(from, Offset(i64::MAX)));
    phases_in(analysis, span.as_ref())
}
