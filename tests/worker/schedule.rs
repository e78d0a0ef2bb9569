//! What arrives when, who gets it, and how it is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mcpload::model::{Class, Outcome, ProtocolVersion};
use mcpload::plan::{Dialect, Method};
use serde_json::json;

use crate::conductor::{Worker, run};
use crate::plan;
use crate::stub::{Manner, Stub};

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

#[test]
fn rows_counts_and_histograms_say_the_same() {
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("100/s", SECOND);
    plan.workloads[0].protocols = vec![
        (Dialect::Version(ProtocolVersion::V2025_11_25), 1),
        (Dialect::Version(ProtocolVersion::V2026_07_28), 1),
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
