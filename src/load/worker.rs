//! [`run`]: a load worker, from its first words to its last.
//!
//! Impure. Three threads: a reader that decodes what the conductor says, this (hot) one that drives the clients, a sender that
//! encodes full seconds and writes frames. Between the hot thread and the sender lies a queue of eight seconds; when it is full,
//! rows are dropped and counted, and nothing waits. Invariant: the input's end stops everything within a second.
//! Next: `load::pacer` (who arrives when), `load::crew` (clients), `load::recording` (what is written down), `threads`.

use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use thiserror::Error;
use tokio::sync::mpsc::Receiver;
use tokio::task::LocalSet;

use super::client::Shared;
use super::closed::Closed;
use super::crew::Crew;
use super::frames::{Assignment, Failed, FromWorker, Hello, ToWorker};
use super::keeper::Keeper;
use super::links::Ways;
use super::pacer::{Pacer, Stretch, stretches};
use super::recording::{Parcel, Recorder, next_edge};
use super::table::{Table, TableError, nanos};

use crate::clock::{self, Clock};
use crate::mcp::auth::AuthError;
use crate::mcp::endpoint::{Endpoint, EndpointError};
use crate::mcp::tls::TlsError;
use crate::registry::SpecError;
use crate::timer::Timer;

mod threads;

/// Seconds that may wait for the sender.
const QUEUE: usize = 8;
/// How long sessions may take to be established before Ready.
const SET_UP: Duration = Duration::from_secs(15);
/// How long the ends of sessions may take.
const GOODBYE: Duration = Duration::from_secs(5);
/// How long a worker that was told to give up takes at most to end what is under way.
const GIVE_UP: Duration = Duration::from_millis(500);
/// Arrivals that are due within so many nanoseconds of each other are released together: at high rates a wake-up for each would cost the
/// processor more than the calls do. It is the most that this adds to the lag, which is recorded.
const GRAIN: i64 = 100_000;
/// How long the last seconds may take to be sent.
const FLUSH: Duration = Duration::from_secs(10);

