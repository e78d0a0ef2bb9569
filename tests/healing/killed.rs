//! `kill -9` of what plays and guards a fault, at each line of the journal.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use mcpload::fault::journal;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::runs::{Process, Run, within, written};
use crate::stage::PATIENCE;

/// Everything of a run that died is gone by then: its owners and its guard need moments, and wait at most seconds.
pub(crate) const GONE_WITHIN: Duration = Duration::from_secs(20);

/// A server that hangs for a while, under light load.
const SCENARIO: &str = r#"
version = 1
name = "one-hangs"
seed = 5
workers = 1
[fleet]
driver = "process"
[fleet.role.server]
replicas = 2
stop_grace = "1s"
[fleet.role.balancer]
[workload]
clients = 6
[[workload.operation]]
tool = "echo"
arguments = { text = "hello" }
timeout = "2s"
[[phase]]
name = "steady"
duration = "2s"
rate = "40/s"
[[phase]]
name = "chaos"
duration = "5s"
rate = "40/s"
[[fault]]
name = "hang"
kind = "pause"
target = { role = "server", count = 1 }
at = "chaos"
duration = "2s"
"#;

/// The lines that a pause has in the journal: intended, applied, verified, undone, undo-verified.
const LINES: i32 = 5;

/// A run of the scenario in which the conductor kills itself at this line: after it, or before it if negative.
fn killed_at(line: i32) -> Run {
    let directory = TempDir::new().unwrap();
    let path = written(&directory, SCENARIO);
    let mut run = Run::start_with(&path, &[("MCPLOAD_KILL_AT_LINE", &line.to_string())]);
    assert_eq!(run.exit_code(), None, "{}", run.printed());
    run
}

fn playing() -> (Run, TempDir) {
    let directory = TempDir::new().unwrap();
    let path = written(&directory, SCENARIO);
    (Run::start_with(&path, &[]), directory)
}

/// The processes of the run that were started with this word: `guard`, `worker`.
pub(crate) fn started_as(run: &Run, word: &str) -> BTreeSet<Process> {
    let is = |process: &Process| {
        let line = fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(word.as_bytes())
    };
    run.marked().into_iter().filter(is).collect()
}

pub(crate) fn signal(processes: &BTreeSet<Process>, with: Signal) {
    for process in processes {
        let _ = kill(Pid::from_raw(i32::try_from(process.pid).unwrap()), with);
    }
}

/// The faults that are open in the journal.
pub(crate) fn open(run: &Run) -> Vec<String> {
    let entries = journal::read(&run.directory().join("undo.jsonl")).unwrap();
    let open = journal::open_entries(&entries);
    open.into_iter().map(|entry| entry.fault).collect()
}

