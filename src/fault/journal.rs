//! The undo journal: how a fault is undone is on disk before it acts, so that others than the conductor can undo it.
//!
//! One JSON object a line in `undo.jsonl`, append only, synced to disk at every line. The conductor writes, and so do `mcpload
//! guard` and `mcpload cleanup` (`crate::heal`) when they undo. A line is written before what it announces and after what it
//! reports, so a line that is missing or was torn by a crash costs at most an undo that was not needed; every [`Undo`] is
//! absolute and may be repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fleet::proc::ProcessId;
use crate::model::{InstanceId, Offset};

mod crash;

/// The longest line that is read back, bytes: a fault on every process of a large fleet stays far below.
const LONGEST_LINE: u64 = 4 << 20;

/// How far an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The act is about to be done.
    Intended,
    /// It was done.
    Applied,
    /// It was proven on its path.
    Verified,
    /// It was undone.
    Undone,
    /// It was proven that it is undone.
    UndoVerified,
    /// It could not be undone.
    NotUndone,
}

impl Stage {
    /// Whether something may be left to undo.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Undone | Self::UndoVerified)
    }
}

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// The run itself.
    Conductor,
    /// `mcpload guard`.
    Guard,
    /// `mcpload cleanup`.
    Cleanup,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conductor => "conductor",
            Self::Guard => "guard",
            Self::Cleanup => "cleanup",
        })
    }
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, from `t0`.
    pub at: Offset,
    /// The fault's name; with it the lines of one entry belong together.
    pub fault: String,
    /// How far it is.
    pub stage: Stage,
    /// What the fault acts on.
    pub targets: Vec<InstanceId>,
    /// What undoes it without the conductor.
    pub undo: Undo,
    /// What must be so when it is undone, for a person.
    pub words: String,
    /// The raw reading of `CLOCK_MONOTONIC`, nanoseconds, after which a guard undoes it whatever the conductor does.
    pub deadline: i64,
    /// Who wrote the line.
    pub by: Actor,
}

/// What undoes a fault without the conductor. Absolute, and may be done again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub enum Undo {
    /// What is left comes back by policy, or ends with its owner (a shim, a proxy).
    Nothing,
    /// SIGCONT.
    Continue {
        /// The processes that may be stopped.
        processes: Vec<ProcessId>,
    },
    /// Processes that carry `MCPLOAD_FAULT` with the fault's name, and are of this run, are ended.
    EndMarked,
    /// The limit of open files is set back.
    OpenFiles {
        /// The processes whose limit was changed.
        processes: Vec<ProcessId>,
        /// The soft limit as it was.
        soft: u64,
        /// The hard limit as it was.
        hard: u64,
    },
    /// A command of the scenario is run; exit code 0 says that it worked.
    Command {
        /// Program and arguments.
        command: Vec<String>,
        /// Environment variables, added to the inherited ones.
        environment: BTreeMap<String, String>,
        /// The working directory.
        directory: String,
        /// How long it may take; then it is ended, and the undo has failed.
        within: Duration,
    },
}

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    file: File,
    crash: crash::Hook,
    /// Whether a line could not be written whole: the next one begins anew.
    torn: bool,
}

impl Journal {
    /// Opens the journal for appending. A line that a crash tore is closed first, so that the next one stands alone.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)?;
        let (mut lines, mut last) = (0, b'\n');
        let mut buffer = [0; 16 << 10];
        loop {
            let count = file.read(&mut buffer)?;
            let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
                break;
            };
            lines += read.split(|byte| *byte == b'\n').count() - 1;
            last = read.last().copied().unwrap_or(last);
        }
        if last != b'\n' {
            file.write_all(b"\n")?;
            lines += 1;
        }
        Ok(Self {
            file,
            crash: crash::Hook::from_environment(lines),
            torn: false,
        })
    }

    /// Appends an entry; it is on disk when this returns.
    ///
    /// # Errors
    /// Those of the file system. A fault whose entry could not be written must not be injected.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = Vec::new();
        if self.torn {
            line.push(b'\n');
        }
        serde_json::to_writer(&mut line, entry)?;
        line.push(b'\n');
        self.crash.before(entry.by);
        // One write: lines of two writers never mix in a file that is open for appending.
        self.torn = true;
        self.file.write_all(&line)?;
        self.torn = false;
        self.file.sync_data()?;
        self.crash.after(entry.by);
        Ok(())
    }
}

