//! What is left of a run when it is ended from outside, and what its exit code says: no process, ever.

// `cfg(test)` tells clippy that helpers beside the tests may panic like tests.
#[cfg(test)]
#[path = "runs/support.rs"]
#[expect(dead_code, reason = "shared with the tests of scenarios")]
mod support;

#[cfg(test)]
#[path = "runs/aborted.rs"]
mod aborted;
#[cfg(test)]
#[path = "runs/calibrated.rs"]
mod calibrated;
#[cfg(test)]
#[path = "runs/replayed.rs"]
mod replayed;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use support::{Run, beside_others, scenario, written};
use tempfile::TempDir;

/// All must be gone within 2 s. The bound is wider because the processes need the processor in order to die, and a machine
/// that tests may be busy with something else; `ci/e2e.sh` holds a run to the 2 s.
const GONE_WITHIN: Duration = Duration::from_secs(5);

fn quickstart_in_the_middle() -> Run {
    let mut run = Run::start(&scenario("quickstart"), &["--set", "seed=11"]);
    run.wait_for_event("phase-began", "\"steady\"");
    run
}

/// The kinds of the events, in order.
fn event_kinds(run: &Run) -> Vec<String> {
    run.events()
        .iter()
        .map(|event| event["event"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn killed_in_the_middle_it_leaves_no_process_and_a_run_that_can_be_judged() {
    let _room = beside_others();
    let mut run = quickstart_in_the_middle();
    let known = run.descendants();
    // Three servers and a balancer, a shim for each, and at least one worker.
    assert!(known.len() >= 9, "{known:?}");
    run.signal(Signal::SIGKILL);
    assert_eq!(run.exit_code(), None);
    let took = run.gone_within(GONE_WITHIN, &known);
    eprintln!("{} processes were gone after {took:?}", known.len());
    assert!(!event_kinds(&run).contains(&"run-ended".to_owned()));
    assert_eq!(run.report(), Some(7), "{}", run.printed());
    let summary = run.json("report/summary.json");
    assert!(summary["analysis"]["ending"].is_null());
    assert_eq!(summary["verdict"]["exit"], 7);
}

#[test]
fn interrupted_once_it_stops_and_reports() {
    let _room = beside_others();
    let mut run = quickstart_in_the_middle();
    run.signal(Signal::SIGINT);
    assert_eq!(run.exit_code(), Some(130), "{}", run.printed());
    run.assert_nothing_left();
    let events = run.events();
    let last = events.last().unwrap();
    assert_eq!(last["event"], "run-ended", "{last}");
    assert_eq!(last["how"], "interrupted", "{last}");
    assert!(event_kinds(&run).contains(&"interrupted".to_owned()));
    assert_eq!(
        run.json("report/summary.json")["analysis"]["ending"],
        "interrupted"
    );
    assert_eq!(run.report(), Some(7));
}

/// goose has a handler of its own for Ctrl-C, a switch to stop that is global, and lines for standard output: none of it may be
/// noticed outside its worker.
#[test]
fn interrupted_while_users_of_a_closed_model_act_it_stops_and_reports_as_ever() {
    let _room = beside_others();
    let mut run = Run::start(&scenario("closed-users"), &["--set", "seed=11"]);
    run.wait_for_event("phase-began", "\"steady\"");
    let from = Instant::now();
    run.signal(Signal::SIGINT);
    assert_eq!(run.exit_code(), Some(130), "{}", run.printed());
    // Operations may go on for 3 s, the fleet has its grace; 6 s of load were left.
    assert!(
        from.elapsed() < Duration::from_secs(30),
        "{}",
        run.printed()
    );
    run.assert_nothing_left();
    let events = run.events();
    let last = events.last().unwrap();
    assert_eq!(last["event"], "run-ended");
    assert_eq!(last["how"], "interrupted", "{last}");
    let kinds = event_kinds(&run);
    assert!(kinds.contains(&"worker-ended".to_owned()), "{kinds:?}");
    assert!(!kinds.contains(&"worker-lost".to_owned()), "{kinds:?}");
    let summary = run.json("report/summary.json");
    assert!(summary["analysis"]["whole"]["ok"].as_u64().unwrap() > 100);
    // What goose says stands in the worker's log: ours begins with the verdict.
    assert!(
        run.stdout().starts_with("INCONCLUSIVE"),
        "{}",
        run.printed()
    );
    assert!(
        !run.printed().contains("users launched"),
        "{}",
        run.printed()
    );
}

#[test]
fn interrupted_while_a_server_is_down_it_leaves_nothing_to_heal() {
    let _room = beside_others();
    let mut run = Run::start(&scenario("quickstart"), &["--set", "seed=12"]);
    run.wait_for_event("fault-began", "one-dies");
    run.signal(Signal::SIGINT);
    assert_eq!(run.exit_code(), Some(130), "{}", run.printed());
    run.assert_nothing_left();
    let kinds = event_kinds(&run);
    assert!(!kinds.contains(&"fault-not-healed".to_owned()), "{kinds:?}");
}

#[test]
fn interrupted_twice_it_leaves_at_once() {
    let _room = beside_others();
    let mut run = quickstart_in_the_middle();
    run.signal(Signal::SIGINT);
    // The second must come as another signal: two that are pending at once are one.
    run.wait_for_event("interrupted", "");
    run.signal(Signal::SIGINT);
    let from = Instant::now();
    assert_eq!(run.exit_code(), Some(130), "{}", run.printed());
    let took = from.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    run.assert_nothing_left();
}

#[test]
fn terminated_it_stops_and_says_so() {
    let _room = beside_others();
    let mut run = quickstart_in_the_middle();
    run.signal(Signal::SIGTERM);
    assert_eq!(run.exit_code(), Some(143), "{}", run.printed());
    run.assert_nothing_left();
}

#[test]
fn a_fleet_that_never_becomes_ready_is_given_up() {
    let _room = beside_others();
    let directory = TempDir::new().unwrap();
    let path = written(
        &directory,
        r#"
version = 1
name = "never-ready"

[fleet]
driver = "process"

[fleet.role.server]
command = ["sleep", "1000"]
ready = { tcp = true, timeout = "1s" }
restart = { policy = "none" }

[workload]
clients = 10

[[workload.operation]]
tool = "echo"
arguments = { text = "hello" }

[[phase]]
name = "steady"
duration = "2s"
rate = "100/s"
"#,
    );
    let mut run = Run::start(&path, &[]);
    assert_eq!(run.exit_code(), Some(3), "{}", run.printed());
    run.assert_nothing_left();
    let events = run.events();
    let names_the_slot = |event: &serde_json::Value| {
        event["event"] == "aborted" && event["reason"].to_string().contains("server-1")
    };
    assert!(events.iter().any(names_the_slot), "{events:?}");
    assert!(run.printed().contains("server-1"), "{}", run.printed());
}

#[test]
fn a_wrong_scenario_starts_nothing() {
    let _room = beside_others();
    let directory = TempDir::new().unwrap();
    let path = written(&directory, "version = 1\nname = \"wrong\"\nfleeet = {}\n");
    let mut run = Run::start(&path, &[]);
    assert_eq!(run.exit_code(), Some(2), "{}", run.printed());
    let printed = run.printed();
    assert!(printed.contains("scenario.toml:3:1"), "{printed}");
    assert_eq!(run.marked(), BTreeSet::new());
    assert!(!run.directory().exists());
}
