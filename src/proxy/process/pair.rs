//! Both sockets of a connection, both ways between them, and what its rules want of it.
//!
//! Impure. Nothing here waits. Invariant: no rule that changes resets a connection, unless the rule says so or the stream has a
//! hole.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::desk::{Doubts, Totals};
use super::flow::{End, Flow};
use crate::clock;
use crate::fault::link::Way;
use crate::fault::link::fate::{Facts, Fate, fate};
use crate::fault::link::http::Http;
use crate::fault::link::item::Ending;
use crate::fault::link::lane::Stream;
use crate::fault::link::rules::RuleSet;
use crate::fault::link::toxic::Side;

/// How long a connection that a rule closed is read over, so that what the client still sends does not reset it.
const LINGER: Duration = Duration::from_secs(1);

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// Both ways have ended, or nobody is there.
    Gone,
    /// By a rule.
    Ended(Ending),
}

/// See the head of the file.
pub(super) struct Pair {
    facts: Facts,
    rules: Arc<RuleSet>,
    fate: Fate,
    client: Option<TcpStream>,
    server: Option<TcpStream>,
    /// The side that a rule took away.
    gone: Option<Side>,
    to_server: Flow,
    to_client: Flow,
    /// What follows its requests and answers.
    http: Option<Box<Http>>,
    totals: Arc<Totals>,
    doubts: Arc<Doubts>,
    /// The server has ended its way, which was told.
    server_ended: bool,
}

impl Pair {
    /// A connection that was accepted, with its first rules.
    pub(super) fn new(
        client: TcpStream,
        facts: Facts,
        (totals, doubts): (Arc<Totals>, Arc<Doubts>),
        http: bool,
        rules: Arc<RuleSet>,
    ) -> (Self, Option<Last>) {
        let mut pair = Self {
            facts,
            fate: fate(&RuleSet::default(), facts, facts.accepted),
            rules: Arc::clone(&rules),
            client: Some(client),
            server: None,
            gone: None,
            to_server: Flow::new(Way::ToServer, facts.connection),
            to_client: Flow::new(Way::ToClient, facts.connection),
            http: http.then(Box::default),
            totals,
            doubts,
            server_ended: false,
        };
        let last = pair.take_over(rules);
        (pair, last)
    }

    /// The generation of its rules.
    pub(super) fn generation(&self) -> u64 {
        self.rules.generation
    }

    /// When its server may be dialled.
    pub(super) fn dial_at(&self) -> Option<i64> {
        self.fate.dial_at
    }

    /// Takes over rules.
    pub(super) fn take_over(&mut self, rules: Arc<RuleSet>) -> Option<Last> {
        self.rules = rules;
        let now = clock::now();
        let streams =
            [&mut self.to_server, &mut self.to_client].map(|flow| flow.lane.set(now, &self.rules));
        if let Some(http) = &mut self.http {
            http.set(&self.rules, self.facts.connection);
        }
        if streams.contains(&Stream::Holed) {
            return Some(Last::Ended(Ending::Reset));
        }
        self.decide()
    }

    /// Decides what becomes of it as a whole.
    pub(super) fn decide(&mut self) -> Option<Last> {
        self.facts.is_half = self.gone.is_some();
        self.fate = fate(&self.rules, self.facts, clock::now());
        if let Some(ending) = self.fate.ending {
            return Some(Last::Ended(ending));
        }
        match (self.gone, self.fate.gone) {
            (None, Some(side)) => {
                self.gone = Some(side);
                let gone = match side {
                    Side::Server => self.server.take(),
                    Side::Client => self.client.take(),
                };
                // It finds out at once; only the other does not.
                reset(gone.as_ref());
                None
            }
            // The side that stayed finds out now.
            (Some(_), None) => Some(Last::Ended(Ending::Reset)),
            _ => None,
        }
    }

