//! Tests of a fault with several trials, on a synthetic run with known answers. Not pure: they write run directories.

use std::time::Duration;

use super::built::{Built, KILL, Kill, MS};
use super::*;
use crate::analysis::Reached;
use crate::check::{Answer, Finding};
use crate::model::{Event, EventKind, Offset};
use crate::plan::WindowRef;

/// When the second trial begins; nothing happens to the users then.
const SECOND: Offset = Offset(14_500 * MS);

/// The run in which server-2 was killed, and again 7 s later.
fn twice(is_proven: bool) -> Built {
    let mut run = Built::new(Kill {
        outage: Duration::from_millis(310),
        back: Some(Duration::from_millis(1_400)),
    });
    let first = run.plan.faults[0].clone();
    run.plan.faults.push(crate::plan::FaultPlan {
        name: "one-dies#2".to_owned(),
        trial: 2,
        at: SECOND,
        ..first
    });
    run.check("recovery-time").spec.with["hold"] = "2s".into();
    let again: Vec<Event> = run
        .events
        .iter()
        .filter_map(|event| {
            let mut kind = event.kind.clone();
            match &mut kind {
                EventKind::FaultEffective { .. } if !is_proven => return None,
                EventKind::FaultBegan { fault, .. }
                | EventKind::FaultEffective { fault, .. }
                | EventKind::FaultHealProven { fault, .. } => *fault = "one-dies#2".to_owned(),
                _ => return None,
            }
            let at = SECOND + event.at.since(KILL);
            Some(Event { at, kind })
        })
        .collect();
    let end = run.events.pop().unwrap();
    run.events.extend(again);
    run.events.push(end);
    run
}

fn judged(run: &Built) -> Report {
    let directory = tempfile::tempdir().unwrap();
    run.write(directory.path());
    judge(directory.path()).unwrap()
}

fn recovery(report: &Report) -> &Finding {
    let mut findings = report.findings.iter();
    findings.find(|one| one.kind == "recovery-time").unwrap()
}

#[test]
fn the_worst_trial_decides_and_the_others_stand_beside_it() {
    let report = judged(&twice(true));
    let trials = &report.analysis.trials[0];
    assert_eq!((trials.planned, trials.proven), (2, 2));
    let faults = &report.analysis.faults;
    assert_eq!(faults[0].recovery.service, Reached::After(498_000_000));
    assert_eq!(faults[1].recovery.service, Reached::NoImpact);
    assert_eq!((trials.service.recovered, trials.service.no_impact), (2, 1));
    assert_eq!(trials.service.median_ns, Some(249_000_000));
    assert_eq!(trials.service.max_ns, Some(498_000_000));
    let finding = recovery(&report);
    assert_eq!(finding.answer, Answer::Pass, "{finding:#?}");
    assert!(
        finding
            .headline
            .starts_with("worst of 2 trials (one-dies): server-2"),
        "{}",
        finding.headline
    );
    assert!(
        finding.evidence[0].contains("2 of 2 trials"),
        "{finding:#?}"
    );

    let mut strict = twice(true);
    strict.check("recovery-time").spec.with["max"] = "1s".into();
    assert_eq!(recovery(&judged(&strict)).answer, Answer::Fail);
}

#[test]
fn a_trial_that_was_not_proven_takes_away_a_pass_and_no_failure() {
    let report = judged(&twice(false));
    assert_eq!(report.analysis.trials[0].proven, 1);
    let finding = recovery(&report);
    assert_eq!(finding.answer, Answer::Inconclusive);
    assert!(finding.evidence[0].contains("one-dies#2"), "{finding:#?}");
    let mut strict = twice(false);
    strict.check("recovery-time").spec.with["max"] = "1s".into();
    assert_eq!(recovery(&judged(&strict)).answer, Answer::Fail);
}

#[test]
fn windows_of_a_fault_have_a_span_for_each_trial() {
    let mut run = twice(true);
    run.objective("fast").windows = ["before", "during", "after"]
        .map(|what| {
            let fault = "one-dies".to_owned();
            match what {
                "before" => WindowRef::Before(fault),
                "during" => WindowRef::During(fault),
                _ => WindowRef::After(fault),
            }
        })
        .to_vec();
    let report = judged(&run);
    let counted = |window: &str| {
        let mut all = report.analysis.objectives.iter();
        let one = all.find(|one| one.objective.name == "fast" && one.window.to_string() == window);
        let one = one.unwrap();
        (one.samples, one.intended)
    };
    // 200 a second: from 3 s to 7.5 s, twice 1.4 s, and what is left of the time to 21 s.
    assert_eq!(counted("before one-dies"), (900, Some(900)));
    assert_eq!(counted("during one-dies"), (560, Some(560)));
    assert_eq!(counted("after one-dies"), (2140, Some(2140)));
}
