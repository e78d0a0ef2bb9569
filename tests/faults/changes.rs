//! Planned changes: the fleet really changes, and its users hardly notice.
//!
//! What is asserted comes from `/proc`, from the balancer's own list of members, and from the Calls.

use std::time::Duration;

use mcpload::model::Offset;
use serde_json::Value;

use crate::played::{Played, Story, later, pid_of, state_of};

/// The events of this kind.
fn of<'a>(story: &'a Story, kind: &str) -> Vec<&'a Value> {
    let events = story.events.iter();
    events.filter(|event| event["event"] == kind).collect()
}

/// The place of the first event of this kind.
fn first(story: &Story, kind: &str) -> usize {
    let place = story.events.iter().position(|event| event["event"] == kind);
    place.unwrap_or_else(|| panic!("no {kind}: {}", story.printed))
}

/// When this fault's event of this kind happened.
fn at(story: &Story, kind: &str, fault: &str) -> Offset {
    let mut events = of(story, kind).into_iter();
    let event = events.find(|event| event["fault"] == fault);
    let event = event.unwrap_or_else(|| panic!("no {kind} of {fault}: {}", story.printed));
    Offset(event["at"].as_i64().unwrap())
}

/// The instances that were started in a slot.
fn starts(story: &Story, slot: &str) -> Vec<String> {
    let names = of(story, "slot-started").into_iter();
    let names = names.filter_map(|event| event["instance"].as_str());
    let of_slot = names.filter(|name| name.split('#').next() == Some(slot));
    of_slot.map(str::to_owned).collect()
}

/// How many Calls of operations this instance served that were sent after `from`.
fn served_after(story: &Story, instance: &str, from: Offset) -> usize {
    let served = story.served_by(instance).into_iter();
    served
        .filter(|call| call.sent.is_some_and(|sent| sent > from))
        .count()
}

/// The greatest number of servers that were asked to end, or gone, at once, as far as their events tell.
fn most_down(story: &Story, slots: usize) -> usize {
    let begin = at(story, "fault-began", &first_fault(story));
    let mut ready: Vec<String> = Vec::new();
    let mut least = slots;
    for event in &story.events {
        let instance = event["instance"].as_str().unwrap_or_default().to_owned();
        if !instance.starts_with("server-") {
            continue;
        }
        match event["event"].as_str() {
            Some("slot-ready") => ready.push(instance),
            Some("slot-exited") => ready.retain(|known| *known != instance),
            _ => continue,
        }
        let when = event["at"].as_i64().unwrap();
        // The fleet goes down after the load.
        if when > begin.0 && when < story.at_phase_end("chaos").0 {
            least = least.min(ready.len());
        }
    }
    slots - least
}

fn first_fault(story: &Story) -> String {
    let began = of(story, "fault-began");
    began[0]["fault"].as_str().unwrap().to_owned()
}

/// The words of a process's command line.
fn command_line(pid: i64) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// No operation failed that was due before this moment.
fn nobody_failed(story: &Story) {
    let failed = story
        .calls
        .iter()
        .filter(|call| call.arrival.is_some() && call.outcome != mcpload::model::Outcome::Ok)
        // A session that lived in an instance is gone with it: its client is told and gets another.
        .filter(|call| call.session.is_none());
    let failed: Vec<_> = failed.collect();
    assert!(failed.is_empty(), "{failed:?}\n{}", story.printed);
}

