//! A load worker, driven over a socket pair against a stub of an MCP server.

mod conductor;
mod plan;
mod stub;

use std::time::Duration;

use conductor::{Worker, run};
use mcpload::model::session::Transition;
use mcpload::model::{Class, Outcome};

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
