//! [`Listener`]: the stream of the server's messages that a client keeps open beside its calls.
//!
//! Impure: a task of its own, on a connection of its own; it ends when it is dropped. Legacy: GET, resumed with `Last-Event-ID` where
//! it ended. Modern: `subscriptions/listen`, opened anew where it ended without its response. Requests of the server that
//! come on it are answered. Invariant: each opening is a Call, each end before its time a row of `sessions.csv.zst`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tokio::sync::oneshot;

use super::{Client, Seen, Shared};
use crate::clock;
use crate::load::place::{Place, Who};
use crate::load::recording::{Asked, Attempt, Move};
use crate::mcp::exchange::sequence::Numbers;
use crate::mcp::exchange::{Awaited, Exchange, Facts, Item};
use crate::mcp::message::{self, Params, RequestKind};
use crate::mcp::{Link, Outgoing, Verb, header};
use crate::model::Class;
use crate::model::protocol::Era;
use crate::model::session::Transition;

/// The pause before a stream is opened again whose server asks for none; it doubles while opening fails.
const PAUSE: Duration = Duration::from_secs(1);
/// The shortest pause that a server can ask for.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Requests on a client's own stream have ids from here on, apart from those of its calls.
const FIRST_ID: u64 = 1 << 40;

/// A stream that is kept open.
pub(super) struct Listener {
    task: tokio::task::JoinHandle<()>,
    /// Told, or dropped, when the first opening has come to something.
    opened: Option<oneshot::Receiver<()>>,
    /// Why nobody tries to open it any more, until somebody has asked.
    refusal: Rc<Cell<Option<Refusal>>>,
}

/// The answer to the last opening.
type Refusal = (Class, Option<i64>);

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    /// Waits until the stream is open, or cannot be opened.
    pub(super) async fn opened(&mut self) {
        if let Some(opened) = self.opened.take() {
            // Dropped: the stream is over, which is an answer too.
            let _ = opened.await;
        }
    }

    /// Whether the server refuses it for good, and nobody has asked why.
    pub(super) fn is_refused(&self) -> bool {
        self.refusal.get().is_some()
    }

    /// The answer of a server that refuses it for good; once.
    pub(super) fn take_refusal(&mut self) -> Option<Refusal> {
        self.refusal.take()
    }
}

impl Client {
    /// Opens the stream of a client that keeps one, if it is not open.
    pub(super) fn listen(&mut self) {
        // One that is over was refused for good: nobody asks again within a session.
        let is_open = self.listener.is_some();
        // A legacy server without sessions has nobody to send to.
        let has_use = !self.is_legacy()
            || (self.session.as_ref()).is_some_and(|session| session.id.is_some());
        if !self.traits.listens || is_open || !has_use {
            return;
        }
        let Some(link) = self.link.beside() else {
            return;
        };
        let stream = Stream {
            shared: Rc::clone(&self.shared),
            who: self.who(),
            headers: {
                let mut headers = self.headers();
                if let Some(token) = &self.token {
                    headers.insert(AUTHORIZATION, token.clone());
                }
                headers
            },
            meta: self.meta().to_owned(),
            timeout: self.upkeep_timeout(),
            requests: FIRST_ID + (u64::from(self.sessions) << 20),
            numbers: Numbers::default(),
            refusal: Rc::default(),
            link,
        };
        let refusal = Rc::clone(&stream.refusal);
        let (tell, opened) = oneshot::channel();
        self.listener = Some(Listener {
            task: tokio::task::spawn_local(stream.keep_open(tell)),
            opened: Some(opened),
            refusal,
        });
    }
}

/// A stream and what it takes to open it.
struct Stream {
    shared: Rc<Shared>,
    who: Who,
    headers: HeaderMap,
    meta: String,
    timeout: Duration,
    requests: u64,
    /// The numbers of the notifications so far.
    numbers: Numbers,
    refusal: Rc<Cell<Option<Refusal>>>,
    link: Box<dyn Link>,
}

