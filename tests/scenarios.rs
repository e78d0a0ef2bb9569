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
use support::alone;

fn the_healthy_fleet_passes(seed: &str) {
    let _alone = alone();
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
    let _alone = alone();
    let ended = Ended::of("no-restart", "seed=3");
    let victim = ended.victim();
    ended.fails_only(6, "recovery-time", &victim);
    ended.reports_the_same_again();
}

#[test]
fn a_balancer_without_failover_fails_the_errors_objective_alone() {
    let _alone = alone();
    let ended = Ended::of("no-failover", "seed=4");
    let victim = ended.victim();
    ended.fails_only(4, "errors", &victim);
}

#[test]
fn a_slow_server_fails_the_latency_objective_alone() {
    let _alone = alone();
    let ended = Ended::of("slow-server", "seed=5");
    ended.fails_only(4, "latency", "server-1");
}

#[test]
fn a_rate_beyond_the_machine_blames_nobody_but_the_generator() {
    let _alone = alone();
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
    let _alone = alone();
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
