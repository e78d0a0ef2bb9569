//! The verdict: all findings, after validity has had its say, merged into one answer and its exit code.
//!
//! Pure. Fail beats Inconclusive beats Pass; adding a failed finding never makes a verdict better. The codes themselves mean
//! what `ARCHITECTURE.md`, "Exit codes", says.

use super::words::plural;
use super::{Answer, Category, Dependence, Finding, Verdict, kinds, objectives};
use crate::analysis::{Analysis, FaultStats, Trust, TrustStats};
use crate::model::event::Ending;
use crate::plan::{CheckPlan, Plan};
use crate::registry::{Family, build};

const PASS: u8 = 0;
const NOT_READY: u8 = 3;
const OBJECTIVE: u8 = 4;
const RESILIENCE: u8 = 6;
const INCONCLUSIVE: u8 = 7;
const NOT_HEALED: u8 = 8;

/// Every finding of a run, validity applied: worst first, then in the order of the scenario.
pub fn findings(plan: &Plan, analysis: &Analysis) -> Vec<Finding> {
    let healing = analysis.faults.iter().filter_map(healing);
    let unproven = analysis.faults.iter();
    let unproven = unproven.filter_map(|fault| injection(fault, plan, analysis));
    let objectives = analysis
        .objectives
        .iter()
        .map(|stats| objectives::finding(stats, analysis));
    let checks = plan.checks.iter().map(|check| evaluate(check, analysis));
    let mut findings: Vec<Finding> = healing
        .chain(unproven)
        .chain(objectives)
        .chain(checks)
        .collect();
    for finding in &mut findings {
        doubt(finding, analysis);
    }
    // The sort is stable, so what is equally bad stays in the order of the scenario.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.answer));
    findings
}

fn evaluate(check: &CheckPlan, analysis: &Analysis) -> Finding {
    match build(kinds::CHECKS, Family::Check, &check.spec) {
        Ok(kind) => kind.evaluate(check, analysis),
        Err(error) => Finding {
            name: check.name.clone(),
            kind: check.spec.kind.clone(),
            category: Category::Resilience,
            answer: Answer::Inconclusive,
            headline: format!("it cannot be evaluated: {error}"),
            evidence: Vec::new(),
            samples: 0,
            load_can_cause: false,
            depends_on: Dependence::default(),
            line: check.line,
        },
    }
}

/// A fault that was not undone.
fn healing(fault: &FaultStats) -> Option<Finding> {
    let by_hand = fault.not_healed.as_ref()?;
    let mut targets: Vec<&str> = fault
        .targets
        .iter()
        .map(|target| target.slot.as_str())
        .collect();
    if targets.is_empty() {
        // It acted on nothing of the fleet.
        targets.push("outside of the fleet");
    }
    Some(Finding {
        name: format!("{} healed", fault.name),
        kind: "healing".to_owned(),
        category: Category::Healing,
        answer: Answer::Fail,
        headline: format!(
            "{}: {} could not be undone; by hand: {by_hand}",
            targets.join(", "),
            fault.name
        ),
        evidence: Vec::new(),
        samples: 1,
        load_can_cause: false,
        depends_on: Dependence::default(),
        line: 0,
    })
}

/// A fault that was planned and not proven: a run that was to show what it does has not shown it, whatever else holds. What others
/// were to do and did not do is no omission of the run's.
fn injection(fault: &FaultStats, plan: &Plan, analysis: &Analysis) -> Option<Finding> {
    // A run that ended early says so itself.
    let is_cut = fault.began.is_none() && analysis.ending != Some(Ending::Completed);
    let mut others = plan.faults.iter().filter(|planned| planned.is_observed());
    let by_others = others.any(|planned| planned.name == fault.name);
    if fault.is_proven() || is_cut || by_others {
        return None;
    }
    Some(Finding {
        name: format!("{} injected", fault.name),
        kind: "injection".to_owned(),
        category: Category::Resilience,
        answer: Answer::Inconclusive,
        headline: format!("{} was not proven: {}", fault.name, why_unproven(fault)),
        evidence: Vec::new(),
        samples: 0,
        load_can_cause: false,
        depends_on: Dependence::default(),
        line: 0,
    })
}

fn why_unproven(fault: &FaultStats) -> String {
    match (&fault.failed, fault.began) {
        (Some(reason), _) => reason.clone(),
        (None, None) => "it did not begin".to_owned(),
        (None, Some(_)) => "its effect was not seen".to_owned(),
    }
}