#[test]
fn scale_brings_slots_that_serve_and_takes_them_away_again() {
    let mut played = Played::example("scale");
    played.run.wait_for_event("fault-heal-proven", "more");
    // The balancer's own list, asked as anybody could.
    let members = played.members();
    assert_eq!(members.len(), 5, "{members:?}");
    let pid = pid_of(&played.run.events(), "server-5#1");
    assert!(state_of(pid).is_some());

    // Legacy sessions live in the memory of their server: that they are lost is what `clean-change` finds here.
    let story = played.ended_with(&[0, 6, 7]);
    assert_eq!(state_of(pid), None);
    let (more, fewer) = (
        at(&story, "fault-effective", "more"),
        at(&story, "fault-began", "fewer"),
    );
    for slot in ["server-4#1", "server-5#1"] {
        let served = story.served_by(slot);
        assert!(!served.is_empty(), "{slot}: {}", story.printed);
        assert!(
            served
                .iter()
                .all(|call| call.done > at(&story, "fault-began", "more"))
        );
    }
    assert!(more < fewer);
    // Told first, drained, and only then ended: nothing was sent to them after that.
    let gone = at(&story, "fault-effective", "fewer");
    for slot in ["server-3#1", "server-4#1", "server-5#1"] {
        assert_eq!(served_after(&story, slot, gone), 0, "{slot}");
    }
    let left = of(&story, "members-told").pop().unwrap()["members"].clone();
    assert_eq!(left, serde_json::json!(["server-1", "server-2"]));
    // Slots that were taken away on purpose are not waited for.
    let faults = story.summary["analysis"]["faults"].as_array().unwrap();
    let effect = |fault: &Value| {
        let effects = fault["effects"].as_array().unwrap();
        let effect = effects.last().unwrap();
        (effect["requested"].as_f64(), effect["achieved"].as_f64())
    };
    assert_eq!(effect(&faults[0]), (Some(5.0), Some(5.0)));
    assert_eq!(effect(&faults[1]), (Some(2.0), Some(2.0)));
    let missing = faults[1]["recovery"]["missing"].as_str().unwrap();
    assert!(!missing.contains("not ready"), "{missing}");
    nobody_failed(&story);
}

#[test]
fn a_rolling_restart_replaces_every_instance_one_after_the_other() {
    let mut played = Played::example("rolling-restart");
    // Legacy sessions live in the memory of their server: that they are lost is what `clean-change` finds here.
    let story = played.ended_with(&[0, 6, 7]);
    for number in 1..=3 {
        let slot = format!("server-{number}");
        let (old, new) = (format!("{slot}#1"), format!("{slot}#2"));
        assert_eq!(starts(&story, &slot), [old.clone(), new.clone()]);
        assert!(!story.served_by(&old).is_empty());
        assert!(!story.served_by(&new).is_empty(), "{}", story.printed);
    }
    assert_eq!(most_down(&story, 3), 1);
    let (told, gone) = (first(&story, "members-told"), first(&story, "slot-exited"));
    assert!(told < gone);
    let exits = of(&story, "slot-exited").into_iter();
    let olds = exits.filter(|event| {
        let instance = event["instance"].as_str().unwrap();
        instance.starts_with("server-") && instance.ends_with("#1")
    });
    // They drained, and were not killed.
    assert!(olds.into_iter().all(|event| event["status"] == "exit 0"));
    nobody_failed(&story);
}

#[test]
fn a_rolling_update_runs_the_second_command_in_later_incarnations_too() {
    let mut played = Played::example("rolling-update");
    played.run.wait_for_event("fault-effective", "new-version");
    let pid = pid_of(&played.run.events(), "server-2#2");
    let line = command_line(pid);
    assert!(line.contains("--echo-delay 5ms"), "{line}");
    assert!(line.contains("--name server-2 --incarnation 2"), "{line}");
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let mut words = environment.split(|byte| *byte == 0);
    assert!(words.any(|word| word == b"RELEASE=2"));
    // A crash after the update: its policy starts what runs now, not what ran first.
    let killed = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(killed, nix::sys::signal::Signal::SIGKILL).unwrap();
    played.run.wait_for_event("slot-ready", "server-2#3");
    let line = command_line(pid_of(&played.run.events(), "server-2#3"));
    assert!(line.contains("--echo-delay 5ms"), "{line}");

    // Legacy sessions live in the memory of their server: that they are lost is what `clean-change` finds here.
    let story = played.ended_with(&[0, 6, 7]);
    let fault = &story.summary["analysis"]["faults"][0];
    assert_eq!(fault["targets"].as_array().unwrap().len(), 3, "{fault}");
}

