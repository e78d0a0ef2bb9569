//! Rows by hand against the `csv` crate, with names that need quotes.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::load::recording::Instance;
use crate::model::{Call, Class, Offset, ProtocolVersion};
use crate::plan::{OperationPlan, Plan, WorkloadPlan};

const T0: i64 = 5_000_000_000;

/// A table whose names are these: workload, operation, target, phase.
fn table(names: &[String; 4]) -> Table {
    let [workload, name, target, phase] = names;
    let step = json!({
        "name": "echo", "method": "tools/call", "target": target, "arguments": {}, "expect": [], "pages": "first",
        "progress": false, "keep": {},
    });
    let operation = OperationPlan {
        name: name.clone(),
        weight: 1,
        timeout: std::time::Duration::from_secs(1),
        steps: vec![serde_json::from_value(step).unwrap()],
        cancel: None,
    };
    let plan = json!({
        "name": "test", "seed": 1, "workers": 1, "steady": {"share": "0%", "over": "1s"},
        "fleet": {"driver": {"kind": "external"}, "roles": [], "endpoint": {"urls": []}, "served_by": null},
        "workloads": [WorkloadPlan::new(workload, 1, vec![operation])],
        "phases": [{"name": phase, "window": {"start": 0, "end": 1_000_000_000}, "measure": true, "loads": {}}],
        "faults": [], "objectives": [], "checks": [], "origins": {},
    });
    let plan: Plan = serde_json::from_value(plan).unwrap();
    Table::new(plan, 3, 4).unwrap()
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,8}", "[a-z,\"\r\n '#é\\\\]{0,8}"]
}

prop_compose! {
    fn attempt()(
        stamps in proptest::array::uniform7(-9_000_000_000_i64..9_000_000_000_000),
        some in any::<[bool; 12]>(),
        small in any::<[u32; 4]>(),
        large in any::<[u64; 5]>(),
        code in any::<i64>(),
        instance in name(),
        protocol in prop::sample::select(&ProtocolVersion::ALL[..]),
        class in prop::sample::select(&Class::ALL[..]),
        asked in prop::sample::select(&[Asked::Step, Asked::Initialize, Asked::Delete, Asked::Stream][..]),
        ends in prop::sample::select(&[Outcome::Ok, Outcome::Fail, Outcome::Info][..]),
    ) -> Attempt {
        Attempt {
            done: stamps[0],
            operation_due: stamps[1],
            due: stamps[2],
            taken: some[0].then_some(stamps[3]),
            sent: some[1].then_some(stamps[4]),
            first_byte: some[2].then_some(stamps[5]),
            first_event: some[3].then_some(stamps[6]),
            connect_ns: some[4].then_some(large[0]),
            tls_ns: some[5].then_some(large[1]),
            workload: 0,
            operation: some[6].then_some(0),
            arrival: some[7].then_some(large[2]),
            step: 0,
            attempt: small[1],
            client: small[2],
            session: some[8].then_some(small[3]),
            protocol,
            asked,
            phase: some[9].then_some(0),
            class,
            code: some[10].then_some(code),
            instance: (!instance.is_empty()).then(|| Instance {
                name: instance.into(),
                slot: None,
            }),
            bytes_in: large[3],
            bytes_out: large[4],
            ends: some[11].then_some(ends),
        }
    }
}

/// The same as the vocabulary has it.
fn call(names: &[String; 4], row: &Attempt) -> Call {
    let at = |raw: i64| Offset(raw - T0);
    let [workload, operation, target, phase] = names;
    let either = |known: bool, yes: &str, no: &str| if known { yes } else { no }.to_owned();
    let step = row.asked == Asked::Step && row.operation.is_some();
    let method = if step {
        "tools/call"
    } else {
        row.asked.method()
    };
    Call {
        done: at(row.done),
        operation_due: at(row.operation_due),
        due: at(row.due),
        taken: row.taken.map(at),
        sent: row.sent.map(at),
        first_byte: row.first_byte.map(at),
        first_event: row.first_event.map(at),
        connect_ns: row.connect_ns,
        tls_ns: row.tls_ns,
        worker: 3,
        workload: workload.clone(),
        operation: either(row.operation.is_some(), operation, "session"),
        arrival: row.arrival,
        step: row.step,
        attempt: row.attempt,
        client: row.client,
        session: row.session,
        protocol: row.protocol,
        method: method.to_owned(),
        target: either(step, target, ""),
        phase: either(row.phase.is_some(), phase, "set-up"),
        outcome: row.outcome(),
        class: row.class,
        code: row.code,
        instance: row
            .instance
            .as_ref()
            .map_or_else(String::new, |kept| kept.name.to_string()),
        bytes_in: row.bytes_in,
        bytes_out: row.bytes_out,
        ends: row.ends,
    }
}

proptest! {
    #[test]
    fn rows_by_hand_are_those_of_the_csv_crate(
        names in proptest::array::uniform4(name()),
        attempts in proptest::collection::vec(attempt(), 1..8),
    ) {
        let table = table(&names);
        let clock = Clock::starting_at(T0);
        let calls: Vec<Call> = attempts.iter().map(|row| call(&names, row)).collect();
        let mut by_hand = Vec::new();
        for row in &attempts {
            write(&table, clock, row, &mut by_hand);
        }
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        for call in &calls {
            writer.serialize(call).unwrap();
        }
        let by_crate = writer.into_inner().unwrap();
        prop_assert_eq!(String::from_utf8(by_hand.clone()).unwrap(), String::from_utf8(by_crate).unwrap());
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(by_hand.as_slice());
        let read: Vec<Call> = reader.records().map(|record| record.unwrap().deserialize(None).unwrap()).collect();
        prop_assert_eq!(read, calls);
    }
}