/// Makes inconclusive what rests on an invalid phase or an unproven fault.
fn doubt(finding: &mut Finding, analysis: &Analysis) {
    let name = finding.depends_on.fault.as_ref();
    let trials = || {
        let faults = analysis.faults.iter();
        faults.filter(|fault| Some(&fault.of) == name)
    };
    // One trial that was proven is enough for a failure, and one that was not takes away every other answer.
    let stands = finding.answer == Answer::Fail && trials().any(|fault| fault.effective.is_some());
    let unproven = trials().find(|fault| !fault.is_proven() && !stands);
    if let Some(fault) = unproven {
        let why = why_unproven(fault);
        finding.answer = Answer::Inconclusive;
        finding
            .evidence
            .insert(0, format!("inconclusive because of {}: {why}", fault.name));
    }
    if finding.answer != Answer::Fail || !finding.load_can_cause {
        return;
    }
    // What was intended after the abort was never asked of the fleet.
    let is_cut = finding.samples == 0 || finding.kind == "throughput";
    if analysis.ending == Some(Ending::Aborted) && is_cut {
        finding.answer = Answer::Inconclusive;
        let why = "inconclusive because the run was aborted before it could be measured";
        finding.evidence.insert(0, why.to_owned());
        return;
    }
    let invalid = analysis.trust.iter().find(|trust| {
        trust.trust == Trust::Invalid && finding.depends_on.phases.contains(&trust.phase)
    });
    if let Some(trust) = invalid {
        finding.answer = Answer::Inconclusive;
        finding.evidence.insert(
            0,
            format!(
                "inconclusive because `{}` is invalid: {}",
                trust.phase,
                trust.reasons.join("; ")
            ),
        );
    }
}

/// The answer of the whole run to `findings`, which are those of [`findings`].
pub fn verdict(findings: &[Finding], analysis: &Analysis) -> Verdict {
    let failed = |category| {
        findings
            .iter()
            .find(|finding| finding.answer == Answer::Fail && finding.category == category)
    };
    if let Some(finding) = failed(Category::Healing) {
        return fail(NOT_HEALED, finding, findings);
    }
    if analysis.ending == Some(Ending::NotReady) {
        return Verdict {
            answer: Answer::Fail,
            exit: NOT_READY,
            headline: not_ready(analysis),
        };
    }
    if let Some(finding) = failed(Category::Resilience) {
        return fail(RESILIENCE, finding, findings);
    }
    if let Some(finding) = failed(Category::Objective) {
        return fail(OBJECTIVE, finding, findings);
    }
    if let Some(headline) = inconclusive(findings, analysis) {
        return Verdict {
            answer: Answer::Inconclusive,
            exit: INCONCLUSIVE,
            headline,
        };
    }
    let promises = findings
        .iter()
        .filter(|finding| finding.category != Category::Validity)
        .count();
    let headline = match promises {
        0 => {
            "nothing was promised, so nothing was broken; the run is a valid measurement".to_owned()
        }
        1 => "the promise was kept".to_owned(),
        number => format!("all {number} promises were kept"),
    };
    Verdict {
        answer: Answer::Pass,
        exit: PASS,
        headline,
    }
}

fn fail(exit: u8, worst: &Finding, findings: &[Finding]) -> Verdict {
    let failed = findings
        .iter()
        .filter(|finding| finding.answer == Answer::Fail)
        .count();
    let more = match failed {
        0 | 1 => String::new(),
        number => format!(" (and {} more failed)", number - 1),
    };
    Verdict {
        answer: Answer::Fail,
        exit,
        headline: format!("{}: {}{more}", worst.name, worst.headline),
    }
}

fn not_ready(analysis: &Analysis) -> String {
    match analysis.steady.filter(|steady| !steady.steady) {
        Some(steady) => format!(
            "the fleet was not steady before the first fault: {} of {} ended ok",
            steady.good,
            plural(steady.total, "operation")
        ),
        None => match analysis.troubles.first() {
            Some(trouble) => format!("the fleet did not become ready: {trouble}"),
            None => "the fleet did not become ready".to_owned(),
        },
    }
}

/// Why the run tells nothing, if it does not.
fn inconclusive(findings: &[Finding], analysis: &Analysis) -> Option<String> {
    let trouble = || {
        analysis
            .troubles
            .first()
            .map(|trouble| format!(": {trouble}"))
            .unwrap_or_default()
    };
    match analysis.ending {
        None => return Some("the run was cut: its last event is missing".to_owned()),
        Some(Ending::Interrupted) => return Some(format!("the run was interrupted{}", trouble())),
        Some(Ending::Aborted) => return Some(format!("the run was aborted{}", trouble())),
        Some(Ending::Failed) => return Some(format!("mcpload itself failed{}", trouble())),
        Some(Ending::Completed | Ending::NotReady) => {}
    }
    if let Some((worker, reason)) = analysis.lost_workers.first() {
        return Some(format!("worker {worker} was lost: {reason}"));
    }
    let validity = findings
        .iter()
        .find(|finding| finding.category == Category::Validity && finding.answer != Answer::Pass);
    if let Some(finding) = validity {
        return Some(format!("the run is no measurement: {}", finding.headline));
    }
    let measured = |trust: &&TrustStats| {
        let phase = analysis
            .phases
            .iter()
            .find(|phase| phase.name == trust.phase);
        trust.trust == Trust::Invalid && phase.is_some_and(|phase| phase.measured)
    };
    if let Some(trust) = analysis.trust.iter().find(measured) {
        return Some(format!(
            "`{}` is no measurement: {}",
            trust.phase,
            trust.reasons.join("; ")
        ));
    }
    let open = findings
        .iter()
        .find(|finding| finding.answer == Answer::Inconclusive)?;
    Some(format!("{}: {}", open.name, open.headline))
}

#[cfg(test)]
mod tests;
