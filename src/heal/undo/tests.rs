//! Every kind of undo, on processes and files of the tests' own.

use std::collections::BTreeMap;
use std::process::Child;

use super::*;
use crate::model::Offset;

/// A run directory with a journal, and children that are ended with it.
struct Run {
    directory: tempfile::TempDir,
    children: Vec<Child>,
}

impl Drop for Run {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Run {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for folder in [layout::WORKERS, layout::INSTANCES] {
            std::fs::create_dir(directory.path().join(folder)).unwrap();
        }
        Self {
            directory,
            children: Vec::new(),
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn journal(&self) -> std::path::PathBuf {
        self.path().join(layout::UNDO)
    }

    fn child(&mut self, fault: &str) -> ProcessId {
        let child = Command::new("sleep")
            .arg("60")
            .env(marks::RUN, self.path())
            .env(marks::FAULT, fault)
            .spawn()
            .unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        self.children.push(child);
        id
    }

    fn intend(&self, fault: &str, undo: Undo) -> Entry {
        let entry = Entry {
            at: Offset(1_000_000_000),
            fault: fault.to_owned(),
            stage: Stage::Intended,
            targets: Vec::new(),
            undo,
            words: "all is as before".to_owned(),
            deadline: i64::MAX,
            by: Actor::Conductor,
        };
        let mut journal = Journal::open(&self.journal()).unwrap();
        journal.write(&entry).unwrap();
        entry
    }

    fn undo_all(&self) -> Vec<Attempt> {
        undo_open(self.path(), Actor::Cleanup, |_| true, |_| ()).unwrap()
    }
}

fn within(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let from = Instant::now();
    while from.elapsed() < limit {
        if is_so() {
            return true;
        }
        std::thread::sleep(LOOK);
    }
    false
}

fn command(words: &[&str], directory: &Path, within: Duration) -> Undo {
    Undo::Command {
        command: words.iter().map(ToString::to_string).collect(),
        environment: BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
        directory: directory.to_string_lossy().into_owned(),
        within,
    }
}

#[test]
fn a_stopped_process_goes_on_and_one_that_took_its_number_is_left_alone() {
    let mut run = Run::new();
    let stopped = run.child("pause");
    let other = run.child("pause");
    for id in [stopped, other] {
        id.signal(Signal::SIGSTOP).unwrap();
        assert!(within(Duration::from_secs(10), || id.is_stopped()));
    }
    // As if the number of the second had belonged to another process when the journal was written.
    let before = ProcessId {
        started: other.started - 1,
        ..other
    };
    let processes = vec![stopped, before];
    run.intend("pause", Undo::Continue { processes });
    let attempts = run.undo_all();
    let words = attempts.first().unwrap().outcome.clone().unwrap();
    assert_eq!(words, "1 process (1 more ended since) go on");
    assert!(!stopped.is_stopped());
    assert!(other.is_stopped());
}

#[test]
fn what_was_undone_is_written_down_and_not_undone_again() {
    let run = Run::new();
    run.intend("kill", Undo::Nothing);
    assert_eq!(run.undo_all().len(), 1);
    assert_eq!(run.undo_all(), Vec::new());
    let last = journal::read(&run.journal()).unwrap().pop().unwrap();
    assert_eq!((last.stage, last.by), (Stage::Undone, Actor::Cleanup));
    // The moment counts from the line before by the age of the file, so it is not before it.
    assert!(last.at >= Offset(1_000_000_000));
}

#[test]
fn processes_of_the_fault_are_ended_and_those_of_others_are_not() {
    let mut run = Run::new();
    let hog = run.child("hog");
    let paused_hog = run.child("hog");
    paused_hog.signal(Signal::SIGSTOP).unwrap();
    let other = run.child("another");
    run.intend("hog", Undo::EndMarked);
    let attempts = run.undo_all();
    assert!(attempts.iter().all(|attempt| attempt.outcome.is_ok()));
    assert!(!hog.is_alive() && !paused_hog.is_alive() && other.is_alive());
}

#[test]
fn the_limit_of_open_files_is_as_it_was() {
    let mut run = Run::new();
    let id = run.child("files");
    let limits = || {
        let text = std::fs::read_to_string(format!("/proc/{}/limits", id.pid)).unwrap();
        let line = text.lines().find(|line| line.starts_with("Max open files"));
        let fields: Vec<u64> = line
            .unwrap()
            .split_whitespace()
            .filter_map(|field| field.parse().ok())
            .collect();
        (fields[0], fields[1])
    };
    let (soft, hard) = limits();
    let pid = rustix::process::Pid::from_raw(i32::try_from(id.pid).unwrap());
    let low = Rlimit {
        current: Some(7),
        maximum: Some(hard),
    };
    prlimit(pid, Resource::Nofile, low).unwrap();
    assert_eq!(limits(), (7, hard));
    let processes = vec![id];
    run.intend(
        "files",
        Undo::OpenFiles {
            processes,
            soft,
            hard,
        },
    );
    let attempts = run.undo_all();
    assert!(attempts[0].outcome.is_ok(), "{attempts:?}");
    assert_eq!(limits(), (soft, hard));
}

#[test]
fn a_command_is_run_where_and_with_what_the_journal_says() {
    let run = Run::new();
    let script = "echo $GREETING $MCPLOAD_FAULT $MCPLOAD_RUN > said; pwd";
    run.intend(
        "own",
        command(&["sh", "-c", script], run.path(), Duration::from_secs(20)),
    );
    let attempts = run.undo_all();
    assert!(attempts[0].outcome.is_ok(), "{attempts:?}");
    let said = std::fs::read_to_string(run.path().join("said")).unwrap();
    assert_eq!(said, format!("hello own {}\n", run.path().display()));
    let log = std::fs::read_to_string(run.path().join("workers/undo-own.log")).unwrap();
    assert!(log.contains(&*run.path().to_string_lossy()), "{log}");
}

#[test]
fn a_command_that_fails_or_hangs_leaves_words_for_a_person() {
    let run = Run::new();
    let place = run.path().to_owned();
    let cases = [
        (
            "fails",
            command(&["false"], &place, Duration::from_secs(20)),
            "exit status: 1",
        ),
        (
            "hangs",
            command(&["sleep", "60"], &place, Duration::from_millis(100)),
            "longer than 100ms",
        ),
        (
            "is-none",
            command(&["/no/such/program"], &place, Duration::from_secs(20)),
            "cannot start",
        ),
        (
            "is-empty",
            command(&[], &place, Duration::from_secs(20)),
            "empty",
        ),
    ];
    for (fault, undo, _) in &cases {
        run.intend(fault, undo.clone());
    }
    let attempts = run.undo_all();
    for (fault, _, expected) in &cases {
        let attempt = attempts.iter().find(|attempt| attempt.fault == *fault);
        let error = attempt.unwrap().outcome.clone().unwrap_err();
        assert!(error.why.contains(expected), "{error:?}");
        assert!(error.by_hand.contains("all is as before"), "{error:?}");
    }
    // They stay open, for the next who looks.
    assert_eq!(run.undo_all().len(), cases.len());
}

#[test]
fn the_latest_fault_is_undone_first_and_the_others_all_the_same() {
    let run = Run::new();
    run.intend("first", Undo::Nothing);
    run.intend(
        "second",
        command(&["false"], run.path(), Duration::from_secs(20)),
    );
    run.intend("third", Undo::Nothing);
    let attempts = run.undo_all();
    let order: Vec<&str> = attempts
        .iter()
        .map(|attempt| attempt.fault.as_str())
        .collect();
    assert_eq!(order, ["third", "second", "first"]);
}
