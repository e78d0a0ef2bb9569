//! Tests of the whole right half on synthetic runs with known answers. Not pure: they write run directories.

use std::time::Duration;

use super::built::{Built, END, KILL, Kill, MS, call, session};
use super::*;
use crate::analysis::{Analysis, Reached, Trust};
use crate::check::{Answer, Finding};
use crate::model::event::Ending;
use crate::model::session::Transition;
use crate::model::{Class, EventKind, Offset};

const HEALTHY: Kill = Kill {
    outage: Duration::from_millis(310),
    back: Some(Duration::from_millis(1_400)),
};

fn judged(run: &Built) -> Report {
    let directory = tempfile::tempdir().unwrap();
    run.write(directory.path());
    judge(directory.path()).unwrap()
}

fn finding<'a>(report: &'a Report, name: &str) -> &'a Finding {
    report
        .findings
        .iter()
        .find(|finding| finding.name == name)
        .unwrap_or_else(|| panic!("no finding {name}: {:#?}", report.findings))
}

fn service(analysis: &Analysis) -> (Reached, Reached, Reached) {
    let recovery = &analysis.faults[0].recovery;
    (recovery.service, recovery.performance, recovery.redundancy)
}

fn with_sessions(mut run: Built) -> Built {
    for client in 0..30 {
        run.sessions.push(session(
            Offset(client * MS),
            u32::try_from(client).unwrap(),
            1,
            Transition::Born,
        ));
    }
    for client in [1, 4, 7] {
        run.sessions.push(session(
            Offset(KILL.0 + 50 * MS),
            client,
            1,
            Transition::Lost,
        ));
        run.sessions.push(session(
            Offset(KILL.0 + 80 * MS),
            client,
            2,
            Transition::ReEstablished,
        ));
    }
    run
}

#[test]
fn a_fleet_that_recovers_in_time_passes_with_the_known_times() {
    let report = judged(&with_sessions(Built::new(HEALTHY)));
    assert_eq!(
        report.verdict.answer,
        Answer::Pass,
        "{:#?}",
        report.findings
    );
    assert_eq!(report.verdict.exit, 0);
    let analysis = &report.analysis;
    assert!(analysis.damage.is_empty(), "{:?}", analysis.damage);
    let fault = &analysis.faults[0];
    let first = fault.first_bad.as_ref().unwrap();
    assert_eq!(first.class, Class::Connect);
    // The first operation of server-2 that was due after the kill: k = 1501 (k mod 3 = 1).
    assert_eq!(
        first.at,
        Offset(1501 * 5 * MS) + Duration::from_micros(2_001)
    );
    assert_eq!(fault.recovery.onset, Some(KILL));
    // Bins of 0.5 s at 200/s: bad until 310 ms, so the second bin is good; the effect was proven at 2 ms.
    assert_eq!(fault.recovery.resolution_ns, 500_000_000);
    assert_eq!(fault.recovery.service, Reached::After(498_000_000));
    // Ready after 1.4 s: the next bin starts at 1.5 s.
    assert_eq!(fault.recovery.redundancy, Reached::After(1_498_000_000));
    assert_eq!(fault.recovery.missing, "");
    assert_eq!((fault.sessions_active, fault.sessions_lost), (30, 3));
    assert_eq!(fault.sessions_re_established, 3);
    assert_eq!(fault.sessions_settled, Some(Offset(80 * MS)));
}

