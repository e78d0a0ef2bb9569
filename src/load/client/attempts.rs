//! The attempts of one step: what the client does about each answer, until the step has ended.
//!
//! Impure, as its parent. Invariants: every attempt is a Call with its own due time; each reason to try again has its own bound,
//! so that a step ends; the last Call of an operation, and no other, says how it ended.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::sending::{Answered, Ready};
use super::{Client, Leaving};
use crate::load::draw;
use crate::load::place::Place;
use crate::load::recording::{Asked, Attempt, Move};
use crate::load::table::{Filled, Step};
use crate::mcp::exchange::sequence::Sequence;
use crate::mcp::exchange::{Awaited, Facts};
use crate::mcp::message::{self, Expected, Params, RequestKind};
use crate::mcp::{Verb, header};
use crate::model::outcome::Outcome;
use crate::model::protocol::Era;
use crate::model::session::Transition;
use crate::model::{Class, ProtocolVersion};
use crate::plan::{Method, RecoveryPlan, Transport};

/// How often a server may ask for input before it answers.
const MAX_ROUNDS: u32 = 10;
/// How often another version is tried.
const MAX_VERSIONS: u32 = 2;
/// The pause before a stream is resumed whose server asks for none.
const RESUME_AFTER: Duration = Duration::from_secs(1);
/// The longest pause before that that a server can ask for.
const LONGEST_RESUME: Duration = Duration::from_secs(10);
/// The shortest one: a server that asks for none must not be asked without end.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The most attempts of one step in which streams that went on are resumed.
const MOST_RESUMES: u32 = 20;
/// The longest pause that a server can ask for with `Retry-After`.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A step that is to be done.
pub(super) struct Turn<'a> {
    pub(super) step: &'a Step,
    pub(super) filled: Filled,
    pub(super) timeout: Duration,
    /// Whether the operation ends with it.
    pub(super) is_last: bool,
    pub(super) leaving: Option<Leaving>,
}

/// What has been tried so far.
#[derive(Default)]
struct Tried {
    resent: u32,
    retried: u32,
    resumed: u32,
    rounds: u32,
    versions: u32,
}

/// What is asked of the server now.
struct Ask<'a> {
    turn: &'a Turn<'a>,
    cursor: Option<String>,
    /// What a multi-round-trip request adds, as members.
    further: String,
    /// Whether more pages may follow.
    may_go_on: bool,
}

/// What a failed attempt is followed by.
enum Next {
    /// The step has ended.
    Over,
    /// The same is sent again, here.
    Again(Place),
    /// The rest of the stream is asked for.
    Resume(Place, Resume),
}

/// The rest of a stream.
struct Resume {
    id: u64,
    after: String,
    /// How long the server asks to wait before a stream is resumed, milliseconds.
    retry_ms: Option<u64>,
    sequence: Sequence,
}

impl Client {
    /// Does a step with all of its pages and attempts; what is known of the last answer, if it ended ok.
    pub(super) async fn take_turn(&mut self, first: Place, turn: Turn<'_>) -> Option<Facts> {
        let mut ask = Ask {
            turn: &turn,
            cursor: None,
            further: String::new(),
            may_go_on: turn.step.pages > 1,
        };
        let mut place = first;
        for page in 1..=turn.step.pages {
            ask.may_go_on = page < turn.step.pages;
            let (last, facts) = self.attempts(place, &mut ask).await?;
            if facts.next_cursor.is_none() || !ask.may_go_on {
                return Some(facts);
            }
            ask.cursor = facts.next_cursor;
            place = last.again();
        }
        None
    }

