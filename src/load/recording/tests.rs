//! What the recorder does when nobody takes its seconds, and at its bounds.

use std::sync::mpsc::{channel, sync_channel};

use serde_json::json;

use super::*;
use crate::model::ProtocolVersion;
use crate::plan::{OperationPlan, Plan, WorkloadPlan};

const SECOND: i64 = 1_000_000_000;

fn table() -> Arc<Table> {
    let operation = OperationPlan {
        name: "echo".to_owned(),
        weight: 1,
        timeout: std::time::Duration::from_secs(1),
        steps: Vec::new(),
        cancel: None,
    };
    let plan = json!({
        "name": "test", "seed": 1, "workers": 1, "steady": {"share": "0%", "over": "1s"},
        "fleet": {"driver": {"kind": "external"}, "roles": [], "endpoint": {"urls": []}, "served_by": null},
        "workloads": [WorkloadPlan::new("main", 1, vec![operation])],
        "phases": [{"name": "only", "window": {"start": 0, "end": 100 * SECOND}, "measure": true, "loads": {}}],
        "faults": [], "objectives": [], "checks": [], "origins": {},
    });
    let plan: Plan = serde_json::from_value(plan).unwrap();
    Arc::new(Table::new(plan, 0, 1).unwrap())
}

pub(super) fn call(done: i64) -> Attempt {
    Attempt {
        done,
        operation_due: done - 5_000_000,
        due: done - 5_000_000,
        taken: Some(done - 4_000_000),
        sent: Some(done - 3_000_000),
        first_byte: Some(done - 1_000_000),
        first_event: None,
        connect_ns: None,
        tls_ns: None,
        workload: 0,
        operation: Some(0),
        arrival: Some(0),
        step: 0,
        attempt: 0,
        client: 0,
        session: None,
        protocol: ProtocolVersion::V2025_11_25,
        asked: Asked::Step,
        phase: Some(0),
        class: Class::None,
        code: None,
        instance: None,
        bytes_in: 1,
        bytes_out: 1,
        ends: Some(Outcome::Ok),
    }
}

#[test]
fn when_nobody_takes_the_seconds_rows_are_dropped_and_counted_but_counts_and_histograms_are_not() {
    let (sender, parcels) = sync_channel(1);
    let (_recycle, returned) = channel();
    let mut recorder = Recorder::new(table(), sender, returned);
    recorder.start(Clock::starting_at(0));
    for second in 0..5 {
        for call_of in 0..10 {
            recorder.attempt(call(second * SECOND + 100_000_000 + call_of));
        }
    }
    recorder.finish();
    assert!(!recorder.is_handed_over());
    let Ok(Parcel::Second(first)) = parcels.recv() else {
        panic!("the first second");
    };
    assert_eq!((first.live.second, first.rows.len()), (0, 10));
    assert!(recorder.is_handed_over());
    let Ok(Parcel::Second(rest)) = parcels.recv() else {
        panic!("the rest");
    };
    assert_eq!(rest.rows.len(), 0);
    let counts: Vec<(i64, u64, u64)> = rest
        .seconds()
        .iter()
        .map(|(live, rows)| {
            let sum = |of: fn(&second::Counters) -> u64| {
                rows.iter().map(|(_, counters)| of(counters)).sum()
            };
            (
                live.second,
                sum(|counters| counters.calls.ok),
                live.unrecorded,
            )
        })
        .collect();
    assert_eq!(
        counts
            .iter()
            .map(|(second, ok, _)| (*second, *ok))
            .collect::<Vec<_>>(),
        [(1, 10), (2, 10), (3, 10), (4, 10)]
    );
    assert_eq!(
        counts.iter().map(|(_, _, dropped)| dropped).sum::<u64>(),
        40
    );
    assert_eq!(recorder.totals().unrecorded, 40);
    let histograms = rest.into_histograms();
    assert!(!histograms.is_empty());
    assert!(
        histograms
            .iter()
            .all(|(_, histogram)| histogram.len() == 40)
    );
}

#[test]
fn what_happened_before_start_is_written_down_with_negative_offsets() {
    let (sender, parcels) = sync_channel(8);
    let (_recycle, returned) = channel();
    let mut recorder = Recorder::new(table(), sender, returned);
    let mut upkeep = call(7 * SECOND);
    (upkeep.operation, upkeep.arrival, upkeep.ends) = (None, None, None);
    recorder.attempt(upkeep);
    recorder.start(Clock::starting_at(10 * SECOND));
    recorder.roll(11 * SECOND);
    let seconds: Vec<(i64, usize)> = parcels
        .try_iter()
        .filter_map(|parcel| match parcel {
            Parcel::Second(second) => Some((second.live.second, second.rows.len())),
            Parcel::Message(_) => None,
        })
        .collect();
    assert_eq!(seconds, [(-3, 1), (0, 0)]);
}

#[test]
fn names_of_instances_are_kept_once_and_bounded() {
    let (sender, _parcels) = sync_channel(1);
    let (_recycle, returned) = channel();
    let mut recorder = Recorder::new(table(), sender, returned);
    assert!(recorder.instance("").is_none());
    let first = recorder.instance("server-1#1").unwrap();
    let second = recorder.instance("server-1#2").unwrap();
    assert_eq!(first.slot, second.slot);
    assert_eq!(
        recorder.instance("a/b c#1").unwrap().slot.as_deref(),
        Some("a_b_c")
    );
    for number in 0..MAX_INSTANCES {
        let _ = recorder.instance(&format!("x-{number}"));
    }
    assert!(recorder.instance("one-more").is_none());
    assert!(recorder.instance("server-1#1").is_some());
}