#[test]
fn counts_series_calls_and_histograms_agree() {
    let report = judged(&Built::new(HEALTHY));
    let analysis = &report.analysis;
    assert_eq!(analysis.whole.due, 4200);
    assert_eq!(analysis.measured.due, 3600);
    assert_eq!(analysis.measured.ended(), 3600);
    let bad = analysis.measured.bad();
    assert_eq!(bad, 21);
    let series: u64 = analysis.series.iter().map(|row| row.due).sum();
    let series_bad: u64 = analysis.series.iter().map(|row| row.fail).sum();
    assert_eq!((series, series_bad), (4200, bad));
    assert_eq!(analysis.errors[0].calls, bad);
    let chaos = &analysis.phases[2];
    assert_eq!((chaos.intended, chaos.tally.due), (Some(2800), 2800));
    assert_eq!((chaos.response.samples, chaos.response.bad), (2800, 21));
    let p50 = chaos.response.p50_ns.unwrap();
    assert!(p50.abs_diff(2_050_000) <= 2_050 + 2_000, "{p50}");
    assert_eq!(analysis.operations.len(), 1);
    assert_eq!(analysis.operations[0].tally.due, 3600);
    let one = analysis
        .slots
        .iter()
        .find(|slot| slot.slot.as_str() == "server-1")
        .unwrap();
    assert_eq!(one.cpu_seconds, Some(0.5));
    assert_eq!(one.peak_resident_bytes, Some(4096));
    assert_eq!(one.start_ns, Some(500_000_000));
    let second = analysis.series.iter().find(|row| row.second == 8).unwrap();
    assert!(
        second.ready.contains(&("server".to_owned(), 3)),
        "{second:?}"
    );
    assert_eq!(
        analysis
            .series
            .iter()
            .find(|row| row.second == 7)
            .unwrap()
            .ready[0]
            .1,
        2
    );
}

#[test]
fn a_slot_that_never_comes_back_is_named_first_and_nothing_else_fails() {
    let kill = Kill {
        back: None,
        outage: Duration::from_millis(100),
    };
    let report = judged(&with_sessions(Built::new(kill)));
    assert_eq!(report.verdict.exit, 6, "{:#?}", report.findings);
    let found = finding(&report, "recovery-time one-dies");
    assert_eq!(
        found.headline,
        "server-2: not back after 13.5 s (restart policy none); users were served again after 498 ms, \
         promised redundancy within 3.00 s"
    );
    let failed = report
        .findings
        .iter()
        .filter(|finding| finding.answer != Answer::Pass);
    assert_eq!(failed.count(), 1);
}

#[test]
fn a_slow_slot_is_named_with_exact_counts() {
    let mut run = Built::new(HEALTHY);
    for call in &mut run.calls {
        if call.instance.starts_with("server-1") {
            call.done = call.due + Duration::from_millis(400);
        }
    }
    let report = judged(&run);
    assert_eq!(report.verdict.exit, 4);
    let found = finding(&report, "fast [steady]");
    assert_eq!(found.answer, Answer::Fail);
    assert_eq!(
        found.headline,
        "server-1: 33.4 % of 800 operations over 250 ms or not ok in `steady`, promised at most 1.0 %; \
         100 % of the bad ones were served by server-1"
    );
    let stats = &report.analysis.objectives[0];
    assert_eq!(
        (stats.samples, stats.bad, stats.bad_by_load),
        (800, 267, 267)
    );
}

#[test]
fn a_dead_slot_is_named_where_nobody_served_the_errors() {
    let kill = Kill {
        outage: Duration::from_mins(1),
        back: None,
    };
    let report = judged(&Built::new(kill));
    assert_eq!(report.verdict.exit, 6);
    let found = finding(&report, "right");
    assert!(
        found.headline.starts_with("server-2: 33."),
        "{}",
        found.headline
    );
    let (service, ..) = service(&report.analysis);
    assert!(
        matches!(service, Reached::NotWithin(within) if within >= 13_000_000_000),
        "{service:?}"
    );
}

#[test]
fn no_impact_on_users_still_waits_for_the_slot() {
    let kill = Kill {
        outage: Duration::ZERO,
        back: Some(Duration::from_millis(1_400)),
    };
    let report = judged(&Built::new(kill));
    let (service, performance, redundancy) = service(&report.analysis);
    assert_eq!(
        (service, performance),
        (Reached::NoImpact, Reached::NoImpact)
    );
    assert_eq!(redundancy, Reached::After(1_498_000_000));
    assert!(report.analysis.faults[0].first_bad.is_none());
}

