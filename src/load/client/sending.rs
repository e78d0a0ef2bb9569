//! One request: its headers, the wait for what comes of it, and the Call that is written down.
//!
//! Impure, as its parent. Invariant: what was sent is recorded, whatever became of it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::{Client, Leaving, Seen, workload};
use crate::clock;
use crate::load::place::Place;
use crate::load::recording::{Asked, Attempt};
use crate::mcp::exchange::sequence::Sequence;
use crate::mcp::exchange::{Awaited, Exchange, Facts, Item};
use crate::mcp::{Outgoing, Verb, header};
use crate::model::{Class, ProtocolVersion};
use crate::plan::Transport;

/// A request that is ready to go.
#[derive(Clone)]
pub(super) struct Ready {
    pub(super) asked: Asked,
    pub(super) outgoing: Outgoing,
    pub(super) awaited: Awaited,
    pub(super) timeout: Duration,
    /// How the call is left, if it is not answered before.
    pub(super) leaving: Option<Leaving>,
    /// Whether the result is kept as it came.
    pub(super) keeps_result: bool,
    /// The progress that earlier streams of the same request showed.
    pub(super) sequence: Sequence,
}

impl Ready {
    /// A message that is posted.
    pub(super) fn post(
        asked: Asked,
        headers: HeaderMap,
        body: String,
        awaited: Awaited,
        timeout: Duration,
    ) -> Self {
        Self::new(asked, Verb::Post, headers, body, awaited, timeout)
    }

    /// A request without a body.
    pub(super) fn bare(
        asked: Asked,
        verb: Verb,
        headers: HeaderMap,
        awaited: Awaited,
        timeout: Duration,
    ) -> Self {
        Self::new(asked, verb, headers, String::new(), awaited, timeout)
    }

    fn new(
        asked: Asked,
        verb: Verb,
        headers: HeaderMap,
        body: String,
        awaited: Awaited,
        timeout: Duration,
    ) -> Self {
        Self {
            asked,
            outgoing: Outgoing {
                verb,
                headers,
                body: Bytes::from(body),
            },
            awaited,
            timeout,
            leaving: None,
            keeps_result: false,
            sequence: Sequence::default(),
        }
    }
}

/// What came of a request.
pub(super) struct Answered {
    pub(super) call: Attempt,
    /// Where it was made: later than asked for, if it had to be sent again.
    pub(super) place: Place,
    pub(super) facts: Facts,
    pub(super) sequence: Sequence,
}

/// Why a wait ended without an answer.
enum Wait {
    /// It did not: the link has fed the exchange to its end, or its time was over.
    Over,
    /// Everything is given up.
    GivenUp,
    /// The client left, as the scenario wants it.
    Left,
}

