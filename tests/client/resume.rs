//! Streams that are cut under a call, and resumed: without gap or double, and how it shows if not so.

use mcpload::model::session::Transition::{Resumed, StreamCut};
use mcpload::model::{Class, Outcome};
use mcpload::plan::{OperationPlan, RecoveryPlan};
use serde_json::json;

use crate::conductor::{Record, run};
use crate::support::{LEGACY, Server, classes, each, echo, steps, times, tool};

fn stream() -> OperationPlan {
    tool("stream", json!({"n": 20, "interval_ms": 2}))
}

/// What a client that may resume so often makes of one call.
fn resumed(rules: &[&str], words: &[&str], operation: OperationPlan, resumes: u32) -> Record {
    let server = Server::start(rules, words);
    let mut plan = times(1, LEGACY, operation);
    plan.workloads[0].recovery.resumes = resumes;
    run(&plan, &server.url)
}

/// How often a stream was cut and resumed, and the events that were missed and doubled.
fn ledger(record: &Record) -> (usize, usize, u64, u64) {
    let rows = |transition| {
        let all = record.sessions.iter();
        all.filter(move |row| row.transition == transition)
    };
    (
        rows(StreamCut).count(),
        rows(Resumed).count(),
        rows(Resumed).map(|row| row.missed).sum(),
        rows(Resumed).map(|row| row.doubled).sum(),
    )
}

#[test]
fn a_call_whose_streams_are_cut_again_and_again_is_answered_without_gap_or_double() {
    let rules = ["cut-stream=3,tool=stream", "cut-stream=3,on=get"];
    let record = resumed(&rules, &[], stream(), 20);
    let calls = steps(&record);
    let (last, cut) = calls.split_last().unwrap();
    assert!(cut.iter().all(|call| call.class == Class::Truncated));
    assert_eq!((last.class, last.ends), (Class::None, Some(Outcome::Ok)));
    // Twenty notifications and the answer, three at a time.
    assert_eq!(ledger(&record), (6, 6, 0, 0));
    assert_eq!(cut.len(), 6);
}

#[test]
fn a_stream_that_is_cut_inside_an_event_gives_it_once() {
    let rules = [
        "cut-stream=2,inside,tool=stream",
        "reset-stream=4,inside,on=get,first=2",
    ];
    let record = resumed(&rules, &[], stream(), 20);
    assert_eq!(steps(&record).last().unwrap().class, Class::None);
    assert_eq!(ledger(&record), (3, 3, 0, 0));
}

#[test]
fn a_server_that_resumes_badly_is_found_out() {
    let cases = [
        (&["--resume-gap", "2"][..], (1, 1, 2, 0)),
        (&["--resume-gap", "5"], (1, 1, 5, 0)),
        (&["--resume-double"], (1, 1, 0, 1)),
    ];
    each(&cases, |(words, expected)| {
        // What comes after the cut is all there when the client comes back.
        let words = [&["--sse-retry", "500ms"], *words].concat();
        let stream = tool("stream", json!({"n": 20}));
        let record = resumed(&["cut-stream=3,tool=stream"], &words, stream, 20);
        assert_eq!(ledger(&record), *expected, "{words:?}");
        assert_eq!(steps(&record).last().unwrap().class, Class::None);
    });
}

#[test]
fn an_answer_that_the_stream_ends_without_is_fetched() {
    let record = resumed(&["no-answer,tool=echo"], &[], echo(), 2);
    assert_eq!(
        classes(&record),
        [(Class::Truncated, None), (Class::None, None)]
    );
    assert_eq!(ledger(&record), (1, 1, 0, 0));
}

#[test]
fn a_client_resumes_as_often_as_its_policy_lets_it_and_no_more() {
    let rules = ["cut-stream=1,tool=stream", "cut-stream=0,on=get"];
    for (policy, resumes) in [("never", 0), ("spec", 2)] {
        let server = Server::start(&rules, &[]);
        let mut plan = times(1, LEGACY, stream());
        plan.workloads[0].recovery = RecoveryPlan::preset(policy);
        let record = run(&plan, &server.url);
        // A resumed stream that brings nothing is resumed where it was before.
        let cut = (Class::Truncated, None);
        assert_eq!(classes(&record), vec![cut; resumes + 1], "{policy}");
        assert_eq!(steps(&record)[resumes].ends, Some(Outcome::Info));
    }
}

#[test]
fn a_server_that_kept_nothing_cannot_be_resumed() {
    let words = ["--event-store", "0"];
    let record = resumed(&["cut-stream=3,tool=stream"], &words, stream(), 20);
    assert_eq!(classes(&record), [(Class::Truncated, None)]);
    assert_eq!(ledger(&record), (0, 0, 0, 0));
}
