//! Tests of reading by hand against reading by column names. Not pure.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::record::layout;
use crate::record::reader::Rows;

/// A name as a hostile server, or a careless person, could choose it.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{1,8}",
        1 => "[a-z,\"\r\n '#é\\\\]{0,8}",
    ]
}

fn stamp() -> impl Strategy<Value = Option<Offset>> {
    prop_oneof![
        4 => (-9_000_000_000_i64..9_000_000_000_000).prop_map(|at| Some(Offset(at))),
        1 => any::<i64>().prop_map(|at| Some(Offset(at))),
        1 => Just(None),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Ok), Just(Outcome::Fail), Just(Outcome::Info)]
}

prop_compose! {
    fn call()(
        stamps in proptest::array::uniform7(stamp()),
        names in proptest::array::uniform6(name()),
        small in proptest::array::uniform5(prop_oneof![0_u32..50, any::<u32>()]),
        large in proptest::array::uniform5(prop_oneof![0_u64..50, any::<u64>()]),
        some in any::<[bool; 6]>(),
        protocol in prop::sample::select(&ProtocolVersion::ALL[..]),
        class in prop::sample::select(&Class::ALL[..]),
        outcome in outcome(),
        ends in prop::option::of(outcome()),
        code in prop::option::of(prop_oneof![-40_000_i64..1000, any::<i64>()]),
    ) -> Call {
        let [workload, operation, method, target, phase, instance] = names;
        let [done, operation_due, due, taken, sent, first_byte, first_event] = stamps;
        Call {
            done: done.unwrap_or_default(),
            operation_due: operation_due.unwrap_or_default(),
            due: due.unwrap_or_default(),
            taken, sent, first_byte, first_event,
            connect_ns: some[0].then_some(large[0]),
            tls_ns: some[1].then_some(large[1]),
            worker: small[0],
            workload, operation,
            arrival: some[2].then_some(large[2]),
            step: small[1],
            attempt: small[2],
            client: small[3],
            session: some[3].then_some(small[4]),
            protocol, method, target, phase, outcome, class, code, instance,
            bytes_in: large[3],
            bytes_out: large[4],
            ends,
        }
    }
}

/// The table as the recorder writes it.
fn table(calls: &[Call]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for call in calls {
        writer.serialize(call).unwrap();
    }
    writer.into_inner().unwrap()
}

type Told = (Vec<Call>, Option<String>);

/// What both ways of reading say of a file with this text.
fn both(text: &[u8]) -> (Told, Told) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join(layout::CALLS),
        zstd::bulk::compress(text, 1).unwrap(),
    )
    .unwrap();
    let mut calls = Calls::open(directory.path(), layout::CALLS);
    let mut by_hand = Vec::new();
    calls.for_each(|call| by_hand.push(call.clone()));
    let mut rows = Rows::<Call>::compressed(directory.path(), layout::CALLS);
    let by_name = rows.by_ref().collect();
    ((by_hand, calls.damage()), (by_name, rows.damage()))
}

#[test]
fn the_columns_are_those_that_are_written() {
    let text = table(&[crate::judge::built::call(
        0,
        Offset(0),
        std::time::Duration::ZERO,
        Class::None,
        "server-1",
    )]);
    assert!(text.starts_with(format!("{}\n", COLUMNS.join(",")).as_bytes()));
}

#[test]
fn columns_in_another_order_and_unknown_ones_are_read_by_name() {
    let text = table(&[crate::judge::built::call(
        7,
        Offset(5),
        std::time::Duration::ZERO,
        Class::None,
        "server-1",
    )]);
    let text = String::from_utf8(text).unwrap();
    let turned: Vec<String> = text
        .lines()
        .zip(["mood", "good"])
        .map(|(line, more)| {
            let mut fields: Vec<&str> = line.split(',').collect();
            fields.reverse();
            format!("{more},{}\n", fields.join(","))
        })
        .collect();
    let ((by_hand, damage), by_name) = both(turned.concat().as_bytes());
    assert_eq!((by_hand.len(), by_hand[0].arrival), (1, Some(7)));
    assert_eq!((by_hand, damage), by_name);
}

#[test]
fn a_run_of_many_batches_is_read_to_its_end() {
    let calls: Vec<Call> = (0..5000)
        .map(|k| {
            let due = Offset(i64::try_from(k).unwrap());
            crate::judge::built::call(k, due, std::time::Duration::ZERO, Class::None, "server-1")
        })
        .collect();
    let ((by_hand, damage), _) = both(&table(&calls));
    assert_eq!((by_hand == calls, damage), (true, None));
}

proptest! {
    #[test]
    fn calls_are_read_as_they_were_written(calls in proptest::collection::vec(call(), 0..20)) {
        let ((by_hand, damage), _) = both(&table(&calls));
        prop_assert_eq!(by_hand, calls);
        prop_assert_eq!(damage, None);
    }

    #[test]
    fn a_damaged_table_says_the_same_by_hand_and_by_name(
        calls in proptest::collection::vec(call(), 1..5),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_usize..3), 1..4),
    ) {
        let mut text = table(&calls);
        for (place, byte, how) in changes {
            let place = place.index(text.len());
            let byte = if byte < 128 { b",\"\n-+05a"[usize::from(byte) % 8] } else { byte };
            match how {
                0 => text[place] = byte,
                1 => text.insert(place, byte),
                _ => text.truncate(place.max(1)),
            }
        }
        let (by_hand, by_name) = both(&text);
        prop_assert_eq!(by_hand, by_name);
    }
}
