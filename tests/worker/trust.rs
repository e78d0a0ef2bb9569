//! What the numbers are trusted for: what waited for whom, what is kept and what is left out, and whose fault it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use mcpload::load::draw;
use mcpload::model::{Class, Outcome, ProtocolVersion};
use mcpload::plan::{Dialect, Method, Plan, RecordPlan, SourceRange};
use serde_json::json;

use crate::conductor::{Record, Worker, run};
use crate::plan;
use crate::stub::{Manner, Stub};

const SECOND: Duration = Duration::from_secs(1);

fn modern(rate: &str, length: Duration) -> Plan {
    let mut plan = plan::constant(rate, length);
    plan.workloads[0].protocols = vec![(Dialect::Version(ProtocolVersion::V2026_07_28), 1)];
    plan
}

#[test]
fn a_pause_of_the_server_shows_in_the_response_time_and_not_in_the_service_time() {
    // 5 of 2,000 calls are under way when the server stops for a second; 500 arrivals are due until it goes on.
    let stub = Stub::start(Manner::PauseAfter(500));
    let mut plan = modern("500/s", SECOND * 4);
    plan.workloads[0].clients = 5;
    let record = run(&plan, &stub.url);
    assert_eq!(record.values("response/"), 2_000);
    let response = record.quantile_ms("response/", 0.99);
    let service = record.quantile_ms("service/", 0.99);
    // One in a hundred waited for nearly all of the pause. A machine that is slow makes it more, never less.
    assert!(response >= 800, "response p99 {response} ms");
    assert!(service < 500, "service p99 {service} ms");
    let late = record.quantile_ms("response/", 0.80);
    assert!(late >= 20, "a fifth of all arrivals waited: p80 {late} ms");
}

/// The time under way that a worker counted, and what its rows say, nanoseconds.
fn under_way(record: &Record) -> (i64, i64) {
    let seconds = record.seconds.iter();
    let counted = seconds
        .flat_map(|second| &second.under_way)
        .map(|level| level.area_ns)
        .sum();
    let mut taken: BTreeMap<Option<u64>, i64> = BTreeMap::new();
    let mut spent = 0;
    for call in &record.calls {
        if let Some(at) = call.taken {
            taken.entry(call.arrival).or_insert(at.nanos());
        }
    }
    for call in record.calls.iter().filter(|call| call.ends_operation()) {
        spent += call.done.nanos() - taken[&call.arrival];
    }
    (counted, spent)
}

#[test]
fn what_was_under_way_adds_up_to_the_time_that_operations_took() {
    for manner in [Manner::Json, Manner::Hang, Manner::PauseAfter(20)] {
        let stub = Stub::start(manner);
        let mut plan = modern("50/s", SECOND * 2);
        plan.workloads[0].operations[0].timeout = Duration::from_millis(300);
        let record = run(&plan, &stub.url);
        assert_eq!(record.totals.operations, 100);
        let (counted, spent) = under_way(&record);
        assert_eq!(counted, spent, "{manner:?}");
        assert!(spent > 0);
    }
}

fn sampled(share: &str) -> Plan {
    let mut plan = plan::constant("200/s", SECOND);
    let journey = vec![
        plan::step(Method::Ping, "", json!({})),
        plan::step(Method::ToolsList, "", json!({})),
    ];
    plan.workloads[0]
        .operations
        .push(plan::operation("journey", 1, journey));
    plan.objectives.clear();
    plan.record = RecordPlan {
        calls: share.parse().unwrap(),
    };
    plan
}

