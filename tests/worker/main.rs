//! A load worker, driven over a socket pair against a stub of an MCP server.

mod conductor;
mod plan;
mod stub;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use conductor::{Worker, run};
use mcpload::load::frames::{FromWorker, ToWorker};
use mcpload::model::session::Transition;
use mcpload::model::{Class, Outcome, ProtocolVersion, Share};
use mcpload::plan::Method;
use serde_json::json;

use stub::{Manner, Stub};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_arrival_is_sent_and_counted_once() {
    let stub = Stub::start(Manner::Json);
    let plan = plan::constant("100/s", SECOND * 2);
    let record = run(&plan, &stub.url);
    let calls = record.of_arrivals();
    let mut arrivals: Vec<u64> = calls.iter().filter_map(|call| call.arrival).collect();
    arrivals.sort_unstable();
    assert_eq!(arrivals, (0..200).collect::<Vec<_>>());
    for call in &calls {
        assert_eq!(
            (call.outcome, call.class, call.ends),
            (Outcome::Ok, Class::None, Some(Outcome::Ok)),
            "{call:?}"
        );
        assert_eq!(
            call.due.nanos(),
            i64::try_from(call.arrival.unwrap()).unwrap() * 10_000_000
        );
        assert!(
            call.due <= call.taken.unwrap()
                && call.taken <= call.sent
                && call.sent <= call.first_byte
        );
        assert!(call.first_byte <= call.first_event && call.first_event.unwrap() <= call.done);
        assert_eq!(
            (
                call.method.as_str(),
                call.target.as_str(),
                call.phase.as_str()
            ),
            ("tools/call", "echo", "only")
        );
        assert_eq!(
            (call.instance.as_str(), call.session),
            ("server-1#1", Some(1))
        );
    }
    assert!(record.calls.is_sorted_by_key(|call| call.done));
    assert_eq!(stub.arguments().len(), 200);
    assert_eq!(
        (record.totals.operations, record.totals.calls),
        (200, u64::try_from(record.calls.len()).unwrap())
    );
}

fn call_classes(record: &conductor::Record) -> BTreeMap<(Class, Option<i64>), usize> {
    let mut classes = BTreeMap::new();
    for call in record.of_arrivals() {
        *classes.entry((call.class, call.code)).or_default() += 1;
    }
    classes
}

#[test]
fn rows_counts_and_histograms_say_the_same() {
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("100/s", SECOND);
    plan.workloads[0].protocols = vec![
        (ProtocolVersion::V2025_11_25, 1),
        (ProtocolVersion::V2026_07_28, 1),
    ];
    let list = plan::operation(
        "list",
        1,
        vec![plan::step(Method::ToolsList, "", json!({}))],
    );
    let journey = vec![
        plan::step(Method::Ping, "", json!({})),
        plan::step(Method::ToolsList, "", json!({})),
    ];
    plan.workloads[0].operations.extend([
        list,
        plan::operation("journey", 2, journey),
        plan::echo("never", 0),
    ]);
    plan.phases.push(plan::phase(
        "second",
        1000,
        SECOND,
        plan::spec("constant", json!({"rate": "50/s"})),
    ));
    let record = run(&plan, &stub.url);

    let calls = record.of_arrivals();
    let ended = calls.iter().filter(|call| call.ends_operation()).count() as u64;
    assert_eq!(ended, 150);
    assert!(
        calls
            .iter()
            .all(|call| call.outcome == Outcome::Ok && call.operation != "never")
    );
    assert_eq!(record.sum(|row| row.arrivals), 150);
    assert_eq!(record.sum(|row| row.operations_ok), 150);
    assert_eq!(record.sum(|row| row.calls_ok), record.calls.len() as u64);
    assert_eq!(
        record.sum(|row| row.shed + row.unrecorded + row.calls_fail + row.calls_info),
        0
    );
    assert_eq!(
        record
            .seconds
            .iter()
            .map(|second| (second.arrivals, second.ok))
            .fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1)),
        (150, 150)
    );
    // Every ended call took longer than nothing; no operation took 5 s.
    assert_eq!(record.over.iter().map(|over| over[0]).sum::<u64>(), 0);
    assert_eq!(
        record.over.iter().map(|over| over[1]).sum::<u64>(),
        calls.len() as u64
    );

    assert_eq!(record.values("response/"), 150);
    assert_eq!(record.values("response-bad/"), 0);
    assert_eq!(record.values("lag/"), 150);
    assert_eq!(record.values("client-wait/"), 150);
    assert_eq!(record.values("service/"), record.calls.len() as u64);
    assert_eq!(
        record.values("slot-service/server-1/"),
        record
            .calls
            .iter()
            .filter(|call| call.instance == "server-1#1")
            .count() as u64
    );
    // By label set, rows and histograms agree too.
    for (tag, count) in record.by_tag() {
        let parts: Vec<&str> = tag.split('/').collect();
        if let ["response", workload, operation, protocol, phase] = parts.as_slice() {
            let rows = calls.iter().filter(|call| {
                call.ends_operation()
                    && call.workload == *workload
                    && call.operation == *operation
                    && call.protocol.name() == *protocol
                    && call.phase == *phase
            });
            assert_eq!(rows.count() as u64, count, "{tag}");
        }
    }
    let phases: BTreeMap<&str, usize> =
        calls
            .iter()
            .filter(|call| call.ends_operation())
            .fold(BTreeMap::new(), |mut sum, call| {
                *sum.entry(call.phase.as_str()).or_default() += 1;
                sum
            });
    assert_eq!(phases, BTreeMap::from([("only", 100), ("second", 50)]));
}

