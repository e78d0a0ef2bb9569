//! Processes that a run left behind, and their end.
//!
//! Impure. A process is of a run by its marks; see [`crate::fleet::proc::marks`].

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::fleet::proc::{ProcessId, marks};
use crate::record::layout;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(50);
/// How long SIGKILL may take; a process that outlasts it hangs in the kernel, or may not be ended by this user.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of processes that were to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// How many were sent SIGKILL and are gone.
    pub ended: usize,
    /// What is still there.
    pub left: Vec<ProcessId>,
}

/// The processes of the run in this directory, which is absolute. Never this one.
pub fn of_run(run: &Path) -> Vec<ProcessId> {
    marks::of_run(run, &[layout::INSTANCES, layout::WORKERS])
}

/// Waits for `grace`, in which owners end what is theirs, then ends what is left of the run.
pub fn end(run: &Path, grace: Duration) -> Ended {
    let from = Instant::now();
    while from.elapsed() < grace {
        if of_run(run).is_empty() {
            return Ended::default();
        }
        std::thread::sleep(LOOK);
    }
    end_all(|| of_run(run))
}

/// SIGCONT and SIGKILL to all that `find` finds, until it finds nothing any more: a process may fork while it is listed.
pub(super) fn end_all(find: impl Fn() -> Vec<ProcessId>) -> Ended {
    let from = Instant::now();
    let mut seen = BTreeSet::new();
    loop {
        let left = find();
        if left.is_empty() || from.elapsed() > PATIENCE {
            return Ended {
                ended: seen.iter().filter(|id| !left.contains(id)).count(),
                left,
            };
        }
        for process in &left {
            // One that may not be signalled is left, and said to be.
            let _ = process.signal(Signal::SIGCONT);
            let _ = process.signal(Signal::SIGKILL);
        }
        seen.extend(left);
        std::thread::sleep(LOOK);
    }
}

/// The process for people: `sleep (pid 123)`.
pub fn name(process: ProcessId) -> String {
    let program = fs::read_to_string(format!("/proc/{}/comm", process.pid)).unwrap_or_default();
    let program: String = program.chars().filter(|c| !c.is_control()).collect();
    format!("{program} (pid {})", process.pid)
}
