//! One instance: a shim and what runs below it, as the conductor's side of the shim's socket sees it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};

use super::bind::Names;
use super::proc::marks;
use super::shim::{Ask, Start, Tell, UNKNOWN};
use crate::plan::{Secret, SlotPlan};

/// A running shim.
pub(super) struct Instance {
    child: Child,
    write: OwnedWriteHalf,
    read: tokio::io::Lines<BufReader<OwnedReadHalf>>,
    /// The id of the instance's first process.
    pub(super) pid: u32,
}

/// Where an instance's output goes.
pub(super) fn logs(directory: &Path, incarnation: u32) -> [PathBuf; 2] {
    [
        directory.join(format!("stdout-{incarnation}.log")),
        directory.join(format!("stderr-{incarnation}.log")),
    ]
}

/// What a slot's instance is started with, its names expanded, its files rendered, its secrets read.
pub(super) fn prepare(
    slot: &SlotPlan,
    names: &Names<'_>,
    scenario_dir: &Path,
    binary: &Path,
) -> Result<Start, String> {
    let directory = PathBuf::from(names.directory);
    std::fs::create_dir_all(&directory)
        .map_err(|error| format!("cannot create {}: {error}", directory.display()))?;
    let expand = |text: &String| names.expand(text).map_err(|error| error.to_string());
    for file in &slot.files {
        render(file, names, scenario_dir, &directory)?;
    }
    let mut command = slot
        .command
        .iter()
        .map(expand)
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(program) = command.first_mut() {
        if program == "mcpload" {
            *program = binary.to_string_lossy().into_owned();
        } else if program.contains('/') && !program.starts_with('/') {
            *program = scenario_dir.join(&program).to_string_lossy().into_owned();
        }
    }
    let mut environment = BTreeMap::new();
    for (name, value) in &slot.env {
        environment.insert(name.clone(), expand(value)?);
    }
    for (name, secret) in &slot.secret_env {
        environment.insert(name.clone(), read_secret(secret, scenario_dir)?);
    }
    let [stdout, stderr] = logs(&directory, names.incarnation);
    let work = match &slot.directory {
        Some(path) => scenario_dir.join(expand(path)?),
        None => directory,
    };
    Ok(Start {
        command,
        environment,
        directory: work,
        stdout,
        stderr,
        limits: slot.limits,
        processors: Vec::new(),
    })
}

fn render(
    file: &str,
    names: &Names<'_>,
    scenario_dir: &Path,
    directory: &Path,
) -> Result<(), String> {
    let from = scenario_dir.join(file);
    let name = from
        .file_name()
        .ok_or_else(|| format!("{file} has no file name"))?;
    let text = std::fs::read_to_string(&from)
        .map_err(|error| format!("cannot read {}: {error}", from.display()))?;
    let text = names
        .expand(&text)
        .map_err(|error| format!("{}: {error}", from.display()))?;
    let to = directory.join(name);
    std::fs::write(&to, text).map_err(|error| format!("cannot write {}: {error}", to.display()))
}

/// The value of a secret. It is handed on and stored nowhere.
///
/// # Errors
/// If it is not there; the message names the place, never the value.
pub fn read_secret(secret: &Secret, scenario_dir: &Path) -> Result<String, String> {
    match secret {
        Secret::Env(name) => std::env::var(name)
            .map_err(|_| format!("the environment has no variable {name} (a secret)")),
        Secret::File(path) => {
            let path = scenario_dir.join(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("cannot read the secret {}: {error}", path.display()))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}

impl Instance {
    /// Starts a shim and through it the instance; both carry the mark of the run in this (absolute) directory.
    pub(super) async fn start(binary: &Path, run: &Path, start: Start) -> Result<Self, String> {
        Self::try_start(binary, run, start)
            .await
            .unwrap_or_else(|error| Err(format!("cannot start a shim: {error}")))
    }

    async fn try_start(
        binary: &Path,
        run: &Path,
        start: Start,
    ) -> io::Result<Result<Self, String>> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = Command::new(binary)
            .arg("shim")
            .env(marks::RUN, run)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            // Out of the terminal's foreground group: Ctrl-C is the conductor's to answer.
            .process_group(0)
            .spawn()?;
        let (read, write) = UnixStream::from_std(ours)?.into_split();
        let mut instance = Self {
            child,
            write,
            read: BufReader::new(read).lines(),
            pid: 0,
        };
        instance.ask(&Ask::Start(Box::new(start))).await?;
        match instance.next().await? {
            Some(Tell::Started { pid }) => {
                instance.pid = pid;
                Ok(Ok(instance))
            }
            Some(Tell::NotStarted { reason }) => Ok(Err(reason)),
            Some(Tell::Exited { status, .. }) => Ok(Err(format!("it ended at once: {status}"))),
            None => Ok(Err("its shim ended".to_owned())),
        }
    }

    async fn ask(&mut self, ask: &Ask) -> io::Result<()> {
        let mut line = serde_json::to_vec(ask)?;
        line.push(b'\n');
        self.write.write_all(&line).await
    }

    async fn next(&mut self) -> io::Result<Option<Tell>> {
        let Some(line) = self.read.next_line().await? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_str(&line)?))
    }

    /// Waits until nothing of the instance is left; says how its first process ended.
    ///
    /// # Cancel safety
    /// Yes: a line that was read in part stays in the buffer.
    pub(super) async fn exited(&mut self) -> Exit {
        loop {
            match self.next().await {
                Ok(Some(Tell::Exited { status, reaped })) => return Exit { status, reaped },
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    self.kill_group();
                    return Exit {
                        status: LOST.to_owned(),
                        reaped: 0,
                    };
                }
            }
        }
    }

    /// Ends the process group of an instance whose shim is gone: nobody else would.
    fn kill_group(&self) {
        if let Ok(group @ 1..) = i32::try_from(self.pid) {
            // It may have ended with its shim.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }

    /// SIGTERM to the instance.
    pub(super) async fn terminate(&mut self) {
        // A shim that does not listen any more has nothing left to end; its exit is told by `exited`.
        let _ = self.ask(&Ask::Terminate).await;
    }

    /// SIGKILL to every process of the instance; returns when all are reaped.
    pub(super) async fn kill(&mut self) -> Exit {
        let _ = self.ask(&Ask::Kill).await;
        self.exited().await
    }

    /// Waits for the shim itself, so that it does not stay as a zombie.
    pub(super) async fn reap_shim(mut self) {
        drop(self.write);
        let _ = self.child.wait().await;
    }

    /// The id of the shim: the instance's processes are its descendants.
    pub(super) fn shim(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }
}

/// The status of an instance whose shim ended before it told one.
const LOST: &str = "lost with its shim";

impl Exit {
    /// Whether every process of the instance was seen to end.
    pub(super) fn is_proven(&self) -> bool {
        self.status != LOST && self.status != UNKNOWN
    }
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    /// `exit 0` or `signal 9`, of the first process.
    pub(super) status: String,
    /// Processes reaped.
    pub(super) reaped: u32,
}
