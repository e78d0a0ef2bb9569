//! Closed load. One test, as goose can run one attack in a process.

use std::collections::BTreeSet;
use std::time::Duration;

use mcpload::model::{Call, Outcome};
use serde_json::json;

use crate::conductor::{Record, run};
use crate::plan;
use crate::stub::{Manner, Stub};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: i64 = 1_000_000;

fn in_phase<'a>(record: &'a Record, phase: &str) -> Vec<&'a Call> {
    let mut calls = record.of_arrivals();
    calls.retain(|call| call.phase == phase);
    calls.sort_by_key(|call| call.due);
    calls
}

fn clients(calls: &[&Call]) -> BTreeSet<u32> {
    calls.iter().map(|call| call.client).collect()
}

#[test]
fn users_act_wait_and_pause_and_keep_their_sessions_over_phases() {
    let stub = Stub::start(Manner::Json);
    let mut plan = plan::constant("10/s", SECOND);
    let users = |users, think| plan::spec("users", json!({ "users": users, "think": think }));
    let between = json!({ "min": "20ms", "max": "60ms" });
    let loads = [
        ("few", users(2, json!("100ms"))),
        ("many", users(5, json!("50ms"))),
        (
            "fewer",
            plan::spec(
                "ramping-users",
                json!({ "from": 4, "to": 0, "think": between }),
            ),
        ),
        (
            "paced",
            plan::spec("users", json!({ "users": 2, "pacing": "200ms" })),
        ),
        (
            "counted",
            plan::spec(
                "iterations",
                json!({ "users": 3, "iterations": 7, "think": "10ms" }),
            ),
        ),
    ];
    plan.phases = (0_u64..)
        .zip(loads)
        .map(|(number, (name, load))| plan::phase(name, number * 1000, SECOND, load))
        .collect();
    let record = run(&plan, &stub.url);
    let calls = record.of_arrivals();
    assert!(
        calls
            .iter()
            .all(|call| call.outcome == Outcome::Ok && call.ends_operation())
    );
    thinking(&record);
    ramping(&in_phase(&record, "fewer"));
    paced(&record);
    counted(&in_phase(&record, "counted"));
    for user in 0..5 {
        let mut acts: Vec<_> = calls.iter().filter(|call| call.client == user).collect();
        acts.sort_by_key(|call| call.due);
        let numbers: Vec<u64> = acts.iter().filter_map(|call| call.arrival).collect();
        let wanted = (0_u64..)
            .map(|act| act * 10 + u64::from(user))
            .take(numbers.len());
        assert_eq!(numbers, wanted.collect::<Vec<_>>());
        assert!(acts.iter().all(|call| call.session == Some(1)));
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

fn thinking(record: &Record) {
    let (few, many) = (in_phase(record, "few"), in_phase(record, "many"));
    assert_eq!(clients(&few), BTreeSet::from([0, 1]));
    assert_eq!(clients(&many), (0..5).collect());
    // A user who thinks for 100 ms acts at most ten times in a second (and once more at its begin).
    assert!((2..=22).contains(&few.len()), "{}", few.len());
    assert!((5..=105).contains(&many.len()), "{}", many.len());
    for user in 0..5 {
        let acts = |calls: &[&Call], least: i64| {
            let mine: Vec<_> = calls.iter().filter(|call| call.client == user).collect();
            assert!(mine.iter().all(|call| call.taken == Some(call.due)));
            assert!(
                mine.windows(2)
                    .all(|pair| pair[1].due.nanos() - pair[0].done.nanos() >= least * MILLISECOND)
            );
        };
        acts(&few, 100);
        acts(&many, 50);
    }
}

/// User u acts while a line from 4 to 0 is above u: for 4 - u quarters of the second.
fn ramping(calls: &[&Call]) {
    assert_eq!(clients(calls), (0..4).collect());
    let mut pauses = Vec::new();
    for user in 0..4 {
        let acts: Vec<_> = calls.iter().filter(|call| call.client == user).collect();
        let until = 2000 + i64::from(4 - user) * 250;
        assert!(
            acts.iter()
                .all(|call| call.due.nanos() < until * MILLISECOND),
            "user {user}"
        );
        let mine = acts
            .windows(2)
            .map(|pair| pair[1].due.nanos() - pair[0].done.nanos());
        pauses.extend(mine);
    }
    assert!(pauses.iter().all(|pause| *pause >= 20 * MILLISECOND));
}

/// Two users, half a pace apart; the due times are those of the pace, however late the timers are.
fn paced(record: &Record) {
    let calls = in_phase(record, "paced");
    assert_eq!(clients(&calls), BTreeSet::from([0, 1]));
    for user in 0..2 {
        let acts: Vec<_> = calls.iter().filter(|call| call.client == user).collect();
        let first = (3000 + 100 * i64::from(user)) * MILLISECOND;
        // The first user may still be thinking when the phase begins; the other one has rested since a quarter of a second.
        assert!(acts[0].due.nanos() >= first);
        assert!(user == 0 || acts[0].due.nanos() == first, "{}", acts[0].due);
        assert!((1..=5).contains(&acts.len()), "{}", acts.len());
        for pair in acts.windows(2) {
            // Counted from when the user began, which is at or after the due time.
            let apart = pair[1].due.nanos() - pair[0].due.nanos();
            assert!(apart >= 200 * MILLISECOND, "{apart}");
        }
        assert!(acts.iter().all(|call| call.taken >= Some(call.due)));
    }
    // There is a schedule that they can be late for, so the lag was measured.
    assert_eq!(
        record.values("lag/main/echo/2025-11-25/paced"),
        calls.len() as u64
    );
    assert_eq!(record.values("lag/"), calls.len() as u64);
}

fn counted(calls: &[&Call]) {
    let each = [0, 1, 2].map(|user| calls.iter().filter(|call| call.client == user).count());
    assert_eq!(each, [3, 2, 2]);
}