#[test]
fn rows_of_a_share_of_the_operations_are_kept_and_everything_is_counted() {
    let plan = sampled("20%");
    let mut kept = Vec::new();
    for of in 1..=2 {
        let stub = Stub::start(Manner::Json);
        let mut workers: Vec<Worker> = (0..of)
            .map(|index| Worker::assign(&plan, &stub.url, index, of))
            .collect();
        workers.iter_mut().for_each(Worker::start);
        let mut arrivals = BTreeMap::new();
        let (mut operations, mut responses) = (0, 0);
        for worker in workers {
            let record = worker.finish();
            let calls = record.sum(|row| row.calls_ok + row.calls_fail + row.calls_info);
            assert_eq!(
                record.calls.len() as u64 + record.sum(|row| row.left_out),
                calls
            );
            assert_eq!(record.values("service/"), calls);
            operations += record.sum(|row| row.operations_ok);
            responses += record.values("response/");
            for call in record.of_arrivals() {
                let ends = arrivals.entry(call.arrival.unwrap()).or_insert(0);
                *ends += u32::from(call.ends_operation());
            }
            assert!(!record.sessions.is_empty());
        }
        assert_eq!((operations, responses), (200, 200));
        // Whole operations: each has its end.
        assert!(arrivals.values().all(|ends| *ends == 1), "{arrivals:?}");
        kept.push(arrivals.into_keys().collect::<BTreeSet<u64>>());
    }
    assert_eq!(kept[0], kept[1], "the seed draws, whoever carries it out");
    let drawn: BTreeSet<u64> = (0..200)
        .filter(|arrival| draw::is_kept(plan.seed, 0, *arrival, plan.record.calls))
        .collect();
    // What outlasts its phase is kept beside what is drawn: the last arrival may.
    assert!(kept[0].is_superset(&drawn));
    assert!(kept[0].len() <= drawn.len() + 5, "{:?}", kept[0]);
}

#[test]
fn what_did_not_end_ok_keeps_its_rows_whatever_is_drawn() {
    let stub = Stub::start(Manner::WrongText);
    let record = run(&sampled("0%"), &stub.url);
    let bad = record.of_arrivals();
    let bad = bad
        .iter()
        .filter(|call| call.ends.is_some_and(|ended| ended != Outcome::Ok));
    assert_eq!(bad.count(), 200);
    assert_eq!(record.sum(|row| row.left_out), 0);
}

#[test]
fn what_exceeds_a_threshold_keeps_its_rows() {
    let stub = Stub::start(Manner::Json);
    let mut plan = sampled("0%");
    // Of calls, under zero: everything exceeds it.
    plan.objectives = plan::constant("1/s", SECOND).objectives;
    let record = run(&plan, &stub.url);
    assert_eq!(record.sum(|row| row.left_out), 0);
}

#[test]
fn a_port_that_this_machine_does_not_have_is_our_own_fault() {
    let stub = Stub::start(Manner::Json);
    let mut plan = modern("20/s", SECOND / 2);
    // For documentation only (RFC 5737): no machine connects from it.
    plan.workloads[0].connections.sources = vec![SourceRange {
        first: "192.0.2.1".parse().unwrap(),
        count: 1,
    }];
    let record = run(&plan, &stub.url);
    assert_eq!(
        record.call_classes(),
        BTreeMap::from([((Class::Local, None), 10)])
    );
    assert!(
        record
            .of_arrivals()
            .iter()
            .all(|call| call.sent.is_none() && call.outcome == Outcome::Fail)
    );
}

/// Takes connections until it is dropped, and does this to each.
fn target(act: fn(TcpStream)) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            // Each has a thread that ends with its connection.
            std::thread::spawn(move || act(stream));
        }
    });
    (url, thread)
}

#[test]
fn a_target_that_takes_connections_and_never_answers_times_out() {
    let (url, _thread) = target(|mut stream| {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
    });
    let mut plan = modern("20/s", SECOND / 2);
    plan.workloads[0].clients = 100;
    plan.workloads[0].operations[0].timeout = Duration::from_millis(400);
    let record = run(&plan, &url);
    for call in record.of_arrivals() {
        // An arrival at a client that is busy with another may find its time over.
        assert!(
            matches!(call.class, Class::Timeout | Class::Unsent),
            "{call:?}"
        );
        assert!(call.done.nanos() - call.operation_due.nanos() >= 400_000_000);
    }
    assert_eq!(record.values("response-bad/"), 10);
    assert!(record.call_classes().contains_key(&(Class::Timeout, None)));
}

#[test]
fn a_target_that_resets_connections_breaks_them() {
    let (url, _thread) = target(|mut stream| {
        let mut buffer = [0; 1];
        let _ = stream.read(&mut buffer);
        // Closed with the rest of the request unread, a socket answers with a reset.
    });
    let record = run(&modern("20/s", SECOND / 2), &url);
    assert_eq!(
        record.call_classes(),
        BTreeMap::from([((Class::Transport, None), 10)])
    );
    assert!(
        record
            .of_arrivals()
            .iter()
            .all(|call| call.outcome == Outcome::Info && call.sent.is_some())
    );
}
