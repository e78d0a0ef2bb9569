//! How a client gets a session, notices that it is lost, and ends it (legacy era; the modern era has none).
//!
//! Impure, as its parent. Invariant: every change of a session is a row of `sessions.csv.zst`, and a session is lost at most once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;

use super::{Client, Place, Ready, workload};
use crate::clock;
use crate::load::recording::{Asked, Attempt, Move};
use crate::mcp::capabilities::Capabilities;
use crate::mcp::exchange::Awaited;
use crate::mcp::message::{self, RequestKind};
use crate::mcp::{Outgoing, Verb, header};
use crate::model::Class;
use crate::model::outcome::Outcome;
use crate::model::protocol::Era;
use crate::model::session::Transition;

/// How long the end of a session may take.
const GOODBYE: Duration = Duration::from_secs(5);

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
        self.protocol.era() == Era::Modern || self.session.is_some() || self.establish(None).await
    }

    /// Sets the client up before the run: a legacy client gets its session. The error says why there is none.
    pub(crate) async fn set_up(&mut self) -> Result<bool, String> {
        if self.protocol.era() == Era::Modern {
            return Ok(false);
        }
        match self.try_establish(None).await {
            Ok(()) => Ok(true),
            Err(cause) => Err(cause),
        }
    }

    /// Establishes a session, in place of the one that there is; whether that worked. Within an operation its Calls belong to
    /// that operation, and the last of them ends it if it fails.
    pub(super) async fn establish(&mut self, within: Option<Place>) -> bool {
        self.try_establish(within).await.is_ok()
    }

    async fn try_establish(&mut self, within: Option<Place>) -> Result<(), String> {
        self.session = None;
        let number = self.sessions + 1;
        let params = message::initialize_params(self.protocol, Capabilities::default());
        let id = self.next_id();
        let (mut call, facts) = {
            let ready = self.handshake(
                Asked::Initialize,
                message::request(id, RequestKind::Initialize.name(), &params),
                Awaited::Response {
                    id,
                    kind: RequestKind::Initialize,
                    expected: Vec::new(),
                },
            );
            self.send(place_of(within), ready).await
        };
        match facts.version {
            Some(version) if version.era() == Era::Legacy => self.protocol = version,
            // A version that it was not asked for and that cannot be spoken with a session.
            Some(_) => call.class = Class::Malformed,
            None => {}
        }
        if call.class != Class::None {
            return Err(self.not_established(call, number, within).await);
        }
        let instance = call.instance.clone();
        self.record(call).await;
        self.session = Some(Session {
            number,
            id: facts.session,
            lost: false,
        });
        let body = message::INITIALIZED.to_owned();
        let ready = self.handshake(Asked::Initialized, body, Awaited::Status);
        let (call, _) = self.send(place_of(within), ready).await;
        if call.class != Class::None {
            self.session = None;
            return Err(self.not_established(call, number, within).await);
        }
        self.record(call).await;
        self.sessions = number;
        let transition = if number == 1 {
            Transition::Born
        } else {
            Transition::ReEstablished
        };
        self.moved(Move {
            instance,
            ..self.blank_move(number, transition)
        });
        Ok(())
    }

    /// A message of the handshake; the headers are those of the session as it is.
    fn handshake(&self, asked: Asked, body: String, awaited: Awaited) -> Ready {
        let mut headers = self.headers();
        if asked == Asked::Initialize {
            headers.remove(header::PROTOCOL_VERSION);
        }
        let timeout = workload(&self.shared.table, self.workload)
            .map_or(GOODBYE, |workload| workload.upkeep_timeout);
        Ready {
            asked,
            outgoing: Outgoing {
                verb: Verb::Post,
                headers,
                body: Bytes::from(body),
            },
            awaited,
            timeout,
            session: self.session_number(),
        }
    }

    /// Writes down that no session could be established, and returns the cause.
    async fn not_established(
        &mut self,
        mut call: Attempt,
        number: u32,
        within: Option<Place>,
    ) -> String {
        let cause = cause_of(&call);
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
        let Some(session) = self.session.as_mut().filter(|session| session.id.is_some()) else {
            return false;
        };
        if !(in_question && call.code.is_some_and(says_so)) {
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
        if !wanted || session.lost || session.id.is_none() {
            return;
        }
        let ready = Ready {
            asked: Asked::Delete,
            outgoing: Outgoing {
                verb: Verb::Delete,
                headers: self.headers(),
                body: Bytes::new(),
            },
            awaited: Awaited::Status,
            timeout: GOODBYE,
            session: Some(session.number),
        };
        let (mut call, _) = self.send(Place::upkeep(), ready).await;
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

    fn blank_move(&self, session: u32, transition: Transition) -> Move {
        Move {
            at: clock::now(),
            workload: self.workload,
            client: self.number,
            session,
            protocol: self.protocol,
            transition,
            instance: None,
            cause: String::new(),
        }
    }

    fn moved(&self, change: Move) {
        self.shared.recorder.borrow_mut().transition(change);
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
fn cause_of(call: &Attempt) -> String {
    match (call.class, call.code) {
        (Class::Http | Class::SessionLost, Some(code)) => format!("http {code}"),
        (class, Some(code)) => format!("{class} {code}"),
        (class, None) => class.to_string(),
    }
}
