//! One session of the legacy era: which message goes to which stream, and what of it is kept.
//!
//! It reads the monotonic clock for its age. Invariant: every message of the server goes to exactly one stream; what
//! belongs to a request goes to that request's stream, whatever became of its connection. Next: `streams`, what is
//! kept; `log`, one stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, GetExtensions, GetMeta, ProtocolVersion, RequestId,
    ServerJsonRpcMessage, ServerNotification, ServerResult,
};
use rmcp::service::OriginatingRequestId;
use rmcp::transport::streamable_http_server::session::SessionId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::follower::EventId;
use super::log::{Event, Hold, Log, Next};
use super::streams::{Request, State};
use super::weight::weight;
use super::{Ended, Settings};

/// Messages of a client that wait for the SDK's loop.
const INBOX: usize = 64;

/// A session, shared by its connections and the SDK's loop.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    tag: String,
    settings: Settings,
    pub(super) born: Instant,
    state: Mutex<State>,
}

/// Where a message of the server goes.
#[derive(Debug)]
pub(super) enum Route {
    /// It was delivered already, or belongs nowhere any more.
    Done,
    /// To a stream, for which it may have to wait.
    Stream {
        stream: u64,
        message: Arc<ServerJsonRpcMessage>,
        /// It is the answer to the stream's request, so the stream ends.
        answers: Option<RequestId>,
    },
}

impl Session {
    /// A session and the end of its inbox that the SDK's loop reads.
    pub(super) fn new(
        id: SessionId,
        settings: Settings,
    ) -> (Self, mpsc::Receiver<ClientJsonRpcMessage>) {
        let (inbox, receiver) = mpsc::channel(INBOX);
        let now = Instant::now();
        let state = State::new(inbox, now);
        let session = Self {
            tag: id.chars().take(8).collect(),
            id,
            settings,
            born: now,
            state: Mutex::new(state),
        };
        (session, receiver)
    }

    /// A panic cannot leave the state half changed, so a poisoned lock is as good as any.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a message of the client to the SDK's loop.
    pub(super) async fn give(&self, message: ClientJsonRpcMessage) -> Result<(), Ended> {
        let inbox = {
            let mut state = self.state();
            state.used = Instant::now();
            state.inbox.clone()
        };
        let inbox = inbox.ok_or(Ended)?;
        inbox.send(message).await.map_err(|_| Ended)
    }

    /// What the answer to `initialize` will arrive on.
    pub(super) fn expect_initialized(&self) -> oneshot::Receiver<ServerJsonRpcMessage> {
        let (sender, receiver) = oneshot::channel();
        self.state().initializing = Some(sender);
        receiver
    }

    /// Opens the stream of a request, before it is given to the SDK.
    pub(super) fn open(&self, message: &ClientJsonRpcMessage) -> (u64, Hold) {
        let mut state = self.state();
        let (stream, hold) = state.open(&self.settings);
        if let ClientJsonRpcMessage::Request(request) = message {
            let token = request.request.get_meta().get_progress_token();
            if let Some(token) = token.clone() {
                state.tokens.insert(token, stream);
            }
            let id = request.id.clone();
            state.requests.insert(id, Request { stream, token });
        }
        (stream, hold)
    }

    /// Opens a standing stream, which first gets what waits for one.
    pub(super) fn open_standing(&self) -> (u64, Hold) {
        let mut state = self.state();
        state.used = Instant::now();
        state.open_standing(&self.settings)
    }

    /// Continues a stream behind the event that `last_event_id` names.
    pub(super) fn resume(&self, last_event_id: &str) -> Option<(u64, Hold)> {
        let id = EventId::read(last_event_id, &self.tag)?;
        let mut state = self.state();
        state.used = Instant::now();
        let log = state.streams.get_mut(&id.stream)?;
        let hold = log.resume(id.number, self.settings.resume)?;
        Some((id.stream, hold))
    }

    /// How the event is called, if streams can be resumed.
    pub(super) fn event_id(&self, stream: u64, number: u64) -> Option<String> {
        (self.settings.keep > 0).then(|| EventId { stream, number }.write(&self.tag))
    }