/// Why a worker could not go on. The conductor is told, too, if it can be reached.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// A thread, the runtime or the timer could not be made.
    #[error("the worker could not be started")]
    Start(#[source] std::io::Error),
    /// The first message was no assignment.
    #[error("the first message was no assignment")]
    NoAssignment,
    /// The plan cannot be executed.
    #[error("the plan cannot be executed")]
    Plan(#[source] TableError),
    /// A profile of the plan cannot be built.
    #[error("a load profile cannot be built")]
    Profile(#[source] SpecError),
    /// An endpoint is none.
    #[error("an endpoint cannot be used")]
    Endpoint(#[source] EndpointError),
    /// Whom to trust.
    #[error("the certificates that are to be trusted cannot be used")]
    Trust(#[source] TlsError),
    /// Where tokens come from.
    #[error("no tokens can be had")]
    Tokens(#[source] AuthError),
    /// There is no endpoint.
    #[error("there is no endpoint")]
    NoEndpoint,
}

/// Runs a worker that reads [`ToWorker`] frames from `input` and writes [`FromWorker`] frames to `output`, until it has said
/// End or the input ends. Blocks the calling thread, which becomes the hot one.
///
/// # Errors
/// If it cannot start or the plan cannot be executed. The end of the input is no error.
pub fn run(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> Result<(), WorkerError> {
    raise_open_files();
    let inbox = threads::read(input).map_err(WorkerError::Start)?;
    let threads::Sender {
        outbox,
        returned,
        settings,
        finished,
    } = threads::send(output, QUEUE).map_err(WorkerError::Start)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // The timer of the pacer is an event of the driver: it is looked at more often than by default.
        .event_interval(16)
        .build()
        .map_err(WorkerError::Start)?;
    let link = Conductor {
        inbox,
        outbox: outbox.clone(),
    };
    let result = LocalSet::new().block_on(&runtime, async {
        let result = Box::pin(drive(link, returned, settings)).await;
        if let Err(error) = &result {
            let reason = reason(error);
            say(&outbox, FromWorker::Failed(Failed { reason })).await;
        }
        result
    });
    // Connections and their tasks have ended; a name that is being looked up is not waited for.
    runtime.shutdown_background();
    drop(outbox);
    // A conductor that does not read can hold the sender thread up; it is left behind then.
    let patience = match &result {
        Ok(Course::Alone) => GIVE_UP,
        _ => FLUSH,
    };
    let _ = finished.recv_timeout(patience);
    result.map(|_| ())
}

/// An error with its causes, for the conductor.
fn reason(error: &WorkerError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}

/// Each client has a connection: as many files as the system lets us.
fn raise_open_files() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // If it is refused, connections fail when there are too many, and are counted.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The other side.
struct Conductor {
    /// Closed when it is gone.
    inbox: Receiver<ToWorker>,
    outbox: SyncSender<Parcel>,
}

/// Hands a message to the sender thread, waiting for room for a bounded time.
async fn say(outbox: &SyncSender<Parcel>, message: FromWorker) {
    let mut parcel = Parcel::Message(message);
    let until = clock::now() + nanos(FLUSH);
    while clock::now() < until {
        match outbox.try_send(parcel) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => return,
            Err(TrySendError::Full(back)) => parcel = back,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// As planned.
    Planned,
    /// No new arrivals.
    Stopping,
    /// Give everything up.
    GivingUp,
    /// The conductor is gone.
    Alone,
}

impl Course {
    fn after(self, message: Option<&ToWorker>) -> Self {
        match message {
            None => Self::Alone,
            Some(ToWorker::Stop { hard: true }) => Self::GivingUp,
            Some(ToWorker::Stop { hard: false }) if self == Self::Planned => Self::Stopping,
            Some(_) => self,
        }
    }
}

async fn drive(
    mut conductor: Conductor,
    returned: std::sync::mpsc::Receiver<hdrhistogram::Histogram<u64>>,
    settings: std::sync::mpsc::Sender<threads::Settings>,
) -> Result<Course, WorkerError> {
    let hello = Hello {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    say(&conductor.outbox, FromWorker::Hello(hello)).await;
    let assignment = match conductor.inbox.recv().await {
        None => return Ok(Course::Alone),
        Some(ToWorker::Assign(assignment)) => assignment,
        Some(_) => return Err(WorkerError::NoAssignment),
    };
    let timer = Timer::new().map_err(WorkerError::Start)?;
    let stretches = stretches(&assignment.plan).map_err(WorkerError::Profile)?;
    let shared = share(*assignment, &conductor.outbox, returned)?;
    let crew = Crew::new(&shared);
    let closed = Closed::start(&shared, &stretches).map_err(WorkerError::Start)?;
    let mut run = Run {
        closed,
        conductor,
        course: Course::Planned,
        shared,
        crew,
        timer,
    };
    let Some(clock) = run.prepare().await else {
        return Ok(run.course);
    };
    // The sender thread needs both from the first second on.
    let _ = settings.send((Arc::clone(&run.shared.table), clock));
    run.shared.recorder.borrow_mut().start(clock);
    run.play(clock, &stretches)
        .await
        .map_err(WorkerError::Start)?;
    Ok(run.end().await)
}

fn share(
    assignment: Assignment,
    outbox: &SyncSender<Parcel>,
    returned: std::sync::mpsc::Receiver<hdrhistogram::Histogram<u64>>,
) -> Result<Rc<Shared>, WorkerError> {
    let endpoints = assignment
        .endpoints
        .iter()
        .map(|url| Endpoint::parse(url).map(Rc::new))
        .collect::<Result<Vec<_>, _>>()
        .map_err(WorkerError::Endpoint)?;
    if endpoints.is_empty() {
        return Err(WorkerError::NoEndpoint);
    }
    let table = Table::new(assignment.plan, assignment.index, assignment.of);
    let table = Arc::new(table.map_err(WorkerError::Plan)?);
    let recorder = Recorder::new(Arc::clone(&table), outbox.clone(), returned);
    let workloads = table.plan.workloads.iter();
    let tls = &table.plan.fleet.tls;
    let ways = workloads.map(|plan| Ways::new(plan, tls, &endpoints, assignment.source));
    let ways = ways.collect::<Result<_, _>>().map_err(WorkerError::Trust)?;
    let shared = Shared::new(table, recorder, ways).map_err(WorkerError::Tokens)?;
    Ok(Rc::new(shared))
}

/// A worker that has its assignment.
struct Run {
    conductor: Conductor,
    course: Course,
    shared: Rc<Shared>,
    crew: Rc<Crew>,
    /// The users of closed load, if there are any.
    closed: Option<Closed>,
    timer: Timer,
}

impl Run {
    /// Sets the clients up, says Ready, and waits for Start; `None` if it does not come to that.
    async fn prepare(&mut self) -> Option<Clock> {
        let ready = {
            let crew = Rc::clone(&self.crew);
            let set_up = crew.set_up(SET_UP);
            tokio::pin!(set_up);
            loop {
                tokio::select! {
                    biased;
                    ready = &mut set_up => break ready,
                    message = self.conductor.inbox.recv() => {
                        self.course = self.course.after(message.as_ref());
                        if self.course != Course::Planned {
                            break set_up_given_up();
                        }
                    }
                }
            }
        };
        if self.course == Course::Planned {
            say(&self.conductor.outbox, FromWorker::Ready(ready)).await;
            loop {
                let message = self.conductor.inbox.recv().await;
                if let Some(ToWorker::Start { t0 }) = message {
                    return Some(Clock::starting_at(t0));
                }
                self.course = self.course.after(message.as_ref());
                if self.course != Course::Planned {
                    break;
                }
            }
        }
        if self.course != Course::Alone {
            // Stopped before it began: nothing was recorded.
            let totals = self.shared.recorder.borrow().totals();
            say(&self.conductor.outbox, FromWorker::End(totals)).await;
        }
        None
    }

    /// The time line: releases arrivals until the last phase ends or a stop comes, then waits for what is under way.
    async fn play(&mut self, clock: Clock, stretches: &[Stretch]) -> std::io::Result<()> {
        let plan_end = clock
            .t0()
            .saturating_add(self.shared.table.plan.end().nanos());
        let longest = self.shared.table.plan.longest_operation() + Duration::from_secs(1);
        let mut pacer = Pacer::new(&self.shared, &self.crew, clock, stretches);
        let mut keeper = Keeper::start(&self.shared, &self.crew);
        // Set when no more arrivals come: until then what is under way may take.
        let mut patience: Option<i64> = None;
        loop {
            let now = clock::now();
            if patience.is_none() {
                pacer.release(now);
            }
            self.crew.expire(now);
            self.shared.recorder.borrow_mut().roll(now);
            let over = now >= plan_end && pacer.next_due().is_none();
            if patience.is_none() && (over || self.course != Course::Planned) {
                // Ends the attack; no user acts any more.
                self.closed = None;
                drop(keeper.take());
                patience = Some(now.saturating_add(nanos(longest)));
            }
            // A client whose operation has ended may still be replacing its session; that is to be recorded, too.
            let is_idle = self.shared.recorder.borrow().in_flight() == 0 && self.crew.is_idle();
            let given_up = matches!(self.course, Course::GivingUp | Course::Alone);
            if given_up || patience.is_some_and(|until| is_idle || now >= until) {
                return Ok(());
            }
            let mut next = next_edge(clock, now);
            next = next.min(self.crew.next_expiry().unwrap_or(i64::MAX));
            if let Some(until) = patience {
                // The end of the last operation is looked for often, so that the worker does not outlast it by much.
                next = next.min(until).min(now + 5_000_000);
            } else {
                let due = pacer.next_due().unwrap_or(plan_end);
                next = next.min(due.max(now.saturating_add(GRAIN)));
            }
            tokio::select! {
                biased;
                message = self.conductor.inbox.recv() => {
                    self.course = self.course.after(message.as_ref());
                }
                acted = Closed::next(&mut self.closed, &self.shared, &self.crew, clock, stretches) => acted?,
                slept = self.timer.until(next) => slept?,
            }
        }
    }

    /// Gives up what is still under way, ends the sessions, and hands over what is left.
    async fn end(mut self) -> Course {
        if self.shared.recorder.borrow().in_flight() > 0 {
            self.give_up().await;
        }
        if !matches!(self.course, Course::GivingUp | Course::Alone) {
            self.say_goodbye().await;
        }
        if self.course == Course::Alone {
            return self.course;
        }
        self.shared.recorder.borrow_mut().roll(clock::now());
        self.shared.recorder.borrow_mut().finish();
        let until = clock::now() + nanos(FLUSH);
        while !self.shared.recorder.borrow_mut().is_handed_over() && clock::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let totals = self.shared.recorder.borrow().totals();
        say(&self.conductor.outbox, FromWorker::End(totals)).await;
        self.course
    }

    async fn give_up(&self) {
        self.shared.give_up.cancel();
        self.crew.drop_waiting();
        let until = clock::now() + nanos(GIVE_UP);
        while self.shared.recorder.borrow().in_flight() > 0 && clock::now() < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn say_goodbye(&mut self) {
        let crew = Rc::clone(&self.crew);
        let goodbye = tokio::time::timeout(GOODBYE, crew.say_goodbye());
        tokio::pin!(goodbye);
        loop {
            tokio::select! {
                biased;
                _ = &mut goodbye => return,
                message = self.conductor.inbox.recv() => {
                    self.course = self.course.after(message.as_ref());
                    if matches!(self.course, Course::GivingUp | Course::Alone) {
                        return;
                    }
                }
            }
        }
    }
}

/// What a set-up that was broken off came to; nobody is told.
fn set_up_given_up() -> super::frames::Ready {
    super::frames::Ready {
        clients: 0,
        sessions: 0,
        failed: 0,
        first_failure: String::new(),
    }
}
