//! How a client gets a session, notices that it is lost, and ends it (legacy era; the modern era has none).
//!
//! Impure, as its parent. Invariant: every change of a session is a row of `sessions.csv.zst`, and a session is lost at most once.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::Client;
use super::sending::{Answered, Ready};
use crate::clock;
use crate::load::place::Place;
use crate::load::recording::{Asked, Attempt, Move};
use crate::mcp::exchange::{Awaited, Facts};
use crate::mcp::message::{self, Params, RequestKind};
use crate::mcp::{Verb, header};
use crate::model::Class;
use crate::model::outcome::Outcome;
use crate::model::protocol::Era;
use crate::model::session::Transition;
use crate::plan::Transport;

/// How long the end of a session may take.
pub(super) const GOODBYE: Duration = Duration::from_secs(5);

/// An established session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Its number, from 1.
    pub(super) number: u32,
    /// Its id; a server that keeps no sessions gives none.
    pub(super) id: Option<HeaderValue>,
    /// Whether the server no longer knows it.
    lost: bool,
}

impl Client {
    /// Whether the client can send: it has a session, needs none, or could get one now.
    pub(super) async fn has_session(&mut self) -> bool {
        let can_send = self.is_settled && (!self.is_legacy() || self.session.is_some());
        if can_send {
            self.listen();
            return true;
        }
        // Apart, as everything that is rare: what an operation may come to would be carried by every operation.
        Box::pin(self.get_session()).await
    }

    async fn get_session(&mut self) -> bool {
        if self.settle_version().await.is_err() {
            return false;
        }
        if self.is_legacy() && self.session.is_none() && !self.establish(None).await {
            return false;
        }
        self.listen();
        true
    }

    /// Sets the client up before the run: a legacy client gets its session. The error says why there is none.
    pub(crate) async fn set_up(&mut self) -> Result<bool, String> {
        self.settle_version().await?;
        if self.is_legacy() && self.session.is_none() {
            self.try_establish(None).await?;
        }
        self.listen();
        if let Some(listener) = &mut self.listener {
            // Ready is who hears what the server says from the first call on.
            listener.opened().await;
        }
        Ok(self.is_legacy())
    }

    /// Establishes a session, in place of the one that there is; whether that worked. Within an operation its Calls belong to
    /// that operation, and the last of them ends it if it fails.
    pub(super) async fn establish(&mut self, within: Option<Place>) -> bool {
        let established = self.try_establish(within).await.is_ok();
        if established {
            self.listen();
        }
        established
    }

    async fn try_establish(&mut self, within: Option<Place>) -> Result<(), String> {
        self.listener = None;
        let replaces = self.session.take().is_some();
        if replaces {
            self.protocol = self.wanted;
        }
        if matches!(self.transport, Transport::Sse | Transport::Websocket) {
            // There the stream is the session: a new one needs a new stream.
            self.link.close();
        }
        let number = self.sessions + 1;
        let Answered {
            mut call,
            mut facts,
            ..
        } = self.initialize(within).await;
        if let Some(link) = self.fall_back_to_sse(&call, &facts) {
            self.record(call).await;
            Answered { call, facts, .. } = self.initialize(within).await;
            if call.class != Class::None {
                self.forget_sse(link);
            }
        }
        match facts.version {
            // What the server offers holds for this session; the next one asks for the client's own version again.
            Some(version) if version.era() == Era::Legacy => {
                self.wanted = self.protocol;
                self.protocol = version;
            }
            // A version that it was not asked for and that cannot be spoken with a session.
            Some(_) => call.class = Class::Malformed,
            None => {}
        }
        if call.class != Class::None {
            let cause = if facts.offers_unknown_version {
                "offers a version that mcpload does not speak".to_owned()
            } else {
                cause_of(&call)
            };
            let cause = self.not_established(call, number, within, cause).await;
            return Err(told(cause, &facts));
        }
        let instance = call.instance.clone();
        self.record(call).await;
        self.session = Some(Session {
            number,
            id: facts.session,
            lost: false,
        });
        let ready = Ready::post(
            Asked::Initialized,
            self.headers(),
            message::INITIALIZED.to_owned(),
            Awaited::Status,
            self.upkeep_timeout(),
        );
        let Answered { call, .. } = self.send(place_of(within), ready).await;
        if call.class != Class::None {
            self.session = None;
            let cause = cause_of(&call);
            return Err(self.not_established(call, number, within, cause).await);
        }
        self.record(call).await;
        self.sessions = number;
        let transition = if replaces || self.had_session {
            Transition::ReEstablished
        } else {
            Transition::Born
        };
        self.had_session = true;
        self.moved(Move {
            instance,
            ..self.blank_move(number, transition)
        });
        Ok(())
    }

