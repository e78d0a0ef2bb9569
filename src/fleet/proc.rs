//! What `/proc` says of processes: who descends from whom, and what they use.
//!
//! Reads files; every process may be gone at any moment, which is no error.

use std::collections::BTreeMap;
use std::fs;

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
    parent: u32,
    /// utime + stime, clock ticks.
    ticks: u64,
    /// cutime + cstime, clock ticks.
    reaped_ticks: u64,
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
    // A zombie is dead; only its parent has not looked yet.
    if fields.first() == Some(&"Z") {
        return None;
    }
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        ticks: number(11)? + number(12)?,
        reaped_ticks: number(13)? + number(14)?,
    })
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

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_confuse() {
        let stat = parse_stat("7 (a) b) S 3 7 7 0 -1 0 0 0 0 0 11 22 33 44 20 0").unwrap();
        assert_eq!((stat.parent, stat.ticks, stat.reaped_ticks), (3, 33, 77));
    }

    #[test]
    fn a_zombie_is_not_alive() {
        assert!(parse_stat("7 (x) Z 3 7 7 0 -1 0 0 0 0 0 11 22 33 44 20 0").is_none());
    }

    #[test]
    fn this_process_uses_memory_and_files() {
        let usage = usage(&[std::process::id()]);
        assert!(usage.resident_bytes > 100_000 && usage.open_files >= 3 && usage.processes == 1);
    }
}
