//! Starts the real binary, waits for it within bounds, and looks for what it left behind.
//!
//! Every run gets an environment variable of its own, which all its processes inherit: so that what is left of it can be
//! told from everything else on the machine, whatever its command line.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// The directory that a calibration takes for its temporary files.
const SCRATCH: &str = "scratch";
/// The variable that marks the processes of a run.
const MARK: &str = "MCPLOAD_TEST_RUN";
/// How often something is looked at that has no way to tell.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Whatever a run does, it has ended by then; the longest scenario has 24 s of load.
pub(crate) const RUN_LIMIT: Duration = Duration::from_mins(2);

/// So many runs of light load (200/s) take a third of a small machine each, and mostly wait.
const AT_ONCE: usize = 3;

static TAKEN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// Room for a run, held while it is executed.
pub(crate) struct Room(usize);

/// For a run that takes all that the machine has, or measures how much that is: two at once would measure each other.
pub(crate) fn alone() -> Room {
    Room::of(AT_ONCE)
}

/// For a run of light load, whose promises have room for others beside it.
pub(crate) fn beside_others() -> Room {
    Room::of(1)
}

impl Room {
    fn of(shares: usize) -> Self {
        let (taken, freed) = &TAKEN;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken + shares > AT_ONCE {
            taken = freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += shares;
        Self(shares)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        *TAKEN.0.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        TAKEN.1.notify_all();
    }
}

/// The path of a scenario of the project.
pub(crate) fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scenarios")
        .join(format!("{name}.toml"))
}

/// Writes a scenario of a test's own; its path.
pub(crate) fn written(directory: &TempDir, text: &str) -> PathBuf {
    let path = directory.path().join("scenario.toml");
    fs::write(&path, text).unwrap();
    path
}

/// A run of `mcpload run`, with a directory of its own. Dropped, it leaves no process.
pub(crate) struct Run {
    child: Child,
    mark: String,
    temp: TempDir,
    began: Instant,
}

impl Run {
    /// Starts `mcpload run SCENARIO` with further arguments.
    pub(crate) fn start(scenario: &Path, further: &[&str]) -> Self {
        let temp = TempDir::new().unwrap();
        let out = temp.path().join("run");
        let words: [&OsStr; 4] = [
            "run".as_ref(),
            scenario.as_ref(),
            "--out".as_ref(),
            out.as_ref(),
        ];
        Self::of(temp, &words, further, &[])
    }

    /// The same, with environment variables.
    pub(crate) fn start_with(scenario: &Path, environment: &[(&str, &str)]) -> Self {
        let temp = TempDir::new().unwrap();
        let out = temp.path().join("run");
        let words: [&OsStr; 4] = [
            "run".as_ref(),
            scenario.as_ref(),
            "--out".as_ref(),
            out.as_ref(),
        ];
        Self::of(temp, &words, &[], environment)
    }

    /// Starts `mcpload calibrate` with further arguments; its temporary directory, [`Self::scratch`], is the run's alone.
    pub(crate) fn calibrate(further: &[&str]) -> Self {
        let temp = TempDir::new().unwrap();
        fs::create_dir(temp.path().join(SCRATCH)).unwrap();
        Self::of(temp, &["calibrate".as_ref()], further, &[])
    }

    fn of(temp: TempDir, words: &[&OsStr], further: &[&str], environment: &[(&str, &str)]) -> Self {
        let mark = temp.path().to_string_lossy().into_owned();
        let output = |name: &str| fs::File::create(temp.path().join(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpload"));
        let scratch = temp.path().join(SCRATCH);
        if scratch.exists() {
            command.env("TMPDIR", scratch);
        }
        let child = command
            .args(words)
            .args(further)
            .env(MARK, &mark)
            // Runs that are killed stay noted there: not in the state of the user who tests.
            .env("XDG_STATE_HOME", temp.path().join("state"))
            .env("NO_COLOR", "1")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .unwrap();
        Self {
            child,
            mark,
            temp,
            began: Instant::now(),
        }
    }

    /// Where a calibration has its temporary files.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.temp.path().join(SCRATCH)
    }

    /// What it printed to standard output.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.temp.path().join("stdout")).unwrap()
    }

    /// The run directory.
    pub(crate) fn directory(&self) -> PathBuf {
        self.temp.path().join("run")
    }

