//! Load profiles as a worker plays them: the same for any number of workers, several at once, and clients that come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mcpload::model::session::Transition;
use mcpload::model::{Call, Outcome, ProtocolVersion, Seed};
use mcpload::plan::{Dialect, Method, Plan, WorkloadPlan};
use mcpload::registry::Spec;
use serde_json::{Value, json};

use crate::conductor::{Record, Worker, run};
use crate::plan;
use crate::stub::{Manner, Stub};

const SECOND: Duration = Duration::from_secs(1);

/// The constant plan with phases of 0.6 s under these loads.
fn phases(loads: &[Spec]) -> Plan {
    let mut plan = plan::constant("10/s", SECOND);
    let length = Duration::from_millis(600);
    plan.phases = (0_u64..)
        .zip(loads)
        .map(|(number, load)| {
            plan::phase(
                &format!("phase-{number}"),
                number * 600,
                length,
                load.clone(),
            )
        })
        .collect();
    plan
}

/// Runs the plan on so many workers at the same time.
fn on_workers(plan: &Plan, stub: &Stub, of: u32) -> Vec<Record> {
    let mut workers: Vec<Worker> = (0..of)
        .map(|index| Worker::assign(plan, &stub.url, index, of))
        .collect();
    workers.iter_mut().for_each(Worker::start);
    workers.into_iter().map(Worker::finish).collect()
}

#[test]
fn what_arrives_when_for_whom_and_with_what_is_the_same_on_one_and_on_three_workers() {
    let mut plan = phases(&[
        plan::spec("poisson", json!({ "rate": "100/s" })),
        plan::spec(
            "ramp",
            json!({ "from": "20/s", "to": "150/s", "spacing": "even" }),
        ),
        plan::spec(
            "sine",
            json!({ "min": "20/s", "max": "150/s", "period": "300ms", "offset": "0%", "spacing": "poisson" }),
        ),
        plan::spec("churn", json!({ "rate": "100/s", "calls": 3 })),
    ]);
    plan.seed = Seed(23);
    let list = vec![plan::step(Method::ToolsList, "", json!({}))];
    plan.workloads[0]
        .operations
        .push(plan::operation("list", 1, list));
    let runs = [1, 3].map(|of| {
        let stub = Stub::start(Manner::Json);
        let records = on_workers(&plan, &stub, of);
        let calls = records.iter().flat_map(Record::of_arrivals);
        let mut seen: Vec<_> = calls
            // A client that comes anew says so within the operation.
            .filter(|call| call.target == "echo" || call.method == "tools/list")
            .map(|call| {
                (
                    call.arrival.unwrap(),
                    call.due.nanos(),
                    call.client,
                    call.operation.clone(),
                    call.session,
                    call.phase.clone(),
                )
            })
            .collect();
        seen.sort();
        (seen, stub.arguments())
    });
    let [one, three] = &runs;
    assert_eq!(one.0, three.0);
    assert_eq!(one.1, three.1);
    let phases: BTreeSet<&str> = one.0.iter().map(|arrival| arrival.5.as_str()).collect();
    assert_eq!(phases.len(), 4);
    // Arrivals are numbered through, from 0.
    assert!(
        (0..)
            .zip(&one.0)
            .all(|(number, arrival)| number == arrival.0)
    );
}

#[test]
fn several_workloads_each_have_their_profile_in_the_same_phase() {
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("50/s", SECOND);
    plan.workloads.push(WorkloadPlan {
        number: 1,
        ..WorkloadPlan::new("others", 5, vec![plan::echo("others-echo", 1)])
    });
    let spike = json!({
        "base": "10/s", "peak": "110/s", "at": "300ms", "rise": "0s", "hold": "400ms", "fall": "0s", "spacing": "even",
    });
    plan.phases[0]
        .loads
        .insert("others".to_owned(), plan::spec("spike", spike));
    let record = run(&plan, &stub.url);
    let mut due: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for call in record.of_arrivals() {
        assert_eq!(call.outcome, Outcome::Ok);
        due.entry(&call.workload)
            .or_default()
            .push(call.due.nanos() / 1_000_000);
    }
    assert_eq!(due["main"].len(), 50);
    // 3 before, 44 within, 3 after.
    let others = &due["others"];
    assert_eq!(others.len(), 50);
    let inside = others.iter().filter(|at| (300..700).contains(*at)).count();
    assert_eq!(inside, 44);
}

