//! Connections whose answers wire rules change: HTTP/1.1 by our own hands, because no library writes it wrong.
//!
//! It owns the sockets of its connections. Requests are read in full and answered by the same router as without rules; the
//! transformers of [`crate::fault::wire`] decide what is written. Without rules none of this runs. Invariant: a client that
//! leaves takes its request with it, as it does without rules. Next: `input` reads requests, `output` does the acts.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::fault::wire::part::{Body, Connection, Terms};
use crate::fault::wire::{Request, Rule, Rules, Transformer};
use crate::model::Seed;

mod input;
mod output;

use input::{Input, Received, Refused};
use output::Last;

/// How long a connection that was closed in order is read over, so that what the client still sends does not reset it.
const LINGER: Duration = Duration::from_secs(1);

/// The rules of a server, which all its connections share.
#[derive(Debug)]
pub(super) struct Wire(Mutex<Rules>);

impl Wire {
    /// None without rules.
    pub(super) fn new(rules: &[Rule], seed: u64) -> Option<Self> {
        (!rules.is_empty()).then(|| Self(Mutex::new(Rules::new(rules.to_vec(), Seed(seed)))))
    }

    fn transformer(&self, request: &Request, terms: Terms) -> Transformer {
        // Rules are whole after each call, so one that panicked leaves nothing half done.
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rules.transformer(request, terms)
    }
}

/// The stages of the server's end that a connection looks at.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    /// No further request is taken.
    pub(super) closing: CancellationToken,
    /// No rule waits any longer.
    pub(super) cut: CancellationToken,
}

/// Serves one connection until the peer leaves, a rule ends it, or its answer has ended when the server is closing.
pub(super) async fn connection(mut stream: TcpStream, router: Router, wire: &Wire, ends: Ends) {
    // As without rules: an answer is several small writes.
    let _ = stream.set_nodelay(true);
    match requests(&mut stream, &router, wire, &ends).await {
        Last::Gone => {}
        // Zero linger makes the drop of the socket a reset. If it cannot be set, the socket is broken already.
        Last::Reset => {
            let _ = stream.set_zero_linger();
        }
        Last::Close | Last::Done => linger(&mut stream).await,
    }
}

/// Closes in order: says that nothing more comes, then reads over what still does.
async fn linger(stream: &mut TcpStream) {
    let mut rest = [0; 1024];
    let _ = timeout(LINGER, async {
        let mut open = stream.shutdown().await.is_ok();
        while open {
            open = stream.read(&mut rest).await.is_ok_and(|read| read > 0);
        }
    })
    .await;
}

/// Answers requests one after the other.
async fn requests(stream: &mut TcpStream, router: &Router, wire: &Wire, ends: &Ends) -> Last {
    let (reader, mut writer) = stream.split();
    let mut input = Input::new(reader);
    loop {
        tokio::select! {
            biased;
            begun = input.begun() => if !begun {
                return Last::Gone;
            },
            () = ends.closing.cancelled() => return Last::Close,
        }
        let received = match input.request(&mut writer).await {
            Ok(received) => received,
            Err(Refused::Gone) => return Last::Gone,
            Err(Refused::Bad(status)) => return refuse(&mut writer, status).await,
        };
        let (request, terms) = (&received.request, terms(&received));
        let seen = Request::read(request.method(), request.headers(), request.body());
        let transformer = wire.transformer(&seen, terms);
        let last = tokio::select! {
            last = output::answer(transformer, received.request, router, &mut writer, ends) => last,
            () = input.gone() => Last::Gone,
        };
        if last != Last::Done {
            return last;
        }
    }
}

fn terms(received: &Received) -> Terms {
    Terms {
        body: if received.request.method() == Method::HEAD {
            Body::HeadOnly
        } else {
            Body::Wanted
        },
        connection: match (received.old, received.keep_alive) {
            (true, _) => Connection::CloseUnchunked,
            (false, true) => Connection::KeepAlive,
            (false, false) => Connection::Close,
        },
    }
}

/// Answers what is no request that could be served; the connection is closed after it.
async fn refuse(writer: &mut WriteHalf<'_>, status: StatusCode) -> Last {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    // If the peer is gone, so is the connection.
    let _ = writer.write_all(answer.as_bytes()).await;
    Last::Close
}
