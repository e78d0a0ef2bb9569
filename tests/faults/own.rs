//! Faults of the user's own: commands that pause, fail, hang.

use std::time::Duration;

use mcpload::fault::journal;

use crate::played::{Played, later, pid_of, state_of};
use crate::runs::within;

#[test]
fn commands_stop_a_target_prove_it_and_let_it_go_on() {
    let mut played = Played::example("command");
    played.run.wait_for_event("fault-effective", "own-pause");
    let events = played.run.events();
    let began = events.iter().find(|event| event["event"] == "fault-began");
    let target = began.unwrap()["targets"][0].as_str().unwrap().to_owned();
    assert_eq!(state_of(pid_of(&events, &target)), Some('T'));
    let story = played.ended();
    let (stopped, went_on) = (story.at("fault-effective"), story.at("fault-healing"));
    assert!(went_on >= later(stopped, Duration::from_secs(2)));
    let arrived = later(stopped, Duration::from_millis(100));
    let served = story.served_by(&target);
    assert!(
        served
            .iter()
            .all(|call| call.done <= arrived || call.done >= went_on),
        "{target} answered while it was stopped"
    );
    assert!(
        served.iter().any(|call| call.done >= went_on),
        "{target} serves no more: {}",
        story.printed
    );
    // Before the act the journal had the command that undoes it, ready to be run by anybody.
    let path = played.run.directory().join("undo.jsonl");
    let entries = journal::read(&path).unwrap();
    let journal::Undo::Command {
        command,
        environment,
        directory,
        ..
    } = &entries[0].undo
    else {
        panic!("{entries:?}");
    };
    assert_eq!(command[2], "kill -CONT $MCPLOAD_PIDS_1");
    assert!(std::path::Path::new(directory).is_absolute());
    let slot = target.split('#').next().unwrap();
    assert_eq!(environment["MCPLOAD_TARGETS"], slot);
    assert_eq!(environment["MCPLOAD_INSTANCE_1"], target);
    let pids = environment["MCPLOAD_PIDS_1"].split(' ');
    let pid = pid_of(&events, &target).to_string();
    assert!(pids.into_iter().any(|known| known == pid));
    assert!(environment["MCPLOAD_ADDRESS_1"].starts_with("127."));
    assert_eq!(journal::open_entries(&entries), []);
}