    /// Asks until there is an answer or no reason to ask again; where that was, and what is known, if it ended ok.
    async fn attempts(&mut self, first: Place, ask: &mut Ask<'_>) -> Option<(Place, Facts)> {
        let mut tried = Tried::default();
        let mut place = first;
        let mut resume: Option<Resume> = None;
        loop {
            let id = match &resume {
                Some(resume) => resume.id,
                None => self.next_id(),
            };
            let Some(ready) = self.ready(id, ask, resume.as_ref()) else {
                self.unsent(place);
                return None;
            };
            let resumed = resume.take();
            let mut answered = self.send(place, ready).await;
            place = answered.place;
            if let Some(resumed) = resumed {
                self.note_resumed(&answered);
                // A stream that brought no event ends where the one before it did.
                answered.facts.last_event_id.get_or_insert(resumed.after);
                answered.facts.retry_ms = answered.facts.retry_ms.or(resumed.retry_ms);
            }
            if answered.call.class == Class::None
                && !answered.facts.asks_input
                && ask
                    .turn
                    .step
                    .kept(answered.facts.result.as_deref())
                    .is_none()
            {
                answered.call.class = Class::WrongAnswer;
            }
            if answered.call.class == Class::None && !answered.facts.asks_input {
                self.take_in(ask.turn.filled.kind, &answered.facts);
                let goes_on = ask.may_go_on && answered.facts.next_cursor.is_some();
                answered.call.ends = (ask.turn.is_last && !goes_on).then_some(Outcome::Ok);
                self.record(answered.call).await;
                return Some((place, answered.facts));
            }
            // Apart, because it is rare and long.
            let next = Box::pin(self.after(place, id, answered, ask, &mut tried));
            match next.await {
                Next::Over => return None,
                Next::Again(next) => place = next,
                Next::Resume(next, rest) => {
                    place = next;
                    resume = Some(rest);
                }
            }
        }
    }

    /// What an answer that does not end the step well is followed by; writes its Call down.
    async fn after(
        &mut self,
        place: Place,
        id: u64,
        answered: Answered,
        ask: &mut Ask<'_>,
        tried: &mut Tried,
    ) -> Next {
        let Answered {
            mut call,
            facts,
            sequence,
            ..
        } = answered;
        let place = place.after(call.outcome());
        if facts.asks_input {
            return self.give_input(place, call, &facts, ask, tried).await;
        }
        if call.class == Class::Cancelled {
            call.ends = Some(Outcome::Ok);
            self.record(call).await;
            // Where one stream carries everything it cannot be closed to give one call up, in neither era.
            let tells = self.is_legacy() || self.transport != Transport::StreamableHttp;
            if tells && matches!(ask.turn.leaving, Some(Leaving::Cancelling(_))) {
                self.tell_cancelled(id).await;
            }
            return Next::Over;
        }
        if self.offers_another_version(&call, &facts, tried) {
            self.record(call).await;
            if self.is_legacy() && !self.establish(Some(place)).await {
                return Next::Over;
            }
            return Next::Again(place.again());
        }
        let table = Arc::clone(&self.shared.table);
        let Some(plan) = table.plan.workloads.get(self.workload as usize) else {
            return Next::Over;
        };
        let policy = &plan.recovery;
        if let Some(after) = self.can_resume(&call, &facts, policy, tried) {
            tried.resumed += 1;
            if facts.events > 0 && place.attempt < MOST_RESUMES {
                // A server may close its streams on purpose now and then (2025-11-25, polling): what goes on is no failure.
                tried.resumed = 1;
            }
            self.moved(Move {
                at: call.done,
                instance: call.instance.clone(),
                cause: call.class.to_string(),
                ..self.blank_move(call.session.unwrap_or(0), Transition::StreamCut)
            });
            self.record(call).await;
            let wait = facts.retry_ms.map_or(RESUME_AFTER, Duration::from_millis);
            self.pause(wait.clamp(SHORTEST_PAUSE, LONGEST_RESUME)).await;
            let rest = Resume {
                id,
                after,
                retry_ms: facts.retry_ms,
                sequence,
            };
            return Next::Resume(place.again(), rest);
        }
        let lost = self.finds_lost(&call);
        if lost && policy.reinitialise && tried.resent < policy.retries {
            tried.resent += 1;
            self.record(call).await;
            if !self.establish(Some(place)).await {
                return Next::Over;
            }
            return Next::Again(place.again());
        }
        if !lost && let Some(wait) = self.retries_after(&call, &facts, ask, policy, tried, place) {
            tried.retried += 1;
            self.record(call).await;
            self.pause(wait).await;
            return Next::Again(place.again());
        }
        call.ends = Some(place.ended(call.outcome()));
        self.record(call).await;
        if lost && policy.reinitialise {
            // In the client's own time: the operation is over.
            self.establish(None).await;
        }
        Next::Over
    }

