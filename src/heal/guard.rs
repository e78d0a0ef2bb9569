//! `mcpload guard`: the process beside the conductor that heals when the conductor cannot.
//!
//! Impure; one thread, no runtime. Started before the first fault in a session of its own; its standard input is a socket. The
//! conductor sends a beat each second, which is answered, and `done` when everything is healed and down. While it undoes it answers
//! nothing, and says so before. A stream that ends without it means that
//! the conductor is gone: every open entry of the undo journal is undone, and after a moment in which owners do it themselves
//! every process of the run is ended. Without a beat for [`SILENCE`], and past an entry's deadline, open entries are undone while
//! the conductor lives. Next: `guarding`, the other end of the socket.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::setsid;
use serde::{Deserialize, Serialize};

use super::undo::{Attempt, undo_open};
use super::{leftovers, open_runs};
use crate::clock;
use crate::fault::journal::{self, Actor, Entry, Undo};
use crate::record::layout;

/// The line that says: the conductor lives.
pub(super) const BEAT: &[u8] = b"beat\n";
/// The line that says: everything is healed and down.
pub(super) const DONE: &[u8] = b"done\n";
/// How often the conductor beats.
pub const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Without a beat for so long the conductor is taken to hang.
pub const SILENCE: Duration = Duration::from_secs(5);

/// More than any undo takes that is no command.
const LEAST: Duration = Duration::from_secs(10);
/// How often deadlines are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long owners have to end what is theirs, once the conductor is gone.
const OWNERS: Duration = Duration::from_secs(2);

/// What a guard tells the conductor, a JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "kebab-case")]
pub enum Tell {
    /// It is in a session of its own, and watches.
    Ready,
    /// It has heard the conductor: the answer to a beat.
    Alive,
    /// It undoes something now, and answers again when that is done.
    Busy {
        /// How long that may take at the most, seconds.
        seconds: u64,
    },
    /// It undid a fault although the conductor lives.
    Undone {
        /// The fault.
        fault: String,
        /// Why.
        because: String,
        /// What was done.
        words: String,
        /// When, on the monotonic clock, nanoseconds: who hangs reads it late.
        at: i64,
    },
    /// It could not undo a fault that it should have.
    NotUndone {
        /// The fault.
        fault: String,
        /// Why.
        because: String,
        /// What a person can do.
        by_hand: String,
        /// When it was tried, on the monotonic clock, nanoseconds.
        at: i64,
    },
}

/// Guards the run in this directory over the socket that is standard input, until the conductor is done or gone and everything
/// is healed. What is done is said by `say`, a line each.
///
/// # Errors
/// If the socket cannot be used.
pub fn run(run: &Path, say: &mut dyn FnMut(&str)) -> io::Result<()> {
    // Out of the terminal's session: neither Ctrl-C nor its end is for the guard. It fails only where that is so already.
    let _ = setsid();
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.set_read_timeout(Some(LOOK))?;
    socket.set_write_timeout(Some(LOOK))?;
    let mut guard = Guard {
        run: run.canonicalize()?,
        socket,
        tried: BTreeSet::new(),
        journal_size: 0,
        open: Vec::new(),
        say,
    };
    guard.tell(&Tell::Ready);
    if guard.watch() {
        return Ok(());
    }
    guard.heal();
    Ok(())
}

/// The longest that undoing everything may take: another who undoes is waited for, and then each entry has its own time.
fn longest(run: &Path) -> Duration {
    let entries = journal::read(&run.join(layout::UNDO)).unwrap_or_default();
    let open = journal::open_entries(&entries);
    let each = open.iter().map(|entry| match &entry.undo {
        Undo::Command { within, .. } => *within + LEAST,
        _ => LEAST,
    });
    each.fold(LEAST * 4, Duration::saturating_add)
}

struct Guard<'a> {
    run: PathBuf,
    socket: UnixStream,
    /// Faults that were tried because of their deadline: once is enough.
    tried: BTreeSet<String>,
    /// How long the journal was when `open` was read from it.
    journal_size: u64,
    open: Vec<Entry>,
    say: &'a mut dyn FnMut(&str),
}