#[test]
fn every_second_of_the_run_is_reported_once_and_in_order() {
    let stub = Stub::start(Manner::Json);
    let record = run(&plan::constant("10/s", SECOND * 2), &stub.url);
    let seconds: Vec<i64> = record.seconds.iter().map(|second| second.second).collect();
    let last = *seconds.last().unwrap();
    assert!(last >= 1);
    let from_zero: Vec<i64> = seconds.into_iter().filter(|second| *second >= 0).collect();
    assert_eq!(from_zero, (0..=last).collect::<Vec<_>>());
    for row in &record.counts {
        assert!(
            record
                .seconds
                .iter()
                .any(|second| second.second == row.second)
        );
    }
}

#[test]
fn the_load_is_the_same_for_any_number_of_workers() {
    let mut runs = Vec::new();
    for of in 1..=3 {
        let stub = Stub::start(Manner::Json);
        let mut plan = plan::constant("100/s", SECOND);
        plan.workloads[0].operations.push(plan::operation(
            "list",
            1,
            vec![plan::step(Method::ToolsList, "", json!({}))],
        ));
        let mut workers: Vec<Worker> = (0..of)
            .map(|index| Worker::assign(&plan, &stub.url, index, of))
            .collect();
        workers.iter_mut().for_each(Worker::start);
        let mut arrivals = Vec::new();
        for (index, worker) in (0..).zip(workers) {
            let record = worker.finish();
            for call in record.of_arrivals() {
                assert_eq!((call.client % of, call.worker), (index, index));
                arrivals.push((
                    call.arrival.unwrap(),
                    call.client,
                    call.operation.clone(),
                    call.due,
                ));
            }
        }
        arrivals.sort();
        assert_eq!(arrivals.len(), 100);
        runs.push((arrivals, stub.arguments()));
    }
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0], runs[2]);
    let clients: BTreeSet<u32> = runs[0].0.iter().map(|arrival| arrival.1).collect();
    assert_eq!(clients.len(), 10, "every client gets arrivals");
}

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
            call_classes(&record),
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
    plan.workloads[0].protocols = vec![(ProtocolVersion::V2026_07_28, 1)];
    let record = run(&plan, &url);
    assert_eq!(
        call_classes(&record),
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
fn a_legacy_client_without_a_session_sends_nothing_and_tries_again() {
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/mcp", listener.local_addr().unwrap())
    };
    let mut worker = Worker::assign(&plan::constant("20/s", SECOND / 2), &url, 0, 1);
    worker.start();
    let ready = worker.ready.clone().unwrap();
    assert_eq!(
        (
            ready.clients,
            ready.sessions,
            ready.failed,
            ready.first_failure.as_str()
        ),
        (10, 0, 10, "connect")
    );
    let record = worker.finish();
    assert_eq!(
        call_classes(&record),
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
fn a_hung_server_times_calls_out_and_leaves_waiting_arrivals_unsent() {
    let stub = Stub::start(Manner::Hang);
    let mut plan = plan::constant("100/s", SECOND / 2);
    plan.workloads[0].clients = 2;
    plan.workloads[0].operations[0].timeout = Duration::from_millis(300);
    let record = run(&plan, &stub.url);
    let calls = record.of_arrivals();
    assert_eq!(calls.len(), 50);
    let classes = call_classes(&record);
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
fn a_lost_session_ends_the_operation_and_is_replaced_in_the_clients_own_time() {
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("20/s", SECOND);
    plan.workloads[0].clients = 1;
    stub.seen.lock().unwrap().forget = 1;
    let record = run(&plan, &stub.url);
    assert_eq!(
        call_classes(&record),
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
        call_classes(&record),
        BTreeMap::from([((Class::SessionLost, Some(404)), 10)])
    );
    let moves: Vec<Transition> = record.sessions.iter().map(|row| row.transition).collect();
    assert_eq!(moves, [Transition::Born, Transition::Lost]);
    assert_eq!(stub.count("DELETE"), 0);
}

#[test]
fn cold_clients_connect_for_each_call_and_others_once() {
    for (cold, connections) in [(Share::ONE, 10), (Share::ZERO, 1)] {
        let stub = Stub::start(Manner::Json);
        let mut plan = plan::constant("20/s", SECOND / 2);
        plan.workloads[0].clients = 1;
        plan.workloads[0].cold = cold;
        plan.workloads[0].protocols = vec![(ProtocolVersion::V2026_07_28, 1)];
        let record = run(&plan, &stub.url);
        let connected = record
            .of_arrivals()
            .iter()
            .filter(|call| call.connect_ns.is_some())
            .count();
        assert_eq!(
            (connected, stub.seen.lock().unwrap().peers.len()),
            (connections, connections)
        );
        assert_eq!(record.values("connect/"), connections as u64);
    }
}

#[test]
fn modern_requests_mirror_method_name_and_version_in_headers() {
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("20/s", SECOND / 2);
    plan.workloads[0].protocols = vec![(ProtocolVersion::V2026_07_28, 1)];
    plan.workloads[0].operations.push(plan::operation(
        "ping",
        1,
        vec![plan::step(Method::Ping, "", json!({}))],
    ));
    let record = run(&plan, &stub.url);
    assert_eq!(
        call_classes(&record),
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
            method => assert_eq!(
                (method, headers.contains_key("mcp-name")),
                ("server/discover", false)
            ),
        }
    }
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

#[test]
fn the_end_of_the_input_stops_a_worker_at_once() {
    let stub = Stub::start(Manner::Hang);
    let mut worker = Worker::assign(&plan::constant("100/s", SECOND * 60), &stub.url, 0, 1);
    worker.start();
    while stub.arguments().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let since = Instant::now();
    let thread = worker.leave();
    while !thread.is_finished() {
        assert!(since.elapsed() < SECOND * 5, "the worker goes on alone");
        std::thread::sleep(Duration::from_millis(5));
    }
    thread.join().unwrap().unwrap();
}

#[test]
fn a_graceful_stop_lets_operations_end_and_a_hard_one_gives_them_up() {
    for (hard, manner, class) in [
        (false, Manner::Json, Class::None),
        (true, Manner::Hang, Class::Timeout),
    ] {
        let stub = Stub::start(manner);
        let mut plan = plan::constant("20/s", SECOND * 60);
        plan.workloads[0].clients = 1000;
        plan.workloads[0].protocols = vec![(ProtocolVersion::V2026_07_28, 1)];
        plan.workloads[0].operations[0].timeout = SECOND * 30;
        let mut worker = Worker::assign(&plan, &stub.url, 0, 1);
        worker.start();
        while stub.arguments().len() < 5 {
            std::thread::sleep(Duration::from_millis(5));
        }
        worker.tell(&ToWorker::Stop { hard });
        let record = worker.finish();
        let arrivals = record.sum(|row| row.arrivals);
        assert!((5..200).contains(&arrivals), "{arrivals}");
        assert_eq!(record.totals.operations, arrivals);
        assert_eq!(
            call_classes(&record).get(&(class, None)).copied(),
            usize::try_from(arrivals).ok(),
            "{hard}"
        );
    }
}

#[test]
fn what_is_late_by_our_own_fault_is_shed_and_counted() {
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("100/s", SECOND);
    plan.workloads[0].max_lag = Duration::ZERO;
    let record = run(&plan, &stub.url);
    // Nothing is released at its very nanosecond.
    assert_eq!(
        (record.sum(|row| row.shed), record.sum(|row| row.arrivals)),
        (100, 0)
    );
    assert_eq!((record.totals.shed, record.totals.operations), (100, 0));
    assert_eq!(record.values("lag/"), 100);
    assert!(record.of_arrivals().is_empty());
}

#[test]
fn a_worker_says_why_it_cannot_work() {
    let mut worker = Worker::assign(
        &plan::constant("10/s", SECOND),
        "https://127.0.0.1:1/mcp",
        0,
        1,
    );
    match worker.next() {
        Some(FromWorker::Failed(failed)) => {
            assert!(failed.reason.contains("TLS"), "{}", failed.reason)
        }
        other => panic!("{other:?}"),
    }
    assert!(worker.leave().join().unwrap().is_err());
}

#[test]
fn users_act_wait_and_think_and_keep_their_sessions_over_phases() {
    // The only test with users: goose can run one attack in a process.
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("10/s", SECOND);
    let users = |users, think| plan::spec("users", json!({ "users": users, "think": think }));
    plan.phases = vec![
        plan::phase("few", 0, SECOND, users(2, "100ms")),
        plan::phase("many", 1000, SECOND, users(5, "50ms")),
    ];
    let record = run(&plan, &stub.url);
    let calls = record.of_arrivals();
    assert!(
        calls
            .iter()
            .all(|call| call.outcome == Outcome::Ok && call.ends_operation())
    );
    let in_phase = |phase: &str| {
        calls
            .iter()
            .filter(|call| call.phase == phase)
            .copied()
            .collect::<Vec<_>>()
    };
    let (few, many) = (in_phase("few"), in_phase("many"));
    let clients = |calls: &[&mcpload::model::Call]| {
        calls
            .iter()
            .map(|call| call.client)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(clients(&few), BTreeSet::from([0, 1]));
    assert_eq!(clients(&many), (0..5).collect());
    // A user who thinks for 100 ms acts at most ten times in a second (and once more at its begin).
    assert!((2..=22).contains(&few.len()), "{}", few.len());
    assert!((5..=105).contains(&many.len()), "{}", many.len());
    for user in 0..5 {
        let mut acts: Vec<_> = calls.iter().filter(|call| call.client == user).collect();
        acts.sort_by_key(|call| call.due);
        assert!(
            acts.windows(2)
                .all(|pair| pair[1].due.nanos() - pair[0].done.nanos() >= 50_000_000)
        );
        let numbers: Vec<u64> = acts.iter().filter_map(|call| call.arrival).collect();
        let wanted = (0_u64..)
            .map(|act| act * 10 + u64::from(user))
            .take(numbers.len());
        assert_eq!(numbers, wanted.collect::<Vec<_>>());
        assert!(
            acts.iter()
                .all(|call| call.session == Some(1) && call.taken == Some(call.due))
        );
    }
    let ended = u64::try_from(calls.len()).unwrap();
    assert_eq!(
        (
            record.sum(|row| row.arrivals),
            record.sum(|row| row.operations_ok)
        ),
        (ended, ended)
    );
}
