//! The scenarios of the project against the real binary: the healthy fleet passes, and each fleet that was made worse on
//! purpose has one exit code, one failing finding with the right slot in its first line, and no unrelated one.

// `cfg(test)` tells clippy that helpers beside the tests may panic like tests.
#[cfg(test)]
#[path = "runs/support.rs"]
#[expect(dead_code, reason = "shared with the tests of processes")]
mod support;

#[cfg(test)]
#[path = "runs/ended.rs"]
mod ended;

use ended::Ended;
use support::{alone, beside_others};

fn the_healthy_fleet_passes(seed: &str) {
    let _room = beside_others();
    let ended = Ended::of("quickstart", seed);
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    assert_eq!(
        ended.with_answer("pass").len(),
        ended.findings.len(),
        "{}",
        ended.told()
    );
    // Promised to the reader of the README. The fleet comes up and goes down besides the 21 s of load.
    let age = ended.run.age();
    assert!(age.as_secs() < 60, "{age:?}");
    ended.reports_the_same_again();
}

#[test]
fn the_healthy_fleet_passes_with_one_seed() {
    the_healthy_fleet_passes("seed=1");
}

#[test]
fn the_healthy_fleet_passes_with_another_seed() {
    the_healthy_fleet_passes("seed=2");
}

#[test]
fn a_server_that_never_comes_back_fails_the_recovery_check_alone() {
    let _room = beside_others();
    let ended = Ended::of("no-restart", "seed=3");
    let victim = ended.victim();
    ended.fails_only(6, "recovery-time", &victim);
    ended.reports_the_same_again();
}

#[test]
fn a_server_that_hangs_is_over_when_it_goes_on() {
    let _room = beside_others();
    let ended = Ended::of("one-hangs", "seed=3");
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let summary = ended.run.json("report/summary.json");
    let fault = &summary["analysis"]["faults"][0];
    // It cannot be whole before it goes on.
    let stopped = fault["effective"][0].as_i64().unwrap();
    let whole = stopped + fault["recovery"]["redundancy"]["after"].as_i64().unwrap();
    assert!(whole >= fault["heal_returned"].as_i64().unwrap(), "{fault}");
}

#[test]
fn a_balancer_without_failover_fails_the_errors_objective_alone() {
    let _room = beside_others();
    let ended = Ended::of("no-failover", "seed=4");
    let victim = ended.victim();
    ended.fails_only(4, "errors", &victim);
}

#[test]
fn a_slow_server_fails_the_latency_objective_alone() {
    let _room = beside_others();
    let ended = Ended::of("slow-server", "seed=5");
    ended.fails_only(4, "latency", "server-1");
}

#[test]
fn a_slow_link_fails_the_objective_of_its_time_alone_and_names_the_server_behind_it() {
    let _room = beside_others();
    // With this seed one server is hit twice.
    let ended = Ended::of("slow-link", "seed=1");
    let plan = ended.run.json("plan.json");
    let hit = |trial: usize| plan["faults"][trial]["targets"][0].as_str().unwrap();
    assert_eq!(hit(1), hit(2));
    ended.fails_only(4, "latency", hit(1));
    let fault = &ended.run.json("report/summary.json")["analysis"]["faults"][0];
    assert_eq!(fault["sessions_lost"], 0, "{fault}");
}

#[test]
fn a_server_that_is_asked_to_leave_leaves_without_a_failed_call() {
    let _room = beside_others();
    let ended = Ended::of("drain", "seed=11");
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let fault = &ended.run.json("report/summary.json")["analysis"]["faults"][0];
    assert_eq!(fault["in_flight_lost"], 0, "{fault}");
    let drain = &fault["effects"][0];
    assert!(drain["achieved"].as_f64() < drain["requested"].as_f64());
}

