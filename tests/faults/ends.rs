//! Faults that end instances, or keep them from living.

use std::time::Duration;

use mcpload::model::Offset;

use crate::played::{Played, Story, later};

/// The incarnations of this slot that were started, in their order.
fn starts(story: &Story, slot: &str) -> Vec<String> {
    let prefix = format!("{slot}#");
    let started = story
        .events
        .iter()
        .filter(|event| event["event"] == "slot-started");
    started
        .filter_map(|event| event["instance"].as_str())
        .filter(|instance| instance.starts_with(&prefix))
        .map(str::to_owned)
        .collect()
}

/// How this instance ended, as its supervisor tells.
fn status(story: &Story, instance: &str) -> String {
    let exited = story
        .events
        .iter()
        .find(|event| event["event"] == "slot-exited" && event["instance"] == instance);
    exited.unwrap()["status"].as_str().unwrap().to_owned()
}

#[test]
fn terminate_lets_the_instance_drain_and_its_policy_brings_the_next() {
    let mut played = Played::example("terminate");
    let story = played.ended();
    let target = story.targets()[0].clone();
    assert_eq!(status(&story, &target), "exit 0", "{}", story.printed);
    let (began, gone) = (story.at("fault-began"), story.at("fault-effective"));
    // The reference server goes on accepting for 500 ms after SIGTERM, so that balancers can see it leave.
    assert!(gone >= later(began, Duration::from_millis(500)));
    let effect = &story.summary["analysis"]["faults"][0]["effects"][0];
    let (bound, took) = (&effect["requested"], &effect["achieved"]);
    assert_eq!(bound.as_f64(), Some(2000.0));
    assert!(took.as_f64().unwrap() >= 500.0, "{effect}");
    // A drain loses nothing that had been sent: what the instance took, it answered.
    let served = story.served_by(&target);
    assert!(served.iter().all(|call| call.done <= gone));
    assert!(
        served.iter().any(|call| call.done > began),
        "nothing was answered while it drained"
    );
    assert_eq!(
        story.summary["analysis"]["faults"][0]["in_flight_lost"], 0,
        "{}",
        story.printed
    );
    let next = target.replace("#1", "#2");
    assert!(!story.served_by(&next).is_empty(), "{}", story.printed);
}

#[test]
fn restart_brings_the_next_incarnation_at_once() {
    let mut played = Played::example("restart");
    let story = played.ended();
    let target = story.targets()[0].clone();
    let slot = target.replace("#1", "");
    let next = format!("{slot}#2");
    assert_eq!(starts(&story, &slot), [target.clone(), next.clone()]);
    assert_eq!(status(&story, &target), "exit 0");
    let gone = story.at("fault-effective");
    let ready = story.at("fault-heal-proven");
    assert!(
        story
            .served_by(&target)
            .iter()
            .all(|call| call.done <= gone)
    );
    let served = story.served_by(&next);
    let after = served
        .iter()
        .filter(|call| call.sent.is_some_and(|sent| sent > ready));
    assert!(after.count() > 0, "{}", story.printed);
}

#[test]
fn a_crash_loop_kills_every_incarnation_until_it_is_over() {
    let mut played = Played::example("crash-loop");
    let story = played.ended();
    let slot = story.targets()[0].replace("#1", "");
    let (began, healed) = (story.at("fault-began"), story.at("fault-healed"));
    let prefix = format!("{slot}#");
    let deaths: Vec<_> = story
        .events
        .iter()
        .filter(|event| event["event"] == "slot-exited")
        .filter(|event| event["instance"].as_str().unwrap().starts_with(&prefix))
        .filter(|event| (began.0..=healed.0).contains(&event["at"].as_i64().unwrap()))
        .collect();
    // 300 ms of back-off and 200 ms of life: six in 3 s, were it not for the time that starting takes.
    assert!(deaths.len() >= 3, "{}", story.printed);
    assert!(deaths.iter().all(|event| event["status"] == "signal 9"));
    let effects = &story.summary["analysis"]["faults"][0]["effects"];
    let counted = effects[0]["achieved"].as_u64().or_else(|| {
        let count = effects[0]["achieved"].as_f64()?;
        format!("{count:.0}").parse().ok()
    });
    assert_eq!(counted, Some(deaths.len() as u64), "{effects}");
    let last = starts(&story, &slot).pop().unwrap();
    let ready = story.at("fault-heal-proven");
    let served = story.served_by(&last);
    assert!(
        served
            .iter()
            .any(|call| call.sent.is_some_and(|sent| sent > ready)),
        "{}",
        story.printed
    );
}

#[test]
fn stop_holds_the_slot_down_for_its_duration_whatever_the_policy_says() {
    let mut played = Played::example("stop");
    let story = played.ended();
    let target = story.targets()[0].clone();
    let slot = target.replace("#1", "");
    let next = format!("{slot}#2");
    assert_eq!(starts(&story, &slot), [target.clone(), next.clone()]);
    let started = story
        .events
        .iter()
        .find(|event| event["event"] == "slot-started" && event["instance"] == next.as_str());
    // Its policy would have brought it back 300 ms after its end.
    let at = Offset(started.unwrap()["at"].as_i64().unwrap());
    assert!(at >= story.at("fault-healing"));
    let gone = story.at("fault-effective");
    let served = story.served_by(&target);
    assert!(served.iter().all(|call| call.done <= gone));
    assert!(!story.served_by(&next).is_empty(), "{}", story.printed);
}

#[test]
fn stop_for_good_leaves_the_slot_down() {
    let mut played = Played::fragment(
        "[[fault]]\nname = \"gone\"\nkind = \"stop\"\ntarget = { slot = \"server-2\" }\nat = \"chaos + 1s\"\nfor_good = true\n",
    );
    let story = played.ended();
    assert_eq!(starts(&story, "server-2"), ["server-2#1"]);
    let abandoned = story
        .events
        .iter()
        .find(|event| event["event"] == "slot-abandoned")
        .unwrap();
    assert_eq!(abandoned["slot"], "server-2");
    assert_eq!(abandoned["reason"], "stopped for good by gone");
    let gone = story.at("fault-effective");
    let served = story.served_by("server-2#1");
    assert!(served.iter().all(|call| call.done <= gone));
}
