//! [`Client`]: one simulated user of the fleet, with its connection and its session.
//!
//! Impure. It carries out one operation after the other: for each step the pause, the Calls, and what the recovery policy says
//! about those that failed. Invariants: every request is written down as a Call of its own; a Call that does not end ok ends
//! its operation, unless the policy sends it again; exactly one Call of an operation says how it ended. Next: [`sending`] is one
//! request, [`attempts`] what follows from its answer, [`session`] the session; `load::crew` decides which client acts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::draw::{self, Traits};
use super::links::Ways;
use super::place::{Place, Who};
use super::recording::Recorder;
use super::table::{Operation, Table, Workload, nanos};
use super::template::{Context, Uid};
use crate::clock;
use crate::mcp::Link;
use crate::mcp::auth::{AuthError, Authority, Credentials, Directory};
use crate::mcp::capabilities::Capabilities;
use crate::mcp::catalogue::Catalogue;
use crate::mcp::message;
use crate::model::ProtocolVersion;
use crate::model::outcome::Outcome;
use crate::model::protocol::Era;
use crate::plan::{Transport, VanishHow};

mod attempts;
mod care;
mod detect;
mod learn;
mod listener;
mod proof;
mod sending;
mod session;
mod tap;

use listener::Listener;
use session::Session;
pub(crate) use tap::{Seen, Tap};

/// How long the answer of an authorization server may take.
const TOKEN_PATIENCE: Duration = Duration::from_secs(10);

/// What all clients of a worker share.
pub(crate) struct Shared {
    /// The plan.
    pub(crate) table: Arc<Table>,
    /// What is written down.
    pub(crate) recorder: RefCell<Recorder>,
    /// How the clients of each workload get to the fleet.
    pub(crate) ways: Vec<Ways>,
    /// What is known of the tools, for each workload.
    pub(crate) catalogues: RefCell<Vec<Catalogue>>,
    /// What clients say they can do.
    pub(crate) capabilities: Capabilities,
    /// The members of `_meta` of every modern request.
    pub(crate) modern_meta: String,
    /// What the clients of each workload get tokens with.
    pub(crate) credentials: Vec<Option<Rc<Credentials>>>,
    /// What they know together of authorization servers.
    pub(crate) directory: Option<Rc<Directory>>,
    /// Who looks on.
    pub(crate) tap: Option<Box<dyn Tap>>,
    /// Everything under way is given up: what was not sent ends as unsent, what was sent as timed out.
    pub(crate) give_up: CancellationToken,
}

impl Shared {
    /// What the clients of a worker with this plan share.
    ///
    /// # Errors
    /// If some of them need tokens, and there is no HTTP client for that.
    pub(crate) fn new(
        table: Arc<Table>,
        recorder: Recorder,
        ways: Vec<Ways>,
    ) -> Result<Self, AuthError> {
        let credentials: Vec<_> = table
            .workloads
            .iter()
            .map(|workload| workload.credentials.clone().map(Rc::new))
            .collect();
        let directory = credentials.iter().any(Option::is_some).then(|| {
            // An authorization server may have a certificate of the same authority as the fleet.
            let ca = table.plan.fleet.tls.ca.as_ref();
            let roots = ca.and_then(|path| std::fs::read(path).ok());
            Directory::with(roots.as_deref(), TOKEN_PATIENCE)
        });
        let directory = directory.transpose()?;
        let catalogues = table.workloads.iter().map(|_| Catalogue::default());
        Ok(Self {
            catalogues: RefCell::new(catalogues.collect()),
            table,
            recorder: RefCell::new(recorder),
            ways,
            capabilities: Capabilities::default(),
            modern_meta: message::modern_meta(
                ProtocolVersion::V2026_07_28,
                Capabilities::default(),
            ),
            credentials,
            directory,
            tap: None,
            give_up: CancellationToken::new(),
        })
    }
}