    /// The request, with its headers; `None` if the tool's own annotations forbid calling it.
    fn ready(&mut self, id: u64, ask: &Ask<'_>, resume: Option<&Resume>) -> Option<Ready> {
        let filled = &ask.turn.filled;
        let mut headers = self.headers();
        let timeout = ask.turn.timeout;
        let mut expected = filled.expected.clone();
        self.fit_schema(&filled.target, &mut expected);
        let awaited = Awaited::Response {
            id,
            kind: filled.kind,
            expected,
        };
        let keeps_result = ask.turn.step.wants_result() || self.learns_from(filled.kind);
        if let Some(resume) = resume {
            let after = HeaderValue::from_str(&resume.after).ok()?;
            headers.insert(header::LAST_EVENT_ID, after);
            headers.insert(
                http::header::ACCEPT,
                HeaderValue::from_static("text/event-stream"),
            );
            return Some(Ready {
                keeps_result,
                sequence: resume.sequence,
                ..Ready::bare(Asked::Resume, Verb::Get, headers, awaited, timeout)
            });
        }
        if self.protocol.era() == Era::Modern {
            let method = HeaderValue::from_static(filled.kind.name());
            headers.insert(header::METHOD, method);
            if let Some(name) = ask.turn.step.mirrored.as_ref() {
                headers.insert(header::NAME, name.clone());
            }
            if !self.mirror_parameters(filled, &mut headers) {
                return None;
            }
        }
        let body = message::request(
            id,
            filled.kind.name(),
            &Params {
                meta: self.meta(),
                progress: filled.progress,
                members: &filled.members,
                cursor: ask.cursor.as_deref(),
                further: &ask.further,
            },
        );
        Some(Ready {
            leaving: ask.turn.leaving,
            keeps_result,
            ..Ready::post(Asked::Step, headers, body, awaited, timeout)
        })
    }

    /// The members of `_meta`: those that every modern request has.
    pub(super) fn meta(&self) -> &str {
        if self.is_legacy() {
            ""
        } else {
            &self.shared.modern_meta
        }
    }

    fn fit_schema(&self, tool: &str, expected: &mut [Expected]) {
        for one in expected {
            if let Expected::Schema(schema) = one {
                let catalogues = self.shared.catalogues.borrow();
                let catalogue = catalogues.get(self.workload as usize);
                *schema = catalogue.and_then(|catalogue| catalogue.output(tool));
            }
        }
    }

    /// Puts parameters into headers as the tool's definition asks; false if the tool must not be called.
    fn mirror_parameters(&self, filled: &Filled, headers: &mut HeaderMap) -> bool {
        if filled.kind != RequestKind::Method(Method::ToolsCall) {
            return true;
        }
        let catalogues = self.shared.catalogues.borrow();
        let Some(catalogue) = catalogues.get(self.workload as usize) else {
            return true;
        };
        if catalogue.mirrors(&filled.target) {
            let params = format!("{{{}}}", filled.members);
            let params: Value = serde_json::from_str(&params).unwrap_or_default();
            let arguments = params.get("arguments").unwrap_or(&Value::Null);
            catalogue.mirror(&filled.target, arguments, headers);
        }
        !catalogue.excludes(&filled.target)
    }

    /// Sends the request again with what the result asks for.
    async fn give_input(
        &mut self,
        place: Place,
        mut call: Attempt,
        facts: &Facts,
        ask: &mut Ask<'_>,
        tried: &mut Tried,
    ) -> Next {
        tried.rounds += 1;
        let further = facts
            .result
            .as_deref()
            .and_then(|raw| input(raw, self.shared.capabilities));
        match further {
            Some(further) if tried.rounds <= MAX_ROUNDS => {
                ask.further = further;
                self.record(call).await;
                Next::Again(place.again())
            }
            // A server may only ask for what the client said that it can do.
            _ => {
                call.class = Class::Malformed;
                call.ends = Some(place.ended(call.outcome()));
                self.record(call).await;
                Next::Over
            }
        }
    }

