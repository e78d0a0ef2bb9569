//! A run directory without a run: a journal that the test writes, and processes that carry its mark.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use mcpload::fault::journal::{self, Actor, Entry, Journal, Stage, Undo};
use mcpload::fleet::proc::ProcessId;
use mcpload::model::Offset;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::runs::within;

/// Whatever is waited for has happened by then.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A run directory. Dropped, its processes are gone.
pub(crate) struct Directory {
    temp: TempDir,
    children: Vec<Child>,
    /// What the children started.
    started: Vec<ProcessId>,
}

impl Drop for Directory {
    fn drop(&mut self) {
        for process in &self.started {
            let _ = process.signal(Signal::SIGKILL);
        }
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Directory {
    pub(crate) fn new() -> Self {
        let temp = TempDir::new().unwrap();
        let run = temp.path().join("run");
        for folder in ["workers", "instances"] {
            std::fs::create_dir_all(run.join(folder)).unwrap();
        }
        std::fs::write(run.join("lock"), "").unwrap();
        let facts = serde_json::json!({ "format": mcpload::plan::FORMAT });
        std::fs::write(run.join("run.json"), facts.to_string()).unwrap();
        Self {
            temp,
            children: Vec::new(),
            started: Vec::new(),
        }
    }

    /// Notes it in the user's state, as a run does when it begins.
    pub(crate) fn noted(self) -> Self {
        let state = self.state().join("mcpload/runs");
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(
            state.join("this"),
            self.path().as_os_str().as_encoded_bytes(),
        )
        .unwrap();
        self
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.temp.path().join("run").canonicalize().unwrap()
    }

    /// Where the user's state is, of whom there is one for each directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.temp.path().join("state")
    }

    /// A process that carries the mark of the run; with a parent of its own, so that no zombie of it stays.
    pub(crate) fn process(&mut self) -> ProcessId {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 300 & echo $!; wait"])
            .env("MCPLOAD_RUN", self.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        self.children.push(child);
        let id = ProcessId::of(line.trim().parse().unwrap()).unwrap();
        self.started.push(id);
        id
    }

    /// The same, stopped.
    pub(crate) fn stopped(&mut self) -> ProcessId {
        let id = self.process();
        id.signal(Signal::SIGSTOP).unwrap();
        assert!(within(PATIENCE, || id.is_stopped()));
        id
    }

    /// Writes that a fault acts, and how it is undone.
    pub(crate) fn intend(&self, fault: &str, undo: Undo) {
        self.intend_until(fault, undo, i64::MAX);
    }

    /// The same, with the raw moment after which a guard undoes it.
    pub(crate) fn intend_until(&self, fault: &str, undo: Undo, deadline: i64) {
        let mut journal = Journal::open(&self.path().join("undo.jsonl")).unwrap();
        let entry = Entry {
            at: Offset(1),
            fault: fault.to_owned(),
            stage: Stage::Applied,
            targets: Vec::new(),
            undo,
            words: "all is as before".to_owned(),
            deadline,
            by: Actor::Conductor,
        };
        journal.write(&entry).unwrap();
    }

    /// The faults that are still to be undone.
    pub(crate) fn open(&self) -> Vec<String> {
        let entries = journal::read(&self.path().join("undo.jsonl")).unwrap();
        let open = journal::open_entries(&entries);
        open.into_iter().map(|entry| entry.fault).collect()
    }

    /// Runs this program to its end.
    pub(crate) fn mcpload(&self, arguments: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_mcpload"))
            .args(arguments)
            .env("XDG_STATE_HOME", self.state())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said::of(&output)
    }

    /// Starts a guard of this directory.
    pub(crate) fn guard(&self) -> Guard {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mcpload"))
            .arg("guard")
            .arg(self.path())
            .env("MCPLOAD_RUN", self.path())
            .env("XDG_STATE_HOME", self.state())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stderr(std::fs::File::create(self.path().join("workers/guard.log")).unwrap())
            .spawn()
            .unwrap();
        let mut guard = Guard {
            child,
            socket: Some(ours),
        };
        assert!(guard.line().contains("ready"));
        guard
    }
}

/// How a program ended, and what it said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            text: text(&output.stdout) + &text(&output.stderr),
        }
    }
}

/// A guard, and the conductor's end of its socket.
pub(crate) struct Guard {
    child: Child,
    socket: Option<UnixStream>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Guard {
    /// Sends a line.
    pub(crate) fn say(&mut self, word: &str) {
        writeln!(self.socket.as_mut().unwrap(), "{word}").unwrap();
    }

    /// Waits for the next line that is no answer to a beat.
    pub(crate) fn line(&mut self) -> String {
        loop {
            let line = self.next_line();
            if !line.contains("\"alive\"") && !line.contains("\"busy\"") {
                return line;
            }
        }
    }

    /// Waits for the next line, and leaves what comes after it.
    pub(crate) fn next_line(&mut self) -> String {
        let mut socket = self.socket.as_ref().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut line = Vec::new();
        let mut byte = [0];
        while line.last() != Some(&b'\n') {
            assert_eq!(socket.read(&mut byte).unwrap(), 1, "it closed its socket");
            line.extend(byte);
        }
        String::from_utf8(line).unwrap()
    }

    /// Closes the socket, as the end of a conductor does.
    pub(crate) fn leave(&mut self) {
        self.socket = None;
    }

    /// Waits for its end; whether it ended well.
    pub(crate) fn ended(&mut self) -> bool {
        let mut status = None;
        assert!(within(PATIENCE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        }));
        status.unwrap().success()
    }
}

/// What undoes a stop.
pub(crate) fn go_on(process: ProcessId) -> Undo {
    Undo::Continue {
        processes: vec![process],
    }
}

/// A command that makes a file.
pub(crate) fn touch(place: &Path, name: &str) -> Undo {
    Undo::Command {
        command: vec!["touch".to_owned(), name.to_owned()],
        environment: std::collections::BTreeMap::new(),
        directory: place.to_string_lossy().into_owned(),
        within: PATIENCE,
    }
}
