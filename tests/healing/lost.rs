//! `kill -9` of a proxy while its rule acts, of proxy and conductor together, of a conductor whose fault is a command; and a guard
//! that hangs.

use std::collections::BTreeSet;

use mcpload::fault::journal::{self, Actor};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::killed::{GONE_WITHIN, assert_healed, open, signal, started_as};
use crate::runs::{Run, within, written};
use crate::stage::PATIENCE;

/// Two servers under light load, long enough for a fault to be met in its middle.
const FLEET: &str = r#"
version = 1
name = "lost"
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
duration = "13s"
rate = "40/s"
"#;

const SLOW: &str = r#"
[[fault]]
name = "slow"
kind = "latency"
target = { role = "server", count = 1 }
at = "chaos"
duration = "4s"
delay = "20ms"
"#;

fn playing(fault: &str) -> (Run, TempDir) {
    let directory = TempDir::new().unwrap();
    let path = written(&directory, &format!("{FLEET}{fault}"));
    (Run::start_with(&path, &[]), directory)
}

#[test]
fn a_proxy_that_is_killed_takes_its_rule_along_and_makes_the_run_invalid() {
    let (mut run, _directory) = playing(SLOW);
    run.wait_for_event("fault-effective", "slow");
    let proxies = started_as(&run, "wire");
    assert_eq!(proxies.len(), 1, "{}", run.printed());
    signal(&proxies, Signal::SIGKILL);
    run.wait_for_event("link-lost", "server-");
    assert_eq!(run.exit_code(), Some(7), "{}", run.printed());
    let events = run.events();
    let healed = events
        .iter()
        .find(|event| event["event"] == "fault-heal-proven");
    let proof = healed.unwrap()["proof"].as_str().unwrap();
    assert!(proof.contains("has ended"), "{proof}");
    assert_eq!(open(&run), Vec::<String>::new());
    assert_healed(&run);
}

#[test]
fn with_conductor_and_proxy_killed_the_guard_closes_the_journal_and_nothing_lives() {
    let (mut run, _directory) = playing(SLOW);
    run.wait_for_event("fault-effective", "slow");
    let proxies = started_as(&run, "wire");
    assert_eq!(proxies.len(), 1);
    run.signal(Signal::SIGKILL);
    signal(&proxies, Signal::SIGKILL);
    assert_eq!(run.exit_code(), None);
    run.gone_within(GONE_WITHIN, &BTreeSet::new());
    assert_eq!(open(&run), Vec::<String>::new());
    assert_healed(&run);
}

#[test]
fn a_guard_that_does_not_answer_is_replaced_and_the_next_one_heals() {
    let (mut run, _directory) = playing(
        "[[fault]]\nname = \"hang\"\nkind = \"pause\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos\"\nduration = \"12s\"\n",
    );
    run.wait_for_event("fault-effective", "hang");
    let first = started_as(&run, "guard");
    assert_eq!(first.len(), 1, "{}", run.printed());
    signal(&first, Signal::SIGSTOP);
    run.wait_for_event("guard-lost", "\"again\":true");
    assert!(run.printed().contains("unanswered"), "{}", run.printed());
    let second = started_as(&run, "guard");
    assert!(second.len() == 1 && second != first, "{second:?}");
    // The fault still acts: now it is the second guard's to heal.
    run.signal(Signal::SIGKILL);
    assert_eq!(run.exit_code(), None);
    run.gone_within(GONE_WITHIN, &BTreeSet::new());
    assert_eq!(open(&run), Vec::<String>::new());
    let entries = journal::read(&run.directory().join("undo.jsonl")).unwrap();
    assert_eq!(entries.last().unwrap().by, Actor::Guard);
    assert_healed(&run);
}

#[test]
fn the_guard_runs_the_heal_of_a_command_and_ends_what_the_command_left() {
    let (mut run, directory) = playing(
        r#"
[[fault]]
name = "own"
kind = "command"
target = { role = "server", count = 1 }
at = "chaos"
duration = "10s"
inject = ["sh", "-c", "touch acts; setsid sleep 800 &"]
probe = ["test", "-e", "acts"]
heal = ["sh", "-c", "rm acts; echo $MCPLOAD_STEP $MCPLOAD_TARGETS > healed"]
"#,
    );
    run.wait_for_event("fault-effective", "own");
    let sleeps = |run: &Run| {
        let all = run.marked();
        all.into_iter().filter(|one| one.program == "sleep").count()
    };
    assert_eq!(sleeps(&run), 1);
    assert!(directory.path().join("acts").exists());
    run.signal(Signal::SIGKILL);
    assert_eq!(run.exit_code(), None);
    run.gone_within(GONE_WITHIN, &BTreeSet::new());
    assert!(!directory.path().join("acts").exists());
    let healed = std::fs::read_to_string(directory.path().join("healed")).unwrap();
    assert!(healed.starts_with("heal server-"), "{healed}");
    assert_eq!(open(&run), Vec::<String>::new());
    assert_healed(&run);
}

#[test]
fn a_run_that_is_stopped_gives_up_a_command_that_hangs_and_heals() {
    let (mut run, directory) = playing(
        r#"
[[fault]]
name = "own"
kind = "command"
target = { role = "server", count = 1 }
at = "chaos"
duration = "10s"
within = "5m"
inject = ["sh", "-c", "touch acts; sleep 801 & wait"]
probe = ["test", "-e", "acts"]
heal = ["rm", "acts"]
"#,
    );
    run.wait_for_event("fault-began", "own");
    let acts = directory.path().join("acts");
    assert!(within(PATIENCE, || acts.exists()));
    run.signal(Signal::SIGINT);
    // Far less than the command would have had.
    assert_eq!(run.exit_code(), Some(130), "{}", run.printed());
    assert!(!acts.exists());
    assert_eq!(open(&run), Vec::<String>::new());
    assert_healed(&run);
}