#[test]
fn an_update_that_does_not_come_up_stops_there_and_can_be_taken_back() {
    let fragment = r#"
        [[fault]]
        name = "broken"
        kind = "rolling-update"
        target = { role = "server" }
        at = "chaos + 500ms"
        command = ["false"]
        drain = "100ms"
        heal_within = "1500ms"
        [[fault]]
        name = "back"
        kind = "rollback"
        of = "broken"
        at = "chaos + 5500ms"
        drain = "100ms"
    "#;
    let mut played = Played::fragment(fragment);
    assert!(played.run.exit_code().is_some());
    played.run.assert_nothing_left();
    let story = played.told();
    let failed = of(&story, "fault-failed");
    assert_eq!(failed.len(), 1, "{}", story.printed);
    let reason = failed[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("stopped after 0 of 3 slots") && reason.contains("server-1"),
        "{reason}"
    );
    // The others were never touched, and the rollback leaves them alone, too.
    for slot in ["server-2", "server-3"] {
        assert_eq!(starts(&story, slot), [format!("{slot}#1")]);
    }
    let back = at(&story, "fault-heal-proven", "back");
    let last = starts(&story, "server-1").pop().unwrap();
    assert!(served_after(&story, &last, back) > 0, "{}", story.printed);
}

#[test]
fn a_rollback_brings_the_first_command_back_where_the_update_was() {
    let mut played = Played::example("rollback");
    played.run.wait_for_event("fault-effective", "new-version");
    let events = played.run.events();
    let began = events.iter().find(|event| event["event"] == "fault-began");
    let target = began.unwrap()["targets"][0].as_str().unwrap().to_owned();
    let slot = target.split('#').next().unwrap().to_owned();
    let second = command_line(pid_of(&events, &format!("{slot}#2")));
    assert!(second.contains("--echo-delay 5ms"), "{second}");
    played.run.wait_for_event("fault-effective", "old-version");
    let third = command_line(pid_of(&played.run.events(), &format!("{slot}#3")));
    assert!(!third.contains("--echo-delay"), "{third}");

    // Legacy sessions live in the memory of their server: that they are lost is what `clean-change` finds here.
    let story = played.ended_with(&[0, 6, 7]);
    let slots = (1..=3).map(|number| starts(&story, &format!("server-{number}")).len());
    let mut slots: Vec<usize> = slots.collect();
    slots.sort_unstable();
    assert_eq!(slots, [1, 3, 3]);
}

#[test]
fn a_slot_that_is_made_anew_has_another_address_and_calls_reach_it() {
    let mut played = Played::example("re-create");
    // Legacy sessions live in the memory of their server: that they are lost is what `clean-change` finds here.
    let story = played.ended_with(&[0, 6, 7]);
    let old = story.targets()[0].clone();
    let new = old.replace("#1", "#2");
    let bindings = std::fs::read_to_string(played.run.directory().join("bindings.jsonl")).unwrap();
    let address = |instance: &str| {
        let lines = bindings.lines();
        let mut rows = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let row = rows.find(|row| row["instance"] == instance).unwrap();
        assert_eq!(row["address"], row["link"]);
        row["address"].as_str().unwrap().to_owned()
    };
    assert_ne!(address(&old), address(&new));
    let proven = story.at("fault-effective");
    assert!(served_after(&story, &new, proven) > 0, "{}", story.printed);
    assert_eq!(served_after(&story, &old, proven), 0);
    nobody_failed(&story);
}

/// Servers behind a balancer that reads its members from a file when it gets SIGHUP.
const BY_FILE: &str = r#"
[fleet.role.server]
replicas = 2
[fleet.role.balancer]
args = ["--members-file", "{{ slot.dir }}/members.txt", "--admin=off"]
files = ["members.txt"]
needs = ["server"]
members = { reload = ["sh", "-c", "kill -HUP $MCPLOAD_PID"] }
"#;

/// The file, as a template.
const MEMBERS: (&str, &str) = (
    "members.txt",
    "# The members of {{ slot.name }}.\n{{ each.server \"{name}={link}\" }}\n",
);