#[test]
fn late_recovery_fails_and_recovery_near_the_end_is_censored() {
    let late = Kill {
        outage: Duration::from_millis(3_600),
        back: Some(Duration::from_secs(1)),
    };
    let mut run = Built::new(late);
    // Its operations fail although it is ready: the balancer does not use it.
    for call in &mut run.calls {
        let down = KILL <= call.due && call.due < KILL + late.outage;
        if down && call.arrival.unwrap() % 3 == 1 {
            *call = self::call(
                call.arrival.unwrap(),
                call.due,
                Duration::from_millis(2),
                Class::Connect,
                "",
            );
        }
    }
    // Ten seconds after 3.6 s are beyond the end: 13.5 s are observed, the last window starts at 3.5 s.
    let report = judged(&run);
    let (service, ..) = service(&report.analysis);
    assert!(
        matches!(service, Reached::NotWithin(within) if within >= 3_000_000_000),
        "{service:?}"
    );
    assert_eq!(
        finding(&report, "recovery-time one-dies").answer,
        Answer::Fail
    );

    run.check("recovery-time").spec.with["hold"] = "5s".into();
    let report = judged(&run);
    assert_eq!(
        report.analysis.faults[0].recovery.service,
        Reached::After(3_998_000_000)
    );
}

#[test]
fn a_late_generator_is_inconclusive_and_hides_only_what_load_can_cause() {
    let mut run = Built::new(HEALTHY);
    run.lag = Duration::from_millis(80);
    for call in &mut run.calls {
        call.done = call.due + Duration::from_millis(400);
    }
    let report = judged(&run);
    assert_eq!(
        (report.verdict.answer, report.verdict.exit),
        (Answer::Inconclusive, 7)
    );
    assert_eq!(finding(&report, "generator-lag").answer, Answer::Fail);
    assert_eq!(report.analysis.trust[2].trust, Trust::Invalid);
    assert_eq!(
        finding(&report, "fast [steady]").answer,
        Answer::Inconclusive
    );

    for call in run
        .calls
        .iter_mut()
        .filter(|call| call.due > Offset(9_000 * MS))
        .step_by(10)
    {
        call.class = Class::WrongAnswer;
        call.outcome = Class::WrongAnswer.outcome(None);
        call.ends = Some(call.outcome);
    }
    let report = judged(&run);
    assert_eq!(finding(&report, "right").answer, Answer::Fail);
    assert_eq!(report.verdict.exit, 4);
}

#[test]
fn shed_and_unrecorded_operations_make_a_phase_less_trustworthy() {
    let mut run = Built::new(HEALTHY);
    run.shed.insert(10, 5);
    let report = judged(&run);
    assert_eq!(report.analysis.trust[2].trust, Trust::Degraded);
    assert_eq!(report.analysis.measured.shed, 5);
    let right = report
        .analysis
        .objectives
        .iter()
        .find(|stats| stats.objective.name == "right")
        .unwrap();
    assert_eq!(right.bad, 5);

    run.shed.insert(10, 500);
    assert_eq!(judged(&run).verdict.exit, 7);
    run.shed.clear();
    run.unrecorded.insert(4, 1);
    let report = judged(&run);
    assert_eq!(report.analysis.trust[1].trust, Trust::Invalid);
    assert_eq!(report.verdict.exit, 7);
}

#[test]
fn a_cut_or_interrupted_run_is_inconclusive() {
    let mut run = Built::new(HEALTHY);
    run.events.pop();
    assert_eq!(judged(&run).verdict.exit, 7);

    let mut run = Built::new(HEALTHY);
    run.events.retain(|event| event.at < Offset(7_000 * MS));
    run.calls.retain(|call| call.done < Offset(6_500 * MS));
    let report = judged(&run);
    assert_eq!(report.verdict.exit, 7);
    assert_eq!(report.analysis.faults[0].recovery.service, Reached::Unknown);
    assert_eq!(finding(&report, "right").answer, Answer::Inconclusive);

    let mut run = Built::new(HEALTHY);
    run.events.pop();
    let how = Ending::NotReady;
    let kind = EventKind::RunEnded { how };
    run.events.push(crate::model::Event { at: END, kind });
    assert_eq!(judged(&run).verdict.exit, 3);
}

