//! The open files of processes: how many they have, how many they may have, and a change of that.
//!
//! Reads `/proc`, and calls `prlimit`. Every process may be gone at any moment, which is no error.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::ProcessId;

/// The limit of open files of a process; [`u64::MAX`] is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What acts.
    pub soft: u64,
    /// Up to where the process may raise it itself.
    pub hard: u64,
}

/// The limit that `/proc` shows; none if the process is gone.
pub fn limit(process: ProcessId) -> Option<Limit> {
    let text = fs::read_to_string(format!("/proc/{}/limits", process.pid)).ok()?;
    process.is_alive().then(|| parse(&text)).flatten()
}

/// The numbers of the files that the process has open.
pub fn open(process: ProcessId) -> BTreeSet<u64> {
    let entries = fs::read_dir(format!("/proc/{}/fd", process.pid));
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// The number that the next file gets: the least that is free, so a limit there lets nothing more be opened.
pub fn next(open: &BTreeSet<u64>) -> u64 {
    // Of one number more than there are, one is free.
    let mut numbers = 0..=open.len() as u64;
    numbers.find(|number| !open.contains(number)).unwrap_or(0)
}

/// Sets the limit. False if the process is gone; another one under its number is never touched.
///
/// # Errors
/// If it may not be set.
pub fn set_limit(process: ProcessId, limit: Limit) -> io::Result<bool> {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    // None would be this process itself.
    let Some(pid) = pid.filter(|_| process.is_alive()) else {
        return Ok(false);
    };
    let bound = |value: u64| (value != u64::MAX).then_some(value);
    let new = Rlimit {
        current: bound(limit.soft),
        maximum: bound(limit.hard),
    };
    match prlimit(Some(pid), Resource::Nofile, new) {
        Ok(_) => Ok(true),
        Err(_) if !process.is_alive() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reads `Max open files   SOFT   HARD   files`.
fn parse(text: &str) -> Option<Limit> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace();
    let mut number = || match words.next()? {
        "unlimited" => Some(u64::MAX),
        word => word.parse().ok(),
    };
    Some(Limit {
        soft: number()?,
        hard: number()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_the_kernel_prints_them() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             unlimited            unlimited            processes \n\
                    Max open files            1024                 unlimited            files     \n";
        let limit = Limit {
            soft: 1024,
            hard: u64::MAX,
        };
        assert_eq!(parse(text), Some(limit));
        assert_eq!(parse("Max open files lots"), None);
    }

    #[test]
    fn a_limit_is_set_on_the_process_that_is_meant_and_on_no_other() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        let before = limit(id).unwrap();
        let low = Limit { soft: 7, ..before };
        let set = set_limit(id, low).unwrap();
        let seen = limit(id);
        let back = set_limit(id, before).unwrap();
        let other = ProcessId {
            started: id.started + 1,
            ..id
        };
        let wrong = set_limit(other, low).unwrap();
        let after = limit(id);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(set && back && !wrong);
        assert_eq!((seen, after), (Some(low), Some(before)));
        assert!(!set_limit(id, low).unwrap());
    }

    #[test]
    fn the_next_file_gets_the_least_number_that_is_free() {
        assert_eq!(next(&BTreeSet::new()), 0);
        assert_eq!(next(&BTreeSet::from([0, 1, 2, 5])), 3);
        assert!(open(ProcessId::own()).len() >= 3);
    }
}
