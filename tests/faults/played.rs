//! A run with one fault, and what its files say.

use std::io::{Read, Write};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use mcpload::fault::kinds::FAULTS;
use mcpload::model::{Call, Offset};
use serde_json::Value;
use tempfile::TempDir;

use crate::runs::{Run, written};

/// So many runs at once: their load is light, and nothing here depends on speed.
const AT_ONCE: usize = 5;

/// Three servers behind a balancer, light load, and time enough to see a fault begin and end.
const BASE: &str = r#"
version = 1
name = "one-fault"
seed = 11
workers = 1
[fleet]
driver = "process"
[workload]
clients = 12
protocol = { "2025-11-25" = 1, "2026-07-28" = 1 }
recovery = "spec"
[[workload.operation]]
tool = "echo"
arguments = { text = "{{ random.hex(16) }}" }
timeout = "2s"
[[phase]]
name = "steady"
duration = "3500ms"
rate = "60/s"
[[phase]]
name = "chaos"
duration = "8s"
rate = "60/s"
"#;

/// The fleet of the examples.
const FLEET: &str = r#"
[fleet.role.server]
replicas = 3
stop_grace = "2s"
restart = { policy = "always", backoff = "300ms" }
[fleet.role.balancer]
"#;

static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// A run of one scenario; dropped, it leaves nothing.
pub(crate) struct Played {
    pub(crate) run: Run,
    _directory: TempDir,
}

impl Played {
    /// Starts the scenario with the example of this kind's documentation.
    pub(crate) fn example(kind: &str) -> Self {
        Self::fragment(example(kind))
    }

    /// Starts the scenario with this fragment.
    pub(crate) fn fragment(fragment: &str) -> Self {
        Self::with(&format!("{FLEET}\n{fragment}"))
    }

    /// Starts the scenario with this fleet, and whatever stands beside it.
    pub(crate) fn with(fragment: &str) -> Self {
        Self::beside(fragment, &[])
    }

    /// Starts this scenario.
    pub(crate) fn start(text: &str) -> Self {
        Self::of(text, &[])
    }

    /// Starts the scenario with this fleet, and with these files (name, text) beside the scenario.
    pub(crate) fn beside(fragment: &str, files: &[(&str, &str)]) -> Self {
        Self::of(&format!("{BASE}\n{fragment}\n"), files)
    }

    fn of(text: &str, files: &[(&str, &str)]) -> Self {
        let (running, freed) = &RUNNING;
        let mut count = running.lock().unwrap();
        while *count >= AT_ONCE {
            count = freed.wait(count).unwrap();
        }
        *count += 1;
        drop(count);
        let directory = TempDir::new().unwrap();
        let path = written(&directory, text);
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        Self {
            run: Run::start(&path, &[]),
            _directory: directory,
        }
    }

    /// Waits for the end; the run is complete, its fault was proven and healed, and nothing is left.
    pub(crate) fn ended(&mut self) -> Story {
        // What load sees of the fault is no promise of this scenario; an undo that failed would be 8, an unproven fault 7.
        self.ended_with(&[0, 7])
    }

    /// The same, with one of these exit codes.
    pub(crate) fn ended_with(&mut self, codes: &[i32]) -> Story {
        let code = self.run.exit_code();
        let printed = self.run.printed();
        assert!(
            code.is_some_and(|code| codes.contains(&code)),
            "{code:?} {printed}"
        );
        self.run.assert_nothing_left();
        let story = self.told();
        for wanted in ["fault-effective", "fault-healed", "fault-heal-proven"] {
            assert!(
                story.events.iter().any(|event| event["event"] == wanted),
                "no {wanted}: {}",
                story.printed
            );
        }
        story
    }
}

impl Played {
    /// What the files of the run say, whatever became of its fault.
    pub(crate) fn told(&self) -> Story {
        Story {
            events: self.run.events(),
            calls: calls(&self.run),
            summary: self.run.json("report/summary.json"),
            printed: self.run.printed(),
        }
    }

    /// The members that the balancer itself lists.
    pub(crate) fn members(&self) -> Vec<String> {
        let events = self.run.events();
        let started = events
            .iter()
            .find(|event| event["event"] == "slot-started" && event["instance"] == "balancer-1#1");
        let address = started.unwrap()["address"].as_str().unwrap().to_owned();
        let list: Value = serde_json::from_str(&get(&address, "/_mcpload/members")).unwrap();
        let members = list.as_array().unwrap().iter();
        members
            .map(|member| member["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// The body of an answer of HTTP/1.0.
fn get(address: &str, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    body.to_owned()
}

impl Drop for Played {
    fn drop(&mut self) {
        *RUNNING.0.lock().unwrap() -= 1;
        RUNNING.1.notify_one();
    }
}

/// The example in the documentation of a kind.
pub(crate) fn example(kind: &str) -> &'static str {
    let found = FAULTS.iter().find(|known| known.info.name == kind);
    found.unwrap().info.example
}

/// What the files of an ended run say.
pub(crate) struct Story {
    pub(crate) events: Vec<Value>,
    pub(crate) calls: Vec<Call>,
    pub(crate) summary: Value,
    pub(crate) printed: String,
}

impl Story {
    /// When the first event of this kind happened.
    pub(crate) fn at(&self, kind: &str) -> Offset {
        let event = self.events.iter().find(|event| event["event"] == kind);
        let event = event.unwrap_or_else(|| panic!("no {kind}: {}", self.printed));
        Offset(event["at"].as_i64().unwrap())
    }

    /// When this phase ended.
    pub(crate) fn at_phase_end(&self, phase: &str) -> Offset {
        let mut events = self.events.iter();
        let ended = events.find(|event| event["event"] == "phase-ended" && event["phase"] == phase);
        Offset(ended.unwrap()["at"].as_i64().unwrap())
    }

    /// The instances that the fault began on.
    pub(crate) fn targets(&self) -> Vec<String> {
        let began = self
            .events
            .iter()
            .find(|event| event["event"] == "fault-began")
            .unwrap();
        let targets = began["targets"].as_array().unwrap();
        targets
            .iter()
            .map(|target| target.as_str().unwrap().to_owned())
            .collect()
    }

    /// The Calls of operations that this instance served.
    pub(crate) fn served_by(&self, instance: &str) -> Vec<&Call> {
        let served = |call: &&Call| call.arrival.is_some() && call.instance == instance;
        self.calls.iter().filter(served).collect()
    }
}

fn calls(run: &Run) -> Vec<Call> {
    let bytes = std::fs::read(run.directory().join("calls.csv.zst")).unwrap();
    let plain = zstd::decode_all(bytes.as_slice()).unwrap();
    let mut reader = csv::Reader::from_reader(plain.as_slice());
    reader.deserialize().map(Result::unwrap).collect()
}

/// The state that `/proc` gives of a process: `S`, `T` and so on; none if it is gone.
pub(crate) fn state_of(pid: i64) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// The process id of an instance, as the event of its start tells it.
pub(crate) fn pid_of(events: &[Value], instance: &str) -> i64 {
    let started = events
        .iter()
        .find(|event| event["event"] == "slot-started" && event["instance"] == instance);
    started.unwrap()["pid"].as_i64().unwrap()
}

/// So long after.
pub(crate) fn later(at: Offset, time: Duration) -> Offset {
    at + time
}
