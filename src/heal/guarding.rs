//! The conductor's side of the guard: starts it, beats, hears what it did, starts it once more if it dies or does not answer,
//! tells it the end.
//!
//! Impure. Invariant: the loss of a guard is never silent, and a [`Guarding`] that is dropped without [`Guarding::done`] makes
//! the guard heal.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::guard::{BEAT, BEAT_EVERY, DONE, Tell};
use crate::fleet::proc::marks;
use crate::record::layout;

/// How long a guard may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// A guard that left so many beats in a row unanswered hangs.
const UNANSWERED: u64 = 6;
/// The log of the guards of a run, in its folder `workers`.
const LOG: &str = "guard.log";

/// What the conductor hears of its guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The guard acted.
    Told(Tell),
    /// The guard ended. `again`: another one was started in its place.
    Lost {
        /// How.
        reason: String,
        /// Whether there is another.
        again: bool,
    },
}

/// The guard of a run, as long as it is needed.
#[derive(Debug)]
pub struct Guarding {
    heard: mpsc::Receiver<Heard>,
    done: oneshot::Sender<()>,
    keeper: JoinSet<()>,
}

/// A guard process.
struct Guard {
    child: Child,
    write: OwnedWriteHalf,
    read: Lines<BufReader<OwnedReadHalf>>,
}

impl Guarding {
    /// Starts a guard for the run in this (absolute) directory; it watches when this returns.
    ///
    /// # Errors
    /// If it could not be started. Then no fault should be injected.
    pub async fn start(binary: &Path, run: &Path) -> io::Result<Self> {
        let guard = Guard::start(binary, run).await?;
        // A guard acts a few times in a run; while nobody listens it waits, and the journal has it all.
        let (tell, heard) = mpsc::channel(64);
        let (done, is_done) = oneshot::channel();
        let keeper = Keeper {
            binary: binary.to_owned(),
            run: run.to_owned(),
            tell,
            is_done,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(keeper.keep(guard));
        Ok(Self {
            heard,
            done,
            keeper: tasks,
        })
    }

    /// The next that is heard of the guard; waits for ever if there is no guard any more.
    ///
    /// # Cancel safety
    /// Yes: nothing that was heard is lost.
    pub async fn next(&mut self) -> Heard {
        match self.heard.recv().await {
            Some(heard) => heard,
            None => std::future::pending().await,
        }
    }

    /// Everything is healed and down: the guard ends. What it had still to say is returned.
    pub async fn done(mut self) -> Vec<Heard> {
        // A keeper that is gone has no guard to tell.
        let _ = self.done.send(());
        let _ = timeout(PATIENCE, self.keeper.join_next()).await;
        let mut rest = Vec::new();
        while let Ok(heard) = self.heard.try_recv() {
            rest.push(heard);
        }
        rest
    }
}

struct Keeper {
    binary: PathBuf,
    run: PathBuf,
    tell: mpsc::Sender<Heard>,
    is_done: oneshot::Receiver<()>,
}

impl Keeper {
    async fn keep(mut self, mut guard: Guard) {
        let mut again = true;
        loop {
            let Some(reason) = self.attend(&mut guard).await else {
                return guard.end().await;
            };
            // It may have closed its socket and still run, or hang: two guards would do no harm, one is enough.
            let _ = guard.child.kill().await;
            let next = if again {
                Guard::start(&self.binary, &self.run).await
            } else {
                Err(io::Error::other("it was started again once before"))
            };
            again = false;
            let (reason, next) = match next {
                Ok(next) => (reason, Some(next)),
                Err(error) => (format!("{reason}; there is no other: {error}"), None),
            };
            let lost = Heard::Lost {
                reason,
                again: next.is_some(),
            };
            let _ = self.tell.send(lost).await;
            match next {
                Some(next) => guard = next,
                None => return,
            }
        }
    }

    /// Beats and listens until everything is done (`None`), or the guard is gone.
    async fn attend(&mut self, guard: &mut Guard) -> Option<String> {
        let mut beat = interval(BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Beats are counted, not time: while this process was stopped nobody asked the guard for anything.
        let (mut unanswered, mut patience) = (0, UNANSWERED);
        loop {
            tokio::select! {
                said = &mut self.is_done => {
                    // Dropped without a word: the conductor gives up, and the guard heals.
                    if said.is_ok() {
                        let _ = guard.write.write_all(DONE).await;
                    }
                    return None;
                }
                _ = beat.tick() => {
                    // A guard that is stopped does not read; what it is told stays short for hours.
                    if let Err(error) = guard.write.try_write(BEAT)
                        && error.kind() != io::ErrorKind::WouldBlock
                    {
                        return Some(guard.how_it_ended().await);
                    }
                    unanswered += 1;
                    if unanswered > patience {
                        return Some(format!("it left {patience} beats unanswered"));
                    }
                }
                line = guard.read.next_line() => match line {
                    Ok(Some(line)) => {
                        (unanswered, patience) = (0, UNANSWERED);
                        match serde_json::from_str(&line) {
                            Ok(Tell::Busy { seconds }) => patience = UNANSWERED + seconds,
                            Ok(Tell::Alive) | Err(_) => {}
                            Ok(tell) => drop(self.tell.send(Heard::Told(tell)).await),
                        }
                    }
                    Ok(None) | Err(_) => return Some(guard.how_it_ended().await),
                },
            }
        }
    }
}

impl Guard {
    async fn start(binary: &Path, run: &Path) -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(run.join(layout::WORKERS).join(LOG))?;
        // It outlives this process on purpose, and leaves its session by itself, which the leader of a group could not.
        let child = Command::new(binary)
            .arg("guard")
            .arg(run)
            .env(marks::RUN, run)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(false)
            .spawn()?;
        let (read, write) = UnixStream::from_std(ours)?.into_split();
        let mut guard = Self {
            child,
            write,
            read: BufReader::new(read).lines(),
        };
        match timeout(PATIENCE, guard.read.next_line()).await {
            Ok(Ok(Some(_ready))) => Ok(guard),
            Ok(Ok(None)) => Err(io::Error::other(guard.how_it_ended().await)),
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("it was not ready within {} s", PATIENCE.as_secs()),
            )),
        }
    }

    async fn how_it_ended(&mut self) -> String {
        match timeout(Duration::from_secs(1), self.child.wait()).await {
            Ok(Ok(status)) => format!("it ended: {status}"),
            Ok(Err(error)) => format!("it was lost: {error}"),
            Err(_elapsed) => "it closed its socket".to_owned(),
        }
    }

    async fn end(mut self) {
        drop(self.write);
        let _ = timeout(PATIENCE, self.child.wait()).await;
    }
}
