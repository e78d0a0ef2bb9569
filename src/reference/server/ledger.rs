//! The ledger of effects: a line for every execution, on file before the caller hears of it.
//!
//! It writes a file and reads `CLOCK_MONOTONIC`, the clock that all processes of a host share. Invariant: an effect that
//! was answered `executed` is in the ledger; one whose answer was lost may be. With deduplication an operation id is in
//! the ledger at most once for each process.
//!
//! A line is a JSON object, `{"op":"…","server":"server-2","incarnation":3,"at_ns":123}`, where `at_ns` is nanoseconds of
//! `CLOCK_MONOTONIC` just before the write. It goes out in one write to a file opened with `O_APPEND`, so that processes
//! that share a ledger never mix their lines.

use std::collections::{HashSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// Operation ids that deduplication remembers; then the oldest is forgotten, which bounds the memory.
const REMEMBERED: usize = 1_000_000;

/// What became of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It was executed now.
    Executed,
    /// It was executed before and not again.
    Duplicate,
}

/// Where effects are recorded.
#[derive(Debug)]
pub(super) struct Ledger {
    server: String,
    incarnation: u32,
    file: Option<File>,
    seen: Option<Mutex<Seen>>,
}

#[derive(Serialize)]
struct Line<'a> {
    op: &'a str,
    server: &'a str,
    incarnation: u32,
    at_ns: i64,
}

impl Ledger {
    /// Opens the file at `path` for appending, creating it if need be; without a path effects leave no trace.
    pub(super) fn open(
        server: &str,
        incarnation: u32,
        path: Option<&Path>,
        dedup: bool,
    ) -> io::Result<Self> {
        let open = |path: &Path| OpenOptions::new().append(true).create(true).open(path);
        Ok(Self {
            server: server.to_owned(),
            incarnation,
            file: path.map(open).transpose()?,
            seen: dedup.then(Mutex::default),
        })
    }

    /// Executes the effect `op`, unless deduplication knows it.
    ///
    /// # Errors
    /// If the line could not be written; the effect then counts as not executed.
    pub(super) fn execute(&self, op: &str) -> io::Result<Effect> {
        let Some(seen) = &self.seen else {
            self.append(op)?;
            return Ok(Effect::Executed);
        };
        // The lock is held over the write on purpose: a second call with the same id must not be told "duplicate" before
        // the first is on file. A panic cannot leave the set half changed, so a poisoned lock is as good as any.
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(op) {
            return Ok(Effect::Duplicate);
        }
        self.append(op)?;
        seen.remember(op, REMEMBERED);
        Ok(Effect::Executed)
    }

    /// One small write into the page cache, some microseconds, so it is not worth a thread of its own.
    fn append(&self, op: &str) -> io::Result<()> {
        let Some(mut file) = self.file.as_ref() else {
            return Ok(());
        };
        let line = Line {
            op,
            server: &self.server,
            incarnation: self.incarnation,
            at_ns: now()?,
        };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        file.write_all(&bytes)
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
fn now() -> io::Result<i64> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

/// The operation ids executed last.
#[derive(Debug, Default)]
struct Seen {
    known: HashSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
}

impl Seen {
    fn contains(&self, op: &str) -> bool {
        self.known.contains(op)
    }

    fn remember(&mut self, op: &str, most: usize) {
        let op: Arc<str> = op.into();
        self.known.insert(Arc::clone(&op));
        self.order.push_back(op);
        if self.order.len() > most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn every_execution_is_a_line_in_order_of_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let ledger = Ledger::open("server-1", 3, Some(&path), false).unwrap();
        for op in ["a", "b", "a", "line\nbreak\""] {
            assert_eq!(ledger.execute(op).unwrap(), Effect::Executed);
        }
        let lines = lines(&path);
        let ops: Vec<_> = lines
            .iter()
            .map(|line| line["op"].as_str().unwrap())
            .collect();
        assert_eq!(ops, ["a", "b", "a", "line\nbreak\""]);
        assert!(
            lines
                .iter()
                .all(|line| line["server"] == "server-1" && line["incarnation"] == 3)
        );
        assert!(lines.is_sorted_by_key(|line| line["at_ns"].as_i64().unwrap()));
    }

    #[test]
    fn a_repeated_id_is_executed_once_with_deduplication() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let ledger = Ledger::open("server-1", 1, Some(&path), true).unwrap();
        assert_eq!(ledger.execute("a").unwrap(), Effect::Executed);
        assert_eq!(ledger.execute("a").unwrap(), Effect::Duplicate);
        assert_eq!(ledger.execute("b").unwrap(), Effect::Executed);
        assert_eq!(lines(&path).len(), 2);
    }

    #[test]
    fn a_second_incarnation_appends_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        for incarnation in [1, 2] {
            Ledger::open("server-1", incarnation, Some(&path), true)
                .unwrap()
                .execute("a")
                .unwrap();
        }
        assert_eq!(lines(&path).len(), 2);
    }

    #[test]
    fn the_memory_of_ids_is_bounded() {
        let mut seen = Seen::default();
        for op in ["a", "b", "c"] {
            seen.remember(op, 2);
        }
        assert_eq!(
            (seen.contains("a"), seen.contains("b"), seen.contains("c")),
            (false, true, true)
        );
        assert_eq!(seen.order.len(), 2);
    }
}
