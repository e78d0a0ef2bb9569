//! Undoes entries of the undo journal.
//!
//! Impure. [`undo_open`] is the pass that a guard and a clean-up make: one of them at a time, the latest fault first, every
//! result a line of the journal. Invariant: an undo is done even if it cannot be written down.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{Resource, Rlimit, prlimit};
use thiserror::Error;

use super::leftovers;
use crate::fault::journal::{self, Actor, Entry, Journal, Stage, Undo};
use crate::fleet::proc::{ProcessId, marks};
use crate::model::Offset;
use crate::record::layout;

/// How often something is looked at that has no way to tell.
const LOOK: Duration = Duration::from_millis(20);
/// How long processes may take to go on after SIGCONT.
const GO_ON: Duration = Duration::from_secs(2);
/// How long another guard or clean-up may take, beyond which it hangs and is not waited for.
const OTHER: Duration = Duration::from_secs(30);

/// A fault that could not be undone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct NotUndone {
    /// Why not.
    pub why: String,
    /// What a person can do instead.
    pub by_hand: String,
}

/// What became of an open entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The fault.
    pub fault: String,
    /// What was done, or why it could not be.
    pub outcome: Result<String, NotUndone>,
}

/// Undoes every open entry of the run's journal for which `which` says so, and tells what became of each.
///
/// # Errors
/// If the journal cannot be read.
pub fn undo_open(
    run: &Path,
    by: Actor,
    which: impl Fn(&Entry) -> bool,
    mut told: impl FnMut(&Attempt),
) -> io::Result<Vec<Attempt>> {
    let path = run.join(layout::UNDO);
    let _alone = alone(&path);
    let entries = journal::read(&path)?;
    let mut results = Vec::new();
    for entry in journal::open_entries(&entries) {
        if !which(&entry) {
            continue;
        }
        let outcome = undo(run, &entry);
        note(&path, &entry, by, &outcome);
        let fault = entry.fault;
        let attempt = Attempt { fault, outcome };
        told(&attempt);
        results.push(attempt);
    }
    Ok(results)
}

/// Holds the journal against others that undo; without it after a while, as one that hangs must not keep a fault alive.
fn alone(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    let from = Instant::now();
    while file.try_lock().is_err() {
        if from.elapsed() > OTHER {
            return None;
        }
        std::thread::sleep(LOOK);
    }
    Some(file)
}

/// Writes down what became of an entry. If that fails, the next who looks undoes it again, which does no harm.
fn note(path: &Path, entry: &Entry, by: Actor, outcome: &Result<String, NotUndone>) {
    let stage = match outcome {
        Ok(_) => Stage::Undone,
        Err(_) => Stage::NotUndone,
    };
    let line = Entry {
        at: now(path, entry.at),
        stage,
        by,
        ..entry.clone()
    };
    let _ = Journal::open(path).and_then(|mut journal| journal.write(&line));
}

/// This moment on the run's clock, whose zero only the conductor knew: the journal's last line has a time, and its file an age.
fn now(path: &Path, fallback: Offset) -> Offset {
    let last = journal::read(path)
        .ok()
        .and_then(|entries| Some(entries.last()?.at));
    let age = path
        .metadata()
        .and_then(|facts| facts.modified())
        .map(|modified| modified.elapsed().unwrap_or_default());
    last.unwrap_or(fallback) + age.unwrap_or_default()
}

/// What undoing an entry means, for somebody who only looks.
pub fn describe(run: &Path, entry: &Entry) -> String {
    match &entry.undo {
        Undo::Nothing => "nothing to undo: what is left ended with the run".to_owned(),
        Undo::Continue { processes } => {
            let alive = processes.iter().filter(|id| id.is_alive()).count();
            format!(
                "lets {alive} of {} processes go on (SIGCONT); the others are gone",
                processes.len()
            )
        }
        Undo::EndMarked => format!(
            "ends {} processes",
            marks::of_fault(run, &entry.fault).len()
        ),
        Undo::OpenFiles {
            processes,
            soft,
            hard,
        } => {
            let alive = processes.iter().filter(|id| id.is_alive()).count();
            format!("sets the limit of open files of {alive} processes to {soft}:{hard}")
        }
        Undo::Command { command, .. } => format!("runs {}", command.join(" ")),
    }
}

/// Undoes one entry; what was done in words.
///
/// # Errors
/// If it could not be done, with what a person can do.
pub fn undo(run: &Path, entry: &Entry) -> Result<String, NotUndone> {
    match &entry.undo {
        Undo::Nothing => Ok("nothing to undo: what is left ends with the run".to_owned()),
        Undo::Continue { processes } => go_on(processes),
        Undo::EndMarked => end_marked(run, &entry.fault),
        Undo::OpenFiles {
            processes,
            soft,
            hard,
        } => set_open_files(processes, *soft, *hard),
        Undo::Command {
            command,
            environment,
            directory,
            within,
        } => {
            // What the fault left running would go on against what is undone now; only when it is gone the command is alone.
            let left = leftovers::end_all(|| marks::of_fault(run, &entry.fault)).left;
            let (program, arguments) = command.split_first().ok_or_else(|| NotUndone {
                why: "the command is empty".to_owned(),
                by_hand: entry.words.clone(),
            })?;
            let mut prepared = Command::new(program);
            prepared
                .args(arguments)
                .envs(environment)
                .env(marks::RUN, run)
                .env(marks::FAULT, &entry.fault)
                .current_dir(directory);
            let done = play(run, &entry.fault, prepared, *within).map_err(|why| NotUndone {
                why,
                by_hand: format!(
                    "run this in {directory}: {}; then {}",
                    command.join(" "),
                    entry.words
                ),
            })?;
            if left.is_empty() {
                return Ok(done);
            }
            Err(NotUndone {
                why: format!("{done}, and {} do not end", count(left.len(), left.len())),
                by_hand: format!("kill -KILL {}", numbers(&left)),
            })
        }
    }
}