#[test]
fn a_rolling_restart_goes_unnoticed_behind_a_balancer_that_is_told() {
    let _alone = alone();
    let ended = Ended::of("rollout", "seed=12");
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let fault = &ended.run.json("report/summary.json")["analysis"]["faults"][0];
    assert_eq!(fault["in_flight_lost"], 0, "{fault}");
    assert_eq!(fault["targets"].as_array().unwrap().len(), 3, "{fault}");
}

#[test]
fn a_rate_beyond_the_machine_blames_nobody_but_the_generator() {
    let _room = alone();
    let ended = Ended::of("beyond-the-machine", "seed=6");
    assert_eq!(ended.code, Some(7), "{}", ended.told());
    let failing = ended.with_answer("fail");
    assert!(
        failing
            .iter()
            .all(|finding| finding["category"] == "validity"),
        "{}",
        ended.told()
    );
    let objectives = ended
        .with_answer("inconclusive")
        .into_iter()
        .filter(|finding| finding["category"] == "objective");
    assert_eq!(objectives.count(), 2, "{}", ended.told());
    ended.reports_the_same_again();
}

#[test]
fn users_of_a_closed_model_are_served() {
    let _room = beside_others();
    let ended = Ended::of("closed-users", "seed=7");
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let summary = ended.run.json("report/summary.json");
    let phases = summary["analysis"]["phases"].as_array().unwrap();
    assert!(
        phases.iter().all(|phase| phase["closed"] == true),
        "{phases:?}"
    );
    // 20 users think 50 ms each: more than 100 actions a second, unless they are not served at all.
    let ok = summary["analysis"]["measured"]["ok"].as_u64().unwrap();
    assert!(ok > 400, "{ok} operations\n{}", ended.told());
}

#[test]
fn a_spike_is_served_and_its_arrivals_are_those_of_the_plan() {
    let _room = beside_others();
    let ended = Ended::of("spike", "seed=8");
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let summary = ended.run.json("report/summary.json");
    let rush = &summary["analysis"]["phases"][1];
    assert_eq!(rush["intended"], rush["tally"]["due"], "{rush}");
    // 50/s for 4 s, 300/s for 3 s, 175/s in the mean for 1 s: 1275, give or take what chance gives (five standard deviations).
    let due = rush["tally"]["due"].as_u64().unwrap();
    assert!((1095..1455).contains(&due), "{due}");
    ended.reports_the_same_again();
}

#[test]
fn a_crowd_that_keeps_a_pace_is_served_and_its_response_times_count_from_the_pace() {
    let _room = beside_others();
    let ended = Ended::of("ramping-users", "seed=9");
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let summary = ended.run.json("report/summary.json");
    let crowd = &summary["analysis"]["phases"][1];
    assert_eq!(
        (&crowd["closed"], &crowd["paced"]),
        (&true.into(), &true.into())
    );
    // 30 users four times a second for 5 s, at most; each could be late by a whole turn.
    let due = crowd["tally"]["due"].as_u64().unwrap();
    assert!((300..=600).contains(&due), "{due}");
    assert_eq!(crowd["lag"]["samples"].as_u64(), Some(due));
}

#[test]
fn idle_sessions_are_held_and_those_that_are_lost_are_replaced() {
    let _room = beside_others();
    let ended = Ended::of("idle-sessions", "seed=10");
    assert_eq!(ended.code, Some(0), "{}", ended.told());
    let summary = ended.run.json("report/summary.json");
    let sessions = &summary["analysis"]["sessions"];
    let count = |what: &str| sessions[what].as_u64().unwrap();
    assert_eq!(count("born"), 60, "{sessions}");
    assert!(count("lost") > 0, "{sessions}");
    assert_eq!(count("re_established"), count("lost"), "{sessions}");
    assert!(count("streams") >= 60 + count("lost"), "{sessions}");
    // Nothing else was to arrive than the calls of the other workload.
    let chaos = &summary["analysis"]["phases"][1];
    assert_eq!(chaos["intended"], chaos["tally"]["due"]);
}