    /// Asks for a session.
    async fn initialize(&mut self, within: Option<Place>) -> Answered {
        let id = self.next_id();
        let kind = RequestKind::Initialize;
        let members = message::initialize_params(self.protocol, self.shared.capabilities);
        let params = Params {
            members: &members,
            ..Params::default()
        };
        let mut headers = self.headers();
        headers.remove(header::PROTOCOL_VERSION);
        let ready = Ready::post(
            Asked::Initialize,
            headers,
            message::request(id, kind.name(), &params),
            Awaited::Response {
                id,
                kind,
                expected: Vec::new(),
            },
            self.upkeep_timeout(),
        );
        self.send(place_of(within), ready).await
    }

    /// Writes down that no session could be established, and returns the cause.
    async fn not_established(
        &mut self,
        mut call: Attempt,
        number: u32,
        within: Option<Place>,
        cause: String,
    ) -> String {
        let instance = call.instance.clone();
        // The call was refused, and is not sent again: what had an effect are only the steps before it.
        call.ends = within.map(|place| place.ended(Outcome::Fail));
        self.moved(Move {
            at: call.done,
            instance,
            cause: cause.clone(),
            ..self.blank_move(number, Transition::Failed)
        });
        self.record(call).await;
        cause
    }

    /// Whether this Call found that the session is lost, as the policy understands it; writes it down the first time.
    pub(super) fn finds_lost(&mut self, call: &Attempt) -> bool {
        let table = Arc::clone(&self.shared.table);
        let says_so = |code: i64| {
            table
                .plan
                .workloads
                .get(self.workload as usize)
                .is_some_and(|plan| {
                    plan.recovery
                        .lost_statuses
                        .iter()
                        .any(|status| i64::from(*status) == code)
                })
        };
        let in_question = matches!(call.class, Class::SessionLost | Class::Http);
        let over_sse = self.transport == Transport::Sse;
        let Some(session) = self.session.as_mut() else {
            return false;
        };
        let is_lost = match call.code {
            Some(code) => in_question && (session.id.is_some() || over_sse) && says_so(code),
            // The stream that carried it has ended.
            None => call.class == Class::SessionLost,
        };
        if !is_lost {
            return false;
        }
        let is_news = !std::mem::replace(&mut session.lost, true);
        let number = session.number;
        if is_news {
            self.moved(Move {
                at: call.done,
                instance: call.instance.clone(),
                cause: cause_of(call),
                ..self.blank_move(number, Transition::Lost)
            });
        }
        true
    }

    /// Ends the session with DELETE, if there is one that the server knows.
    pub(crate) async fn say_goodbye(&mut self) {
        let Some(session) = self.session.clone() else {
            return;
        };
        let plan = self.shared.table.plan.workloads.get(self.workload as usize);
        let wanted = plan.is_some_and(|plan| plan.goodbye);
        self.listener = None;
        if !wanted || session.lost || session.id.is_none() {
            self.link.close();
            return;
        }
        let ready = Ready::bare(
            Asked::Delete,
            Verb::Delete,
            self.headers(),
            Awaited::Status,
            GOODBYE,
        );
        let Answered { mut call, .. } = self.send(Place::upkeep(), ready).await;
        let ended = call.class == Class::None;
        if (call.class, call.code) == (Class::Http, Some(405)) {
            // A server may not let its clients end sessions; saying so is a right answer.
            (call.class, call.code) = (Class::None, None);
        }
        let change = Move {
            at: call.done,
            instance: call.instance.clone(),
            ..self.blank_move(session.number, Transition::Closed)
        };
        let lost = self.finds_lost(&call);
        self.record(call).await;
        if ended && !lost {
            self.moved(change);
        }
        self.session = None;
        self.link.close();
    }

    /// Leaves the session without a word; the next one is another user's.
    pub(super) fn abandon_session(&mut self) {
        self.had_session = false;
        if let Some(session) = self.session.take() {
            self.moved(self.blank_move(session.number, Transition::Abandoned));
        }
    }

    pub(super) fn blank_move(&self, session: u32, transition: Transition) -> Move {
        Move {
            at: clock::now(),
            workload: self.workload,
            client: self.number,
            session,
            protocol: self.protocol,
            transition,
            instance: None,
            cause: String::new(),
            missed: 0,
            doubled: 0,
        }
    }

    pub(super) fn moved(&self, change: Move) {
        self.shared.recorder.borrow_mut().transition(change);
    }
}

/// A cause, with what is known of the connection.
pub(super) fn told(cause: String, facts: &Facts) -> String {
    match &facts.failure {
        Some(failure) => format!("{cause}: {failure}"),
        None => cause,
    }
}

/// The place of a Call that keeps a session: in the operation that needs it, or outside any.
fn place_of(within: Option<Place>) -> Place {
    match within {
        Some(place) => place.later(place.step, place.attempt),
        None => Place::upkeep(),
    }
}

/// How the failure of a Call is named in `sessions.csv.zst`.
pub(super) fn cause_of(call: &Attempt) -> String {
    match (call.class, call.code) {
        (Class::Http | Class::SessionLost, Some(code)) => format!("http {code}"),
        (class, Some(code)) => format!("{class} {code}"),
        (class, None) => class.to_string(),
    }
}
