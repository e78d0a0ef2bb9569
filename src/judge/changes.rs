//! Tests of a change that must be clean, on a synthetic run with known answers. Not pure: they write run directories.

use std::time::Duration;

use serde_json::json;

use super::built::{Built, KILL, Kill, MS};
use super::*;
use crate::check::{Answer, Finding};
use crate::model::{Class, Event, EventKind, Offset};
use crate::plan::CheckPlan;

/// A run in which server-2 was asked to end, and is back 1.4 s later; so many milliseconds of its operations fail after that.
fn asked(outage: u64) -> Built {
    let mut run = Built::new(Kill {
        outage: Duration::from_millis(outage),
        back: Some(Duration::from_millis(1_400)),
    });
    run.plan.checks = vec![CheckPlan {
        name: "clean".to_owned(),
        spec: crate::registry::Spec {
            kind: "clean-change".to_owned(),
            with: json!({"max_failed": 0}),
        },
        fault: Some("one-dies".to_owned()),
        line: 0,
    }];
    run.plan.objectives.clear();
    run
}

fn signal(run: &mut Built, fault: &str, at: Offset) {
    let kind = EventKind::SlotStopping {
        instance: "server-2#1".parse().unwrap(),
        fault: fault.to_owned(),
        grace: Duration::from_secs(2),
    };
    let place = run.events.iter().position(|event| event.at > at).unwrap();
    run.events.insert(place, Event { at, kind });
}

fn judged(run: &Built) -> Report {
    let directory = tempfile::tempdir().unwrap();
    run.write(directory.path());
    judge(directory.path()).unwrap()
}

fn clean(report: &Report) -> &Finding {
    let mut findings = report.findings.iter();
    findings.find(|one| one.kind == "clean-change").unwrap()
}

#[test]
fn a_change_without_a_failure_passes_and_says_how_much_it_saw() {
    let mut run = asked(0);
    signal(&mut run, "one-dies", KILL);
    let report = judged(&run);
    assert_eq!(report.verdict.exit, 0, "{:#?}", report.findings);
    // 200 a second for 1.4 s; each takes 2 ms, and none was under way on server-2 at the signal.
    let finding = clean(&report);
    assert_eq!(finding.samples, 280, "{finding:#?}");
    assert_eq!(
        finding.headline,
        "server-2: no call failed by it, promised none; 280 were sent after the stop signal or in flight at it"
    );
}

#[test]
fn one_call_that_is_refused_breaks_it_and_leads_to_6() {
    let mut run = asked(10);
    signal(&mut run, "one-dies", KILL);
    let report = judged(&run);
    assert_eq!(report.verdict.exit, 6, "{:#?}", report.findings);
    let finding = clean(&report);
    assert_eq!(finding.answer, Answer::Fail);
    assert!(
        finding
            .headline
            .starts_with("server-2: 1 call failed by it (1 connect), promised none;"),
        "{}",
        finding.headline
    );
    let words = finding.evidence.join("\n");
    assert!(words.contains("server-2#1 was asked to end at"), "{words}");
    assert!(words.contains("before: 0 of 1,500 calls"), "{words}");
    run.plan.checks[0].spec.with = json!({"max_failed": 1});
    assert_eq!(judged(&run).verdict.exit, 0);
}

#[test]
fn what_ends_without_a_signal_tells_nothing() {
    let report = judged(&asked(10));
    let finding = clean(&report);
    assert_eq!(finding.answer, Answer::Inconclusive, "{finding:#?}");
    assert_eq!(report.verdict.exit, 7);
    assert!(
        finding
            .headline
            .starts_with("1 instance ended without a stop signal"),
        "{}",
        finding.headline
    );
}

#[test]
fn what_the_generator_did_itself_is_no_failure_of_a_change() {
    let mut run = asked(0);
    signal(&mut run, "one-dies", KILL);
    run.calls
        .iter_mut()
        .filter(|call| call.sent.is_some_and(|sent| sent > KILL))
        .take(1)
        .for_each(|call| {
            call.class = Class::Local;
            call.outcome = Class::Local.outcome(None);
            call.ends = Some(call.outcome);
        });
    assert_eq!(clean(&judged(&run)).answer, Answer::Pass);
}

#[test]
fn the_worst_trial_of_a_change_decides() {
    let mut run = asked(0);
    let second = Offset(14_500 * MS);
    signal(&mut run, "one-dies", KILL);
    let first = run.plan.faults[0].clone();
    run.plan.faults.push(crate::plan::FaultPlan {
        name: "one-dies#2".to_owned(),
        trial: 2,
        at: second,
        ..first
    });
    let end = run.events.pop().unwrap();
    let again: Vec<Event> = run
        .events
        .iter()
        .filter_map(|event| {
            let mut kind = event.kind.clone();
            match &mut kind {
                EventKind::FaultBegan { fault, .. }
                | EventKind::FaultEffective { fault, .. }
                | EventKind::SlotStopping { fault, .. }
                | EventKind::FaultHealProven { fault, .. } => *fault = "one-dies#2".to_owned(),
                _ => return None,
            }
            let at = second + event.at.since(KILL);
            Some(Event { at, kind })
        })
        .collect();
    run.events.extend(again);
    run.events.push(end);
    let refused = run
        .calls
        .iter_mut()
        .find(|call| call.sent.is_some_and(|sent| sent > second));
    let refused = refused.unwrap();
    refused.class = Class::Transport;
    refused.outcome = Class::Transport.outcome(None);
    refused.ends = Some(refused.outcome);
    let report = judged(&run);
    let finding = clean(&report);
    assert_eq!(finding.answer, Answer::Fail, "{finding:#?}");
    assert!(
        finding
            .headline
            .starts_with("worst of 2 trials (one-dies#2): server-2: 1 call failed by it"),
        "{}",
        finding.headline
    );
}
