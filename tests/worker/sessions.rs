//! Sessions: lost, replaced, retried, kept.

use std::collections::BTreeMap;
use std::time::Duration;

use mcpload::model::session::Transition;
use mcpload::model::{Class, Outcome};

use crate::conductor::{Worker, run};
use crate::plan;
use crate::stub::{Manner, Stub};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_legacy_client_without_a_session_sends_nothing_and_tries_again() {
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/mcp", listener.local_addr().unwrap())
    };
    let mut worker = Worker::assign(&plan::constant("20/s", SECOND / 2), &url, 0, 1);
    worker.start();
    let ready = worker.ready.clone().unwrap();
    assert_eq!((ready.clients, ready.sessions, ready.failed), (10, 0, 10));
    let cause = &ready.first_failure;
    assert!(
        cause.starts_with("connect: no connection to 127.0.0.1"),
        "{cause}"
    );
    let record = worker.finish();
    assert_eq!(
        record.call_classes(),
        BTreeMap::from([((Class::Unsent, None), 10)])
    );
    assert_eq!(
        record
            .sessions
            .iter()
            .filter(|row| row.transition == Transition::Failed)
            .count(),
        20
    );
    let in_set_up = record
        .calls
        .iter()
        .filter(|call| call.phase == "set-up" && call.method == "initialize");
    assert_eq!(in_set_up.count(), 10);
}

#[test]
fn a_lost_session_ends_the_operation_and_is_replaced_in_the_clients_own_time() {
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("20/s", SECOND);
    plan.workloads[0].clients = 1;
    stub.seen.lock().unwrap().forget = 1;
    let record = run(&plan, &stub.url);
    assert_eq!(
        record.call_classes(),
        BTreeMap::from([
            ((Class::None, None), 19),
            ((Class::SessionLost, Some(404)), 1)
        ])
    );
    let moves: Vec<(Transition, u32, &str)> = record
        .sessions
        .iter()
        .map(|row| (row.transition, row.session, row.cause.as_str()))
        .collect();
    assert_eq!(
        moves,
        [
            (Transition::Born, 1, ""),
            (Transition::Lost, 1, "http 404"),
            (Transition::ReEstablished, 2, ""),
            (Transition::Closed, 2, "")
        ]
    );
    let again = record
        .calls
        .iter()
        .filter(|call| call.method == "initialize" && call.phase == "only")
        .collect::<Vec<_>>();
    assert_eq!(again.len(), 1);
    assert_eq!(
        (again[0].operation.as_str(), again[0].arrival),
        ("session", None)
    );
    assert_eq!(stub.count("DELETE"), 1);
}

#[test]
fn a_policy_with_retries_sends_the_call_again_within_the_operation() {
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("20/s", SECOND / 2);
    plan.workloads[0].clients = 1;
    plan.workloads[0].recovery.retries = 1;
    stub.seen.lock().unwrap().forget = 1;
    let record = run(&plan, &stub.url);
    let first: Vec<_> = record
        .calls
        .iter()
        .filter(|call| call.arrival == Some(0))
        .collect();
    let seen: Vec<(&str, u32, Class, Option<Outcome>)> = first
        .iter()
        .map(|call| (call.method.as_str(), call.attempt, call.class, call.ends))
        .collect();
    assert_eq!(
        seen,
        [
            ("tools/call", 0, Class::SessionLost, None),
            ("initialize", 0, Class::None, None),
            ("notifications/initialized", 0, Class::None, None),
            ("tools/call", 1, Class::None, Some(Outcome::Ok)),
        ]
    );
    assert!(first.windows(2).all(|pair| pair[0].done <= pair[1].due));
    assert_eq!(record.sum(|row| row.operations_ok), 10);
    // Both attempts carried the same arguments.
    let uids = stub
        .arguments()
        .iter()
        .filter(|arguments| arguments.contains("-0-0\""))
        .count();
    assert_eq!(uids, 2);
}

#[test]
fn a_policy_without_recovery_keeps_the_lost_session() {
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("20/s", SECOND / 2);
    plan.workloads[0].clients = 1;
    plan.workloads[0].recovery.reinitialise = false;
    stub.seen.lock().unwrap().forget = 1;
    let record = run(&plan, &stub.url);
    assert_eq!(
        record.call_classes(),
        BTreeMap::from([((Class::SessionLost, Some(404)), 10)])
    );
    let moves: Vec<Transition> = record.sessions.iter().map(|row| row.transition).collect();
    assert_eq!(moves, [Transition::Born, Transition::Lost]);
    assert_eq!(stub.count("DELETE"), 0);
}

#[test]
fn legacy_requests_carry_session_and_version_after_the_handshake() {
    let stub = Stub::start(Manner::Json);
    stub.seen.lock().unwrap().forbid_goodbye = true;
    let record = run(&plan::constant("20/s", SECOND / 2), &stub.url);
    let seen = stub.seen.lock().unwrap();
    for (_, headers, body) in &seen.requests {
        let first = body["method"] == "initialize";
        assert_eq!(headers.contains_key("mcp-session-id"), !first);
        assert_eq!(headers.contains_key("mcp-protocol-version"), !first);
        assert!(!headers.contains_key("mcp-method"));
    }
    // A server may refuse to end sessions; that is no failure, and the session is not said to be closed.
    let ends: Vec<_> = record
        .calls
        .iter()
        .filter(|call| call.method == "DELETE")
        .collect();
    assert_eq!(ends.len(), 10);
    assert!(ends.iter().all(|call| call.outcome == Outcome::Ok));
    assert!(
        record
            .sessions
            .iter()
            .all(|row| row.transition == Transition::Born)
    );
}
