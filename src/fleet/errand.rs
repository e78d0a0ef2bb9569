//! An errand: a command that is run beside an instance, in its environment and directory, and ends.
//!
//! Not pure: it starts a process. It carries the mark of the run, and does not outlive its time or whoever waits for it.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Command;

use super::proc::marks;
use super::shim::Start;

/// The variable that tells an errand the number of the instance's first process.
const INSTANCE_PID: &str = "MCPLOAD_PID";
/// The longest that an errand may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Runs it to its end; what it prints is appended to `log`.
///
/// # Errors
/// That it could not be started, did not end in time, or ended with another code than 0.
pub(super) async fn run(
    start: &Start,
    run: &Path,
    log: &Path,
    instance: Option<u32>,
) -> Result<(), String> {
    let words = start.command.join(" ");
    let ended = attempt(start, run, log, instance)
        .await
        .map_err(|error| format!("`{words}` cannot be run: {error}"))?;
    match ended {
        None => Err(format!(
            "`{words}` did not end within {} s",
            WITHIN.as_secs()
        )),
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!(
            "`{words}` ended with {status}; see {}",
            log.display()
        )),
    }
}

async fn attempt(
    start: &Start,
    run: &Path,
    log: &Path,
    instance: Option<u32>,
) -> io::Result<Option<ExitStatus>> {
    let (program, arguments) = start
        .command
        .split_first()
        .ok_or_else(|| io::Error::other("the command is empty"))?;
    let output = OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(&start.environment)
        .env(marks::RUN, run)
        .current_dir(&start.directory)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .kill_on_drop(true);
    if let Some(pid) = instance {
        command.env(INSTANCE_PID, pid.to_string());
    }
    let mut child = command.spawn()?;
    let group = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Ok(status) = tokio::time::timeout(WITHIN, child.wait()).await {
        return Ok(Some(status?));
    }
    if let Some(group) = group {
        // It was not waited for: the number is still its own.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    child.wait().await?;
    Ok(None)
}
