//! [`Client`]: one simulated user of the fleet, with its connection and its session.
//!
//! Impure. It carries out one operation after the other: for each step the pause, the Call, and what the recovery policy says about
//! a lost session. Invariants: every request is written down as a Call of its own; a Call that does not end ok ends its
//! operation, unless the policy sends it again; exactly one Call of an operation says how it ended. Next: [`session`] keeps the
//! session; `load::crew` decides which client acts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::draw::Traits;
use super::recording::{Asked, Attempt, Recorder};
use super::table::{Filled, Table, Workload, nanos};
use super::template::Context;
use crate::clock;
use crate::mcp::endpoint::Endpoint;
use crate::mcp::exchange::{Awaited, Exchange, Facts, Item};
use crate::mcp::http::HttpLink;
use crate::mcp::{Link, Outgoing, Verb, header, message};
use crate::model::outcome::Outcome;
use crate::model::protocol::Era;
use crate::model::{Class, ProtocolVersion};

mod session;

use session::Session;

/// What all clients of a worker share.
pub(crate) struct Shared {
    /// The plan.
    pub(crate) table: Arc<Table>,
    /// What is written down.
    pub(crate) recorder: RefCell<Recorder>,
    /// Where clients go.
    pub(crate) endpoints: Vec<Rc<Endpoint>>,
    /// Where they connect from.
    pub(crate) source: Option<IpAddr>,
    /// Everything under way is given up: what was not sent ends as unsent, what was sent as timed out.
    pub(crate) give_up: CancellationToken,
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

/// Where a Call belongs.
#[derive(Clone, Copy, Debug)]
struct Place {
    operation: Option<u32>,
    arrival: Option<u64>,
    phase: Option<u32>,
    operation_due: i64,
    due: i64,
    taken: Option<i64>,
    step: u32,
    attempt: u32,
}

impl Place {
    /// How the operation ends whose last Call, here, ended with `outcome`: after earlier steps that were answered it cannot
    /// be said that it had no effect.
    fn ended(&self, outcome: Outcome) -> Outcome {
        if self.step > 0 && outcome == Outcome::Fail {
            Outcome::Info
        } else {
            outcome
        }
    }

    /// The first Call of an operation.
    fn first_of(job: &Job) -> Self {
        Self {
            operation: Some(job.operation),
            arrival: Some(job.arrival),
            phase: job.phase,
            operation_due: job.due,
            due: job.due,
            taken: Some(job.taken),
            step: 0,
            attempt: 0,
        }
    }

    /// Session upkeep outside any operation, decided now.
    fn upkeep() -> Self {
        let now = clock::now();
        Self {
            operation: None,
            arrival: None,
            phase: None,
            operation_due: now,
            due: now,
            taken: None,
            step: 0,
            attempt: 0,
        }
    }

    /// A later Call of the same operation, decided now.
    fn later(self, step: u32, attempt: u32) -> Self {
        Self {
            due: clock::now(),
            taken: None,
            step,
            attempt,
            ..self
        }
    }
}

/// A request that is ready to go.
struct Ready {
    asked: Asked,
    outgoing: Outgoing,
    awaited: Awaited,
    timeout: Duration,
    /// The session whose header it carries.
    session: Option<u32>,
}

/// One simulated user.
pub(crate) struct Client {
    shared: Rc<Shared>,
    workload: u32,
    number: u32,
    protocol: ProtocolVersion,
    cold: bool,
    link: Box<dyn Link>,
    session: Option<Session>,
    /// Sessions so far.
    sessions: u32,
    requests: u64,
}

impl Client {
    /// A client that has done nothing yet. Client c goes to endpoint c mod their number.
    pub(crate) fn new(
        shared: &Rc<Shared>,
        workload: u32,
        number: u32,
        traits: Traits,
    ) -> Option<Self> {
        let place = (number as usize).checked_rem(shared.endpoints.len())?;
        let endpoint = Rc::clone(shared.endpoints.get(place)?);
        Some(Self {
            shared: Rc::clone(shared),
            workload,
            number,
            protocol: traits.dialect.first(),
            cold: traits.cold,
            link: Box::new(HttpLink::new(endpoint, shared.source)),
            session: None,
            sessions: 0,
            requests: 0,
        })
    }

