//! Runs one command of the scenario, bounded in time and in what it says.
//!
//! Impure. A command has a process group of its own and carries the marks of the run and the fault, so that all that it started
//! is found. Invariant: when a command was given up, nothing of its group runs any more. What it says goes to a file of the run.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::fault::{FaultError, Site};
use crate::fleet::proc::marks;
use crate::model::time::humane;
use crate::record::layout;

/// The variable that says for which step a command is run.
pub(super) const STEP: &str = "MCPLOAD_STEP";

/// The most that a command may say, bytes.
const LOUDEST: u64 = 1 << 20;
/// How often it is looked how much it said.
const LOOK: Duration = Duration::from_millis(50);
/// How much of the end of what it said is repeated: bytes, and lines.
const TAIL: (usize, usize) = (512, 3);

/// A command and what it needs.
pub(super) struct Task<'a> {
    /// `inject`, `probe`, `heal`, `healed_probe`.
    pub(super) step: &'a str,
    /// Program and arguments.
    pub(super) command: &'a [String],
    /// What it is told.
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) fault: &'a str,
    pub(super) site: &'a Site,
    /// How long it may take.
    pub(super) within: Duration,
}

/// How a command ended by itself, and the last that it said.
pub(super) struct Ended {
    status: ExitStatus,
    said: String,
}

impl Ended {
    /// Whether with code 0.
    pub(super) fn is_well(&self) -> bool {
        self.status.success()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status.success(), self.status.code()) {
            (true, _) => f.write_str("succeeded")?,
            (false, Some(code)) => write!(f, "ended with code {code}")?,
            (false, None) => write!(f, "ended with {}", self.status)?,
        }
        if self.said.is_empty() {
            return Ok(());
        }
        write!(f, " and said: {}", self.said)
    }
}

/// The command with its program as it is started from anywhere: `mcpload` is this program, a path counts from the scenario.
pub(super) fn resolved(command: &[String], site: &Site) -> Vec<String> {
    let mut words = command.to_vec();
    if let Some(program) = words.first_mut() {
        if program == "mcpload" {
            *program = site.binary.to_string_lossy().into_owned();
        } else if program.contains('/') {
            *program = site.scenario.join(&*program).to_string_lossy().into_owned();
        }
    }
    words
}

impl Task<'_> {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// If it could not be started, took too long or said too much; then it is ended with all that it started.
    ///
    /// # Cancel safety
    /// Its process group is killed.
    pub(super) async fn run(&self) -> Result<Ended, FaultError> {
        let step = self.step;
        let cannot = |error: io::Error| {
            let program = self.command.first().map_or("", String::as_str);
            FaultError::Fleet(format!("`{step}` cannot be run ({program}): {error}"))
        };
        let (log, child) = self.start().map_err(cannot)?;
        let mut group = Group(child);
        let until = Instant::now() + self.within;
        let why = loop {
            tokio::select! {
                status = group.0.wait() => {
                    let status = status.map_err(cannot)?;
                    let said = tail(&log).unwrap_or_default();
                    return Ok(Ended { status, said });
                }
                () = tokio::time::sleep_until(until.min(Instant::now() + LOOK)) => {}
            }
            if log.metadata().map_err(cannot)?.len() > LOUDEST {
                break format!("said more than {} KiB", LOUDEST >> 10);
            }
            if Instant::now() >= until {
                break format!("took longer than {}", humane(self.within));
            }
        };
        drop(group);
        end_marked(self.site, self.fault, Duration::from_secs(5)).await?;
        let said = tail(&log).unwrap_or_default();
        let said = if said.is_empty() {
            String::new()
        } else {
            format!("; it had said: {said}")
        };
        Err(FaultError::Fleet(format!(
            "`{step}` {why}, and was ended with all that it had started{said}"
        )))
    }

    fn start(&self) -> io::Result<(File, Child)> {
        let folder = self.site.run.join(layout::FAULTS);
        std::fs::create_dir_all(&folder)?;
        // Each command has its file, and each ask of a probe begins it anew: what is kept is bounded.
        let path = folder.join(format!("{}-{}.log", self.fault, self.step));
        // For appending: where this side reads is not where the command writes.
        let log = File::options()
            .create(true)
            .append(true)
            .read(true)
            .open(path)?;
        log.set_len(0)?;
        let words = resolved(self.command, self.site);
        let (program, arguments) = words
            .split_first()
            .ok_or_else(|| io::Error::other("there is no program"))?;
        let child = Command::new(program)
            .args(arguments)
            .envs(self.variables)
            .env(marks::RUN, &self.site.run)
            .env(marks::FAULT, self.fault)
            .env(STEP, self.step)
            .current_dir(&self.site.scenario)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok((log, child))
    }
}

/// A command that runs, in a group of its own. Dropped before it has ended, it takes its group with it.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // None once it is reaped: its number may be another's now.
        if let Some(Ok(group @ 1..)) = self.0.id().map(i32::try_from) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

/// Ends everything that carries the marks of the fault, whatever group it is in by now.
///
/// # Errors
/// If something is left.
pub(super) async fn end_marked(
    site: &Site,
    fault: &str,
    within: Duration,
) -> Result<(), FaultError> {
    let until = Instant::now() + within;
    loop {
        let left = marks::of_fault(&site.run, fault);
        let Some(first) = left.first() else {
            return Ok(());
        };
        if Instant::now() >= until {
            return Err(FaultError::Fleet(format!(
                "{} processes of {fault} do not end, pid {} among them",
                left.len(),
                first.pid
            )));
        }
        for process in &left {
            // One that may not be signalled is left, and told.
            let _ = process.signal(Signal::SIGCONT);
            let _ = process.signal(Signal::SIGKILL);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The last lines of what was said, as one line without control characters.
fn tail(log: &File) -> io::Result<String> {
    let (bytes, lines) = TAIL;
    let length = log.metadata()?.len();
    let mut buffer = [0; TAIL.0];
    // The place in the file is shared with who writes to it, who may go on.
    let read = log.read_at(&mut buffer, length.saturating_sub(bytes as u64))?;
    let text = String::from_utf8_lossy(buffer.get(..read).unwrap_or_default());
    let mut last: Vec<String> = text
        .lines()
        .rev()
        .map(|line| line.chars().filter(|one| !one.is_control()).collect())
        .filter(|line: &String| !line.trim().is_empty())
        .take(lines)
        .collect();
    last.reverse();
    Ok(last.join(" | "))
}

#[cfg(test)]
mod tests;
