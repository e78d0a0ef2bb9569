//! Pings to clients, every `--ping-interval`, on the standing stream of each session.
//!
//! It waits for the time and for answers. Invariant: a session is pinged only while its standing stream is read, and has
//! one ping under way at most; every ping that was sent is counted once more, as answered or not.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ClientResult, PingRequest, ServerRequest};
use rmcp::service::{NotificationContext, Peer, PeerRequestOptions};
use tokio::time::{MissedTickBehavior, interval};

use super::super::metrics::Ping;
use super::super::tools::session_of;
use super::Handler;

/// How long an answer is waited for, at most; if pings come more often, until the next one is due.
const PATIENCE: Duration = Duration::from_secs(10);

impl Handler {
    /// Starts to ping the session that was initialized now, if pings are switched on.
    pub(super) fn start_pings(&self, context: NotificationContext<RoleServer>) {
        let parts = context.extensions.get::<http::request::Parts>();
        if let Some(every) = self.0.args.sessions.ping_interval
            && let Some(session) = parts.and_then(session_of)
        {
            let handler = self.clone();
            let cut = self.0.life.cut.clone();
            self.0.life.background.spawn(async move {
                tokio::select! {
                    () = handler.ping(&session, &context.peer, every) => {}
                    () = cut.cancelled() => {}
                }
            });
        }
    }

    /// Pings until the session ends.
    async fn ping(&self, session: &str, peer: &Peer<RoleServer>, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.0.sessions.listens(session) {
                None => return,
                Some(false) => continue,
                Some(true) => {}
            }
            self.0.metrics.ping(Ping::Sent);
            let answered = answered(peer, every.min(PATIENCE)).await;
            self.0.metrics.ping(if answered {
                Ping::Answered
            } else {
                Ping::Unanswered
            });
        }
    }
}

async fn answered(peer: &Peer<RoleServer>, patience: Duration) -> bool {
    let ping = ServerRequest::PingRequest(PingRequest::default());
    let options = PeerRequestOptions::with_timeout(patience);
    match peer.send_cancellable_request(ping, options).await {
        Ok(handle) => matches!(
            handle.await_response().await,
            Ok(ClientResult::EmptyResult(_))
        ),
        Err(_) => false,
    }
}
