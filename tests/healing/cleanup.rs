//! `mcpload cleanup`, with nothing else running.

use std::fs::{self, File};

use crate::runs::within;
use crate::stage::{Directory, PATIENCE, go_on, touch};

#[test]
fn it_undoes_what_is_open_ends_what_is_left_and_then_finds_nothing() {
    let mut run = Directory::new().noted();
    let (stopped, other) = (run.stopped(), run.process());
    run.intend("pause", go_on(stopped));
    run.intend("own", touch(&run.path(), "undone"));
    let path = run.path().to_string_lossy().into_owned();

    let said = run.mcpload(&["cleanup", &path, "--dry-run"]);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(
        said.text.contains("pause:") && said.text.contains("touch"),
        "{}",
        said.text
    );
    assert!(stopped.is_stopped() && other.is_alive());
    assert_eq!(run.open(), ["own", "pause"]);

    let said = run.mcpload(&["cleanup", &path]);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains("pause is undone"), "{}", said.text);
    assert!(run.path().join("undone").exists());
    assert!(within(PATIENCE, || !stopped.is_alive() && !other.is_alive()));
    assert_eq!(run.open(), Vec::<String>::new());

    let said = run.mcpload(&["cleanup", &path]);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains("nothing is left"), "{}", said.text);
}

#[test]
fn what_cannot_be_undone_is_said_with_what_a_person_can_do() {
    let run = Directory::new().noted();
    run.intend("own", touch(&run.path().join("nowhere"), "x"));
    let path = run.path().to_string_lossy().into_owned();
    let said = run.mcpload(&["cleanup", &path]);
    assert_eq!(said.code, Some(8), "{}", said.text);
    assert!(
        said.text.contains("by hand") && said.text.contains("touch x"),
        "{}",
        said.text
    );
    assert!(said.text.contains("all is as before"), "{}", said.text);
    assert_eq!(run.open(), ["own"]);
}

#[test]
fn a_run_directory_that_came_from_elsewhere_runs_no_commands_and_ends_nothing_foreign() {
    let mut run = Directory::new();
    let path = run.path().to_string_lossy().into_owned();
    run.intend("own", touch(&run.path(), "pwned"));
    let said = run.mcpload(&["cleanup", &path]);
    assert_eq!(said.code, Some(8), "{}", said.text);
    assert!(said.text.contains("touch pwned"), "{}", said.text);
    assert!(!run.path().join("pwned").exists());
    assert_eq!(run.open(), ["own"]);

    // Without the facts of a run it is any directory with a lock, and who writes below it is nobody of ours.
    fs::remove_file(run.path().join("run.json")).unwrap();
    let other = run.process();
    let said = run.mcpload(&["cleanup", &path]);
    assert_eq!(said.code, Some(2), "{}", said.text);
    assert!(said.text.contains("no run directory"), "{}", said.text);
    assert!(other.is_alive());
}

#[test]
fn a_run_that_is_alive_is_left_alone() {
    let mut run = Directory::new();
    let path = run.path().to_string_lossy().into_owned();
    let own = format!(
        "{{\"pid\":{},\"started\":{}}}",
        std::process::id(),
        mcpload::fleet::proc::ProcessId::own().started
    );
    fs::write(run.path().join("lock"), own).unwrap();
    let lock = File::open(run.path().join("lock")).unwrap();
    lock.try_lock().unwrap();
    // Only now, when its lock is held: the clean-up of all in another test sees what carries a mark.
    let stopped = run.stopped();
    run.intend("pause", go_on(stopped));
    let said = run.mcpload(&["cleanup", &path]);
    assert_eq!(said.code, Some(2), "{}", said.text);
    let pid = format!("pid {}", std::process::id());
    assert!(
        said.text.contains("alive") && said.text.contains(&pid),
        "{}",
        said.text
    );
    assert!(stopped.is_stopped());
    assert_eq!(run.open(), ["pause"]);
}

#[test]
fn all_means_what_processes_and_the_users_state_tell_of() {
    let mut marked = Directory::new();
    let left = marked.process();
    let noted = Directory::new();
    noted.intend("own", touch(&noted.path(), "undone"));
    let state = marked.state().join("mcpload/runs");
    fs::create_dir_all(&state).unwrap();
    let note = |name: &str, run: &str| fs::write(state.join(name), run).unwrap();
    note("1", &noted.path().to_string_lossy());
    note("2", "/no/such/run");

    // Everything on this machine is looked at: with --dry-run nothing of others is touched.
    let said = marked.mcpload(&["cleanup", "--all", "--dry-run"]);
    for run in [marked.path(), noted.path(), "/no/such/run".into()] {
        assert!(said.text.contains(&*run.to_string_lossy()), "{}", said.text);
    }
    assert!(left.is_alive());
    // The two have states of their own; it is that of the first which tells of the second.
    for run in [marked.path(), noted.path()] {
        let said = marked.mcpload(&["cleanup", &run.to_string_lossy()]);
        assert_eq!(said.code, Some(0), "{}", said.text);
    }
    assert!(within(PATIENCE, || !left.is_alive()));
    assert!(noted.path().join("undone").exists());
    // What is healed is forgotten.
    let files: Vec<String> = fs::read_dir(&state)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert!(
        !files.contains(&noted.path().to_string_lossy().into_owned()),
        "{files:?}"
    );
}

#[test]
fn without_a_run_it_says_how_it_is_used() {
    let run = Directory::new();
    let said = run.mcpload(&["cleanup"]);
    assert_eq!(said.code, Some(2));
    assert!(said.text.contains("--all"), "{}", said.text);
    let nothing = run.state().to_string_lossy().into_owned();
    let said = run.mcpload(&["cleanup", &nothing]);
    assert_eq!(said.code, Some(2), "{}", said.text);
    assert!(said.text.contains("no run directory"), "{}", said.text);
}
