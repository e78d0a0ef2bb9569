//! Tests of changes on small hand-made histories: server-2 is asked to end, and is back 1.4 s later.
//!
//! Pure.

use serde_json::json;

use super::*;
use crate::judge::built::{KILL, MS, call, plan};
use crate::model::event::Ending;
use crate::model::{Event, EventKind, SlotId};

/// When server-2 is asked to end.
const SIGNAL: Offset = Offset(KILL.0 + MS);
/// When it is back.
const BACK: Offset = Offset(KILL.0 + 1_400 * MS);
const GRACE: Duration = Duration::from_millis(500);

/// A fault with its stop signals, and the Calls around it.
struct History {
    plan: Plan,
    events: Vec<Event>,
    calls: Vec<Call>,
}

/// So many milliseconds after the signal.
const fn after(millis: i64) -> Offset {
    Offset(SIGNAL.0 + millis * MS)
}

/// A Call from here to there, milliseconds after the signal.
fn one(from: i64, to: i64, class: Class, instance: &str) -> Call {
    let took = after(to).since(after(from));
    call(9_000, after(from), took, class, instance)
}

fn signal(at: Offset, instance: &str) -> Event {
    let kind = EventKind::SlotStopping {
        instance: instance.parse().unwrap(),
        fault: "one-dies".to_owned(),
        grace: GRACE,
    };
    Event { at, kind }
}

impl History {
    /// Nothing but the fault, the load before it, and one Call after it.
    fn new(signals: Vec<Event>) -> Self {
        let mut plan = plan();
        let check = json!({"name": "clean", "spec": {"kind": "clean-change", "with": {"max_failed": 0}},
            "fault": "one-dies", "line": 1});
        plan.checks.push(serde_json::from_value(check).unwrap());
        let fault = || "one-dies".to_owned();
        let mut events = vec![Event {
            at: KILL,
            kind: EventKind::FaultBegan {
                fault: fault(),
                kind: "terminate".to_owned(),
                targets: vec!["server-2#1".parse().unwrap()],
            },
        }];
        events.extend(signals);
        let (proof, effects) = (String::new(), Vec::new());
        let kind = EventKind::FaultHealProven {
            fault: fault(),
            proof,
            effects,
        };
        events.push(Event { at: BACK, kind });
        let how = Ending::Completed;
        let kind = EventKind::RunEnded { how };
        let at = plan.end();
        events.push(Event { at, kind });
        let took = Duration::from_millis(2);
        let before = (0..600_u64).map(|k| {
            let due = Offset(3_000 * MS + i64::try_from(k).unwrap() * 5 * MS);
            call(k, due, took, Class::None, "server-1#1")
        });
        let mut calls: Vec<Call> = before.collect();
        calls.push(one(10, 12, Class::None, "server-1#1"));
        Self {
            plan,
            events,
            calls,
        }
    }

    fn with(mut self, calls: impl IntoIterator<Item = Call>) -> Self {
        self.calls.extend(calls);
        self
    }

    /// What is told of it, whatever the order of the Calls.
    fn told(&self) -> ChangeStats {
        let timeline = Timeline::of(&self.plan, &self.events);
        let fold = |calls: &mut dyn Iterator<Item = &Call>| {
            let mut names = SlotNames::of(self.plan.fleet.slots().map(|(_, slot)| &slot.id));
            let mut fold = ChangeFold::of(&self.plan, &timeline, &mut names);
            for call in calls {
                let slot = names.slot_of(&call.instance);
                fold.observe(call, slot);
            }
            let mut told = fold.finish(&names, self.plan.end());
            told.remove("one-dies").unwrap()
        };
        let told = fold(&mut self.calls.iter());
        assert_eq!(fold(&mut self.calls.iter().rev()), told);
        told
    }
}

fn stopped() -> History {
    History::new(vec![signal(SIGNAL, "server-2#1")])
}

#[test]
fn a_drain_that_loses_nothing_is_clean() {
    let told = stopped()
        .with([
            one(-3, 40, Class::None, "server-2#1"),
            one(-3, 40, Class::None, "server-1#1"),
            one(5, 9, Class::None, "server-2#1"),
        ])
        .told();
    assert_eq!(
        (told.baseline_calls, told.calls, told.in_flight),
        (600, 2, 1)
    );
    assert_eq!((told.failed, told.overlong, told.unasked), (0, 0, 0));
    assert!(told.finished && told.failures.is_empty(), "{told:?}");
    assert_eq!(told.window, Window::new(SIGNAL, BACK));
}