fn numbers(processes: &[ProcessId]) -> String {
    let numbers: Vec<String> = processes.iter().map(|id| id.pid.to_string()).collect();
    numbers.join(" ")
}

/// `3 processes`, and how many of them were somebody else by now.
fn count(alive: usize, all: usize) -> String {
    let noun = if alive == 1 { "process" } else { "processes" };
    match all - alive {
        0 => format!("{alive} {noun}"),
        gone => format!("{alive} {noun} ({gone} more ended since)"),
    }
}

fn go_on(processes: &[ProcessId]) -> Result<String, NotUndone> {
    let from = Instant::now();
    let alive = processes.iter().filter(|id| id.is_alive()).count();
    loop {
        let mut refused = None;
        for process in processes {
            if let Err(error) = process.signal(Signal::SIGCONT) {
                refused = Some(error);
            }
        }
        let stopped: Vec<ProcessId> = processes
            .iter()
            .copied()
            .filter(|id| id.is_stopped())
            .collect();
        if stopped.is_empty() {
            return Ok(format!("{} go on", count(alive, processes.len())));
        }
        if from.elapsed() > GO_ON {
            let reason = refused.map_or_else(String::new, |error| format!(": {}", error.desc()));
            return Err(NotUndone {
                why: format!(
                    "{} are still stopped{reason}",
                    count(stopped.len(), stopped.len())
                ),
                by_hand: format!("kill -CONT {}", numbers(&stopped)),
            });
        }
        std::thread::sleep(LOOK);
    }
}

fn end_marked(run: &Path, fault: &str) -> Result<String, NotUndone> {
    let ended = leftovers::end_all(|| marks::of_fault(run, fault));
    if ended.left.is_empty() {
        return Ok(format!("{} ended", count(ended.ended, ended.ended)));
    }
    Err(NotUndone {
        why: format!(
            "{} with {}={fault} do not end",
            count(ended.left.len(), ended.left.len()),
            marks::FAULT
        ),
        by_hand: format!("kill -KILL {}", numbers(&ended.left)),
    })
}

fn set_open_files(processes: &[ProcessId], soft: u64, hard: u64) -> Result<String, NotUndone> {
    let bound = |limit: u64| (limit != u64::MAX).then_some(limit);
    let mut refused = Vec::new();
    let mut done = 0;
    for process in processes.iter().filter(|id| id.is_alive()) {
        let pid = i32::try_from(process.pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let limit = Rlimit {
            current: bound(soft),
            maximum: bound(hard),
        };
        match prlimit(pid, Resource::Nofile, limit) {
            Ok(_) => done += 1,
            // It ended meanwhile.
            Err(_) if !process.is_alive() => {}
            Err(error) => refused.push((*process, error)),
        }
    }
    let Some((_, error)) = refused.first() else {
        return Ok(format!(
            "the limit of open files of {} is {soft} again",
            count(done, processes.len())
        ));
    };
    let each: Vec<String> = refused
        .iter()
        .map(|(id, _)| format!("prlimit --pid {} --nofile={soft}:{hard}", id.pid))
        .collect();
    Err(NotUndone {
        why: format!(
            "the limit of open files of {} cannot be set to {soft}: {error}",
            count(refused.len(), refused.len())
        ),
        by_hand: each.join("; "),
    })
}

/// Runs a command to its end, within its time; its output goes to a log of the run.
fn play(run: &Path, fault: &str, mut command: Command, within: Duration) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let log = || {
        let name: String = fault
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(100)
            .collect();
        let path = run.join(layout::WORKERS).join(format!("undo-{name}.log"));
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.map_or_else(|_| Stdio::null(), Stdio::from)
    };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(log())
        .stderr(log())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot start {program}: {error}"))?;
    match wait(&mut child, within) {
        Ok(Some(status)) if status.success() => Ok(format!("{program} ended with {status}")),
        Ok(Some(status)) => Err(format!("{program} ended with {status}")),
        Ok(None) => {
            if let Ok(group @ 1..) = i32::try_from(child.id()) {
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            let _ = child.wait();
            Err(format!(
                "{program} took longer than {}",
                humantime::format_duration(within)
            ))
        }
        Err(error) => Err(format!("{program} was lost: {error}")),
    }
}

fn wait(child: &mut Child, within: Duration) -> io::Result<Option<ExitStatus>> {
    let from = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if from.elapsed() > within {
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests;