    /// Whether the server refused the version and offers one that this client may speak instead, which it then does.
    fn offers_another_version(&mut self, call: &Attempt, facts: &Facts, tried: &mut Tried) -> bool {
        let refused = (call.class, call.code) == (Class::JsonRpc, Some(UNSUPPORTED_VERSION));
        let Some(error) = facts.error.as_ref().filter(|_| refused) else {
            return false;
        };
        let offered = error.supported.iter().copied();
        let usable = offered.filter(|version| self.traits.may_speak(*version));
        let Some(version) = usable.max() else {
            return false;
        };
        tried.versions += 1;
        if tried.versions > MAX_VERSIONS {
            return false;
        }
        self.protocol = version;
        true
    }

    /// The event after which the stream of this call can be resumed, if the policy allows it.
    fn can_resume(
        &self,
        call: &Attempt,
        facts: &Facts,
        policy: &RecoveryPlan,
        tried: &Tried,
    ) -> Option<String> {
        let is_cut = call.class == Class::Truncated;
        let is_legacy = self.is_legacy() && self.protocol >= ProtocolVersion::V2025_03_26;
        // What no header can hold cannot be asked for.
        let is_sendable = |id: &&String| HeaderValue::from_str(id).is_ok();
        (is_cut && is_legacy && tried.resumed < policy.resumes)
            .then(|| facts.last_event_id.as_ref().filter(is_sendable).cloned())?
    }

    fn note_resumed(&mut self, answered: &Answered) {
        if answered.facts.status != Some(200) {
            return;
        }
        let call = &answered.call;
        self.moved(Move {
            at: call.done,
            instance: call.instance.clone(),
            missed: answered.facts.missed,
            doubled: answered.facts.doubled,
            ..self.blank_move(call.session.unwrap_or(0), Transition::Resumed)
        });
    }

    /// How long to wait before the step is sent again after this failure; `None`: it is not.
    fn retries_after(
        &self,
        call: &Attempt,
        facts: &Facts,
        ask: &Ask<'_>,
        policy: &RecoveryPlan,
        tried: &Tried,
        place: Place,
    ) -> Option<Duration> {
        let retry = &policy.retry;
        let RequestKind::Method(method) = ask.turn.filled.kind else {
            return None;
        };
        let may = retry.methods.is_empty() || retry.methods.contains(&method);
        if tried.retried >= retry.attempts || !may || self.shared.give_up.is_cancelled() {
            return None;
        }
        // A modern server refuses with a status and says why in JSON-RPC.
        let status = facts.status.filter(|status| *status >= 300);
        let asked = facts
            .retry_after_s
            .filter(|_| retry.honour_retry_after && matches!(status, Some(429 | 503)));
        if let Some(seconds) = asked {
            return Some(Duration::from_secs(seconds).min(LONGEST_PAUSE));
        }
        let listed = retry.classes.contains(&call.class)
            || status.is_some_and(|status| retry.statuses.contains(&status));
        let seed = self.shared.table.plan.seed;
        let arrival = place.arrival.unwrap_or(0);
        listed.then(|| {
            draw::backoff(
                seed,
                self.workload,
                arrival,
                place.attempt,
                tried.retried,
                retry,
            )
        })
    }

    /// Tells a legacy server that a request was given up.
    async fn tell_cancelled(&mut self, id: u64) {
        let ready = Ready::post(
            Asked::Cancel,
            self.headers(),
            message::cancelled(id),
            Awaited::Status,
            self.upkeep_timeout(),
        );
        let answered = self.send(Place::upkeep(), ready).await;
        self.record(answered.call).await;
    }
}

/// "Unsupported protocol version" (2026-07-28).
pub(super) const UNSUPPORTED_VERSION: i64 = -32_022;

/// What the answer to a result that asks for input adds to the request, as members: the answers under the same keys, and the state
/// as it came, if there was one.
fn input(raw: &str, capabilities: crate::mcp::capabilities::Capabilities) -> Option<String> {
    let result: Value = serde_json::from_str(raw).ok()?;
    let mut members = Vec::new();
    if let Some(requests) = result.get("inputRequests").and_then(Value::as_object) {
        let answers = capabilities.answers(requests)?;
        members.push(format!(r#""inputResponses":{}"#, Value::Object(answers)));
    }
    if let Some(state) = result.get("requestState") {
        members.push(format!(r#""requestState":{state}"#));
    }
    Some(members.join(","))
}