/// The lines of a journal in order, without those that cannot be read (torn by a crash). No journal: no lines.
///
/// # Errors
/// Those of the file system, but for a file that is not there.
pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file);
    let mut entries = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut reader)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(entries);
        }
        // Torn before the act: it was not done. Torn after a step: the line before it stands, and the undo is repeated.
        entries.extend(serde_json::from_slice::<Entry>(&line));
    }
}

/// The last line of every fault that may have something left to undo, the latest first: faults are undone in the reverse order
/// of their begin.
pub fn open_entries(entries: &[Entry]) -> Vec<Entry> {
    let mut order: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in entries {
        if seen.insert(entry.fault.as_str()) {
            order.push(&entry.fault);
        }
        last.insert(&entry.fault, entry);
    }
    let open = order.into_iter().rev().filter_map(|fault| last.get(fault));
    open.filter(|entry| entry.stage.is_open())
        .map(|entry| (*entry).clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fault: &str, stage: Stage) -> Entry {
        Entry {
            at: Offset(7),
            fault: fault.to_owned(),
            stage,
            targets: vec!["server-2#1".parse().unwrap()],
            undo: Undo::Continue {
                processes: vec![ProcessId {
                    pid: 41,
                    started: 1234,
                }],
            },
            words: "server-2 runs".to_owned(),
            deadline: 99,
            by: Actor::Conductor,
        }
    }

    fn open_names(entries: &[Entry]) -> Vec<String> {
        let open = open_entries(entries);
        open.into_iter().map(|entry| entry.fault).collect()
    }

    #[test]
    fn a_line_names_its_undo() {
        assert_eq!(
            serde_json::to_string(&entry("a", Stage::UndoVerified)).unwrap(),
            r#"{"at":7,"fault":"a","stage":"undo-verified","targets":["server-2#1"],"undo":{"undo":"continue","processes":[{"pid":41,"started":1234}]},"words":"server-2 runs","deadline":99,"by":"conductor"}"#
        );
    }

    #[test]
    fn what_was_written_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("undo.jsonl");
        assert_eq!(read(&path).unwrap(), Vec::new());
        let lines = [entry("a", Stage::Intended), entry("a", Stage::Applied)];
        for line in &lines {
            // Opened anew for each, as by several processes.
            Journal::open(&path).unwrap().write(line).unwrap();
        }
        assert_eq!(read(&path).unwrap(), lines);
    }

    #[test]
    fn cut_at_any_byte_it_reads_up_to_there_and_takes_more_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("undo.jsonl");
        let first = serde_json::to_vec(&entry("a", Stage::Intended)).unwrap();
        let second = serde_json::to_vec(&entry("a", Stage::Undone)).unwrap();
        let whole = [first.as_slice(), b"\n", &second, b"\n"].concat();
        for cut in 0..=whole.len() {
            std::fs::write(&path, whole.get(..cut).unwrap()).unwrap();
            let before = read(&path).unwrap();
            let complete = usize::from(cut >= first.len())
                + usize::from(cut >= first.len() + 1 + second.len());
            assert_eq!(before.len(), complete, "cut at {cut}");
            let next = entry("b", Stage::Intended);
            Journal::open(&path).unwrap().write(&next).unwrap();
            let after = read(&path).unwrap();
            assert_eq!(after.len(), complete + 1, "cut at {cut}");
            assert_eq!(after.last(), Some(&next));
        }
    }

    #[test]
    fn open_is_what_was_not_undone_and_the_latest_fault_comes_first() {
        let lines = [
            entry("first", Stage::Intended),
            entry("second", Stage::Intended),
            entry("healed", Stage::Intended),
            entry("second", Stage::Applied),
            entry("healed", Stage::Undone),
            entry("first", Stage::Verified),
        ];
        assert_eq!(open_names(&lines), ["second", "first"]);
    }

    #[test]
    fn what_could_not_be_undone_stays_open_until_somebody_does() {
        let mut lines = vec![
            entry("a", Stage::Intended),
            entry("a", Stage::Applied),
            entry("a", Stage::NotUndone),
        ];
        assert_eq!(open_names(&lines), ["a"]);
        lines.push(Entry {
            by: Actor::Cleanup,
            ..entry("a", Stage::Undone)
        });
        assert_eq!(open_names(&lines), Vec::<String>::new());
    }
}
