//! Clients that only hold a session and a stream, and are looked after all the same.

use std::time::Duration;

use mcpload::model::session::Transition::{Born, Closed, Lost, ReEstablished, StreamOpened};
use mcpload::model::{Offset, ProtocolVersion};
use mcpload::plan::{Plan, RecoveryPlan};
use serde_json::json;

use crate::conductor::{Record, run};
use crate::plan;
use crate::support::{LEGACY, MODERN, Server, echo, times, transitions};

/// So many clients, of which the first hold for so long.
fn holding(version: ProtocolVersion, clients: u32, held: u32, length: Duration) -> Plan {
    let mut plan = times(1, version, echo());
    plan.workloads[0].clients = clients;
    plan.workloads[0].held = held;
    plan.workloads[0].operations = Vec::new();
    let load = plan::spec("hold", json!({ "sessions": held }));
    plan.phases = vec![plan::phase("idle", 0, length, load)];
    plan
}

fn count(record: &Record, wanted: mcpload::model::session::Transition) -> usize {
    let all = transitions(record);
    all.iter().filter(|found| **found == wanted).count()
}

#[test]
fn sessions_and_streams_are_open_from_before_the_load_to_its_end_and_nothing_arrives() {
    let server = Server::start(&[], &[]);
    let plan = holding(LEGACY, 6, 4, Duration::from_millis(500));
    let record = run(&plan, &server.url);
    assert_eq!((count(&record, Born), count(&record, Closed)), (6, 6));
    assert_eq!(count(&record, StreamOpened), 4);
    assert_eq!(count(&record, Lost), 0);
    let opened = record
        .sessions
        .iter()
        .filter(|row| row.transition == StreamOpened);
    assert!(opened.clone().all(|row| row.at < Offset::ZERO));
    assert!(opened.map(|row| row.client).max() < Some(4));
    assert!(record.of_arrivals().is_empty());
    assert_eq!(record.totals.operations, 0);

    let server = Server::start(&[], &[]);
    let plan = holding(MODERN, 6, 4, Duration::from_millis(500));
    let record = run(&plan, &server.url);
    assert_eq!(transitions(&record), [StreamOpened; 4]);
}

#[test]
fn an_idle_session_that_is_lost_is_replaced_as_its_policy_says() {
    // The first stream is cut, and who comes to resume it is told that there is no such session.
    let rules = ["cut-stream=1,on=get,first=1", "status=404,on=get,first=1"];
    for (policy, replaced) in [("spec", true), ("never", false)] {
        let server = Server::start(&rules, &["--ping-interval", "100ms"]);
        let mut plan = holding(LEGACY, 1, 1, Duration::from_secs(3));
        plan.workloads[0].recovery = RecoveryPlan::preset(policy);
        let record = run(&plan, &server.url);
        let found = transitions(&record);
        assert_eq!(count(&record, Lost), 1, "{policy}: {found:?}");
        assert_eq!(
            count(&record, ReEstablished),
            usize::from(replaced),
            "{policy}: {found:?}"
        );
        assert_eq!(count(&record, StreamOpened), 1 + usize::from(replaced));
    }
}

#[test]
fn a_client_that_got_no_session_before_the_load_gets_one_later() {
    let server = Server::start(&["status=503,method=initialize,first=1"], &[]);
    let record = run(&holding(LEGACY, 1, 1, Duration::from_secs(1)), &server.url);
    assert_eq!((count(&record, Born), count(&record, StreamOpened)), (1, 1));
}
