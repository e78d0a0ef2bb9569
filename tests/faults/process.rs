//! Faults of processes.

use std::time::Duration;

use crate::played::{Played, later, pid_of, state_of};

#[test]
fn kill_ends_the_instance_and_its_policy_brings_the_next() {
    let mut played = Played::example("kill");
    let story = played.ended();
    let targets = story.targets();
    assert_eq!(targets.len(), 1);
    // Nothing that it served was sent after its death, and the next incarnation serves.
    let killed = story.at("fault-effective");
    assert!(
        story
            .served_by(&targets[0])
            .iter()
            .all(|call| call.sent.is_none_or(|sent| sent <= killed))
    );
    let next = targets[0].replace("#1", "#2");
    assert!(
        !story.served_by(&next).is_empty(),
        "{next}: {}",
        story.printed
    );
}

#[test]
fn pause_stops_every_process_of_the_instance_and_lets_it_go_on() {
    let mut played = Played::example("pause");
    played.run.wait_for_event("fault-effective", "one-hangs");
    let events = played.run.events();
    let began = events
        .iter()
        .find(|event| event["event"] == "fault-began")
        .unwrap();
    let target = began["targets"][0].as_str().unwrap().to_owned();
    let pid = pid_of(&events, &target);
    // The event may be a moment old when it is read, but the fault lasts for seconds.
    assert_eq!(state_of(pid), Some('T'));

    let story = played.ended();
    assert_eq!(story.targets(), std::slice::from_ref(&target));
    let (stopped, went_on) = (story.at("fault-effective"), story.at("fault-healing"));
    assert!(went_on >= later(stopped, Duration::from_millis(2_500)));
    // What was on its way from the server when it stopped may still arrive.
    let arrived = later(stopped, Duration::from_millis(100));
    let served = story.served_by(&target);
    assert!(
        served
            .iter()
            .all(|call| call.done <= arrived || call.done >= went_on),
        "{target} answered while it was stopped"
    );
    let after = served
        .iter()
        .filter(|call| call.sent.is_some_and(|sent| sent > went_on));
    assert!(
        after.count() > 0,
        "{target} serves no more: {}",
        story.printed
    );
    // It was stopped, not replaced.
    assert_eq!(
        story.summary["analysis"]["faults"][0]["targets"][0],
        target.as_str()
    );
    let starts = story
        .events
        .iter()
        .filter(|event| event["event"] == "slot-started");
    assert_eq!(starts.count(), 4);
}