    /// The version that it speaks.
    pub(crate) fn protocol(&self) -> ProtocolVersion {
        self.protocol
    }

    /// Carries out an operation to its end.
    pub(crate) async fn carry_out(&mut self, mut job: Job) {
        self.work(&mut job).await;
        if let Some(ended) = job.ended {
            // Nobody may be listening any more.
            let _ = ended.send(());
        }
    }

    async fn work(&mut self, job: &mut Job) {
        let table = Arc::clone(&self.shared.table);
        let first = Place::first_of(job);
        let Some(operation) = workload(&table, self.workload)
            .and_then(|workload| workload.operations.get(job.operation as usize))
        else {
            return self.unsent(first);
        };
        let too_late = job.due.saturating_add(nanos(operation.timeout));
        if self.is_over(too_late) || !self.has_session().await || self.is_over(too_late) {
            return self.unsent(first);
        }
        let uid = format!("{:x}-{}-{}", table.plan.seed.0, self.workload, job.arrival);
        let rows = workload(&table, self.workload)
            .map(|workload| workload.data.rows(job.arrival, self.number));
        let kept = BTreeMap::new();
        let context = Context {
            counter: job.arrival,
            client: self.number,
            session: self.session_number().unwrap_or(0),
            uid: &uid,
            data: rows.unwrap_or_default(),
            kept: &kept,
        };
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
            let Ok(filled) = step.fill(self.protocol.era(), &context, &mut job.generator) else {
                return self.unsent(place);
            };
            let is_last = number as usize + 1 == steps;
            let mirrored = step.mirrored.as_ref();
            if !self
                .step(place, &filled, mirrored, operation.timeout, is_last)
                .await
            {
                return;
            }
        }
        if steps == 0 {
            self.unsent(first);
        }
    }

    /// Carries out one step with the attempts that the policy allows; whether it ended ok.
    async fn step(
        &mut self,
        first: Place,
        filled: &Filled,
        mirrored: Option<&http::HeaderValue>,
        timeout: Duration,
        is_last: bool,
    ) -> bool {
        let table = Arc::clone(&self.shared.table);
        let Some(plan) = table.plan.workloads.get(self.workload as usize) else {
            return false;
        };
        let mut place = first;
        loop {
            let ready = self.ready(filled, mirrored, timeout);
            let (mut call, _) = self.send(place, ready).await;
            if call.class == Class::None {
                call.ends = is_last.then_some(Outcome::Ok);
                self.record(call).await;
                return true;
            }
            let lost = self.finds_lost(&call);
            if !(lost && plan.recovery.reinitialise && place.attempt < plan.recovery.retries) {
                call.ends = Some(place.ended(call.outcome()));
                self.record(call).await;
                if lost && plan.recovery.reinitialise {
                    // In the client's own time: the operation is over.
                    self.establish(None).await;
                }
                return false;
            }
            self.record(call).await;
            if !self.establish(Some(place)).await {
                return false;
            }
            place = place.later(place.step, place.attempt + 1);
        }
    }

    /// The request of a step, with its headers.
    fn ready(
        &mut self,
        filled: &Filled,
        mirrored: Option<&http::HeaderValue>,
        timeout: Duration,
    ) -> Ready {
        let id = self.next_id();
        let mut headers = self.headers();
        if self.protocol.era() == Era::Modern {
            let method = http::HeaderValue::from_static(filled.kind.name());
            headers.insert(header::METHOD, method);
            if let Some(name) = mirrored {
                headers.insert(header::NAME, name.clone());
            }
        }
        Ready {
            asked: Asked::Step,
            outgoing: Outgoing {
                verb: Verb::Post,
                headers,
                body: Bytes::from(message::request(id, filled.kind.name(), &filled.params)),
            },
            awaited: Awaited::Response {
                id,
                kind: filled.kind,
                expected: filled.expected.clone(),
            },
            timeout,
            session: self.session_number(),
        }
    }

