//! The streams of a session: which are open, which can still be resumed, and where a message without a request goes.
//!
//! It has no clock and waits for nobody. Invariant: what is kept is bounded: standing streams, ended streams, and messages
//! for a client that does not listen. A stream that is being read is never forgotten.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use rmcp::model::{ClientJsonRpcMessage, ProgressToken, RequestId, ServerJsonRpcMessage};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::Settings;
use super::log::{Event, Hold, Log};

/// Standing streams that a session may have; then the oldest ends.
const MOST_STANDING: usize = 8;
/// Messages kept for a client that has no standing stream yet.
const MOST_EARLY: usize = 1000;
/// Ended streams of a session that can still be resumed, and their bytes together; one is kept whatever it weighs.
const MOST_ENDED: usize = 16;
const MOST_ENDED_BYTES: usize = 256 << 10;
#[derive(Debug)]
pub(super) struct State {
    pub(super) inbox: Option<mpsc::Sender<ClientJsonRpcMessage>>,
    pub(super) initializing: Option<oneshot::Sender<ServerJsonRpcMessage>>,
    /// Whether the client knows events without a message: they came with 2025-11-25.
    pub(super) primes: bool,
    pub(super) streams: BTreeMap<u64, Log>,
    pub(super) next_stream: u64,
    pub(super) requests: HashMap<RequestId, Request>,
    pub(super) tokens: HashMap<ProgressToken, u64>,
    /// The streams that GET requests opened, the newest last.
    pub(super) standing: VecDeque<u64>,
    /// What was said before there was a standing stream.
    pub(super) early: Log,
    /// Streams that have ended and are kept, with their bytes.
    pub(super) ended: VecDeque<(u64, usize)>,
    pub(super) subscriptions: HashSet<String>,
    pub(super) used: Instant,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) stream: u64,
    pub(super) token: Option<ProgressToken>,
}

impl State {
    /// Nothing is open yet.
    pub(super) fn new(inbox: mpsc::Sender<ClientJsonRpcMessage>, now: Instant) -> Self {
        Self {
            inbox: Some(inbox),
            initializing: None,
            primes: false,
            streams: BTreeMap::new(),
            next_stream: 0,
            requests: HashMap::new(),
            tokens: HashMap::new(),
            standing: VecDeque::new(),
            early: Log::new(0),
            ended: VecDeque::new(),
            subscriptions: HashSet::new(),
            used: now,
        }
    }

    /// Opens a standing stream. It first gets what was said before there was one, and what nobody has read of those that
    /// were left.
    pub(super) fn open_standing(&mut self, settings: &Settings) -> (u64, Hold) {
        let mut waiting = self.early.take_waiting();
        for stream in &self.standing {
            if let Some(log) = self.streams.get_mut(stream)
                && !log.held()
            {
                waiting.extend(log.take_waiting());
            }
        }
        let (stream, hold) = self.open(settings);
        if let Some(log) = self.streams.get_mut(&stream) {
            // A priming event that waited was for another stream's start.
            let messages = waiting
                .into_iter()
                .filter(|event| matches!(event, Event::Message(_)));
            messages.for_each(|event| log.push(event));
        }
        self.standing.push_back(stream);
        while self.standing.len() > MOST_STANDING
            && let Some(oldest) = self.standing.pop_front()
        {
            self.remove(oldest);
        }
        (stream, hold)
    }

    /// Opens a stream that one connection reads.
    pub(super) fn open(&mut self, settings: &Settings) -> (u64, Hold) {
        let stream = self.next_stream;
        self.next_stream += 1;
        let mut log = Log::new(settings.keep);
        if self.primes {
            let retry = settings.retry;
            log.push(Event::Priming { retry });
        }
        let hold = log.hold();
        self.streams.insert(stream, log);
        (stream, hold)
    }

    /// To the newest standing stream that is read; without one it waits where the client can get it.
    pub(super) fn push_standing(&mut self, settings: &Settings, event: Event) {
        let held = |stream: &&u64| self.streams.get(stream).is_some_and(Log::held);
        let read = self.standing.iter().rev().find(held);
        let resumable = self.standing.back().filter(|_| settings.keep > 0);
        match read.or(resumable).copied() {
            Some(stream) => {
                if let Some(log) = self.streams.get_mut(&stream) {
                    log.push(event);
                }
            }
            None if self.early.waiting() < MOST_EARLY => self.early.push(event),
            None => {}
        }
    }

    /// Ends a request and its stream, which weighs so many bytes.
    pub(super) fn end_request(&mut self, id: &RequestId, bytes: usize, settings: &Settings) {
        let Some(request) = self.requests.remove(id) else {
            return;
        };
        if let Some(token) = request.token {
            self.tokens.remove(&token);
        }
        if let Some(log) = self.streams.get_mut(&request.stream) {
            log.end();
            self.ended.push_back((request.stream, bytes));
            self.forget_ended(settings);
        }
    }

    /// Forgets the oldest ended streams, but none that is being read.
    pub(super) fn forget_ended(&mut self, settings: &Settings) {
        let most = if settings.keep > 0 { MOST_ENDED } else { 0 };
        let mut kept: usize = self.ended.iter().map(|(_, bytes)| bytes).sum();
        let mut index = 0;
        while let Some((stream, bytes)) = self.ended.get(index).copied() {
            let last = most > 0 && self.ended.len() == 1;
            if last || self.ended.len() <= most && kept <= MOST_ENDED_BYTES {
                return;
            }
            if self.streams.get(&stream).is_some_and(Log::held) {
                index += 1;
            } else {
                self.streams.remove(&stream);
                self.ended.remove(index);
                kept -= bytes;
            }
        }
    }

    fn remove(&mut self, stream: u64) {
        if let Some(mut log) = self.streams.remove(&stream) {
            log.let_go();
        }
    }
}
