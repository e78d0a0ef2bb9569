//! The stream that a client keeps open beside its calls: what the server asks on it, and what happens when it is cut.

use mcpload::model::session::Transition::{self, Resumed, StreamCut, StreamOpened};
use mcpload::model::{Class, ProtocolVersion, Share};
use mcpload::plan::{Method, OperationPlan};
use serde_json::json;

use crate::conductor::{Record, run};
use crate::plan;
use crate::support::{LEGACY, MODERN, Server, classes, each, echo, times, transitions};

/// A client that listens, and calls so often, ten times a second.
fn listening(version: ProtocolVersion, calls: u32, server: &Server) -> Record {
    let mut plan = times(calls, version, echo());
    plan.workloads[0].listen = Share::ONE;
    let record = run(&plan, &server.url);
    let all_right = vec![(Class::None, None); calls as usize];
    assert_eq!(classes(&record), all_right, "{version}");
    record
}

fn count(record: &Record, wanted: Transition) -> usize {
    let all = transitions(record);
    all.iter().filter(|found| **found == wanted).count()
}

/// The classes of the openings of a stream.
fn openings(record: &Record, method: &str) -> Vec<Class> {
    let all = record.calls.iter().filter(|call| call.method == method);
    all.map(|call| call.class).collect()
}

#[test]
fn pings_on_the_stream_of_a_session_are_answered() {
    each(&[ProtocolVersion::V2025_03_26, LEGACY], |version| {
        let server = Server::start(&[], &["--ping-interval", "300ms"]);
        let record = listening(*version, 15, &server);
        assert_eq!(count(&record, StreamOpened), 1);
        assert_eq!(openings(&record, "GET"), [Class::None]);
        assert!(server.metric("mcp_pings_total{status=\"answered\"}") >= 2);
    });
}

#[test]
fn a_modern_client_subscribes_in_place_of_a_session() {
    let server = Server::start(&[], &[]);
    let record = listening(MODERN, 2, &server);
    assert_eq!(openings(&record, "subscriptions/listen"), [Class::None]);
    assert_eq!(count(&record, StreamOpened), 1);
    assert_eq!(openings(&record, "GET"), []);
}

#[test]
fn a_cut_stream_is_resumed_where_it_ended_and_opened_anew_in_the_modern_era() {
    let words = ["--ping-interval", "100ms"];
    let server = Server::start(&["cut-stream=1,on=get,first=1"], &words);
    let record = listening(LEGACY, 15, &server);
    let found: Vec<_> = transitions(&record)
        .into_iter()
        .filter(|found| [StreamOpened, StreamCut, Resumed].contains(found))
        .collect();
    assert_eq!(found, [StreamOpened, StreamCut, Resumed]);
    assert_eq!(openings(&record, "GET"), [Class::None; 2]);

    // The acknowledgement passes; it is opened again after a second.
    let rule = "cut-stream=1,method=subscriptions/listen,first=1";
    let server = Server::start(&[rule], &[]);
    let record = listening(MODERN, 25, &server);
    assert_eq!(
        (count(&record, StreamOpened), count(&record, StreamCut)),
        (2, 1)
    );
}

/// An operation that subscribes to a counter and counts it up.
fn touching() -> OperationPlan {
    let steps = vec![
        plan::step(Method::ResourcesSubscribe, "mem://counter/a", json!({})),
        plan::step(Method::ToolsCall, "touch", json!({"name": "a"})),
    ];
    plan::operation("touching", 1, steps)
}

#[test]
fn what_a_resumed_stream_leaves_out_or_sends_twice_is_in_the_ledger() {
    let cases = [
        (&[][..], (0, 0)),
        (&["--resume-gap", "1"], (1, 0)),
        (&["--resume-double"], (0, 1)),
    ];
    each(&cases, |(defect, expected)| {
        // While the client waits for its turn to resume, changes come that the server keeps for it.
        let words = [defect, &["--sse-retry", "500ms"][..]].concat();
        let server = Server::start(&["cut-stream=3,on=get,first=1"], &words);
        let mut plan = times(20, LEGACY, touching());
        plan.workloads[0].listen = Share::ONE;
        let record = run(&plan, &server.url);
        assert_eq!(count(&record, Resumed), 1, "{defect:?}");
        let rows = &record.sessions;
        let found: (u64, u64) = (
            rows.iter().map(|row| row.missed).sum(),
            rows.iter().map(|row| row.doubled).sum(),
        );
        assert_eq!(found, *expected, "{defect:?}");
    });
}

#[test]
fn a_server_that_offers_no_stream_does_no_harm() {
    let cases = [
        ("status=405,on=get", LEGACY, "GET", Class::None),
        ("status=404,on=get", LEGACY, "GET", Class::SessionLost),
        ("html,on=get", LEGACY, "GET", Class::Malformed),
        ("gzip,on=get", LEGACY, "GET", Class::Malformed),
        (
            "status=404,method=subscriptions/listen",
            MODERN,
            "subscriptions/listen",
            Class::Http,
        ),
        (
            "invalid-json,method=subscriptions/listen",
            MODERN,
            "subscriptions/listen",
            Class::None,
        ),
        (
            "html,method=subscriptions/listen",
            MODERN,
            "subscriptions/listen",
            Class::Malformed,
        ),
    ];
    each(&cases, |(rule, version, method, class)| {
        let server = Server::start(&[rule], &[]);
        let record = listening(*version, 2, &server);
        let found = openings(&record, method);
        assert!(!found.is_empty(), "{rule}");
        assert!(
            found.iter().all(|found| found == class),
            "{rule}: {found:?}"
        );
    });
}