    /// Decides where a message of the server goes.
    pub(super) fn route(&self, message: ServerJsonRpcMessage) -> Route {
        let mut state = self.state();
        state.used = Instant::now();
        if let Some(initializing) = state.initializing.take() {
            if let ServerJsonRpcMessage::Response(response) = &message
                && let ServerResult::InitializeResult(result) = &response.result
            {
                let first = ProtocolVersion::V_2025_11_25;
                state.primes =
                    self.settings.keep > 0 && result.protocol_version.as_str() >= first.as_str();
            }
            // Who waits for it may be gone; then the session ends by itself.
            let _ = initializing.send(message);
            return Route::Done;
        }
        let stream_of = |id: &RequestId| state.requests.get(id).map(|request| request.stream);
        let (stream, answers) = match &message {
            ServerJsonRpcMessage::Response(response) => {
                (stream_of(&response.id), Some(response.id.clone()))
            }
            ServerJsonRpcMessage::Error(error) => {
                (error.id.as_ref().and_then(stream_of), error.id.clone())
            }
            ServerJsonRpcMessage::Request(request) => {
                let origin = request.request.extensions().get::<OriginatingRequestId>();
                (origin.and_then(|origin| stream_of(&origin.0)), None)
            }
            ServerJsonRpcMessage::Notification(notification) => {
                let stream = match &notification.notification {
                    ServerNotification::ProgressNotification(progress) => {
                        state.tokens.get(&progress.params.progress_token).copied()
                    }
                    _ => None,
                };
                (stream, None)
            }
        };
        if stream.is_none() && answers.is_some() {
            // Its request was cancelled.
            return Route::Done;
        }
        let message = Arc::new(message);
        if let Some(stream) = stream {
            return Route::Stream {
                stream,
                message,
                answers,
            };
        }
        state.push_standing(&self.settings, Event::Message(message));
        Route::Done
    }

    /// Puts a routed message into its stream, when there is room.
    pub(super) fn poll_deliver(&self, route: &mut Route, context: &Context<'_>) -> Poll<()> {
        let Route::Stream {
            stream,
            message,
            answers,
        } = route
        else {
            return Poll::Ready(());
        };
        let mut state = self.state();
        if let Some(log) = state.streams.get_mut(stream) {
            if log.poll_room(context).is_pending() {
                return Poll::Pending;
            }
            log.push(Event::Message(Arc::clone(message)));
        }
        if let Some(id) = answers {
            state.end_request(id, weight(message), &self.settings);
        }
        *route = Route::Done;
        Poll::Ready(())
    }

    /// Sends a notification that belongs to no request. It waits for nobody.
    pub(super) fn notify(&self, notification: ServerNotification) {
        let message = ServerJsonRpcMessage::notification(notification);
        let event = Event::Message(Arc::new(message));
        self.state().push_standing(&self.settings, event);
    }

    /// The next event for a connection.
    pub(super) fn poll_next(&self, stream: u64, hold: Hold, context: &Context<'_>) -> Poll<Next> {
        match self.state().streams.get_mut(&stream) {
            Some(log) => log.poll_next(hold, context),
            None => Poll::Ready(Next::End),
        }
    }

    /// A connection is gone.
    pub(super) fn release(&self, stream: u64, hold: Hold) {
        let mut state = self.state();
        if let Some(log) = state.streams.get_mut(&stream) {
            log.release(hold);
        }
        state.forget_ended(&self.settings);
    }

    /// The client cancels a request: its stream ends without an answer.
    pub(super) fn cancelled(&self, notification: &ClientNotification) {
        if let ClientNotification::CancelledNotification(cancelled) = notification
            && let Some(id) = &cancelled.params.request_id
        {
            self.state().end_request(id, 0, &self.settings);
        }
    }

    /// Ends the connection that reads the stream of a request, but not the request: the client has to come back for it.
    /// Says whether it could: not without ids.
    pub(super) fn cut(&self, request: &RequestId) -> bool {
        let mut state = self.state();
        let stream = state.requests.get(request).map(|request| request.stream);
        if self.settings.keep > 0
            && let Some(stream) = stream
            && let Some(log) = state.streams.get_mut(&stream)
        {
            log.let_go();
            return true;
        }
        false
    }

    /// Whether a standing stream is being read.
    pub(super) fn listens(&self) -> bool {
        let state = self.state();
        let held = |stream: &u64| state.streams.get(stream).is_some_and(Log::held);
        state.standing.iter().any(held)
    }

    pub(super) fn subscribe(&self, uri: String) {
        self.state().subscriptions.insert(uri);
    }

    pub(super) fn unsubscribe(&self, uri: &str) -> bool {
        self.state().subscriptions.remove(uri)
    }

    pub(super) fn subscriptions(&self) -> usize {
        self.state().subscriptions.len()
    }

    pub(super) fn is_subscribed(&self, uri: &str) -> bool {
        self.state().subscriptions.contains(uri)
    }

    /// When it was last used; a request that runs counts as use.
    pub(super) fn used(&self) -> Instant {
        let mut state = self.state();
        if !state.requests.is_empty() {
            state.used = Instant::now();
        }
        state.used
    }

    /// Ends all its streams and its loop.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.inbox = None;
        let streams = std::mem::take(&mut state.streams);
        for mut log in streams.into_values() {
            log.let_go();
        }
    }
}