    /// What it printed so far, for messages.
    pub(crate) fn printed(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.temp.path().join(name)).unwrap_or_default();
        format!(
            "--- stdout\n{}\n--- stderr\n{}",
            read("stdout"),
            read("stderr")
        )
    }

    /// Waits until an event of this kind, with this text in its line, is recorded.
    pub(crate) fn wait_for_event(&mut self, kind: &str, text: &str) {
        let wanted = format!("\"event\":\"{kind}\"");
        let path = self.directory().join("events.jsonl");
        let mut status = None;
        let seen = within(Duration::from_mins(1), || {
            let events = fs::read_to_string(&path).unwrap_or_default();
            status = self.child.try_wait().unwrap();
            status.is_some()
                || events
                    .lines()
                    .any(|line| line.contains(&wanted) && line.contains(text))
        });
        assert!(
            seen && status.is_none(),
            "no {kind} {text} ({status:?})\n{}",
            self.printed()
        );
    }

    /// Sends a signal to mcpload itself.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Waits for mcpload's own end; its exit code, none if it died of a signal.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let mut status = None;
        let ended = within(RUN_LIMIT, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(ended, "no end within {RUN_LIMIT:?}\n{}", self.printed());
        status.unwrap().code()
    }

    /// The processes below mcpload as they are now, itself not included.
    pub(crate) fn descendants(&self) -> BTreeSet<Process> {
        let table = processes();
        let mut found = BTreeSet::new();
        let mut parents = vec![self.child.id()];
        while let Some(parent) = parents.pop() {
            for (process, of) in &table {
                if *of == parent && found.insert(process.clone()) {
                    parents.push(process.pid);
                }
            }
        }
        found
    }

    /// The processes that carry the mark of this run, mcpload itself not included.
    pub(crate) fn marked(&self) -> BTreeSet<Process> {
        let wanted = format!("{MARK}={}", self.mark);
        let carries = |process: &Process| {
            fs::read(format!("/proc/{}/environ", process.pid)).is_ok_and(|environment| {
                environment
                    .split(|byte| *byte == 0)
                    .any(|entry| entry == wanted.as_bytes())
            })
        };
        processes()
            .into_keys()
            .filter(|process| process.pid != self.child.id() && carries(process))
            .collect()
    }

    /// Waits until nothing is left of the run, neither what carries its mark nor any of `known`; how long that took.
    pub(crate) fn gone_within(&self, limit: Duration, known: &BTreeSet<Process>) -> Duration {
        let from = Instant::now();
        let mut left = BTreeSet::new();
        let gone = within(limit, || {
            let alive = processes();
            left = self.marked();
            left.extend(
                known
                    .iter()
                    .filter(|process| alive.contains_key(process))
                    .cloned(),
            );
            left.is_empty()
        });
        assert!(gone, "left after {limit:?}: {left:?}\n{}", self.printed());
        from.elapsed()
    }

    /// Asserts that the run, which has ended, left no process.
    pub(crate) fn assert_nothing_left(&self) {
        // A process that was just killed may be on its way out; nothing has to happen any more for it to go.
        self.gone_within(Duration::from_secs(2), &BTreeSet::new());
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Runs `mcpload report` on the run directory; its exit code.
    pub(crate) fn report(&self) -> Option<i32> {
        self.about(&["report"], &[]).0
    }

    /// Runs a command of mcpload on the run directory, with further arguments; its exit code and what it said.
    pub(crate) fn about(&self, command: &[&str], further: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_mcpload"))
            .args(command)
            .arg(self.directory())
            .args(further)
            .env("XDG_STATE_HOME", self.temp.path().join("state"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout) + &text(&output.stderr),
        )
    }

    /// A JSON file of the run directory.
    pub(crate) fn json(&self, name: &str) -> Value {
        let path = self.directory().join(name);
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", path.display(), self.printed()));
        serde_json::from_str(&text).unwrap()
    }

    /// The events that were recorded whole.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.directory().join("events.jsonl")).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Every file of `report/`, by name.
    pub(crate) fn report_files(&self) -> BTreeMap<String, Vec<u8>> {
        let directory = self.directory().join("report");
        let entries = fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", directory.display(), self.printed()));
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().to_string_lossy().into_owned();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A test that failed half-way must not leave a fleet to the next one.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in self.marked() {
            let pid = i32::try_from(process.pid).unwrap_or(i32::MAX);
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// A process: its id, and when it started, since ids are used again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    /// The process id.
    pub(crate) pid: u32,
    /// Clock ticks since the machine started.
    pub(crate) started: u64,
    /// The name of its program.
    pub(crate) program: String,
}

/// Every living process with the id of its parent; zombies are dead.
fn processes() -> BTreeMap<Process, u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(process)
        .collect()
}

/// Reads `/proc/PID/stat`: `pid (program) state parent …`, the start time is its 22nd field.
fn process(pid: u32) -> Option<(Process, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let is_alive = !matches!(*fields.first()?, "Z" | "X");
    let process = Process {
        pid,
        started: fields.get(19)?.parse().ok()?,
        program: before.split_once('(')?.1.to_owned(),
    };
    let parent = fields.get(1)?.parse().ok()?;
    is_alive.then_some((process, parent))
}

/// Looks until it is so, at most for `limit`; whether it became so.
pub(crate) fn within(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let from = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        if from.elapsed() > limit {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
