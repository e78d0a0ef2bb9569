//! Findings of service level objectives: exact counts against a promise, with 95 % confidence.
//!
//! Pure. A share objective passes if the one-sided 95 % Clopper-Pearson bound meets it, fails if the other bound misses it, and
//! is inconclusive in between, with the number of samples that would decide it. Without samples it fails.

use super::blame;
use super::words::{count, percent, plural, ratio};
use super::{Answer, Category, Dependence, Finding, phases_in};
use crate::analysis::statistics::{lower_bound, samples_needed, upper_bound};
use crate::analysis::windows::fault_of;
use crate::analysis::{Analysis, ObjectiveStats};
use crate::model::time::humane;
use crate::plan::{Counted, Promise};

/// The confidence of each bound.
const CONFIDENCE: f64 = 0.95;

/// How many bad ones of how many there are against the share that is allowed.
fn decide(bad: u64, samples: u64, allowed: f64) -> Answer {
    if samples == 0 || lower_bound(bad, samples, CONFIDENCE) > allowed {
        Answer::Fail
    } else if upper_bound(bad, samples, CONFIDENCE) <= allowed {
        Answer::Pass
    } else {
        Answer::Inconclusive
    }
}

/// The finding of an objective in one of its windows.
pub(super) fn finding(stats: &ObjectiveStats, analysis: &Analysis) -> Finding {
    let objective = &stats.objective;
    let fault = fault_of(&stats.window).map(str::to_owned);
    let judged = judge(stats, analysis);
    let name = if objective.windows.len() > 1 {
        format!("{} [{}]", objective.name, stats.window)
    } else {
        objective.name.clone()
    };
    Finding {
        name,
        kind: kind(&objective.promise).to_owned(),
        category: Category::Objective,
        answer: judged.answer,
        headline: judged.headline,
        evidence: judged.evidence,
        samples: stats.samples,
        load_can_cause: judged.load_can_cause,
        depends_on: Dependence {
            phases: phases_in(analysis, stats.span.as_ref()),
            fault,
        },
        line: objective.line,
    }
}

const fn kind(promise: &Promise) -> &'static str {
    match promise {
        Promise::Latency { .. } => "latency",
        Promise::Errors { .. } => "errors",
        Promise::Throughput { .. } => "throughput",
    }
}

struct Judged {
    answer: Answer,
    headline: String,
    evidence: Vec<String>,
    load_can_cause: bool,
}

fn judge(stats: &ObjectiveStats, analysis: &Analysis) -> Judged {
    if stats.samples == 0 {
        let reason = match (stats.span, fault_of(&stats.window)) {
            (None, Some(fault)) => format!(
                "`{}` does not exist: {}",
                stats.window,
                absence(analysis, fault)
            ),
            _ => format!("nothing was due in `{}`", stats.window),
        };
        return Judged {
            answer: Answer::Fail,
            headline: format!("no data: {reason}; no data is never a pass"),
            evidence: Vec::new(),
            load_can_cause: true,
        };
    }
    match stats.objective.promise {
        Promise::Latency { share, under } => judge_share(
            stats,
            analysis,
            share.rest().ratio(),
            &format!("over {} or not ok", humane(under)),
        ),
        Promise::Errors { under } => judge_share(stats, analysis, under.ratio(), "not ok"),
        Promise::Throughput { share } => judge_throughput(stats, analysis, share.ratio()),
    }
}

/// Why a window that a fault names does not exist.
fn absence(analysis: &Analysis, fault: &str) -> String {
    let trials = || analysis.faults.iter().filter(|known| known.of == fault);
    if trials().next().is_none() {
        return format!("{fault} left no time for it");
    }
    if trials().all(|trial| trial.began.is_none()) {
        format!("{fault} did not begin")
    } else if trials().all(|trial| trial.healed.is_none()) {
        format!("{fault} was not healed")
    } else {
        format!("{fault} left no time for it")
    }
}

fn noun(stats: &ObjectiveStats) -> &'static str {
    match stats.objective.of {
        Counted::Operations => "operation",
        Counted::Calls => "call",
    }
}

fn judge_share(stats: &ObjectiveStats, analysis: &Analysis, allowed: f64, what: &str) -> Judged {
    let (bad, samples) = (stats.bad, stats.samples);
    let answer = decide(bad, samples, allowed);
    // What load cannot cause must break the promise alone for the failure to stand in an invalid phase.
    let surely = bad.saturating_sub(stats.bad_by_load);
    let alone = surely > 0 && decide(surely, samples, allowed) == Answer::Fail;
    let mut headline = format!(
        "{} of {} {what} in `{}`, promised at most {}",
        percent(ratio(bad, samples)),
        plural(samples, noun(stats)),
        stats.window,
        percent(allowed)
    );
    let mut evidence = vec![format!(
        "{} bad of {}; with 95 % confidence at least {} and at most {}",
        count(bad),
        count(samples),
        percent(lower_bound(bad, samples, CONFIDENCE)),
        percent(upper_bound(bad, samples, CONFIDENCE))
    )];
    if answer == Answer::Inconclusive {
        let needed = samples_needed(bad, samples, allowed, CONFIDENCE).map_or_else(
            || "no number of samples decides it at this ratio".to_owned(),
            |needed| format!("it takes about {} to tell", plural(needed, noun(stats))),
        );
        headline = format!("{headline}: {needed}");
    }
    if answer != Answer::Pass {
        blame::name_slot(stats, analysis, &mut headline);
    }
    evidence.extend(blame::classes(stats));
    evidence.extend(blame::slots(stats));
    Judged {
        answer,
        headline,
        evidence,
        load_can_cause: !alone,
    }
}

fn judge_throughput(stats: &ObjectiveStats, analysis: &Analysis, share: f64) -> Judged {
    let achieved = stats.samples.saturating_sub(stats.bad);
    let whole = stats.intended.unwrap_or(stats.samples);
    let found = ratio(achieved, whole);
    let answer = if found >= share {
        Answer::Pass
    } else {
        Answer::Fail
    };
    let of_what = match stats.intended {
        Some(_) => "intended",
        None => "begun",
    };
    let mut headline = format!(
        "{} of {} {of_what} ended ok within `{}`, promised at least {}",
        percent(found),
        plural(whole, noun(stats)),
        stats.window,
        percent(share)
    );
    if answer != Answer::Pass {
        blame::name_slot(stats, analysis, &mut headline);
    }
    let mut evidence = vec![format!(
        "{} of {}, compared as they are: the schedule is no sample, so there is no interval",
        count(achieved),
        count(whole)
    )];
    if stats.intended.is_none() {
        evidence
            .push("the load has no schedule for these operations: of those that began".to_owned());
    }
    evidence.extend(blame::classes(stats));
    evidence.extend(blame::slots(stats));
    Judged {
        answer,
        headline,
        evidence,
        load_can_cause: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_decided_by_its_bounds() {
        assert_eq!(decide(4, 1000, 0.01), Answer::Pass);
        assert_eq!(decide(5, 1000, 0.01), Answer::Inconclusive);
        assert_eq!(decide(15, 1000, 0.01), Answer::Inconclusive);
        assert_eq!(decide(16, 1000, 0.01), Answer::Fail);
        assert_eq!(decide(0, 0, 0.01), Answer::Fail);
    }
}