/// The calls of each client, in order.
fn by_client(record: &Record) -> BTreeMap<u32, Vec<&Call>> {
    let mut clients: BTreeMap<u32, Vec<&Call>> = BTreeMap::new();
    for call in record.of_arrivals() {
        if call.method == "tools/call" {
            clients.entry(call.client).or_default().push(call);
        }
    }
    for calls in clients.values_mut() {
        calls.sort_by_key(|call| call.arrival);
    }
    clients
}

#[test]
fn a_client_that_churns_has_a_new_session_after_so_many_operations() {
    let stub = Stub::start(Manner::Json);
    let plan = phases(&[
        plan::spec("churn", json!({ "rate": "150/s", "calls": 4 })),
        plan::spec("constant", json!({ "rate": "50/s" })),
    ]);
    let record = run(&plan, &stub.url);
    let mut most = 0;
    for calls in by_client(&record).values() {
        let churning = calls.iter().filter(|call| call.phase == "phase-0").count();
        for (number, call) in (0..).zip(calls) {
            assert_eq!(call.outcome, Outcome::Ok);
            // The last session that the first phase began, at the latest, is kept in the second.
            let wanted = (number / 4).min(churning / 4) + 1;
            assert_eq!(call.session.map(|it| it as usize), Some(wanted), "{number}");
            most = most.max(wanted);
        }
    }
    assert!(most >= 2, "no client began anew");
    let count = |wanted| {
        let rows = record
            .sessions
            .iter()
            .filter(|row| row.transition == wanted);
        rows.count()
    };
    // Each session is one of its own: it was born, and it was ended.
    assert_eq!(count(Transition::ReEstablished), 0);
    assert_eq!(count(Transition::Lost) + count(Transition::Abandoned), 0);
    assert!(count(Transition::Born) > 10);
    assert_eq!(count(Transition::Closed), count(Transition::Born));
    assert_eq!(stub.count("DELETE"), count(Transition::Born));
    // The handshakes of later sessions are Calls of their own, in the time of the run.
    let later = record
        .calls
        .iter()
        .filter(|call| call.method == "initialize" && call.phase != "set-up");
    assert_eq!(later.count(), count(Transition::Born) - 10);
}

#[test]
fn a_client_without_sessions_churns_its_connection_and_one_that_says_no_goodbye_leaves() {
    for (version, goodbye) in [
        (ProtocolVersion::V2026_07_28, true),
        (ProtocolVersion::V2025_11_25, false),
    ] {
        let stub = Stub::start(Manner::Json);
        let mut plan = phases(&[plan::spec("churn", json!({ "rate": "100/s", "calls": 2 }))]);
        plan.workloads[0].clients = 3;
        plan.workloads[0].protocols = vec![(Dialect::Version(version), 1)];
        plan.workloads[0].goodbye = goodbye;
        let record = run(&plan, &stub.url);
        let mut wanted = 0;
        for calls in by_client(&record).values() {
            wanted += calls.len().div_ceil(2);
            assert!(calls.iter().all(|call| call.outcome == Outcome::Ok));
        }
        assert_eq!(stub.count("DELETE"), 0);
        assert!(
            stub.seen.lock().unwrap().peers.len() >= wanted,
            "{version}: too few connections"
        );
        let left = record
            .sessions
            .iter()
            .filter(|row| row.transition == Transition::Abandoned)
            .count();
        if goodbye {
            assert_eq!(record.sessions.len(), 0);
        } else {
            assert!(left > 20, "{left}");
        }
    }
}

#[test]
fn a_recording_is_played_from_the_plan_alone() {
    let stub = Stub::start(Manner::Json);
    let times = [0, 5, 5, 400, 599, 600, 9000].map(|ms| ms * 1_000_000);
    let open = plan::spec(
        "replay",
        json!({ "file": "gone.csv", "column": "at", "speed": 1.0, "begin": "zero" }),
    );
    let length = Duration::from_millis(600);
    let resolved = mcpload::load::profiles::replay::resolve(&open, &times, length).unwrap();
    let record = run(&phases(&[resolved]), &stub.url);
    let mut due: Vec<i64> = record
        .of_arrivals()
        .iter()
        .map(|call| call.due.nanos())
        .collect();
    due.sort_unstable();
    assert_eq!(due, times[..5]);
    assert_eq!(
        open.with["recorded"],
        Value::Null,
        "the file itself is not touched"
    );
}