#[test]
fn reload_renders_the_files_anew_and_the_instance_goes_on() {
    let fragment = crate::played::example("reload");
    let mut played = Played::beside(&format!("{BY_FILE}\n{fragment}"), &[MEMBERS]);
    played.run.wait_for_event("fleet-ready", "");
    // Somebody spoilt the file; the reload sets it right.
    let file = played
        .run
        .directory()
        .join("instances/balancer-1/members.txt");
    std::fs::write(&file, "nonsense\n").unwrap();
    // Legacy sessions live in the memory of their server: that they are lost is what `clean-change` finds here.
    let story = played.ended_with(&[0, 6, 7]);
    let rendered = std::fs::read_to_string(&file).unwrap();
    assert_eq!(rendered.matches("server-").count(), 2, "{rendered}");
    assert_eq!(starts(&story, "balancer-1"), ["balancer-1#1"]);
    let said = played
        .run
        .directory()
        .join("instances/balancer-1/stderr-1.log");
    let said = std::fs::read_to_string(said).unwrap();
    assert!(!said.contains("cannot take the members"), "{said}");
    nobody_failed(&story);
}

#[test]
fn a_balancer_that_hears_by_a_command_follows_a_new_number_of_slots() {
    let fragment = r#"
        [[fault]]
        name = "more"
        kind = "scale"
        target = { role = "server" }
        at = "chaos + 1s"
        to = 3
    "#;
    let mut played = Played::beside(&format!("{BY_FILE}\n{fragment}"), &[MEMBERS]);
    // Legacy sessions live in the memory of their server: that they are lost is what `clean-change` finds here.
    let story = played.ended_with(&[0, 6, 7]);
    let proven = story.at("fault-effective");
    assert!(
        served_after(&story, "server-3#1", proven) > 0,
        "{}",
        story.printed
    );
    let told = of(&story, "members-told").pop().unwrap()["slot"].clone();
    assert_eq!(told, "balancer-1");
    // Who was there before did not leave for that.
    let after = later(proven, Duration::ZERO);
    assert!(served_after(&story, "server-1#1", after) > 0);
    nobody_failed(&story);
}

#[test]
fn a_run_that_is_interrupted_leaves_its_rollout_half_done_and_nothing_behind() {
    let fragment = r#"
        [[fault]]
        name = "slowly"
        kind = "rolling-restart"
        target = { role = "server" }
        at = "chaos"
        drain = "100ms"
        pause = "3s"
        order = "stop-first"
    "#;
    let mut played = Played::fragment(fragment);
    played.run.wait_for_event("slot-exited", "server-1#1");
    played.run.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(played.run.exit_code(), Some(130));
    played.run.assert_nothing_left();
    let story = played.told();
    assert_eq!(starts(&story, "server-3"), ["server-3#1"]);
    // The naive order: it is gone before the balancer hears of it.
    let (told, gone) = (first(&story, "members-told"), first(&story, "slot-exited"));
    assert!(gone < told);
}

#[test]
fn a_fault_that_follows_new_slots_acts_on_them_until_it_ends() {
    let fragment = r#"
        [[fault]]
        name = "all-hang"
        kind = "pause"
        target = { role = "server", count = 1, new_slots = "follow" }
        at = "chaos + 500ms"
        duration = "5s"
        [[fault]]
        name = "more"
        kind = "scale"
        target = { role = "server" }
        at = "chaos + 1500ms"
        to = 4
    "#;
    let mut played = Played::fragment(fragment);
    played
        .run
        .wait_for_event("fault-effective", "all-hang+server-4");
    let events = played.run.events();
    let pid = pid_of(&events, "server-4#1");
    // The event may be a moment old when it is read, but the fault lasts for seconds.
    assert_eq!(state_of(pid), Some('T'));
    // Legacy sessions live in the memory of their server: that they are lost is what `clean-change` finds here.
    let story = played.ended_with(&[0, 6, 7]);
    assert!(
        at(&story, "fault-heal-proven", "all-hang+server-4") > at(&story, "fault-applied", "more")
    );
    let ended = at(&story, "fault-healing", "all-hang");
    let followed = at(&story, "fault-healing", "all-hang+server-4");
    assert!(
        followed
            >= later(
                at(&story, "fault-effective", "all-hang"),
                Duration::from_secs(4)
            )
    );
    assert!(
        ended
            >= later(
                at(&story, "fault-began", "all-hang"),
                Duration::from_millis(4_900)
            )
    );
    let faults = story.summary["analysis"]["faults"].as_array().unwrap();
    let hang = faults.iter().find(|fault| fault["name"] == "all-hang");
    let targets = hang.unwrap()["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 2, "{targets:?}");
    assert!(targets.iter().any(|target| target == "server-4#1"));
}
