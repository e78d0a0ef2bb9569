//! Stopping, and what cannot be started.

use std::time::{Duration, Instant};

use mcpload::load::frames::{FromWorker, ToWorker};
use mcpload::model::{Class, ProtocolVersion};
use mcpload::plan::Dialect;

use crate::conductor::Worker;
use crate::plan;
use crate::stub::{Manner, Stub};

const SECOND: Duration = Duration::from_secs(1);

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
        plan.workloads[0].protocols = vec![(Dialect::Version(ProtocolVersion::V2026_07_28), 1)];
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
            record.call_classes().get(&(class, None)).copied(),
            usize::try_from(arrivals).ok(),
            "{hard}"
        );
    }
}

#[test]
fn a_worker_says_why_it_cannot_work() {
    let mut worker = Worker::assign(
        &plan::constant("10/s", SECOND),
        "gopher://127.0.0.1:1/mcp",
        0,
        1,
    );
    match worker.next() {
        Some(FromWorker::Failed(failed)) => {
            assert!(
                failed.reason.contains("expected http://"),
                "{}",
                failed.reason
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(worker.leave().join().unwrap().is_err());
}
