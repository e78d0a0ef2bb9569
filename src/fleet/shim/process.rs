//! The shim process: starts the instance, waits for requests and deaths, ends everything when its socket closes.
//!
//! Single-threaded, without a runtime: one `poll` over the socket and a signalfd.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Ask, Start, Tell, UNKNOWN};
use crate::fleet::{affinity, proc};
use crate::plan::pinning::processors;

/// How often the dead are looked for while an instance is being killed.
const REAP_PAUSE: Duration = Duration::from_millis(2);
/// After so many looks (5 s) the shim gives up on processes that SIGKILL does not end (they hang in the kernel).
const REAP_LOOKS: u32 = 2500;

/// Runs the shim until its instance has ended or its socket is closed; in both cases nothing of the instance is left.
///
/// # Errors
/// If the socket or the signals cannot be set up. Trouble with the instance is told over the socket instead.
pub fn run() -> io::Result<()> {
    prctl::set_child_subreaper(true)?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
    ] {
        signals.add(signal);
    }
    signals.thread_block()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    let mut shim = Shim {
        requests: BufReader::new(socket.try_clone()?),
        socket,
        first: None,
        status: None,
        reaped: 0,
    };
    let outcome = shim.serve(&signals);
    shim.end_everything();
    outcome
}

struct Shim {
    requests: BufReader<UnixStream>,
    socket: UnixStream,
    /// The first process of the instance, once it was started.
    first: Option<Pid>,
    /// How the first process ended.
    status: Option<String>,
    reaped: u32,
}

impl Shim {
    fn serve(&mut self, signals: &SignalFd) -> io::Result<()> {
        loop {
            if self.requests.buffer().is_empty() {
                let mut watched = [
                    PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
                    PollFd::new(signals.as_fd(), PollFlags::POLLIN),
                ];
                match poll(&mut watched, PollTimeout::NONE) {
                    Ok(_) | Err(Errno::EINTR) => {}
                    Err(error) => return Err(error.into()),
                }
                let [asked, died] = watched.map(|watched| watched.any() == Some(true));
                if died && self.signalled(signals)? {
                    return Ok(());
                }
                if !asked {
                    continue;
                }
            }
            let mut line = String::new();
            if self.requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match serde_json::from_str(&line)? {
                Ask::Start(start) => {
                    self.start(&start)?;
                    if self.is_over()? {
                        return Ok(());
                    }
                }
                Ask::Terminate => self.terminate(),
                Ask::Kill => {
                    self.end_everything();
                    return self.tell_exit();
                }
            }
        }
    }

    /// Reads the pending signals. True if the shim is to end: it was asked to, or its instance is gone.
    fn signalled(&mut self, signals: &SignalFd) -> io::Result<bool> {
        let chld = u32::try_from(Signal::SIGCHLD as i32).unwrap_or_default();
        while let Some(signal) = signals.read_signal()? {
            if signal.ssi_signo != chld {
                return Ok(true);
            }
        }
        self.is_over()
    }

    /// Whether the first process has ended; if so, everything is ended and told.
    fn is_over(&mut self) -> io::Result<bool> {
        self.reap();
        if self.status.is_some() {
            // The first process is gone; what it left behind would hold its port.
            self.end_everything();
            self.tell_exit()?;
            return Ok(true);
        }
        Ok(false)
    }

    fn start(&mut self, start: &Start) -> io::Result<()> {
        match spawn(start) {
            Ok(pid) => {
                self.first = Some(pid);
                self.tell(&Tell::Started {
                    pid: u32::try_from(pid.as_raw()).unwrap_or_default(),
                })
            }
            Err(reason) => self.tell(&Tell::NotStarted { reason }),
        }
    }

    fn terminate(&self) {
        if let Some(pid) = self.first {
            // The group may be gone already; its exit is told anyway.
            let _ = killpg(pid, Signal::SIGTERM);
        }
    }

    /// Collects every child that has died. True if there are others.
    fn reap(&mut self) -> bool {
        loop {
            let status = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) => status,
                Ok(WaitStatus::StillAlive) => return true,
                Err(_) => return false,
                Ok(_) => continue,
            };
            self.reaped += 1;
            if status.pid() == self.first {
                self.status = Some(match status {
                    WaitStatus::Exited(_, code) => format!("exit {code}"),
                    WaitStatus::Signaled(_, signal, _) => format!("signal {}", signal as i32),
                    _ => UNKNOWN.to_owned(),
                });
            }
        }
    }

    /// SIGKILL to everything below the shim, again and again until the last is reaped: a process may fork while it is listed,
    /// and one that has just died is listed no more but not reaped yet.
    fn end_everything(&mut self) {
        for _ in 0..REAP_LOOKS {
            if !self.reap() {
                return;
            }
            for pid in proc::descendants(std::process::id()) {
                if let Ok(pid) = i32::try_from(pid) {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
            let _ = poll(
                &mut [],
                PollTimeout::try_from(REAP_PAUSE).unwrap_or(PollTimeout::ZERO),
            );
        }
    }

    fn tell_exit(&mut self) -> io::Result<()> {
        let status = self.status.clone().unwrap_or_else(|| UNKNOWN.to_owned());
        self.tell(&Tell::Exited {
            status,
            reaped: self.reaped,
        })
    }

    fn tell(&mut self, tell: &Tell) -> io::Result<()> {
        let mut line = serde_json::to_vec(tell)?;
        line.push(b'\n');
        self.socket.write_all(&line)
    }
}

fn spawn(start: &Start) -> Result<Pid, String> {
    let (program, arguments) = start.command.split_first().ok_or("the command is empty")?;
    for (resource, limit) in [
        (Resource::RLIMIT_NOFILE, start.limits.open_files),
        (Resource::RLIMIT_AS, start.limits.memory),
    ] {
        if let Some(limit) = limit {
            // Set on the shim itself, from where the instance inherits it; the shim needs far less than any sensible limit.
            setrlimit(resource, limit, limit)
                .map_err(|error| format!("cannot set {resource:?} to {limit}: {error}"))?;
        }
    }
    if !start.processors.is_empty() {
        // The shim has one thread, and needs next to nothing; the instance inherits it.
        affinity::confine_thread(&start.processors).map_err(|error| {
            format!(
                "cannot be confined to {}: {error}",
                processors(&start.processors)
            )
        })?;
    }
    // The instance inherits the mask: with the shim's own it would never hear SIGTERM. A death within this moment goes
    // unheard; `start` looks for it afterwards.
    let mask = SigSet::thread_get_mask().map_err(|error| error.to_string())?;
    SigSet::empty()
        .thread_set_mask()
        .map_err(|error| error.to_string())?;
    let spawned = Command::new(program)
        .args(arguments)
        .envs(&start.environment)
        .current_dir(&start.directory)
        .stdin(Stdio::null())
        .stdout(log(&start.stdout)?)
        .stderr(log(&start.stderr)?)
        .process_group(0)
        .spawn();
    mask.thread_set_mask().map_err(|error| error.to_string())?;
    let child = spawned.map_err(|error| format!("cannot start {program}: {error}"))?;
    i32::try_from(child.id())
        .map(Pid::from_raw)
        .map_err(|error| error.to_string())
}

fn log(path: &Path) -> Result<OwnedFd, String> {
    let open =
        |path| -> io::Result<File> { OpenOptions::new().create(true).append(true).open(path) };
    open(path)
        .map(OwnedFd::from)
        .map_err(|error| format!("cannot open {}: {error}", path.display()))
}