#[test]
fn an_unproven_fault_makes_its_own_checks_inconclusive_and_one_not_healed_is_8() {
    let mut run = Built::new(Kill {
        back: None,
        ..HEALTHY
    });
    run.events
        .retain(|event| !matches!(event.kind, EventKind::FaultEffective { .. }));
    let report = judged(&run);
    assert_eq!(
        finding(&report, "recovery-time one-dies").answer,
        Answer::Inconclusive
    );
    assert_eq!(finding(&report, "fast [steady]").answer, Answer::Pass);
    // Whether a check names it or not: a run does not pass without what it was to show.
    assert_eq!(
        finding(&report, "one-dies injected").answer,
        Answer::Inconclusive
    );
    assert_eq!(report.verdict.exit, 7);

    let kind = EventKind::FaultNotHealed {
        fault: "one-dies".to_owned(),
        by_hand: "start it".to_owned(),
    };
    run.events.insert(0, crate::model::Event { at: END, kind });
    let report = judged(&run);
    assert_eq!(report.verdict.exit, 8);
    assert!(report.verdict.headline.contains("start it"));
}

#[test]
fn throughput_compares_what_ended_ok_with_the_schedule() {
    let mut run = Built::new(HEALTHY);
    run.objective("right").promise =
        serde_json::from_value(serde_json::json!({"throughput": {"share": "95%"}})).unwrap();
    run.objective("right").windows =
        serde_json::from_value(serde_json::json!([{"phase": "chaos"}])).unwrap();
    let report = judged(&run);
    let found = finding(&report, "right");
    assert_eq!(found.answer, Answer::Pass);
    assert_eq!(report.analysis.objectives[2].intended, Some(2800));
    run.calls.retain(|call| call.due < Offset(15_000 * MS));
    let report = judged(&run);
    let found = finding(&report, "right");
    // The schedule was not kept by our own fault, so it does not count against the fleet.
    assert_eq!(found.answer, Answer::Inconclusive);
    assert_eq!(report.verdict.exit, 7);
}

#[test]
fn nothing_promised_passes_and_says_so() {
    let mut run = Built::new(HEALTHY);
    run.plan.objectives.clear();
    run.plan.checks.retain(|check| check.fault.is_none());
    let report = judged(&run);
    assert_eq!(report.verdict.exit, 0);
    assert!(report.verdict.headline.starts_with("nothing was promised"));
}

#[test]
fn the_same_directory_gives_the_same_report() {
    let directory = tempfile::tempdir().unwrap();
    Built::new(HEALTHY).write(directory.path());
    let text = |report: Report| serde_json::to_string(&report).unwrap();
    let once = text(judge(directory.path()).unwrap());
    assert_eq!(once, text(judge(directory.path()).unwrap()));
    let read: Report = serde_json::from_str(&once).unwrap();
    assert_eq!(text(read), once);
}

#[test]
fn the_steady_gate_is_replayed_from_the_counts() {
    let mut run = Built::new(HEALTHY);
    let asked = |steady, good| crate::model::Event {
        at: KILL,
        kind: EventKind::SteadyState {
            steady,
            good,
            total: 600,
            needed_ratio: 0.9,
        },
    };
    run.events.insert(0, asked(true, 600));
    let report = judged(&run);
    assert!(
        report.analysis.damage.is_empty(),
        "{:?}",
        report.analysis.damage
    );
    assert_eq!(report.analysis.steady.unwrap().good, 600);
    run.events[0] = asked(false, 0);
    let report = judged(&run);
    assert_eq!(
        report.analysis.damage,
        ["the steady-state gate saw 0 of 600 ok while running, and 600 of 600 ok in counts.csv"]
    );
}

