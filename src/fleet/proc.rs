//! What `/proc` says of processes: who they are, who descends from whom, and what they use.
//!
//! Reads files; every process may be gone at any moment, which is no error. Processes that belong to a run are
//! found by their [`marks`].

use std::collections::BTreeMap;
use std::fs;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

pub mod files;
pub mod marks;

/// A process, and not another one that got its number later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it was started, clock ticks since the host was: `starttime` of `/proc/PID/stat`.
    pub started: u64,
}

impl ProcessId {
    /// The process that has this number now; none if there is none, or only a zombie.
    pub fn of(pid: u32) -> Option<Self> {
        let started = stat(pid)?.started;
        Some(Self { pid, started })
    }

    /// This process.
    pub fn own() -> Self {
        let pid = std::process::id();
        // Its own entry is there as long as /proc is; a start at 0 is no other process's.
        Self::of(pid).unwrap_or(Self { pid, started: 0 })
    }

    /// Whether it still runs (or is stopped).
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Whether it is stopped by a signal, as a paused process is.
    pub fn is_stopped(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.state == 'T')
    }

    /// Sends it a signal. False if it is gone; another process under its number is never touched.
    ///
    /// # Errors
    /// If it may not be sent.
    pub fn signal(self, signal: Signal) -> Result<bool, Errno> {
        let number = i32::try_from(self.pid).ok();
        let Some(pid) = number.and_then(rustix::process::Pid::from_raw) else {
            return Ok(false);
        };
        // What is held stays this process, whatever becomes of its number between look and signal.
        let held = pidfd_open(pid, PidfdFlags::empty());
        if !self.is_alive() {
            return Ok(false);
        }
        let sent = match &held {
            Ok(held) => rustix::process::Signal::from_named_raw(signal as i32)
                .ok_or(Errno::EINVAL)
                .and_then(|signal| {
                    pidfd_send_signal(held, signal)
                        .map_err(|error| Errno::from_raw(error.raw_os_error()))
                }),
            // A kernel before 5.3, or a sandbox.
            Err(_) => kill(Pid::from_raw(pid.as_raw_nonzero().get()), signal),
        };
        match sent {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What a group of processes uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time of the processes, and of their children that were waited for, seconds.
    pub cpu_seconds: f64,
    /// Resident memory, bytes; shared pages count once per process.
    pub resident_bytes: u64,
    /// Open file descriptors.
    pub open_files: u64,
    /// Processes.
    pub processes: u64,
}

/// The fields of `/proc/PID/stat` that are used here.
struct Stat {
    /// `R`, `S`, `D`, `T` and so on.
    state: char,
    parent: u32,
    /// utime + stime, clock ticks.
    ticks: u64,
    /// cutime + cstime, clock ticks.
    reaped_ticks: u64,
    /// When it was started, clock ticks since the host was.
    started: u64,
}

/// Clock ticks a second; fixed to 100 in the interface of every Linux that Rust supports.
const TICKS: f64 = 100.0;
/// Bytes of a page; 4 KiB on x86-64, and asked from the kernel elsewhere.
const PAGE: u64 = 4096;

/// Every process below `ancestor`, children before grandchildren.
pub fn descendants(ancestor: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for pid in all() {
        if let Some(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![ancestor];
    while let Some(parent) = open.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            found.push(child);
            open.push(child);
        }
    }
    found
}

/// The same, each known by its start too, as it was when it was found.
pub fn below(ancestor: u32) -> Vec<ProcessId> {
    let mut known = BTreeMap::new();
    for pid in all() {
        known.extend(ProcessId::of(pid).map(|id| (pid, id)));
    }
    let found = descendants(ancestor).into_iter();
    found.filter_map(|pid| known.get(&pid).copied()).collect()
}

/// What these processes use together; those that are gone count nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "clock ticks of processes stay far below 2^52"
)]
pub fn usage(pids: &[u32]) -> Usage {
    let mut usage = Usage::default();
    for pid in pids {
        let Some(stat) = stat(*pid) else { continue };
        usage.processes += 1;
        usage.cpu_seconds += (stat.ticks + stat.reaped_ticks) as f64 / TICKS;
        usage.resident_bytes += resident_pages(*pid).unwrap_or(0) * page_size();
        usage.open_files +=
            fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u64);
    }
    usage
}

fn page_size() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or(PAGE)
}

fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The second field is the program's name in parentheses, and may hold spaces and parentheses itself: count from the last `)`.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let state = fields.first()?.chars().next()?;
    // A zombie is dead; only its parent has not looked yet.
    if state == 'Z' || state == 'X' {
        return None;
    }
    Some(Stat {
        state,
        parent: fields.get(1)?.parse().ok()?,
        ticks: number(11)? + number(12)?,
        reaped_ticks: number(13)? + number(14)?,
        started: number(19)?,
    })
}

/// The anonymous memory that a process has in use, bytes: what it was given, not what it was loaded from.
pub fn anonymous(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn resident_pages(pid: u32) -> Option<u64> {
    fs::read_to_string(format!("/proc/{pid}/statm"))
        .ok()?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(start: &str) -> String {
        format!("{start} 3 7 7 0 -1 0 0 0 0 0 11 22 33 44 20 0 1 0 5555 4096 12 0")
    }

    #[test]
    fn a_process_is_known_by_its_number_and_its_start() {
        let own = ProcessId::own();
        assert_eq!(own.pid, std::process::id());
        assert!(own.started > 0 && own.is_alive() && !own.is_stopped());
        let later = ProcessId {
            started: own.started + 1,
            ..own
        };
        assert!(!later.is_alive());
        // Sent to the wrong one, this would end the test.
        assert_eq!(later.signal(Signal::SIGKILL), Ok(false));
        assert_eq!(own.signal(Signal::SIGCONT), Ok(true));
    }

    #[test]
    fn a_process_is_seen_to_be_stopped() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        assert_eq!(id.signal(Signal::SIGSTOP), Ok(true));
        let seen = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            id.is_stopped()
        });
        assert_eq!(id.signal(Signal::SIGKILL), Ok(true));
        child.wait().unwrap();
        assert!(seen && !id.is_alive());
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_confuse() {
        let stat = parse_stat(&line("7 (a) b) S")).unwrap();
        assert_eq!((stat.parent, stat.ticks, stat.reaped_ticks), (3, 33, 77));
        assert_eq!((stat.state, stat.started), ('S', 5555));
    }

    #[test]
    fn a_zombie_is_not_alive() {
        assert!(parse_stat(&line("7 (x) Z")).is_none());
    }

    #[test]
    fn this_process_uses_memory_and_files() {
        let usage = usage(&[std::process::id()]);
        assert!(usage.resident_bytes > 100_000 && usage.open_files >= 3 && usage.processes == 1);
    }
}