impl Guard<'_> {
    /// Watches the conductor until it is done (true) or gone.
    fn watch(&mut self) -> bool {
        let mut heard = Instant::now();
        let mut is_silent = false;
        let mut line = Vec::new();
        let mut buffer = [0; 256];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => {
                    heard = Instant::now();
                    is_silent = false;
                    let read = buffer.get(..count).unwrap_or_default();
                    // A word may come in pieces, and is answered once.
                    let is_whole = read.contains(&b'\n');
                    line.extend_from_slice(read);
                    if line.ends_with(DONE) {
                        return true;
                    }
                    // What is longer than a word is none.
                    let keep = line.len().saturating_sub(DONE.len());
                    line.drain(..keep);
                    if is_whole {
                        self.tell(&Tell::Alive);
                    }
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(_) => return false,
            }
            if heard.elapsed() > SILENCE && !is_silent {
                is_silent = true;
                let because = format!("the conductor was silent for {} s", SILENCE.as_secs());
                self.undo(&because, |_| true);
            }
            self.undo_overdue();
        }
    }

    /// Undoes what the conductor should have undone by now.
    fn undo_overdue(&mut self) {
        let path = self.run.join(layout::UNDO);
        let size = path.metadata().map_or(0, |facts| facts.len());
        if size != self.journal_size {
            self.journal_size = size;
            self.open = journal::open_entries(&journal::read(&path).unwrap_or_default());
        }
        let now = clock::now();
        let overdue: BTreeSet<String> = self
            .open
            .iter()
            .filter(|entry| entry.deadline < now && !self.tried.contains(&entry.fault))
            .map(|entry| entry.fault.clone())
            .collect();
        if overdue.is_empty() {
            return;
        }
        self.tried.extend(overdue.iter().cloned());
        self.undo("its time is over", |entry| overdue.contains(&entry.fault));
    }

    /// Undoes open entries and tells the conductor, if it listens. What ends only with the run goes on as long as the conductor lives:
    /// to call it undone would be a lie.
    fn undo(&mut self, because: &str, which: impl Fn(&Entry) -> bool) {
        let run = self.run.clone();
        self.tell(&Tell::Busy {
            seconds: longest(&run).as_secs(),
        });
        let which = |entry: &Entry| entry.undo != Undo::Nothing && which(entry);
        let result = undo_open(&run, Actor::Guard, which, |attempt| {
            self.mention(because, attempt);
            let fault = attempt.fault.clone();
            let because = because.to_owned();
            self.tell(&match &attempt.outcome {
                Ok(words) => Tell::Undone {
                    fault,
                    because,
                    words: words.clone(),
                    at: clock::now(),
                },
                Err(error) => Tell::NotUndone {
                    fault,
                    because: format!("{because}; {error}"),
                    by_hand: error.by_hand.clone(),
                    at: clock::now(),
                },
            });
        });
        if let Err(error) = result {
            (self.say)(&format!("the undo journal cannot be read: {error}"));
        }
    }

    fn mention(&mut self, because: &str, attempt: &Attempt) {
        let fault = &attempt.fault;
        match &attempt.outcome {
            Ok(words) => (self.say)(&format!("{because}: {fault} is undone: {words}")),
            Err(error) => (self.say)(&format!(
                "{because}: {fault} could not be undone: {error}; by hand: {}",
                error.by_hand
            )),
        }
    }

    /// The conductor is gone: everything is healed and ended.
    fn heal(&mut self) {
        let because = "the conductor is gone";
        let run = self.run.clone();
        let undone = undo_open(
            &run,
            Actor::Guard,
            |_| true,
            |attempt| self.mention(because, attempt),
        );
        if let Err(error) = &undone {
            (self.say)(&format!("the undo journal cannot be read: {error}"));
        }
        let healed = undone.is_ok_and(|all| all.iter().all(|attempt| attempt.outcome.is_ok()));
        let ended = leftovers::end(&run, OWNERS);
        (self.say)(&format!("{because}: {} processes were ended", ended.ended));
        for process in &ended.left {
            (self.say)(&format!("{} is left", leftovers::name(*process)));
        }
        if healed && ended.left.is_empty() {
            open_runs::forget(&run);
        }
    }

    /// A conductor that does not read, or is gone, finds it in the journal.
    fn tell(&mut self, tell: &Tell) {
        if let Ok(mut line) = serde_json::to_vec(tell) {
            line.push(b'\n');
            let _ = self.socket.write_all(&line);
        }
    }
}