#[test]
fn the_order_of_calls_does_not_matter() {
    let mut run = with_sessions(Built::new(HEALTHY));
    let once = judged(&run);
    run.calls.reverse();
    run.sessions.reverse();
    run.calls.rotate_left(1234);
    assert_eq!(judged(&run), once);
}

/// A run without faults, in which every 50th operation of server-1 is bad and every 70th late.
fn without_faults() -> Built {
    let mut run = Built::new(HEALTHY);
    run.plan.faults.clear();
    run.plan
        .checks
        .retain(|check| check.spec.kind == "generator-lag");
    run.plan.objectives[0].windows.truncate(1);
    run.plan.objectives[1].windows = vec![crate::plan::WindowRef::Measured];
    run.events
        .retain(|event| !format!("{:?}", event.kind).contains("Fault"));
    run.calls = (0_u64..)
        .zip(run.calls)
        .map(|(k, old)| {
            let took = if k % 70 == 3 { 300 } else { 2 };
            let class = if k % 50 == 0 {
                Class::Timeout
            } else {
                Class::None
            };
            let instance = format!("server-{}#1", k % 3 + 1);
            call(k, old.due, Duration::from_millis(took), class, &instance)
        })
        .collect();
    run
}

#[test]
fn a_run_with_a_part_of_its_rows_is_judged_by_the_same_numbers() {
    let mut run = without_faults();
    let whole = judged(&run).analysis;
    run.plan.record.calls = "10%".parse().unwrap();
    let late = Duration::from_millis(250);
    let crosses = |call: &crate::model::Call| {
        let phase = run.plan.phase_at(call.done);
        phase.is_none_or(|phase| phase.name != call.phase)
    };
    let (kept, left_out): (Vec<_>, Vec<_>) = run.calls.iter().cloned().partition(|call| {
        call.arrival.unwrap().is_multiple_of(10)
            || call.class != Class::None
            || call.done.since(call.operation_due) > late
            || crosses(call)
    });
    assert!(left_out.len() > 3_000);
    run.rows = Some(kept);
    let part = judged(&run).analysis;
    assert_eq!(part.whole.left_out, left_out.len() as u64);
    for (whole, part) in whole.objectives.iter().zip(&part.objectives) {
        let numbers = |stats: &crate::analysis::ObjectiveStats| {
            (
                stats.samples,
                stats.bad,
                stats.bad_by_load,
                stats.by_class.clone(),
            )
        };
        assert!(whole.bad > 0);
        assert_eq!(numbers(whole), numbers(part), "{}", whole.objective.name);
        assert!(part.by_slot.iter().all(|share| share.samples.is_none()));
    }
    assert_eq!(whole.slots, part.slots);
    assert_eq!(whole.errors, part.errors);
    assert_eq!(whole.phases.len(), part.phases.len());
    for (whole, part) in whole.trust.iter().zip(&part.trust) {
        assert_eq!((whole.trust, &whole.reasons), (part.trust, &part.reasons));
    }
    let sums = |analysis: &Analysis| {
        analysis.series.iter().fold((0, 0, 0), |sum, second| {
            (sum.0 + second.due, sum.1 + second.ok, sum.2 + second.info)
        })
    };
    assert_eq!(sums(&whole), sums(&part));
}

#[test]
fn what_the_generator_had_no_socket_for_is_never_the_fleets_fault() {
    let mut run = without_faults();
    for place in 2_000..2_400 {
        run.calls[place].class = Class::Local;
        run.calls[place].outcome = crate::model::Outcome::Fail;
        run.calls[place].ends = Some(crate::model::Outcome::Fail);
    }
    let report = judged(&run);
    assert_eq!(report.analysis.trust[2].trust, Trust::Invalid);
    let reasons = report.analysis.trust[2].reasons.join("; ");
    assert!(reasons.contains("400 Calls had no connection"), "{reasons}");
    let right = finding(&report, "right");
    assert_eq!(right.answer, Answer::Inconclusive);
    assert!(right.evidence[0].starts_with("inconclusive because `chaos` is invalid"));
}
