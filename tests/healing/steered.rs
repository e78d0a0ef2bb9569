//! `mcpload halt` and `mcpload mark`.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::runs::{Run, within, written};
use crate::stage::PATIENCE;

/// Time enough to say something to it.
const SCENARIO: &str = r#"
version = 1
name = "steered"
seed = 5
workers = 1
[fleet]
driver = "process"
[fleet.role.server]
stop_grace = "1s"
[workload]
clients = 4
[[workload.operation]]
tool = "echo"
arguments = { text = "hello" }
[[phase]]
name = "steady"
duration = "60s"
rate = "20/s"
"#;

fn running(scenario: &str) -> (Run, TempDir) {
    let directory = TempDir::new().unwrap();
    let path = written(&directory, scenario);
    let mut run = Run::start_with(&path, &[]);
    run.wait_for_event("phase-began", "steady");
    (run, directory)
}

#[test]
fn halt_stops_a_run_like_one_ctrl_c() {
    let (mut run, _directory) = running(SCENARIO);
    let (code, said) = run.about(&["halt"], &[]);
    assert_eq!(code, Some(0), "{said}");
    // Asked again it is no second Ctrl-C; the run may be over by now.
    let (code, said) = run.about(&["halt"], &[]);
    assert!(
        code == Some(0) && said.contains("already") || code == Some(2),
        "{said}"
    );
    assert_eq!(run.exit_code(), Some(130), "{}", run.printed());
    run.assert_nothing_left();
    let events = run.events();
    let halted = events.iter().find(|event| event["event"] == "interrupted");
    assert_eq!(halted.unwrap()["signal"], "halt");
    assert_eq!(events.last().unwrap()["how"], "interrupted");
    assert!(run.directory().join("report/summary.json").exists());
    // A report is written: it was one request, not two.
    assert!(!run.directory().join("control").exists());
    let (code, said) = run.about(&["halt"], &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("nothing runs in"), "{said}");
}

#[test]
fn a_mark_that_the_scenario_does_not_know_is_refused() {
    let (run, _directory) = running(SCENARIO);
    let (code, said) = run.about(&["mark"], &["begin", "database-down"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no observed fault `database-down`"), "{said}");
}

/// Two faults that others do.
const OBSERVED: &str = r#"
[[fault]]
name = "by-hand"
kind = "observed"
target = { slot = "server-1" }
at = "steady + 2600ms"
[[fault]]
name = "by-itself"
kind = "observed"
target = { slot = "server-1" }
at = "steady + 2500ms"
"#;

/// The kinds of the events that name this fault, in order.
fn story(run: &Run, fault: &str) -> Vec<String> {
    let events = run.events();
    let of = events.iter().filter(|event| event["fault"] == fault);
    of.map(|event| event["event"].as_str().unwrap().to_owned())
        .collect()
}

const WHOLE: [&str; 6] = [
    "fault-began",
    "fault-applied",
    "fault-effective",
    "fault-healing",
    "fault-healed",
    "fault-heal-proven",
];

#[test]
fn marks_open_and_close_the_window_of_an_observed_fault_and_so_does_a_death() {
    let (mut run, _directory) = running(&format!("{SCENARIO}{OBSERVED}"));
    let mark = |edge: &str, name: &str| run.about(&["mark"], &[edge, name]);
    // Awaited from its moment on.
    let mut answer = (None, String::new());
    assert!(within(PATIENCE, || {
        answer = mark("begin", "by-hand");
        answer.0 == Some(0)
    }));
    assert!(answer.1.contains("by-hand begins at +"), "{}", answer.1);
    let (code, said) = mark("begin", "by-hand");
    assert!(code == Some(2) && said.contains("begun before"), "{said}");
    let (code, said) = mark("end", "by-itself");
    assert!(code == Some(2) && said.contains("not begun"), "{said}");
    let (code, said) = mark("begin", "by-foot");
    assert!(
        code == Some(2) && said.contains("by-itself, by-hand"),
        "{said}"
    );
    let (code, said) = mark("end", "by-hand");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(story(&run, "by-hand"), WHOLE);

    let started = run.events();
    let started = started
        .iter()
        .find(|event| event["event"] == "slot-started");
    let pid = i32::try_from(started.unwrap()["pid"].as_i64().unwrap()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    run.wait_for_event("fault-heal-proven", "by-itself");
    assert_eq!(story(&run, "by-itself"), WHOLE);
    // The window that was closed stays as it was.
    assert_eq!(story(&run, "by-hand"), WHOLE);

    let (code, said) = run.about(&["halt"], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(run.exit_code(), Some(130), "{}", run.printed());
    let faults = &run.json("report/summary.json")["analysis"]["faults"];
    assert_eq!(faults[0]["name"], "by-hand");
    assert_eq!(faults[1]["targets"][0], "server-1#1");
}

#[test]
fn a_run_that_is_alive_is_not_cleaned_up() {
    let (run, _directory) = running(SCENARIO);
    let before = run.marked();
    let (code, said) = run.about(&["cleanup"], &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("alive") && said.contains("mcpload halt"),
        "{said}"
    );
    assert_eq!(run.marked(), before);
}
