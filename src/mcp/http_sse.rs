//! [`SseLink`]: HTTP+SSE, the transport of 2024-11-05: a GET stream for what the server says, a POST for each message to it.
//!
//! Impure: sockets and the clock. The session is the stream: when it ends, the session is lost. Invariants: messages go nowhere but to
//! the server that the stream came from; a message is posted at most once; answers count from the stream alone, whatever the
//! body of a POST's answer holds. Next: `open` has the stream, `connection` the POSTs, `mcp::stream` the messages.

use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use hyper::Response;
use hyper::body::Incoming;
use rustls::ClientConfig;

use super::endpoint::Endpoint;
use super::exchange::{Exchange, Item, Progress};
use super::stream::{Attending, Local, Until, locally};
use super::{Link, LocalFuture, Outgoing};
use crate::clock;

mod connection;
mod open;

use connection::{OpenError, Opened, Post, Posted, Took, Way};
use open::{Stream, read_refusal};

/// One stream from an endpoint, opened when it is needed, and the connection for messages to it.
pub struct SseLink {
    endpoint: Rc<Endpoint>,
    source: Option<IpAddr>,
    tls: Option<Arc<ClientConfig>>,
    stream: Option<Stream>,
}

/// What an exchange leaves of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// It may be used again, or its end is still to be found.
    Stream,
    /// Its end was found before anything was sent.
    Nothing,
}

impl SseLink {
    /// A link without a connection; `source` is the local address that it will connect from.
    pub fn new(endpoint: Rc<Endpoint>, source: Option<IpAddr>) -> Self {
        Self {
            endpoint,
            source,
            tls: None,
            stream: None,
        }
    }

    /// The same link, which trusts these; `https` needs it. The configuration must not offer HTTP/2.
    #[must_use]
    pub fn secured_by(mut self, tls: Option<Arc<ClientConfig>>) -> Self {
        self.tls = tls;
        self
    }

    async fn run(&mut self, outgoing: Outgoing, exchange: &mut Exchange) {
        if self
            .stream
            .as_ref()
            .is_some_and(|stream| stream.mailbox.is_over())
        {
            self.stream = None;
            let _ = exchange.take(&Item::Gone { at: clock::now() });
            return;
        }
        let mut opening = Took::default();
        if self.stream.is_none() {
            let headers = &outgoing.headers;
            let way = Way {
                endpoint: Endpoint::clone(&self.endpoint),
                source: self.source,
                tls: self.tls.clone(),
            };
            self.stream = open::open(&way, headers, exchange).await;
            opening = self.stream.as_ref().map_or(opening, |stream| stream.took);
        }
        let Some(stream) = &mut self.stream else {
            return;
        };
        if stream.carry_out(outgoing, opening, exchange).await == Left::Nothing {
            self.stream = None;
        }
    }
}

impl Stream {
    /// Posts a message and feeds the exchange. `opening` is what this exchange has spent on connecting so far.
    async fn carry_out(
        &mut self,
        outgoing: Outgoing,
        opening: Took,
        exchange: &mut Exchange,
    ) -> Left {
        let attending = self.mailbox.attend(exchange);
        let Local::Message(outgoing) = locally(outgoing, exchange) else {
            return Left::Stream;
        };
        let opened = {
            let opening = pin!(self.post.open());
            match attending.until(exchange, opening).await {
                Until::Done(opened) => opened,
                Until::Complete => return Left::Stream,
                Until::Ended(..) => {
                    let _ = exchange.take(&Item::Gone { at: clock::now() });
                    return Left::Nothing;
                }
            }
        };
        let Some(connection) = opened_for(opened, opening, exchange) else {
            return Left::Stream;
        };
        let _ = exchange.take(&Item::Sent { at: clock::now() });
        let mut posting = self.post.start(connection, outgoing);
        match attending.until(exchange, &mut posting).await {
            Until::Done(posted) => {
                posted_message(&mut self.post, posted, &attending, exchange).await;
            }
            Until::Complete => self.post.keep_posting(posting, exchange).await,
            Until::Ended(at, ending) => {
                let _ = exchange.take(&ending.item(at));
            }
        }
        Left::Stream
    }
}

/// The connection for a message, if there is one, which the exchange is told.
fn opened_for(
    opened: Result<Opened, OpenError>,
    opening: Took,
    exchange: &mut Exchange,
) -> Option<connection::Connection> {
    match opened {
        Ok(opened) => {
            if let Some(took) = opened.took {
                opening.and(took).tell(exchange);
            }
            Some(opened.connection)
        }
        Err(error) => {
            exchange.failed(&error);
            let _ = exchange.take(&Item::Refused { at: clock::now() });
            None
        }
    }
}

/// Takes the head of a POST's answer: a refusal decides, else the stream is waited for.
async fn posted_message(
    post: &mut Post,
    posted: Posted,
    attending: &Attending,
    exchange: &mut Exchange,
) {
    let at = clock::now();
    let answer = match posted.answer {
        Ok(answer) => answer,
        Err(error) => {
            exchange.failed(&error);
            let _ = exchange.take(&Item::Broken { at });
            return;
        }
    };
    let (head, mut body) = Response::<Incoming>::into_parts(answer);
    if !head.status.is_success() {
        let progress = exchange.take(&Item::Head {
            at,
            status: head.status,
            headers: &head.headers,
        });
        read_refusal(&mut body, exchange, progress).await;
        post.keep_rest(posted.connection, body);
        return;
    }
    let _ = exchange.take(&Item::Answered {
        headers: &head.headers,
    });
    post.keep_rest(posted.connection, body);
    if exchange.take(&Item::Accepted { at }) == Progress::More {
        attending.carry(exchange).await;
    }
}

impl Link for SseLink {
    fn exchange<'a>(
        &'a mut self,
        outgoing: Outgoing,
        exchange: &'a mut Exchange,
    ) -> LocalFuture<'a, ()> {
        Box::pin(self.run(outgoing, exchange))
    }

    fn follow<'a>(&'a mut self, exchange: &'a mut Exchange) -> LocalFuture<'a, ()> {
        Box::pin(async {
            match &self.stream {
                Some(stream) => stream.mailbox.attend(exchange).carry(exchange).await,
                None => {
                    let _ = exchange.take(&Item::Gone { at: clock::now() });
                }
            }
        })
    }

    fn settle(&mut self) -> LocalFuture<'_, ()> {
        Box::pin(async {
            if let Some(stream) = &mut self.stream {
                stream.post.settle().await;
            }
        })
    }

    fn close(&mut self) {
        self.stream = None;
    }

    fn beside(&self) -> Option<Box<dyn Link>> {
        None
    }
}
