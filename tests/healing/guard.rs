//! The guard process alone, with the test as its conductor.

use std::time::{Duration, Instant};

use mcpload::clock;

use crate::runs::within;
use crate::stage::{Directory, PATIENCE, go_on, touch};

/// Longer than a conductor may be silent.
const SILENT: Duration = Duration::from_secs(7);

#[test]
fn when_the_conductor_is_gone_it_undoes_and_ends_what_is_left() {
    let mut run = Directory::new();
    let stopped = run.stopped();
    let other = run.process();
    run.intend("pause", go_on(stopped));
    run.intend("own", touch(&run.path(), "undone"));
    let mut guard = run.guard();
    guard.say("beat");
    guard.leave();
    assert!(guard.ended());
    assert_eq!(run.open(), Vec::<String>::new());
    assert!(run.path().join("undone").exists());
    assert!(within(PATIENCE, || !stopped.is_alive() && !other.is_alive()));
    let log = std::fs::read_to_string(run.path().join("workers/guard.log")).unwrap();
    assert!(log.contains("pause is undone"), "{log}");
}

#[test]
fn when_the_conductor_is_done_it_touches_nothing() {
    let mut run = Directory::new();
    let stopped = run.stopped();
    run.intend("pause", go_on(stopped));
    let mut guard = run.guard();
    guard.say("beat");
    guard.say("done");
    assert!(guard.ended());
    assert_eq!(run.open(), ["pause"]);
    assert!(stopped.is_stopped());
}

#[test]
fn when_the_conductor_is_silent_it_undoes_and_ends_nothing() {
    let mut run = Directory::new();
    let stopped = run.stopped();
    run.intend("pause", go_on(stopped));
    let mut guard = run.guard();
    let from = Instant::now();
    guard.say("beat");
    // Not before its time: a conductor that is only slow must not lose its fault.
    let line = guard.line();
    assert!(from.elapsed() >= Duration::from_secs(5), "{line}");
    assert!(
        line.contains("\"undone\"") && line.contains("silent"),
        "{line}"
    );
    assert!(!stopped.is_stopped() && stopped.is_alive());
    guard.say("done");
    assert!(guard.ended());
    assert!(stopped.is_alive());
}

#[test]
fn what_is_overdue_is_undone_although_the_conductor_beats() {
    let mut run = Directory::new();
    let (overdue, in_time) = (run.stopped(), run.stopped());
    let seconds = |count: i64| clock::now() + count * 1_000_000_000;
    run.intend_until("overdue", go_on(overdue), seconds(1));
    run.intend_until("in-time", go_on(in_time), seconds(3600));
    let mut guard = run.guard();
    let from = Instant::now();
    let undone = within(SILENT, || {
        guard.say("beat");
        !overdue.is_stopped()
    });
    assert!(undone, "after {:?}", from.elapsed());
    assert!(guard.line().contains("its time is over"));
    assert_eq!(run.open(), ["in-time"]);
    assert!(in_time.is_stopped());
    guard.say("done");
    assert!(guard.ended());
}

#[test]
fn what_cannot_be_undone_is_tried_once_and_told() {
    let run = Directory::new();
    run.intend_until("own", touch(&run.path().join("nowhere"), "x"), 0);
    let mut guard = run.guard();
    let line = guard.line();
    assert!(
        line.contains("not-undone") && line.contains("by_hand"),
        "{line}"
    );
    for _ in 0..10 {
        guard.say("beat");
        std::thread::sleep(Duration::from_millis(100));
    }
    let lines = std::fs::read_to_string(run.path().join("undo.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    guard.say("done");
    assert!(guard.ended());
}

#[test]
fn it_answers_each_beat_and_says_when_it_cannot() {
    let run = Directory::new();
    let mut guard = run.guard();
    for _ in 0..3 {
        guard.say("beat");
        let line = guard.next_line();
        assert!(line.contains("\"alive\""), "{line}");
    }
    // Whoever waits for an answer meanwhile knows how long that may take.
    run.intend_until("own", touch(&run.path(), "undone"), 0);
    let line = guard.next_line();
    assert!(
        line.contains("\"busy\"") && line.contains("seconds"),
        "{line}"
    );
    assert!(guard.next_line().contains("\"undone\""));
    guard.say("done");
    assert!(guard.ended());
}