/// Nothing of the run lives, and clean-up finds nothing that it could not undo.
pub(crate) fn assert_healed(run: &Run) {
    run.gone_within(GONE_WITHIN, &BTreeSet::new());
    let (code, said) = run.about(&["cleanup"], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(open(run), Vec::<String>::new(), "{said}");
}

fn assert_healed_when_killed_at(line: i32) {
    let run = killed_at(line);
    // The guard has what it needs: nobody else writes the journal now.
    let took = run.gone_within(GONE_WITHIN, &BTreeSet::new());
    assert_eq!(open(&run), Vec::<String>::new(), "line {line}");
    assert_healed(&run);
    println!(
        "killed at line {line}: healed {:.1} s later",
        took.as_secs_f64()
    );
}

#[test]
fn killed_before_the_act_the_guard_heals() {
    assert_healed_when_killed_at(1);
}

#[test]
fn killed_while_a_server_is_stopped_the_guard_heals() {
    assert_healed_when_killed_at(3);
}

#[test]
fn killed_before_the_undo_is_written_the_guard_heals() {
    assert_healed_when_killed_at(-4);
}

#[test]
#[ignore = "all steps; a sample of them runs always"]
fn killed_at_each_line_the_guard_heals() {
    for line in 1..=LINES {
        assert_healed_when_killed_at(-line);
        assert_healed_when_killed_at(line);
    }
}

#[test]
fn a_guard_that_is_killed_is_replaced_once_and_its_loss_is_told() {
    let (mut run, _directory) = playing();
    run.wait_for_event("fault-effective", "hang");
    let first = started_as(&run, "guard");
    assert_eq!(first.len(), 1, "{}", run.printed());
    signal(&first, Signal::SIGKILL);
    run.wait_for_event("guard-lost", "\"again\":true");
    let second = started_as(&run, "guard");
    assert!(second.len() == 1 && second != first, "{second:?}");
    signal(&second, Signal::SIGKILL);
    run.wait_for_event("guard-lost", "\"again\":false");
    let code = run.exit_code();
    // The machine that tests may be too busy for a verdict; the run itself is whole.
    assert!(matches!(code, Some(0 | 7)), "{}", run.printed());
    assert!(
        run.printed().contains("the guard is lost"),
        "{}",
        run.printed()
    );
    let ended = run.events().pop().unwrap();
    assert_eq!(ended["how"], "completed");
    assert_healed(&run);
}

#[test]
fn with_conductor_and_guard_killed_nothing_lives_and_cleanup_closes_the_journal() {
    let (mut run, _directory) = playing();
    run.wait_for_event("fault-effective", "hang");
    let guard = started_as(&run, "guard");
    assert_eq!(guard.len(), 1);
    // Held, so that it cannot act in between.
    signal(&guard, Signal::SIGSTOP);
    run.signal(Signal::SIGKILL);
    signal(&guard, Signal::SIGKILL);
    assert_eq!(run.exit_code(), None);
    run.gone_within(GONE_WITHIN, &BTreeSet::new());
    assert_eq!(open(&run), ["hang"]);
    assert_healed(&run);
}

#[test]
fn a_guard_that_dies_while_it_heals_leaves_it_to_cleanup() {
    let directory = TempDir::new().unwrap();
    let path = written(&directory, SCENARIO);
    // The same variable reaches the guard: it dies with its first line on its lips.
    let mut run = Run::start_with(&path, &[("MCPLOAD_KILL_AT_LINE", "guard:-4")]);
    run.wait_for_event("fault-effective", "hang");
    run.signal(Signal::SIGKILL);
    assert_eq!(run.exit_code(), None);
    run.gone_within(GONE_WITHIN, &BTreeSet::new());
    assert_eq!(open(&run), ["hang"]);
    assert_healed(&run);
}

#[test]
fn a_worker_that_is_killed_makes_the_run_invalid_and_leaves_nothing() {
    let (mut run, _directory) = playing();
    run.wait_for_event("fault-effective", "hang");
    let workers = started_as(&run, "worker");
    assert_eq!(workers.len(), 1);
    signal(&workers, Signal::SIGKILL);
    assert_eq!(run.exit_code(), Some(7), "{}", run.printed());
    assert!(within(PATIENCE, || open(&run).is_empty()));
    assert_healed(&run);
}

#[test]
fn everything_that_a_run_starts_carries_its_mark() {
    let (mut run, _directory) = playing();
    run.wait_for_event("fault-effective", "hang");
    let expected = format!(
        "MCPLOAD_RUN={}",
        run.directory().canonicalize().unwrap().display()
    );
    let all = run.descendants();
    // Two servers and a balancer with their shims, a worker, a guard.
    assert!(all.len() >= 8, "{all:?}");
    for process in all {
        let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        let mut entries = environment.split(|byte| *byte == 0);
        let carries = entries.any(|entry| entry == expected.as_bytes());
        assert!(carries || environment.is_empty(), "{process:?}");
    }
    run.signal(Signal::SIGINT);
    assert_eq!(run.exit_code(), Some(130), "{}", run.printed());
    assert_healed(&run);
}
