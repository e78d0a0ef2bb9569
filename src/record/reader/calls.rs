//! [`Calls`]: the rows of `calls.csv.zst`, of which a run has millions.
//!
//! Not pure: it reads, and has a thread of its own that inflates and splits records while the caller's works on those before.
//! Rows come in the order of the file, each in the place of an earlier one, so that the memory is the same for any number of
//! them. A record is read by hand where it has the columns and the form that this version writes, and by its column names
//! where not; a test holds both to each other.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use csv::StringRecord;

use super::rows::Table;
use crate::model::{Call, Class, Offset, Outcome, ProtocolVersion};

/// Records that are handed from thread to thread at a time.
const BATCH: usize = 512;
/// Batches that may wait; the reading thread waits when they do.
const WAITING: usize = 4;
/// The digits of a number that surely fits.
const SURE_DIGITS: usize = 18;

/// The columns that this version writes.
const COLUMNS: [&str; 28] = [
    "done",
    "operation_due",
    "due",
    "taken",
    "sent",
    "first_byte",
    "first_event",
    "connect_ns",
    "tls_ns",
    "worker",
    "workload",
    "operation",
    "arrival",
    "step",
    "attempt",
    "client",
    "session",
    "protocol",
    "method",
    "target",
    "phase",
    "outcome",
    "class",
    "code",
    "instance",
    "bytes_in",
    "bytes_out",
    "ends",
];

/// The rows of `calls.csv.zst`.
pub struct Calls {
    table: Table,
}

/// Records, of which the first `filled` are fresh.
#[derive(Default)]
struct Batch {
    records: Vec<StringRecord>,
    filled: usize,
}

impl Batch {
    /// Fills it with the next records; false if there are no more after it.
    fn fill(&mut self, table: &mut Table) -> bool {
        self.filled = 0;
        while self.filled < BATCH {
            if self.records.len() == self.filled {
                self.records.push(StringRecord::new());
            }
            let record = self.records.get_mut(self.filled);
            if !record.is_some_and(|record| table.read(record)) {
                return false;
            }
            self.filled += 1;
        }
        true
    }
}

/// The Call that was read last, and how to read the next.
struct Reading {
    call: Option<Call>,
    headers: StringRecord,
    /// Whether the columns are [`COLUMNS`].
    usual: bool,
}

impl Reading {
    /// Reads a record into the place of the one before.
    fn read(&mut self, record: &StringRecord) -> Result<&Call, csv::Error> {
        if let (true, Some(mut call)) = (self.usual, self.call.take())
            && refill(&mut call, record).is_some()
        {
            return Ok(self.call.insert(call));
        }
        let call = record.deserialize(Some(&self.headers))?;
        Ok(self.call.insert(call))
    }
}

impl Calls {
    /// The rows of the file of this name.
    pub(super) fn open(directory: &Path, name: &'static str) -> Self {
        Self {
            table: Table::compressed(directory, name),
        }
    }

    /// Shows `each` every row, in the order of the file.
    pub fn for_each(&mut self, mut each: impl FnMut(&Call)) {
        let mut reading = Reading {
            call: None,
            usual: *self.table.headers() == COLUMNS[..],
            headers: self.table.headers().clone(),
        };
        let mut read = |batch: &Batch| -> Result<(), csv::Error> {
            for record in batch.records.iter().take(batch.filled) {
                each(reading.read(record)?);
            }
            Ok(())
        };
        let table = &mut self.table;
        let stopped = thread::scope(|scope| {
            let (full, batches) = sync_channel(WAITING);
            // Holds every batch that there is: those that wait, and one in each hand.
            let (empty, emptied) = sync_channel(WAITING + 2);
            scope.spawn(move || inflate(table, &full, &emptied));
            for batch in batches {
                read(&batch)?;
                // Nobody takes it after the last one.
                let _ = empty.try_send(batch);
            }
            Ok(())
        });
        if let Err(error) = stopped {
            self.table.stop(&error);
        }
    }

    /// What was wrong with the file, known once its end was read.
    pub fn damage(&self) -> Option<String> {
        self.table.damage()
    }
}

/// Reads records until there are no more, or nobody wants them.
fn inflate(table: &mut Table, full: &SyncSender<Batch>, emptied: &Receiver<Batch>) {
    loop {
        let mut batch = emptied.try_recv().unwrap_or_default();
        let more = batch.fill(table);
        if full.send(batch).is_err() || !more {
            return;
        }
    }
}

/// Overwrites `call` with a record that has [`COLUMNS`]; `None`, and some of it overwritten, if a field is not of the form that
/// this version writes.
fn refill(call: &mut Call, record: &StringRecord) -> Option<()> {
    let mut fields = record.iter();
    let mut next = || fields.next();
    let offset = |text: &str| integer(text).map(Offset);
    call.done = offset(next()?)?;
    call.operation_due = offset(next()?)?;
    call.due = offset(next()?)?;
    maybe(&mut call.taken, next()?, offset)?;
    maybe(&mut call.sent, next()?, offset)?;
    maybe(&mut call.first_byte, next()?, offset)?;
    maybe(&mut call.first_event, next()?, offset)?;
    maybe(&mut call.connect_ns, next()?, natural)?;
    maybe(&mut call.tls_ns, next()?, natural)?;
    call.worker = small(next()?)?;
    replace(&mut call.workload, next()?);
    replace(&mut call.operation, next()?);
    maybe(&mut call.arrival, next()?, natural)?;
    call.step = small(next()?)?;
    call.attempt = small(next()?)?;
    call.client = small(next()?)?;
    maybe(&mut call.session, next()?, small)?;
    call.protocol = next()?.parse::<ProtocolVersion>().ok()?;
    replace(&mut call.method, next()?);
    replace(&mut call.target, next()?);
    replace(&mut call.phase, next()?);
    call.outcome = outcome(next()?)?;
    call.class = next()?.parse::<Class>().ok()?;
    maybe(&mut call.code, next()?, integer)?;
    replace(&mut call.instance, next()?);
    call.bytes_in = natural(next()?)?;
    call.bytes_out = natural(next()?)?;
    maybe(&mut call.ends, next()?, outcome)?;
    next().is_none().then_some(())
}

/// An empty field is nothing.
fn maybe<T>(old: &mut Option<T>, text: &str, read: impl Fn(&str) -> Option<T>) -> Option<()> {
    *old = if text.is_empty() {
        None
    } else {
        Some(read(text)?)
    };
    Some(())
}

fn natural(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > SURE_DIGITS {
        return None;
    }
    text.bytes().try_fold(0, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u64::from(digit))
    })
}

fn small(text: &str) -> Option<u32> {
    u32::try_from(natural(text)?).ok()
}

fn integer(text: &str) -> Option<i64> {
    let number = |text| i64::try_from(natural(text)?).ok();
    match text.strip_prefix('-') {
        Some(text) => number(text).map(|number: i64| -number),
        None => number(text),
    }
}

fn outcome(text: &str) -> Option<Outcome> {
    [Outcome::Ok, Outcome::Info, Outcome::Fail]
        .into_iter()
        .find(|outcome| outcome.name() == text)
}

fn replace(old: &mut String, new: &str) {
    if old != new {
        old.clear();
        old.push_str(new);
    }
}

#[cfg(test)]
mod tests;
