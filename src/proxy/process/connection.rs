//! One connection: dials, carries both ways, takes over rules, ends.
//!
//! Impure. One task, which sleeps until a socket, the timer or the rules move. Next: `pair` for what it does then.

use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::desk::{Doubts, Totals};
use super::pair::{Last, Pair};
use crate::clock;
use crate::fault::link::fate::Facts;
use crate::fault::link::rules::RuleSet;
use crate::timer::Timer;

/// How long the server's kernel may take to accept.
const DIAL_WITHIN: Duration = Duration::from_mins(1);

/// What a connection is given.
pub(super) struct Setting {
    pub(super) upstream: SocketAddr,
    pub(super) http: bool,
    pub(super) rules: watch::Receiver<Arc<RuleSet>>,
    /// The generation of the rules that were taken over; as long as the task holds it, the connection lives.
    pub(super) taken_over: Arc<AtomicU64>,
    pub(super) totals: Arc<Totals>,
    pub(super) doubts: Arc<Doubts>,
}

/// Carries a connection until it ends; gives its number.
pub(super) async fn run(client: TcpStream, facts: Facts, setting: Setting) -> u64 {
    // Chunks are passed as they come; a socket that cannot be told so is broken, and shows it at once.
    let _ = client.set_nodelay(true);
    let Setting {
        upstream,
        http,
        mut rules,
        taken_over,
        totals,
        doubts,
    } = setting;
    let first = rules.borrow_and_update().clone();
    let (mut pair, mut last) = Pair::new(client, facts, (totals, doubts), http, first);
    let mut dial = Dial::Waits;
    let mut timer = None;
    let last = loop {
        if let Some(last) = last {
            break last;
        }
        taken_over.store(pair.generation(), Ordering::Relaxed);
        dial.begin(pair.dial_at(), upstream);
        let due = earlier(pair.due(), dial.due(pair.dial_at()));
        last = tokio::select! {
            biased;
            changed = rules.changed() => {
                let newest = rules.borrow_and_update().clone();
                // Without rules to come, the proxy ends.
                if changed.is_ok() { pair.take_over(newest) } else { Some(Last::Gone) }
            }
            dialled = dial.done() => pair.dialled(dialled),
            last = poll_fn(|context| pair.poll(context, due)) => last,
            () = wait(&mut timer, due) => None,
        };
        if last.is_none() && due.is_some_and(|due| due <= clock::now()) {
            last = pair.decide();
        }
    };
    // It ends, and has nothing to take over any more.
    taken_over.store(u64::MAX, Ordering::Relaxed);
    pair.end(last).await;
    facts.connection
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    [one, other].into_iter().flatten().min()
}

/// Waits for a moment; for ever without one.
///
/// # Cancel safety
/// Safe.
async fn wait(timer: &mut Option<Timer>, due: Option<i64>) {
    let Some(due) = due else {
        return pending().await;
    };
    if timer.is_none() {
        *timer = Timer::new().ok();
    }
    let on_time = match timer {
        Some(timer) => timer.until(due).await.is_ok(),
        None => false,
    };
    if !on_time {
        // No timer could be had: late by a millisecond is better than never.
        let left = u64::try_from(due - clock::now()).unwrap_or(0);
        sleep(Duration::from_nanos(left)).await;
    }
}

/// How far the way to the server is.
enum Dial {
    /// It is not dialled yet.
    Waits,
    /// It is being dialled.
    Runs(BoxFuture<'static, io::Result<TcpStream>>),
    /// It was.
    Over,
}

impl Dial {
    /// Dials, if the time has come.
    fn begin(&mut self, at: Option<i64>, upstream: SocketAddr) {
        if matches!(self, Self::Waits) && at.is_some_and(|at| at <= clock::now()) {
            *self = Self::Runs(Box::pin(async move {
                timeout(DIAL_WITHIN, TcpStream::connect(upstream)).await?
            }));
        }
    }

    /// When to dial, if that is still to be done.
    fn due(&self, at: Option<i64>) -> Option<i64> {
        match self {
            Self::Waits => at,
            Self::Runs(_) | Self::Over => None,
        }
    }

    /// What it came to; never, if it does not run.
    ///
    /// # Cancel safety
    /// It goes on when it is asked again.
    async fn done(&mut self) -> io::Result<TcpStream> {
        let Self::Runs(running) = self else {
            return pending().await;
        };
        let dialled = running.await;
        *self = Self::Over;
        dialled
    }
}