impl Client {
    /// The headers of every request after the handshake.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = workload(&self.shared.table, self.workload)
            .map(|workload| workload.headers_of(self.number))
            .unwrap_or_default();
        if self.protocol >= ProtocolVersion::V2025_06_18 {
            let version = HeaderValue::from_static(self.protocol.name());
            headers.insert(header::PROTOCOL_VERSION, version);
        }
        let session = self.session.as_ref();
        if let Some(id) = session.and_then(|session| session.id.as_ref()) {
            headers.insert(header::SESSION_ID, id.clone());
        }
        headers
    }

    /// The bound of a request that keeps sessions.
    pub(super) fn upkeep_timeout(&self) -> Duration {
        workload(&self.shared.table, self.workload)
            .map_or(super::session::GOODBYE, |workload| workload.upkeep_timeout)
    }

    /// Sends a request and waits for what comes of it, or for the end of its time. One that is refused for want of a token is
    /// sent again with a new one, as a Call of its own; the last of them is returned.
    pub(super) async fn send(&mut self, place: Place, ready: Ready) -> Answered {
        if self.authority.is_none() {
            return self.send_once(place, ready).await;
        }
        Box::pin(self.send_proven(place, ready)).await
    }

    async fn send_proven(&mut self, place: Place, ready: Ready) -> Answered {
        let mut place = place;
        for _ in 0..super::proof::MAX_TOKENS {
            let mut again = ready.clone();
            if !self.prove(place, &mut again.outgoing.headers).await {
                return self.unproven(place, &ready);
            }
            let answered = self.send_once(place, again).await;
            if !self
                .is_challenged(place, &answered.call, &answered.facts)
                .await
            {
                return answered;
            }
            self.record(answered.call).await;
            place = place.again();
        }
        let mut last = ready;
        if !self.prove(place, &mut last.outgoing.headers).await {
            return self.unproven(place, &last);
        }
        self.send_once(place, last).await
    }

    /// A request that was not sent, because it would need a token that cannot be had.
    fn unproven(&self, place: Place, ready: &Ready) -> Answered {
        Answered {
            call: Attempt {
                asked: ready.asked,
                ..place.blank(self.who(), clock::now())
            },
            place,
            facts: Facts::default(),
            sequence: ready.sequence,
        }
    }

    async fn send_once(&mut self, place: Place, ready: Ready) -> Answered {
        let Ready {
            asked,
            mut outgoing,
            awaited,
            timeout,
            leaving,
            keeps_result,
            sequence,
        } = ready;
        if self.is_cold() {
            self.link.close();
        }
        self.trace(place, &mut outgoing.headers);
        let table = &self.shared.table;
        // Over HTTP+SSE the stream is the session, whatever the headers say.
        let in_session = outgoing.headers.contains_key(header::SESSION_ID)
            || (self.transport == Transport::Sse && self.session.is_some());
        let bytes_out = u64::try_from(outgoing.body.len()).unwrap_or(u64::MAX);
        let served_by = table.served_by.clone();
        let mut exchange = Exchange::new(awaited, self.protocol.era(), in_session, served_by)
            .replying_with(&outgoing.headers)
            .capable(self.shared.capabilities)
            .keeping_result(keeps_result)
            .after(sequence)
            .transcribed(self.shared.tap.is_some());
        let seen = self.shared.tap.is_some().then(|| outgoing.clone());
        // A call that is left has no other end than that, if it comes before its time is over.
        let (limit, then) = match leaving.map(Leaving::after) {
            Some(after) if after < timeout => (after, Wait::Left),
            _ => (timeout, Wait::Over),
        };
        let wait = tokio::select! {
            biased;
            () = self.shared.give_up.cancelled() => Wait::GivenUp,
            ended = tokio::time::timeout(limit, self.link.exchange(outgoing, &mut exchange)) => match ended {
                Ok(()) => Wait::Over,
                Err(_elapsed) => then,
            },
        };
        let at = clock::now();
        // What the link left open.
        let _ = exchange.take(&match wait {
            Wait::Left => Item::Cancelled { at },
            Wait::Over | Wait::GivenUp => Item::TimedOut { at },
        });
        let (class, code, done) = exchange
            .verdict()
            .map_or((Class::Transport, None, at), |verdict| {
                (verdict.class, verdict.code, verdict.done)
            });
        let class = match (&wait, exchange.facts().sent) {
            (Wait::GivenUp | Wait::Left, None) => Class::Unsent,
            _ => class,
        };
        let transcript = exchange.take_transcript();
        let sequence = exchange.sequence();
        let facts = exchange.into_facts();
        if !facts.cookies.is_empty() {
            self.shared.recorder.borrow_mut().saw_cookie();
        }
        let instance = self.shared.recorder.borrow_mut().instance(&facts.instance);
        let call = Attempt {
            sent: facts.sent,
            first_byte: facts.first_byte,
            first_event: facts.first_event,
            connect_ns: facts.connect_ns,
            tls_ns: facts.tls_ns,
            asked,
            class,
            code,
            instance,
            bytes_in: facts.bytes_in,
            bytes_out,
            ..place.blank(self.who(), done)
        };
        if let (Some(tap), Some(outgoing)) = (&self.shared.tap, seen) {
            tap.see(&Seen {
                outgoing: &outgoing,
                transcript: transcript.as_deref(),
                facts: &facts,
                call: &call,
            });
        }
        Answered {
            call,
            place,
            facts,
            sequence,
        }
    }

    /// Whether each call has a connection of its own; where the stream is the session, none can.
    fn is_cold(&self) -> bool {
        self.traits.cold && self.transport == Transport::StreamableHttp
    }

    /// Writes a Call down, then makes the connection fit for the next one.
    pub(super) async fn record(&mut self, call: Attempt) {
        if let (Some(tap), Some(outcome)) = (&self.shared.tap, call.ends) {
            tap.end(outcome);
        }
        self.shared.recorder.borrow_mut().attempt(call);
        if self.is_cold() {
            self.link.close();
        } else if self.link.is_unsettled() {
            self.link.settle().await;
        }
    }

    /// Names the Call for tracing (W3C Trace Context): the trace is the operation, its id the seed, the workload's number from 1 and
    /// the arrival's; the parent is the Call, named by client and request. So a row of `calls.csv.zst` tells its trace.
    fn trace(&self, place: Place, headers: &mut HeaderMap) {
        let table = &self.shared.table;
        let plan = table.plan.workloads.get(self.workload as usize);
        if !plan.is_some_and(|plan| plan.traceparent) {
            return;
        }
        let workload = u64::from(self.workload.wrapping_add(1) & 0xffff);
        // Upkeep outside an operation belongs to the client.
        let work = place
            .arrival
            .map_or(u64::from(self.number) | 1 << 47, |arrival| {
                arrival & ((1 << 47) - 1)
            });
        // A parent of zeros is none; requests count from 1.
        let request = self.requests & 0xffff_ffff | u64::from(self.requests == 0);
        let mut value = String::with_capacity(55);
        value.push_str("00-");
        push_hex(&mut value, table.plan.seed.0);
        push_hex(&mut value, workload << 48 | work);
        value.push('-');
        push_hex(&mut value, u64::from(self.number) << 32 | request);
        value.push_str("-01");
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(header::TRACEPARENT, value);
        }
    }
}

/// Appends a number in 16 hexadecimal digits.
fn push_hex(text: &mut String, number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for place in (0..16).rev() {
        let digit = DIGITS.get((number >> (4 * place) & 0xf) as usize);
        text.push(char::from(*digit.unwrap_or(&b'0')));
    }
}
