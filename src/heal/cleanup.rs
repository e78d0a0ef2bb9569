//! `mcpload cleanup`: undoes what a run left, with nothing else running.
//!
//! Impure. Invariant: a run that is alive is not touched; its lock says so. What is found, done and left is said line by line.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use thiserror::Error;

use super::trust::{self, Distrust};
use super::undo::{describe, undo_open};
use super::{leftovers, open_runs};
use crate::fault::journal::{self, Actor, Entry};
use crate::fleet::proc::{ProcessId, marks};
use crate::record::layout;

/// How long owners have to end what is theirs: the conductor may have died this moment.
const OWNERS: Duration = Duration::from_secs(1);

/// Why a run is not cleaned up.
#[derive(Debug, Error)]
pub enum CleanupError {
    /// It runs.
    #[error("the run in {run} is alive{}", .by.map_or_else(String::new, |id| format!(" (pid {})", id.pid)))]
    Alive {
        /// The run directory.
        run: PathBuf,
        /// Its conductor.
        by: Option<ProcessId>,
    },
    /// There is no run directory.
    #[error("{0} is no run directory")]
    NoRun(PathBuf),
    /// It is not this user's.
    #[error(transparent)]
    Distrusted(Distrust),
    /// It cannot be read.
    #[error("cannot look at {run}")]
    Unreadable {
        /// The run directory.
        run: PathBuf,
        /// What the file system says.
        #[source]
        source: io::Error,
    },
}

/// Who holds the lock of a run directory.
#[derive(Debug)]
pub enum Held {
    /// Nobody: the run is over. No run can take it as long as this is kept.
    Free(File),
    /// A process; which one, if it can be told.
    By(Option<ProcessId>),
}

/// Looks whether a run is alive.
///
/// # Errors
/// If there is no run directory, or its lock cannot be read.
pub fn held(run: &Path) -> Result<Held, CleanupError> {
    let path = run.join(layout::LOCK);
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CleanupError::NoRun(run.to_owned()));
        }
        Err(source) => {
            let run = run.to_owned();
            return Err(CleanupError::Unreadable { run, source });
        }
    };
    // Shared: another clean-up that looks at the same time is no run that is alive.
    if lock.try_lock_shared().is_ok() {
        return Ok(Held::Free(lock));
    }
    let holder = std::fs::read_to_string(&path)
        .ok()
        .and_then(|text| serde_json::from_str::<ProcessId>(&text).ok());
    Ok(Held::By(holder.filter(|id| id.is_alive())))
}

/// Undoes open faults of a run that is over, and ends the processes that it left. Says each thing. What could not be done is
/// returned in words that say what a person can do; nothing there: nothing is left.
///
/// # Errors
/// If the run is alive, or is none.
pub fn clean(run: &Path, say: &mut dyn FnMut(&str)) -> Result<Vec<String>, CleanupError> {
    let run = absolute(run)?;
    let _lock = over(&run)?;
    let mut left = Vec::new();
    let mut done = 0;
    let may_run = trust::may_run(&run);
    for entry in open(&run)?.iter().filter(|entry| !may_run(entry)) {
        left.push(format!(
            "{}: this user started no such run here, so its command is not run: {}",
            entry.fault,
            describe(&run, entry)
        ));
    }
    let undone = undo_open(&run, Actor::Cleanup, &may_run, |attempt| {
        done += 1;
        let fault = &attempt.fault;
        match &attempt.outcome {
            Ok(words) => say(&format!("{fault} is undone: {words}")),
            Err(error) => {
                say(&format!("{fault} could not be undone: {error}"));
                left.push(format!("{fault}: {}", error.by_hand));
            }
        }
    });
    undone.map_err(|source| CleanupError::Unreadable {
        run: run.clone(),
        source,
    })?;
    for process in leftovers::of_run(&run) {
        say(&format!("ending {}", leftovers::name(process)));
        // A paused owner cannot end what is its own.
        let _ = process.signal(Signal::SIGCONT);
        done += 1;
    }
    let ended = leftovers::end(&run, OWNERS);
    for process in &ended.left {
        left.push(format!(
            "{} does not end: kill -KILL {}",
            leftovers::name(*process),
            process.pid
        ));
    }
    if left.is_empty() {
        open_runs::forget(&run);
        if done == 0 {
            say(&format!("nothing is left of {}", run.display()));
        }
    }
    Ok(left)
}

/// Says what [`clean`] would do, and does nothing. How many things there are.
///
/// # Errors
/// As [`clean`].
pub fn preview(run: &Path, say: &mut dyn FnMut(&str)) -> Result<usize, CleanupError> {
    let run = absolute(run)?;
    let _lock = over(&run)?;
    let open = open(&run)?;
    let may_run = trust::may_run(&run);
    for entry in &open {
        let not = if may_run(entry) {
            ""
        } else {
            "not done, as this user started no such run here: "
        };
        say(&format!("{}: {not}{}", entry.fault, describe(&run, entry)));
    }
    let processes = leftovers::of_run(&run);
    for process in &processes {
        say(&format!("ends {}", leftovers::name(*process)));
    }
    if open.is_empty() && processes.is_empty() {
        say(&format!("nothing is left of {}", run.display()));
    }
    Ok(open.len() + processes.len())
}

/// Every run of which something may be left: those that did not end healed, and those that processes carry the mark of.
pub fn runs() -> BTreeSet<PathBuf> {
    let mut runs = open_runs::all();
    // Any program may have such a variable; a run's is an absolute path.
    runs.extend(marks::runs().into_iter().filter(|run| run.is_absolute()));
    runs
}

/// What is to be said of a run whose directory is gone: whether it is alive cannot be told, so its processes are a person's
/// to end. Nothing there: it is forgotten, unless nothing is to be done yet (the directory may be on a disk that is not mounted).
pub fn without_directory(run: &Path, dry_run: bool) -> Vec<String> {
    let left = leftovers::of_run(run);
    if left.is_empty() && !dry_run {
        open_runs::forget(run);
    }
    left.into_iter()
        .map(|process| {
            format!(
                "{} is of a run whose directory is gone: kill -KILL {}",
                leftovers::name(process),
                process.pid
            )
        })
        .collect()
}

fn absolute(run: &Path) -> Result<PathBuf, CleanupError> {
    run.canonicalize()
        .map_err(|_| CleanupError::NoRun(run.to_owned()))
}

/// The faults that are still to be undone.
fn open(run: &Path) -> Result<Vec<Entry>, CleanupError> {
    let entries = journal::read(&run.join(layout::UNDO)).map_err(|source| {
        let run = run.to_owned();
        CleanupError::Unreadable { run, source }
    })?;
    Ok(journal::open_entries(&entries))
}

/// The lock of a run that is over, and this user's.
fn over(run: &Path) -> Result<File, CleanupError> {
    trust::check(run).map_err(|distrust| match distrust {
        Distrust::NoRun(run) => CleanupError::NoRun(run),
        foreign @ Distrust::Foreign { .. } => CleanupError::Distrusted(foreign),
    })?;
    match held(run)? {
        Held::Free(lock) => Ok(lock),
        Held::By(by) => {
            let run = run.to_owned();
            Err(CleanupError::Alive { run, by })
        }
    }
}
