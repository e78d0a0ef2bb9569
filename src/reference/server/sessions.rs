//! The sessions of the legacy era: their birth, their streams, their end.
//!
//! The SDK reads requests and writes events; what lies between is ours, because its own session manager repeats an event on
//! resumption, forgets a stream with its answer, and lets one slow connection hold up all calls of a session. It waits for
//! messages and reads the monotonic clock. Invariant: a session that is not in the map is unknown to everybody, and all its
//! streams have ended. Next: `session` for what goes where, `log` for one stream, `follower` for a connection.
//!
//! A session ends by DELETE, when nothing was said for `--session-ttl` and no request is running, or `--session-lifetime`
//! after its birth if that defect is on. Events have ids, and answers are kept for those who come back, unless
//! `--event-store` is 0.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::Stream;
use prometheus_client::metrics::gauge::Gauge;
use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, RequestId, ServerJsonRpcMessage, ServerNotification};
use rmcp::transport::Transport;
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use self::follower::Follower;
use self::log::ResumeDefects;
use self::session::Session;
use super::args::Args;

mod follower;
mod log;
mod session;
mod streams;
mod weight;

/// Resources that a session may subscribe to.
const MOST_SUBSCRIPTIONS: usize = 1000;

/// What all sessions have in common.
#[derive(Clone, Copy, Debug)]
struct Settings {
    /// Events of a stream that are kept for resumption; 0 for no resumption.
    keep: usize,
    /// How long a client is asked to wait before it resumes.
    retry: Duration,
    resume: ResumeDefects,
}

/// All sessions of a process.
#[derive(Debug)]
pub(super) struct Sessions {
    map: RwLock<HashMap<SessionId, Arc<Session>>>,
    settings: Settings,
    most: usize,
    ttl: Duration,
    lifetime: Option<Duration>,
    ignore_cancel: bool,
    count: Gauge,
}

/// The session has ended.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the session has ended")]
pub(super) struct Ended;

/// Why a session did not do what it was asked to.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum SessionError {
    /// There is no such session.
    #[error("no such session")]
    Unknown,
    /// There are too many.
    #[error("too many sessions")]
    Full,
    /// It ended meanwhile.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// The event id names nothing that is kept.
    #[error("nothing is kept behind this event")]
    NotKept,
}

impl Sessions {
    /// No sessions yet; `count` follows their number.
    pub(super) fn new(args: &Args, count: Gauge) -> Self {
        let defects = &args.defects;
        Self {
            map: RwLock::default(),
            settings: Settings {
                keep: args.sessions.event_store,
                retry: args.sessions.sse_retry,
                resume: ResumeDefects {
                    gap: defects.resume_gap,
                    double: defects.resume_double,
                },
            },
            most: args.sessions.max_sessions,
            ttl: args.sessions.session_ttl,
            lifetime: defects.session_lifetime,
            ignore_cancel: defects.ignore_cancel,
            count,
        }
    }

    fn find(&self, id: &str) -> Result<Arc<Session>, SessionError> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        map.get(id).cloned().ok_or(SessionError::Unknown)
    }

    /// Whether there is such a session.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.find(id).is_ok()
    }

    /// Whether no further session fits.
    pub(super) fn is_full(&self) -> bool {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        map.len() >= self.most
    }

    /// Ends the session, if it is there.
    fn close(&self, id: &str) {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = map.remove(id) {
            self.count.dec();
            session.end();
        }
    }

    /// Ends the connection of a request's stream and makes its client come back. Says whether it could.
    pub(super) fn cut(&self, id: &str, request: &RequestId) -> bool {
        self.find(id).is_ok_and(|session| session.cut(request))
    }

    /// Whether the session has a standing stream that is read; `None` if it has ended.
    pub(super) fn listens(&self, id: &str) -> Option<bool> {
        self.find(id).ok().map(|session| session.listens())
    }

    /// Subscribes the session; false if it has too many subscriptions or has ended.
    pub(super) fn subscribe(&self, id: &str, uri: String) -> bool {
        self.find(id).is_ok_and(|session| {
            let fits = session.subscriptions() < MOST_SUBSCRIPTIONS;
            if fits {
                session.subscribe(uri);
            }
            fits
        })
    }

    /// Ends a subscription, if it is there.
    pub(super) fn unsubscribe(&self, id: &str, uri: &str) -> bool {
        self.find(id).is_ok_and(|session| session.unsubscribe(uri))
    }

    /// Sends a notification to the sessions that subscribed to `uri`, or to all.
    pub(super) fn notify(&self, uri: Option<&str>, notification: &ServerNotification) {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        for session in map.values() {
            if uri.is_none_or(|uri| session.is_subscribed(uri)) {
                session.notify(notification.clone());
            }
        }
    }

    /// When the session is due to end if nothing happens.
    fn due(&self, session: &Session) -> Instant {
        let idle = session.used() + self.ttl;
        match self.lifetime {
            Some(lifetime) => idle.min(session.born + lifetime),
            None => idle,
        }
    }
}

