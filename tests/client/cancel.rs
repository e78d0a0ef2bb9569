//! Calls that are given up, in both eras: what stops, and what goes on.

use std::time::Duration;

use mcpload::model::{Class, Outcome, ProtocolVersion, Share};
use mcpload::plan::{CancelPlan, Plan, VanishHow, VanishPlan};
use serde_json::{Value, json};

use crate::conductor::run;
use crate::support::{LEGACY, MODERN, Server, classes, each, executions, steps, times, tool};

/// After what time calls are left: enough for a busy machine to have begun them.
const AFTER: Duration = Duration::from_millis(700);

fn cancelling(version: ProtocolVersion, name: &str, arguments: Value) -> Plan {
    let mut operation = tool(name, arguments);
    operation.cancel = Some(CancelPlan {
        share: Share::ONE,
        after: AFTER,
    });
    times(1, version, operation)
}

fn vanishing(version: ProtocolVersion, name: &str, arguments: Value) -> Plan {
    let mut plan = times(1, version, tool(name, arguments));
    plan.workloads[0].vanish = Some(VanishPlan {
        share: Share::ONE,
        after: AFTER,
        how: VanishHow::Close,
    });
    plan
}

#[test]
fn a_cancelled_call_stops_on_the_server_in_both_eras() {
    each(&[ProtocolVersion::V2024_11_05, LEGACY, MODERN], |version| {
        let server = Server::start(&[], &[]);
        let plan = cancelling(*version, "sleep", json!({"ms": 600_000}));
        let record = run(&plan, &server.url);
        server.counted(&executions("sleep", "cancelled"), 1);
        let is_cancelled = |class: &(Class, _)| class.0 == Class::Cancelled;
        assert!(classes(&record).iter().all(is_cancelled), "{version}");
        assert_eq!(steps(&record)[0].ends, Some(Outcome::Ok));
        let told = record.calls.iter();
        let told = told.filter(|call| call.method == "notifications/cancelled");
        // A modern client only closes the stream.
        assert_eq!(told.count(), usize::from(*version != MODERN), "{version}");
    });
}

#[test]
fn a_call_that_is_answered_in_time_is_not_cancelled() {
    for version in [LEGACY, MODERN] {
        let server = Server::start(&[], &[]);
        let plan = cancelling(version, "echo", json!({"text": "x"}));
        let record = run(&plan, &server.url);
        assert_eq!(classes(&record), [(Class::None, None)]);
    }
}

#[test]
fn a_call_whose_client_is_gone_goes_on_in_the_legacy_era() {
    let server = Server::start(&[], &[]);
    let plan = vanishing(LEGACY, "sleep", json!({"ms": 2500}));
    let record = run(&plan, &server.url);
    assert_eq!(classes(&record), [(Class::Cancelled, None)]);
    server.counted(&executions("sleep", "finished"), 1);
    assert_eq!(server.metric(&executions("sleep", "cancelled")), 0);
}

#[test]
fn a_call_whose_client_is_gone_stops_in_the_modern_era() {
    let server = Server::start(&[], &[]);
    let plan = vanishing(MODERN, "stream", json!({"n": 100_000, "interval_ms": 50}));
    let record = run(&plan, &server.url);
    assert_eq!(classes(&record), [(Class::Cancelled, None)]);
    server.counted(&executions("stream", "cancelled"), 1);
}

#[test]
fn a_server_that_ignores_cancelling_goes_on_and_its_client_does_not_wait() {
    let server = Server::start(&[], &["--ignore-cancel"]);
    let plan = cancelling(LEGACY, "sleep", json!({"ms": 2500}));
    let record = run(&plan, &server.url);
    assert_eq!(classes(&record), [(Class::Cancelled, None)]);
    server.counted(&executions("sleep", "finished"), 1);
    assert_eq!(server.metric(&executions("sleep", "cancelled")), 0);
}