/// One operation that is to be carried out.
#[derive(Debug)]
pub(crate) struct Job {
    /// The number of the arrival.
    pub(crate) arrival: u64,
    /// The place of the operation.
    pub(crate) operation: u32,
    /// The phase in which it was due.
    pub(crate) phase: Option<u32>,
    /// When it was due, raw.
    pub(crate) due: i64,
    /// When it was released, raw.
    pub(crate) taken: i64,
    /// The draws of its arguments.
    pub(crate) generator: ChaCha8Rng,
    /// Told, or dropped, when the operation has ended.
    pub(crate) ended: Option<oneshot::Sender<()>>,
}

/// How a client leaves a call that is under way.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    /// It cancels the call, as its era says.
    Cancelling(Duration),
    /// It vanishes.
    Vanishing(Duration),
}

impl Leaving {
    fn after(self) -> Duration {
        match self {
            Self::Cancelling(after) | Self::Vanishing(after) => after,
        }
    }
}

/// One simulated user.
pub(crate) struct Client {
    shared: Rc<Shared>,
    workload: u32,
    number: u32,
    traits: Traits,
    /// The version that it speaks now.
    protocol: ProtocolVersion,
    /// The version that it asked for when it got its session.
    wanted: ProtocolVersion,
    /// The token that went with the last request, where it must be fetched.
    token: Option<HeaderValue>,
    /// Whether that is settled; a client that speaks whatever it finds asks first.
    is_settled: bool,
    /// How its messages travel now.
    transport: Transport,
    link: Box<dyn Link>,
    session: Option<Session>,
    listener: Option<Listener>,
    /// Where its tokens come from, if it needs any.
    authority: Option<Authority>,
    /// Sessions so far.
    sessions: u32,
    /// Whether this user had a session before; the next one replaces it.
    had_session: bool,
    /// Operations since it began anew, where the load wants that.
    operations: u32,
    requests: u64,
}

impl Client {
    /// A client that has done nothing yet; `None` if its transport cannot carry load.
    pub(crate) fn new(
        shared: &Rc<Shared>,
        workload: u32,
        number: u32,
        traits: Traits,
    ) -> Option<Self> {
        let ways = shared.ways.get(workload as usize)?;
        let transport = ways.transport();
        let headers = self::workload(&shared.table, workload)?.headers_of(number);
        Some(Self {
            link: ways.open(number, transport, headers)?,
            shared: Rc::clone(shared),
            workload,
            number,
            traits,
            protocol: traits.dialect.first(),
            wanted: traits.dialect.first(),
            token: None,
            is_settled: !traits.is_auto(),
            transport,
            session: None,
            listener: None,
            authority: proof::authority(shared, workload, number),
            sessions: 0,
            had_session: false,
            operations: 0,
            requests: 0,
        })
    }

    /// Its number within its workload.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// The version that it speaks.
    pub(crate) fn protocol(&self) -> ProtocolVersion {
        self.protocol
    }

    /// Carries out an operation to its end.
    pub(crate) async fn carry_out(&mut self, mut job: Job) {
        self.work(&mut job).await;
        if let Some(how) = self.traits.vanishes {
            self.vanish(how);
        }
        if let Some(ended) = job.ended {
            // Nobody may be listening any more.
            let _ = ended.send(());
        }
    }

