//! Which processors processes may use: asked of the kernel, and told to it.
//!
//! Not pure: system calls. What a process starts inherits what its starting thread may use, so the conductor confines itself,
//! its workers are confined with it, and shims confine themselves once more before they start an instance.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The processors that this thread may use, in order: those of the machine, less what `taskset` or a container took away.
/// Empty if the kernel does not say.
pub fn allowed() -> Vec<u32> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else {
        return Vec::new();
    };
    (0..CpuSet::count())
        .filter(|number| set.is_set(*number).unwrap_or(false))
        .filter_map(|number| u32::try_from(number).ok())
        .collect()
}

/// Confines the calling thread, and what it starts from now on, to these processors.
///
/// # Errors
/// If the kernel refuses: none of them exists, or may be used.
pub fn confine_thread(processors: &[u32]) -> io::Result<()> {
    confine(Pid::from_raw(0), processors)
}

/// Confines every thread of this process, and what they start from now on, to these processors.
///
/// # Errors
/// If the kernel refuses; then no thread is confined, or only those before one that has just ended.
pub fn confine_process(processors: &[u32]) -> io::Result<()> {
    confine_thread(processors)?;
    for entry in std::fs::read_dir("/proc/self/task")? {
        let name = entry?.file_name();
        let Some(thread) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match confine(Pid::from_raw(thread), processors) {
            // It has ended meanwhile.
            Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => {}
            result => result?,
        }
    }
    Ok(())
}

fn confine(thread: Pid, processors: &[u32]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for number in processors {
        let number = usize::try_from(*number).map_err(io::Error::other)?;
        set.set(number)?;
    }
    Ok(sched_setaffinity(thread, &set)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_confined_stays_where_it_may_and_no_other_is_touched() {
        let before = allowed();
        let one = *before.last().unwrap();
        let inside = std::thread::spawn(move || {
            confine_thread(&[one]).unwrap();
            allowed()
        });
        assert_eq!(inside.join().unwrap(), [one]);
        assert_eq!(allowed(), before);
        assert!(confine_thread(&[]).is_err());
    }
}
