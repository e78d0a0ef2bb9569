//! Marks: how a process is known to belong to a run, long after who started it is gone.
//!
//! Reads `/proc`. Everything that a run starts carries `MCPLOAD_RUN=<absolute run directory>` in its environment, and what belongs
//! to one fault also `MCPLOAD_FAULT=<name>`. Programs that write their title over their environment (nginx, PostgreSQL) are known
//! by their standard output or error, which is a log of the run, and by their parents. Invariant: neither this process nor one
//! that it descends from is ever named, so that nobody ends itself.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::{ProcessId, Stat, all, stat};

/// The environment variable that names the run directory.
pub const RUN: &str = "MCPLOAD_RUN";
/// The environment variable that names the fault.
pub const FAULT: &str = "MCPLOAD_FAULT";

/// The most of an environment that is read, bytes; the kernel allows 6 MiB for arguments and environment together.
const LONGEST_ENVIRONMENT: u64 = 8 << 20;

/// The processes that belong to the run of this (absolute) directory. `logs` are the folders in it whose files only processes
/// of the run write to.
pub fn of_run(run: &Path, logs: &[&str]) -> Vec<ProcessId> {
    let logs: Vec<PathBuf> = logs.iter().map(|folder| run.join(folder)).collect();
    let writes = |pid: u32| {
        let mut targets = [1, 2].iter().filter_map(|descriptor| {
            let link = fs::read_link(format!("/proc/{pid}/fd/{descriptor}"));
            link.ok()
        });
        targets.any(|target| logs.iter().any(|folder| target.starts_with(folder)))
    };
    let run = run.as_os_str().as_bytes();
    with_descendants(|pid| value(pid, RUN).is_some_and(|value| value == run) || writes(pid))
}

/// Of the processes of the run those that belong to the fault.
pub fn of_fault(run: &Path, fault: &str) -> Vec<ProcessId> {
    let run = run.as_os_str().as_bytes();
    with_descendants(|pid| {
        let carries = |name, wanted: &[u8]| value(pid, name).is_some_and(|value| value == wanted);
        carries(RUN, run) && carries(FAULT, fault.as_bytes())
    })
}

/// Every run directory that some process of this user carries: what others say is not believed.
pub fn runs() -> BTreeSet<PathBuf> {
    let not = excused();
    let user = geteuid().as_raw();
    let is_own = |pid: &u32| fs::metadata(format!("/proc/{pid}")).is_ok_and(|of| of.uid() == user);
    let others = all().filter(|pid| !not.contains(pid) && is_own(pid));
    others
        .filter_map(|pid| Some(PathBuf::from(OsStr::from_bytes(&value(pid, RUN)?))))
        .collect()
}

/// The processes for which it is so, and everything below them.
fn with_descendants(mut is_so: impl FnMut(u32) -> bool) -> Vec<ProcessId> {
    let not = excused();
    // Who it is is known before anything else is looked at: a number that goes to another process meanwhile is then not its own.
    let (mut parents, mut known) = (BTreeMap::new(), BTreeMap::new());
    for pid in all() {
        if let Some(Stat {
            parent, started, ..
        }) = stat(pid)
        {
            parents.insert(pid, parent);
            known.insert(pid, ProcessId { pid, started });
        }
    }
    let marked: BTreeSet<u32> = parents
        .keys()
        .copied()
        .filter(|pid| !not.contains(pid) && is_so(*pid))
        .collect();
    let below = |pid: &u32| {
        let mut at = Some(pid);
        // A pid that came round while the table was read could close a circle.
        for _ in 0..parents.len() {
            match at {
                Some(pid) if marked.contains(pid) => return true,
                Some(pid) => at = parents.get(pid),
                None => return false,
            }
        }
        false
    };
    let found = parents
        .keys()
        .filter(|pid| !not.contains(*pid) && below(pid));
    found.filter_map(|pid| known.get(pid).copied()).collect()
}

/// This process and those that it descends from.
fn excused() -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut at = Some(std::process::id());
    while let Some(pid) = at.filter(|pid| *pid > 0 && found.insert(*pid)) {
        at = stat(pid).map(|stat| stat.parent);
    }
    found
}

/// The value of an environment variable that the process was started with. None too if it may not be read: then the process
/// is somebody else's.
fn value(pid: u32, name: &str) -> Option<Vec<u8>> {
    let mut environment = Vec::new();
    let file = File::open(format!("/proc/{pid}/environ")).ok()?;
    file.take(LONGEST_ENVIRONMENT)
        .read_to_end(&mut environment)
        .ok()?;
    let mut entries = environment.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| {
        entry
            .strip_prefix(name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
    });
    value.map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A child that is ended with the test.
    struct Ended(Child);

    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    impl Ended {
        fn start(command: &mut Command) -> Self {
            Self(command.arg("60").stdin(Stdio::null()).spawn().unwrap())
        }

        fn id(&self) -> ProcessId {
            ProcessId::of(self.0.id()).unwrap()
        }
    }

    #[test]
    fn a_process_of_a_run_is_known_by_its_environment() {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path();
        let marked = Ended::start(Command::new("sleep").env(RUN, run));
        let hog = Ended::start(Command::new("sleep").env(RUN, run).env(FAULT, "hog"));
        let other = Ended::start(Command::new("sleep").env(RUN, run.join("longer")));
        let found: BTreeSet<ProcessId> = of_run(run, &[]).into_iter().collect();
        assert_eq!(found, BTreeSet::from([marked.id(), hog.id()]));
        assert_eq!(of_fault(run, "hog"), [hog.id()]);
        assert_eq!(of_fault(run, "ho"), []);
        let runs = runs();
        assert!(runs.contains(run) && runs.contains(&run.join("longer")));
        drop(other);
    }

    #[test]
    fn a_process_that_lost_its_environment_is_known_by_its_log_and_its_parent() {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path();
        fs::create_dir(run.join("instances")).unwrap();
        let log = File::create(run.join("instances/stderr-1.log")).unwrap();
        let writer = Ended::start(Command::new("sleep").stderr(log));
        assert_eq!(of_run(run, &["instances"]), [writer.id()]);
        assert_eq!(of_run(run, &["workers"]), []);
        // The shell waits for a child that has neither the variable nor the log.
        let parent = Ended(
            Command::new("sh")
                .args(["-c", "env -i sleep 61 & wait"])
                .env(RUN, run)
                .spawn()
                .unwrap(),
        );
        let below = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            super::super::descendants(parent.id().pid).len() == 1
        });
        assert!(below);
        let found = of_run(run, &[]);
        for id in &found {
            id.signal(nix::sys::signal::Signal::SIGKILL).unwrap();
        }
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn nobody_finds_itself() {
        let own = std::process::id();
        let parent = stat(own).unwrap().parent;
        let found = with_descendants(|_| true);
        assert!(found.iter().all(|id| id.pid != own && id.pid != parent));
        assert!(excused().contains(&own) && excused().contains(&parent));
    }
}