impl SessionManager for Shared {
    type Error = SessionError;
    type Transport = Inlet;

    async fn create_session(&self) -> Result<(SessionId, Inlet), SessionError> {
        let id: SessionId = format!("{:032x}", rand::random::<u128>()).into();
        let (session, inbox) = Session::new(Arc::clone(&id), self.0.settings);
        let session = Arc::new(session);
        let mut map = self.0.map.write().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= self.0.most {
            return Err(SessionError::Full);
        }
        map.insert(Arc::clone(&id), Arc::clone(&session));
        self.0.count.inc();
        let sessions = Arc::clone(&self.0);
        Ok((
            id,
            Inlet {
                sessions,
                session,
                inbox,
            },
        ))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionError> {
        let session = self.0.find(id)?;
        let answer = session.expect_initialized();
        session.give(message).await?;
        answer.await.map_err(|_| SessionError::Ended(Ended))
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionError> {
        Ok(self.0.knows(id))
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionError> {
        self.0.close(id);
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        let session = self.0.find(id)?;
        let (stream, hold) = session.open(&message);
        let follower = Follower::new(Arc::clone(&session), stream, hold);
        session.give(message).await?;
        Ok(follower)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionError> {
        let session = self.0.find(id)?;
        let ClientJsonRpcMessage::Notification(notification) = &message else {
            return Ok(session.give(message).await?);
        };
        let notification = notification.notification.clone();
        let cancels = matches!(
            notification,
            rmcp::model::ClientNotification::CancelledNotification(_)
        );
        if cancels && self.0.ignore_cancel {
            return Ok(());
        }
        session.give(message).await?;
        session.cancelled(&notification);
        Ok(())
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        let session = self.0.find(id)?;
        let (stream, hold) = session.open_standing();
        Ok(Follower::new(session, stream, hold))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        let session = self.0.find(id)?;
        let (stream, hold) = session
            .resume(&last_event_id)
            .ok_or(SessionError::NotKept)?;
        Ok(Follower::new(session, stream, hold))
    }
}

/// The sessions as the SDK holds them.
#[derive(Clone, Debug)]
pub(super) struct Shared(pub(super) Arc<Sessions>);

/// A session as the SDK's loop holds it: messages of the client come out, those of the server go in.
#[derive(Debug)]
pub(super) struct Inlet {
    sessions: Arc<Sessions>,
    session: Arc<Session>,
    inbox: mpsc::Receiver<ClientJsonRpcMessage>,
}

impl Transport<RoleServer> for Inlet {
    type Error = Ended;

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Ended>> + Send + 'static {
        let session = Arc::clone(&self.session);
        let mut route = session.route(item);
        poll_fn(move |context| session.poll_deliver(&mut route, context).map(Ok))
    }

    /// # Cancel safety
    /// Nothing is lost when it is dropped: the inbox is, and what has expired expires again.
    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            let due = self.sessions.due(&self.session);
            tokio::select! {
                message = self.inbox.recv() => return message,
                () = sleep_until(due) => {
                    if self.sessions.due(&self.session) <= Instant::now() {
                        // Here and not after the loop has drained: from now on nobody may find it.
                        self.sessions.close(&self.session.id);
                        return None;
                    }
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Ended> {
        self.sessions.close(&self.session.id);
        Ok(())
    }
}