#[test]
fn a_command_that_fails_or_hangs_is_no_fault_and_is_healed_all_the_same() {
    let mut played = Played::fragment(
        r#"
[[fault]]
name = "fails"
kind = "command"
target = { slot = "server-1" }
at = "chaos + 500ms"
duration = "1s"
inject = ["sh", "-c", "touch fails; echo the cable is stuck; exit 5"]
probe = ["true"]
heal = ["rm", "fails"]
healed_probe = ["test", "!", "-e", "fails"]
[[fault]]
name = "hangs"
kind = "command"
target = { slot = "server-2" }
at = "chaos + 1s"
inject = ["sh", "-c", "sleep 700 & setsid sleep 701 & wait"]
probe = ["true"]
within = "1s"
[[fault]]
name = "is-not-so"
kind = "command"
target = { slot = "server-3" }
at = "chaos + 2s"
inject = ["true"]
probe = ["sh", "-c", "echo not yet; false"]
within = "1s"
[[fault]]
name = "one-act"
kind = "command"
target = { slot = "server-3" }
at = "chaos + 5s"
inject = ["sh", "-c", "kill -9 $MCPLOAD_PIDS_1"]
probe = ["sh", "-c", "! kill -0 $MCPLOAD_PIDS_1"]
"#,
    );
    played.run.wait_for_event("fault-failed", "hangs");
    // Nothing of what it started outlives it, whatever group it went to.
    let is_left = |word: &str| {
        let of = |process: &crate::runs::Process| {
            let line = std::fs::read(format!("/proc/{}/cmdline", process.pid));
            line.unwrap_or_default() == format!("sleep\0{word}\0").into_bytes()
        };
        played.run.marked().iter().any(of)
    };
    assert!(within(Duration::from_secs(5), || !is_left("700")
        && !is_left("701")));
    let story = played.ended();
    let reason = |fault: &str| {
        let failed = story
            .events
            .iter()
            .find(|event| event["event"] == "fault-failed" && event["fault"] == fault);
        failed.unwrap_or_else(|| panic!("{fault}: {}", story.printed))["reason"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        reason("fails"),
        "`inject` ended with code 5 and said: the cable is stuck"
    );
    assert!(
        reason("hangs").contains("took longer than 1"),
        "{}",
        reason("hangs")
    );
    assert!(reason("is-not-so").ends_with("ended with code 1 and said: not yet"));
    let healed = |fault: &str| {
        let mut events = story.events.iter();
        events.any(|event| event["event"] == "fault-heal-proven" && event["fault"] == fault)
    };
    for fault in ["fails", "hangs", "is-not-so", "one-act"] {
        assert!(healed(fault), "{fault}: {}", story.printed);
    }
    assert!(
        story.printed.contains("one-act is effective"),
        "{}",
        story.printed
    );
    // The policy of the role brought back what the last one killed.
    assert!(
        !story.served_by("server-3#2").is_empty(),
        "{}",
        story.printed
    );
}

#[test]
fn a_fault_that_would_go_beyond_the_blast_radius_does_nothing() {
    let mut played = Played::with(
        r#"
[fleet.role.server]
replicas = 3
stop_grace = "1s"
restart = { policy = "always", backoff = "4s" }
[fleet.role.balancer]
[blast_radius]
max_slots = { server = 1 }
spare = ["balancer"]
[[fault]]
name = "first"
kind = "kill"
target = { slot = "server-1" }
at = "chaos + 500ms"
[[fault]]
name = "too-soon"
kind = "kill"
target = { slot = "server-2" }
at = "chaos + 1500ms"
[[fault]]
name = "third"
kind = "kill"
target = { slot = "server-3" }
at = "chaos + 7s"
"#,
    );
    let story = played.ended();
    // That the first is still down is known only while it is.
    let failed: Vec<_> = story
        .events
        .iter()
        .filter(|event| event["event"] == "fault-failed")
        .collect();
    assert_eq!(failed.len(), 1, "{}", story.printed);
    assert_eq!(failed[0]["fault"], "too-soon");
    let reason = failed[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("blast radius") && reason.contains("server-1, server-2"),
        "{reason}"
    );
    let starts = |slot: &str| {
        let started = story.events.iter().filter(|event| {
            event["event"] == "slot-started"
                && event["instance"].as_str().unwrap().starts_with(slot)
        });
        started.count()
    };
    assert_eq!((starts("server-1#"), starts("server-2#")), (2, 1));
    let began = |fault: &str| {
        let mut events = story.events.iter();
        events.any(|event| event["event"] == "fault-began" && event["fault"] == fault)
    };
    assert!(!began("too-soon") && began("third"), "{}", story.printed);
}

#[test]
fn a_fault_of_links_finds_the_owner_of_a_session_and_acts_before_it() {
    let mut played = Played::fragment(
        r#"
[[fault]]
name = "slow-owner"
kind = "latency"
target = "owner-of-session"
at = "chaos + 1s"
duration = "4s"
delay = "60ms"
"#,
    );
    let story = played.ended();
    let plan = played.run.json("plan.json");
    let client = plan["faults"][0]["owner"]["client"].as_u64().unwrap();
    let targets = story.targets();
    assert_eq!(targets.len(), 1);
    let began = story.at("fault-began");
    let of_client = story.calls.iter().filter(|call| {
        u64::from(call.client) == client && call.done < began && !call.instance.is_empty()
    });
    let last = of_client.max_by_key(|call| call.done).unwrap();
    assert_eq!(last.instance, targets[0], "{}", story.printed);
    // Both ways are delayed, there and nowhere else.
    let (from, until) = (story.at("fault-effective"), story.at("fault-healing"));
    let meanwhile = |instance: &str| -> Vec<Duration> {
        let served = story.served_by(instance);
        let mut took: Vec<Duration> = served
            .iter()
            .filter_map(|call| Some((call.sent?, call.done)))
            .filter(|(sent, done)| *sent > from && *done < until)
            .map(|(sent, done)| done.since(sent))
            .collect();
        took.sort();
        took
    };
    let slow = meanwhile(&targets[0]);
    assert!(slow.len() > 5, "{}", story.printed);
    assert!(slow[0] >= Duration::from_millis(120), "{slow:?}");
    let others = ["server-1#1", "server-2#1", "server-3#1"];
    for other in others.iter().filter(|name| **name != targets[0]) {
        let took = meanwhile(other);
        assert!(took[took.len() / 2] < slow[0], "{other}: {took:?}");
    }
}

#[test]
fn what_is_spared_is_not_touched_by_a_fault_that_finds_its_target_late() {
    let mut played = Played::fragment(
        r#"
[blast_radius]
spare = ["server"]
[[fault]]
name = "whose"
kind = "kill"
target = "owner-of-session"
at = "chaos + 1s"
"#,
    );
    let code = played.run.exit_code();
    assert!(matches!(code, Some(0 | 7)), "{}", played.run.printed());
    played.run.assert_nothing_left();
    let events = played.run.events();
    let of_fault: Vec<_> = events
        .iter()
        .filter(|event| event["fault"] == "whose")
        .collect();
    assert_eq!(of_fault.len(), 1, "{}", played.run.printed());
    assert_eq!(of_fault[0]["event"], "fault-failed");
    let reason = of_fault[0]["reason"].as_str().unwrap();
    assert!(reason.contains("is spared"), "{reason}");
    let starts = events
        .iter()
        .filter(|event| event["event"] == "slot-started");
    assert_eq!(starts.count(), 4);
}