impl Stream {
    async fn keep_open(mut self, tell: oneshot::Sender<()>) {
        let mut tell = Some(tell);
        let mut pause = PAUSE;
        let mut last_event: Option<String> = None;
        while !self.shared.give_up.is_cancelled() {
            let (mut exchange, class) = self.open(last_event.as_deref()).await;
            if let Some(tell) = tell.take() {
                // Nobody may wait for it.
                let _ = tell.send(());
            }
            match class {
                Class::None => {
                    let opened = if last_event.is_some() {
                        Transition::Resumed
                    } else {
                        Transition::StreamOpened
                    };
                    self.moved(opened, exchange.facts(), String::new());
                    pause = PAUSE;
                }
                _ if matches!(exchange.facts().status, Some(429 | 500..=599)) => {
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                // The server offers no stream, or no longer knows the session; the next call finds that out too, and whoever
                // looks after a client without calls asks.
                Class::Http | Class::SessionLost | Class::JsonRpc | Class::Malformed => {
                    let code = exchange.verdict().and_then(|it| it.code);
                    self.refusal.set(Some((class, code)));
                    return;
                }
                _ => pause = (pause * 2).min(LONGEST_PAUSE),
            }
            if class == Class::None {
                self.attend(&mut exchange).await;
                self.numbers = exchange.take_numbers();
                let ended = exchange.verdict().map_or(Class::Truncated, |it| it.class);
                let facts = exchange.facts();
                // One that the server has ended in good order was not cut; its client opens another all the same.
                if ended != Class::None {
                    self.moved(Transition::StreamCut, facts, ended.to_string());
                }
                let resumes = self.policy_resumes() && self.who.protocol.era() == Era::Legacy;
                last_event = (facts.last_event_id.clone().or(last_event)).filter(|_| resumes);
                if let Some(asked) = facts.retry_ms {
                    pause = Duration::from_millis(asked).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
                }
            }
            self.link.close();
            tokio::time::sleep(pause).await;
        }
    }

    /// Follows the stream to its end, and writes down what is missed on it or comes twice.
    async fn attend(&mut self, exchange: &mut Exchange) {
        loop {
            exchange.follow();
            self.link.follow(exchange).await;
            if !exchange.has_noticed() {
                return;
            }
            self.moved(Transition::Uneven, exchange.facts(), String::new());
        }
    }

    /// Opens the stream; the Call is written down.
    async fn open(&mut self, last_event: Option<&str>) -> (Exchange, Class) {
        let place = Place::upkeep();
        let (asked, outgoing, awaited) = self.request(last_event);
        let bytes_out = u64::try_from(outgoing.body.len()).unwrap_or(u64::MAX);
        let in_session = outgoing.headers.contains_key(header::SESSION_ID);
        let served_by = self.shared.table.served_by.clone();
        let mut exchange = Exchange::new(awaited, self.who.protocol.era(), in_session, served_by)
            .replying_with(&self.headers)
            .capable(self.shared.capabilities)
            .numbered(std::mem::take(&mut self.numbers))
            .transcribed(self.shared.tap.is_some());
        let seen = self.shared.tap.is_some().then(|| outgoing.clone());
        let link = &mut self.link;
        let _ = tokio::time::timeout(self.timeout, link.exchange(outgoing, &mut exchange)).await;
        let at = clock::now();
        let _ = exchange.take(&Item::TimedOut { at });
        let verdict = exchange.verdict();
        let (class, code) = verdict.map_or((Class::Transport, None), |it| (it.class, it.code));
        let facts = exchange.facts();
        // A server may offer no such stream; saying so is a right answer.
        let offers_none = (class, code) == (Class::Http, Some(405));
        let instance = self.shared.recorder.borrow_mut().instance(&facts.instance);
        let call = Attempt {
            asked,
            sent: facts.sent,
            first_byte: facts.first_byte,
            first_event: facts.first_event,
            connect_ns: facts.connect_ns,
            tls_ns: facts.tls_ns,
            class: if offers_none { Class::None } else { class },
            code: code.filter(|_| !offers_none),
            instance,
            bytes_in: facts.bytes_in,
            bytes_out,
            ..place.blank(self.who, verdict.map_or(at, |it| it.done))
        };
        if let (Some(tap), Some(outgoing)) = (&self.shared.tap, seen) {
            let transcript = exchange.take_transcript();
            tap.see(&Seen {
                outgoing: &outgoing,
                transcript: transcript.as_deref(),
                facts: exchange.facts(),
                call: &call,
            });
        }
        self.shared.recorder.borrow_mut().attempt(call);
        (exchange, class)
    }

    fn request(&mut self, last_event: Option<&str>) -> (Asked, Outgoing, Awaited) {
        let mut headers = self.headers.clone();
        if self.who.protocol.era() == Era::Legacy {
            headers.insert(
                http::header::ACCEPT,
                HeaderValue::from_static("text/event-stream"),
            );
            if let Some(id) = last_event.and_then(|id| HeaderValue::from_str(id).ok()) {
                headers.insert(header::LAST_EVENT_ID, id);
            }
            let outgoing = Outgoing {
                verb: Verb::Get,
                headers,
                body: Bytes::new(),
            };
            return (Asked::Stream, outgoing, Awaited::Stream { id: None });
        }
        self.requests += 1;
        let kind = RequestKind::Listen;
        headers.insert(header::METHOD, HeaderValue::from_static(kind.name()));
        let params = Params {
            meta: &self.meta,
            members: &self.filter(),
            ..Params::default()
        };
        let body = message::request(self.requests, kind.name(), &params);
        let outgoing = Outgoing {
            verb: Verb::Post,
            headers,
            body: Bytes::from(body),
        };
        let awaited = Awaited::Stream {
            id: Some(self.requests),
        };
        (Asked::Listen, outgoing, awaited)
    }

    /// What a modern client wants to be told: changes of the lists, and of every resource that its operations subscribe to.
    fn filter(&self) -> String {
        let plans = &self.shared.table.plan.workloads;
        let operations = plans
            .get(self.who.workload as usize)
            .into_iter()
            .flat_map(|plan| &plan.operations);
        let subscribed = operations
            .flat_map(|operation| &operation.steps)
            .filter(|step| step.method == crate::plan::Method::ResourcesSubscribe)
            .map(|step| serde_json::Value::from(step.target.as_str()));
        let subscribed: serde_json::Value = subscribed.collect();
        format!(
            r#""notifications":{{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":{subscribed}}}"#
        )
    }

    fn policy_resumes(&self) -> bool {
        let plans = &self.shared.table.plan.workloads;
        plans
            .get(self.who.workload as usize)
            .is_some_and(|plan| plan.recovery.resumes > 0)
    }

    fn moved(&self, transition: Transition, facts: &Facts, cause: String) {
        let mut recorder = self.shared.recorder.borrow_mut();
        let instance = recorder.instance(&facts.instance);
        recorder.transition(Move {
            at: clock::now(),
            workload: self.who.workload,
            client: self.who.client,
            session: self.who.session.unwrap_or(0),
            protocol: self.who.protocol,
            transition,
            instance,
            cause,
            missed: facts.missed,
            doubled: facts.doubled,
        });
    }
}
