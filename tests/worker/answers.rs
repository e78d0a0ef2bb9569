//! Every way to answer, or not to, and the headers of requests.

use std::collections::BTreeMap;
use std::time::Duration;

use mcpload::model::{Class, Outcome, ProtocolVersion, Share};
use mcpload::plan::{Dialect, Method};
use serde_json::json;

use crate::conductor::run;
use crate::plan;
use crate::stub::{Manner, Stub};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_way_to_answer_wrongly_has_its_class() {
    let cases = [
        (Manner::Events, Class::None, None),
        (Manner::Ping, Class::None, None),
        (Manner::Truncated, Class::Truncated, None),
        (Manner::WrongId, Class::Malformed, None),
        (Manner::NotJson, Class::Malformed, None),
        (Manner::WrongText, Class::WrongAnswer, None),
        (Manner::ToolError, Class::Tool, None),
        (Manner::RpcError, Class::JsonRpc, Some(-32602)),
        (Manner::Status(503), Class::Http, Some(503)),
        (Manner::Status(429), Class::Http, Some(429)),
    ];
    for (manner, class, code) in cases {
        let stub = Stub::start(manner);
        let record = run(&plan::constant("20/s", SECOND / 2), &stub.url);
        assert_eq!(
            record.call_classes(),
            BTreeMap::from([((class, code), 10)]),
            "{manner:?}"
        );
        let bad = if class == Class::None { 0 } else { 10 };
        assert_eq!(record.values("response-bad/"), bad, "{manner:?}");
        assert_eq!(
            record.over.iter().map(|over| over[0]).sum::<u64>(),
            bad,
            "{manner:?}"
        );
        assert_eq!(record.sum(|row| row.operations_ok), 10 - bad, "{manner:?}");
        assert_eq!(
            stub.arguments().len(),
            10,
            "{manner:?}: nothing is sent twice"
        );
    }
}

#[test]
fn nobody_listening_is_a_refused_connection() {
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/mcp", listener.local_addr().unwrap())
    };
    let mut plan = plan::constant("20/s", SECOND / 2);
    plan.workloads[0].protocols = vec![(Dialect::Version(ProtocolVersion::V2026_07_28), 1)];
    let record = run(&plan, &url);
    assert_eq!(
        record.call_classes(),
        BTreeMap::from([((Class::Connect, None), 10)])
    );
    assert!(
        record
            .of_arrivals()
            .iter()
            .all(|call| call.sent.is_none() && call.outcome == Outcome::Fail)
    );
}

#[test]
fn a_hung_server_times_calls_out_and_leaves_waiting_arrivals_unsent() {
    let stub = Stub::start(Manner::Hang);
    let mut plan = plan::constant("100/s", SECOND / 2);
    plan.workloads[0].clients = 2;
    plan.workloads[0].operations[0].timeout = Duration::from_millis(300);
    let record = run(&plan, &stub.url);
    let calls = record.of_arrivals();
    assert_eq!(calls.len(), 50);
    let classes = record.call_classes();
    let timeouts = classes[&(Class::Timeout, None)];
    let unsent = classes[&(Class::Unsent, None)];
    assert_eq!(timeouts + unsent, 50);
    // Two clients, 0.8 s, 0.3 s a call: no more than three calls each can be sent.
    assert!((2..=6).contains(&timeouts), "{classes:?}");
    for call in &calls {
        assert_eq!(call.sent.is_some(), call.class == Class::Timeout);
        assert!(
            call.done.nanos() - call.operation_due.nanos() >= 300_000_000,
            "{call:?}"
        );
    }
    assert!(record.calls.is_sorted_by_key(|call| call.done));
    assert_eq!(record.values("response-bad/"), 50);
}

#[test]
fn cold_clients_connect_for_each_call_and_others_once() {
    for (cold, connections) in [(Share::ONE, 10), (Share::ZERO, 1)] {
        let stub = Stub::start(Manner::Json);
        let mut plan = plan::constant("20/s", SECOND / 2);
        plan.workloads[0].clients = 1;
        plan.workloads[0].connections.cold = cold;
        plan.workloads[0].protocols = vec![(Dialect::Version(ProtocolVersion::V2026_07_28), 1)];
        let record = run(&plan, &stub.url);
        let connected = record
            .of_arrivals()
            .iter()
            .filter(|call| call.connect_ns.is_some())
            .count();
        // The tools are learnt once, over the client's connection.
        let learning = usize::from(cold == Share::ONE);
        assert_eq!(connected + 1 - learning, connections);
        assert_eq!(
            stub.seen.lock().unwrap().peers.len(),
            connections + learning
        );
    }
}

#[test]
fn modern_requests_mirror_method_name_and_version_in_headers() {
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("20/s", SECOND / 2);
    plan.workloads[0].protocols = vec![(Dialect::Version(ProtocolVersion::V2026_07_28), 1)];
    plan.workloads[0].operations.push(plan::operation(
        "ping",
        1,
        vec![plan::step(Method::Ping, "", json!({}))],
    ));
    let record = run(&plan, &stub.url);
    assert_eq!(
        record.call_classes(),
        BTreeMap::from([((Class::None, None), 10)])
    );
    assert!(record.sessions.is_empty());
    for (verb, headers, body) in &stub.seen.lock().unwrap().requests {
        assert_eq!(verb, "POST");
        assert_eq!(headers["mcp-method"], body["method"].as_str().unwrap());
        assert_eq!(headers["mcp-protocol-version"], "2026-07-28");
        assert_eq!(
            body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"],
            "2026-07-28"
        );
        assert!(!headers.contains_key("mcp-session-id"));
        match body["method"].as_str().unwrap() {
            "tools/call" => assert_eq!(headers["mcp-name"], "echo"),
            "server/discover" | "tools/list" => assert!(!headers.contains_key("mcp-name")),
            other => panic!("{other}"),
        }
    }
}