    fn next_id(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    /// The headers of every request after the handshake.
    fn headers(&self) -> HeaderMap {
        let mut headers = workload(&self.shared.table, self.workload)
            .map(|workload| workload.headers.clone())
            .unwrap_or_default();
        if self.protocol >= ProtocolVersion::V2025_06_18 {
            let version = http::HeaderValue::from_static(self.protocol.name());
            headers.insert(header::PROTOCOL_VERSION, version);
        }
        if let Some(id) = self
            .session
            .as_ref()
            .and_then(|session| session.id.as_ref())
        {
            headers.insert(header::SESSION_ID, id.clone());
        }
        headers
    }

    /// Sends a request and waits for what comes of it, or for the end of its time.
    async fn send(&mut self, place: Place, ready: Ready) -> (Attempt, Facts) {
        let Ready {
            asked,
            outgoing,
            awaited,
            timeout,
            session,
        } = ready;
        if self.cold {
            self.link.close();
        }
        let in_session = outgoing.headers.contains_key(header::SESSION_ID);
        let bytes_out = u64::try_from(outgoing.body.len()).unwrap_or(u64::MAX);
        let served_by = self.shared.table.served_by.clone();
        let mut exchange = Exchange::new(awaited, self.protocol.era(), in_session, served_by)
            .replying_with(&outgoing.headers);
        let given_up = tokio::select! {
            biased;
            () = self.shared.give_up.cancelled() => true,
            _ = tokio::time::timeout(timeout, self.link.exchange(outgoing, &mut exchange)) => false,
        };
        let at = clock::now();
        if exchange.verdict().is_none() {
            // What the link left open: the time was over, or everything is given up.
            let _ = exchange.take(&Item::TimedOut { at });
            self.link.close();
        }
        let (class, code, done) = exchange
            .verdict()
            .map_or((Class::Transport, None, at), |verdict| {
                (verdict.class, verdict.code, verdict.done)
            });
        let facts = exchange.facts().clone();
        let class = if given_up && facts.sent.is_none() {
            Class::Unsent
        } else {
            class
        };
        let instance = self.shared.recorder.borrow_mut().instance(&facts.instance);
        let call = Attempt {
            sent: facts.sent,
            first_byte: facts.first_byte,
            first_event: facts.first_event,
            connect_ns: facts.connect_ns,
            session,
            asked,
            class,
            code,
            instance,
            bytes_in: facts.bytes_in,
            bytes_out,
            ..self.blank(place, done)
        };
        (call, facts)
    }

    /// Writes a Call down, then makes the connection fit for the next one.
    async fn record(&mut self, call: Attempt) {
        self.shared.recorder.borrow_mut().attempt(call);
        if self.cold {
            self.link.close();
        } else {
            self.link.settle().await;
        }
    }

    /// A Call of which nothing happened.
    fn blank(&self, place: Place, done: i64) -> Attempt {
        Attempt {
            done,
            operation_due: place.operation_due,
            due: place.due,
            taken: place.taken,
            sent: None,
            first_byte: None,
            first_event: None,
            connect_ns: None,
            workload: self.workload,
            operation: place.operation,
            arrival: place.arrival,
            step: place.step,
            attempt: place.attempt,
            client: self.number,
            session: self.session_number(),
            protocol: self.protocol,
            asked: Asked::Step,
            phase: place.phase,
            class: Class::Unsent,
            code: None,
            instance: None,
            bytes_in: 0,
            bytes_out: 0,
            ends: None,
        }
    }

    /// Drops a session that is established by half, and its connection: the next operation begins anew.
    pub(crate) fn forget_session(&mut self) {
        self.session = None;
        self.link.close();
    }

    /// Ends an operation of which nothing (more) is sent.
    fn unsent(&self, place: Place) {
        let mut call = self.blank(place, clock::now());
        call.ends = Some(place.ended(Outcome::Fail));
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

    fn session_number(&self) -> Option<u32> {
        self.session.as_ref().map(|session| session.number)
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
    let call = Attempt {
        done: clock::now(),
        operation_due: job.due,
        due: job.due,
        taken: Some(job.taken),
        sent: None,
        first_byte: None,
        first_event: None,
        connect_ns: None,
        workload,
        operation: Some(job.operation),
        arrival: Some(job.arrival),
        step: 0,
        attempt: 0,
        client,
        session: None,
        protocol,
        asked: Asked::Step,
        phase: job.phase,
        class: Class::Unsent,
        code: None,
        instance: None,
        bytes_in: 0,
        bytes_out: 0,
        ends: Some(Outcome::Fail),
    };
    shared.recorder.borrow_mut().attempt(call);
}

fn workload(table: &Table, number: u32) -> Option<&Workload> {
    table.workloads.get(number as usize)
}