    async fn work(&mut self, job: &mut Job) {
        let table = Arc::clone(&self.shared.table);
        let first = Place::first_of(job);
        let Some(workload) = workload(&table, self.workload) else {
            return self.unsent(first);
        };
        let Some(operation) = workload.operations.get(job.operation as usize) else {
            return self.unsent(first);
        };
        let too_late = match job.ended {
            None => job.due.saturating_add(nanos(operation.timeout)),
            // A user of a closed model acts when there is time, however late that is.
            Some(_) => i64::MAX,
        };
        if self.is_over(too_late) || !self.has_session().await || self.is_over(too_late) {
            return self.unsent(first);
        }
        let uid = Uid {
            seed: table.plan.seed,
            workload: self.workload,
            arrival: job.arrival,
        };
        // What earlier steps kept of their answers.
        let mut kept = BTreeMap::new();
        let leaving = self.leaving(operation, job.arrival);
        let steps = operation.steps.len();
        for (number, step) in (0_u32..).zip(&operation.steps) {
            if let Some(think) = step.think {
                self.pause(think).await;
            }
            let place = if number == 0 {
                first
            } else {
                first.later(number, 0)
            };
            if self.shared.give_up.is_cancelled() {
                return self.unsent(place);
            }
            let context = Context {
                counter: job.arrival,
                client: self.number,
                session: self.who().session.unwrap_or(0),
                uid,
                data: workload.data.rows(job.arrival, self.number),
                kept: &kept,
            };
            let Ok(filled) = step.fill(self.protocol.era(), &context, &mut job.generator) else {
                return self.unsent(place);
            };
            let turn = attempts::Turn {
                step,
                filled,
                timeout: operation.timeout,
                is_last: number as usize + 1 == steps,
                // The first step is the one that is left.
                leaving: leaving.filter(|_| number == 0),
            };
            let Some(facts) = self.take_turn(place, turn).await else {
                return;
            };
            kept.extend(step.kept(facts.result.as_deref()).unwrap_or_default());
        }
        if steps == 0 {
            self.unsent(first);
        }
    }

    /// Whether, and how, this operation's first call is left under way.
    fn leaving(&self, operation: &Operation, arrival: u64) -> Option<Leaving> {
        let plan = self
            .shared
            .table
            .plan
            .workloads
            .get(self.workload as usize)?;
        if let Some(vanish) = plan.vanish.filter(|_| self.traits.vanishes.is_some()) {
            return Some(Leaving::Vanishing(vanish.after));
        }
        let cancel = operation.cancel?;
        let seed = self.shared.table.plan.seed;
        draw::cancels(seed, self.workload, arrival, cancel.share)
            .then_some(Leaving::Cancelling(cancel.after))
    }

    /// Leaves the connection and the session behind, without a word to the server; who comes next is another user.
    fn vanish(&mut self, how: VanishHow) {
        self.listener = None;
        self.link.vanish(how);
        self.abandon_session();
    }

    fn next_id(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    /// Drops a session that is established by half, and its connection: the next operation begins anew.
    pub(crate) fn forget_session(&mut self) {
        self.listener = None;
        self.session = None;
        self.link.close();
    }

    /// Ends an operation of which nothing (more) is sent.
    fn unsent(&self, place: Place) {
        let mut call = place.blank(self.who(), clock::now());
        call.ends = Some(place.ended(Outcome::Fail));
        if let Some(tap) = &self.shared.tap {
            tap.unsent(
                "the client has no session, its time was over, or the tool's definition forbids it",
            );
            tap.end(Outcome::Fail);
        }
        self.shared.recorder.borrow_mut().attempt(call);
    }

    async fn pause(&self, length: Duration) {
        tokio::select! {
            biased;
            () = self.shared.give_up.cancelled() => {}
            () = tokio::time::sleep(length) => {}
        }
    }

    fn is_over(&self, too_late: i64) -> bool {
        self.shared.give_up.is_cancelled() || clock::now() > too_late
    }

    fn is_legacy(&self) -> bool {
        self.protocol.era() == Era::Legacy
    }

    fn who(&self) -> Who {
        Who {
            workload: self.workload,
            client: self.number,
            session: self.session.as_ref().map(|session| session.number),
            protocol: self.protocol,
        }
    }
}

/// Writes down that a job was never sent, for a client that is busy with another.
pub(crate) fn never_sent(
    shared: &Shared,
    workload: u32,
    client: u32,
    protocol: ProtocolVersion,
    job: &Job,
) {
    let who = Who {
        workload,
        client,
        session: None,
        protocol,
    };
    let mut call = Place::first_of(job).blank(who, clock::now());
    call.ends = Some(Outcome::Fail);
    shared.recorder.borrow_mut().attempt(call);
}

fn workload(table: &Table, number: u32) -> Option<&Workload> {
    table.workloads.get(number as usize)
}