#[test]
fn what_was_in_flight_is_lost_before_the_grace_period_is_over_and_allowed_after_it() {
    let told = stopped()
        .with([
            one(-3, 499, Class::Transport, "server-2#1"),
            one(-3, 500, Class::Transport, "server-2#1"),
            one(-3, 20, Class::Transport, "server-3#1"),
            one(-3, 20, Class::Truncated, ""),
        ])
        .told();
    assert_eq!((told.in_flight, told.in_flight_unknown), (2, 1));
    assert_eq!((told.failed, told.overlong), (2, 1));
    let classes: Vec<(Class, u64, u64)> = told
        .failures
        .iter()
        .map(|failures| (failures.class, failures.sent_after, failures.in_flight))
        .collect();
    assert_eq!(
        classes,
        [(Class::Transport, 0, 1), (Class::Truncated, 0, 1)]
    );
    let example = &told.failures[0].examples[0];
    assert_eq!(example.after_signal_ns, -3 * MS);
    assert_eq!(
        (example.signal.as_str(), example.instance.as_str()),
        ("server-2#1", "server-2#1")
    );
}

#[test]
fn no_call_that_is_sent_until_the_change_is_done_may_fail_whoever_serves_it() {
    let mut bad_gateway = one(1, 2, Class::Http, "");
    bad_gateway.code = Some(502);
    let mut refused = one(-1, 2, Class::Connect, "");
    refused.sent = None;
    let told = stopped()
        .with([
            bad_gateway,
            refused,
            one(1_398, 9_000, Class::Timeout, "server-3#1"),
            // Sent when it was done, or in flight elsewhere, or an application's own error.
            one(1_399, 1_401, Class::Transport, "server-2#2"),
            one(100, 101, Class::Tool, "server-2#1"),
            one(100, 101, Class::Local, ""),
        ])
        .told();
    assert_eq!(told.failed, 3, "{told:#?}");
    let slots = |class| {
        let mut all = told.failures.iter();
        let of = all.find(|failures| failures.class == class);
        of.map(|failures| (failures.code, failures.by_slot.clone()))
    };
    let unknown = SlotId(String::new());
    assert_eq!(slots(Class::Http), Some((Some(502), vec![(unknown, 1)])));
    assert_eq!(
        slots(Class::Timeout),
        Some((None, vec![(SlotId::new("server", 3), 1)]))
    );
    assert_eq!(slots(Class::Local), None);
}

#[test]
fn a_lost_session_shows_however_late_its_client_calls() {
    let told = stopped()
        .with([
            one(9_000, 9_001, Class::SessionLost, "server-2#2"),
            one(9_000, 9_001, Class::Transport, "server-2#2"),
        ])
        .told();
    assert_eq!(told.failed, 1);
    assert_eq!(told.failures[0].class, Class::SessionLost);
}

#[test]
fn failures_that_the_fleet_had_before_do_not_blame_the_change() {
    let usual = (0..12).map(|k| one(-900 + k, -890 + k, Class::Timeout, "server-1#1"));
    let again = (0..2).map(|k| one(20 + k, 30 + k, Class::Timeout, "server-1#1"));
    let good = (0..200).map(|k| one(20 + k, 30 + k, Class::None, "server-1#1"));
    let told = stopped().with(usual.chain(again).chain(good)).told();
    assert_eq!((told.failed, told.failures.len()), (0, 1));
    let failures = &told.failures[0];
    assert_eq!((failures.baseline, failures.sent_after), (12, 2));
}

#[test]
fn in_a_rolling_change_each_instance_has_its_own_grace_period() {
    let rolling = History::new(vec![
        signal(SIGNAL, "server-2#1"),
        signal(after(600), "server-3#1"),
    ]);
    let told = rolling
        .with([
            // Sent after the first signal, in flight at the second: its own grace period is over 1.1 s after the first.
            one(590, 1_100, Class::Transport, "server-3#1"),
            one(590, 1_099, Class::Transport, "server-3#1"),
            one(590, 1_100, Class::Transport, "server-1#1"),
        ])
        .told();
    assert_eq!((told.in_flight, told.overlong, told.failed), (2, 1, 2));
    assert_eq!(told.failures[0].examples[0].signal, "server-3#1");
}

#[test]
fn a_change_that_stops_nothing_counts_from_its_begin_and_a_kill_is_none() {
    let mut nothing = History::new(Vec::new());
    let told = nothing.told();
    assert_eq!(told.window, Window::new(KILL, BACK));
    assert_eq!((told.unasked, told.calls), (0, 1));
    let kind = EventKind::SlotExited {
        instance: "server-2#1".parse().unwrap(),
        status: "signal 9".to_owned(),
        expected: true,
    };
    nothing.events.insert(1, Event { at: SIGNAL, kind });
    assert_eq!(nothing.told().unasked, 1);
}

#[test]
fn what_another_fault_does_is_left_out() {
    let mut history = stopped().with([one(500, 501, Class::Transport, "server-1#1")]);
    let first = history.plan.faults[0].clone();
    history.plan.faults.push(FaultPlan {
        name: "another".to_owned(),
        of: "another".to_owned(),
        ..first
    });
    let kind = EventKind::FaultBegan {
        fault: "another".to_owned(),
        kind: "kill".to_owned(),
        targets: Vec::new(),
    };
    let at = after(400);
    history.events.insert(2, Event { at, kind });
    let told = history.told();
    assert_eq!((told.window, told.failed), (Window::new(SIGNAL, at), 0));
    assert!(!told.finished);
}