    /// The server was reached, or not.
    pub(super) fn dialled(&mut self, dialled: io::Result<TcpStream>) -> Option<Last> {
        match dialled {
            // The server was taken away while it was dialled.
            Ok(_) if self.gone == Some(Side::Server) => None,
            Ok(server) => {
                let _ = server.set_nodelay(true);
                self.server = Some(server);
                None
            }
            Err(error) => {
                self.totals.unreached.fetch_add(1, Ordering::Relaxed);
                if error.kind() == io::ErrorKind::ConnectionRefused {
                    self.doubts.refused.store(true, Ordering::Relaxed);
                    self.doubts.woken.notify_one();
                }
                // The nearest to a refusal that is left once the kernel has accepted.
                Some(Last::Ended(Ending::Reset))
            }
        }
    }

    /// When something is to be done, but for dialling.
    pub(super) fn due(&self) -> Option<i64> {
        let http = self.http.as_deref();
        let flows = [self.to_server.due(http), self.to_client.due(http)];
        flows.into_iter().chain([self.fate.due]).flatten().min()
    }

    /// Carries both ways as far as they go. Ready when it ends, or is to be woken before `due`.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        due: Option<i64>,
    ) -> Poll<Option<Last>> {
        loop {
            // A client that had too much unanswered may go on once an answer has left.
            let full = self
                .http
                .as_ref()
                .is_some_and(|http| !http.takes_requests());
            if let Some(ending) = self.carry(context) {
                return Poll::Ready(Some(Last::Ended(ending)));
            }
            if !full
                || self
                    .http
                    .as_ref()
                    .is_some_and(|http| !http.takes_requests())
            {
                break;
            }
        }
        let [to_server, to_client] = [&self.to_server, &self.to_client].map(Flow::is_over);
        let over = match self.gone {
            None => to_server && to_client,
            Some(Side::Server) => to_server,
            Some(Side::Client) => to_client,
        };
        if over {
            let is_broken = self.to_server.is_broken() || self.to_client.is_broken();
            let broken = is_broken.then_some(Last::Ended(Ending::Reset));
            return Poll::Ready(broken.or(Some(Last::Gone)));
        }
        match self.due() {
            Some(at) if due.is_none_or(|due| at < due) => Poll::Ready(None),
            _ => Poll::Pending,
        }
    }

    /// One turn of both ways.
    fn carry(&mut self, context: &mut Context<'_>) -> Option<Ending> {
        let (totals, gone) = (&self.totals, self.gone);
        let ending = self.to_server.poll(
            context,
            end(&mut self.client, gone == Some(Side::Client)),
            end(&mut self.server, gone == Some(Side::Server)),
            self.http.as_deref_mut(),
            &totals.to_server,
        );
        let ending = ending.or_else(|| {
            self.to_client.poll(
                context,
                end(&mut self.server, gone == Some(Side::Server)),
                end(&mut self.client, gone == Some(Side::Client)),
                self.http.as_deref_mut(),
                &totals.to_client,
            )
        });
        if !self.server_ended && self.to_client.is_source_over() {
            self.server_ended = true;
            self.doubts.woken.notify_one();
        }
        ending
    }

    /// Ends it.
    pub(super) async fn end(self, last: Last) {
        match last {
            Last::Gone => {}
            Last::Ended(Ending::Reset) => {
                reset(self.client.as_ref());
                reset(self.server.as_ref());
            }
            Last::Ended(Ending::Close) => {
                drop(self.server);
                if let Some(client) = self.client {
                    linger(client).await;
                }
            }
        }
    }
}

fn end(stream: &mut Option<TcpStream>, gone: bool) -> End<'_> {
    match stream {
        Some(stream) => End::Here(stream),
        None if gone => End::Gone,
        None => End::Later,
    }
}

/// Makes the drop of the socket a reset. If that cannot be said, the socket is broken already.
fn reset(stream: Option<&TcpStream>) {
    if let Some(stream) = stream {
        let _ = stream.set_zero_linger();
    }
}

/// Closes in order: says that nothing more comes, then reads over what still does.
async fn linger(mut client: TcpStream) {
    let mut rest = [0; 1024];
    let _ = timeout(LINGER, async {
        let mut open = client.shutdown().await.is_ok();
        while open {
            open = client.read(&mut rest).await.is_ok_and(|read| read > 0);
        }
    })
    .await;
}
