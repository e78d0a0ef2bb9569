//! Opens the stream of an HTTP+SSE link: GET, then the `endpoint` event, which says where messages are posted.
//!
//! Impure: sockets and the clock. What a server sends before that event is bounded by the parser, and dropped.

use std::rc::Rc;
use std::time::Duration;

use ::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Method};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::connection::{Connection, Post, Took, Way, request};
use crate::clock;
use crate::mcp::exchange::{Exchange, Item, Progress};
use crate::mcp::sse::{Event, Parser};
use crate::mcp::stream::{Ending, Letter, Mailbox};

/// How long a reply to a request of the server may take.
const REPLY: Duration = Duration::from_secs(5);

/// An open stream.
pub(super) struct Stream {
    pub(super) mailbox: Rc<Mailbox>,
    /// Where messages go.
    pub(super) post: Post,
    /// How long it took to connect.
    pub(super) took: Took,
    _reader: AbortOnDropHandle<()>,
    _replier: AbortOnDropHandle<()>,
}

/// Opens a stream with the headers of the message that needs it; `None` if that did not work, which the exchange is told.
pub(super) async fn open(
    way: &Way,
    headers: &HeaderMap,
    exchange: &mut Exchange,
) -> Option<Stream> {
    let endpoint = &way.endpoint;
    let refused = |exchange: &mut Exchange| {
        let _ = exchange.take(&Item::Refused { at: clock::now() });
    };
    let unreadable = |exchange: &mut Exchange| {
        let _ = exchange.take(&Item::Unreadable { at: clock::now() });
    };
    let opened = match Connection::open(way).await {
        Ok(opened) => opened,
        Err(error) => {
            exchange.failed(&error);
            refused(exchange);
            return None;
        }
    };
    let mut connection = opened.connection;
    let took = opened.took.unwrap_or_default();
    took.tell(exchange);
    let asked = clock::now();
    let get = request(endpoint, Method::GET, for_stream(headers), Bytes::new());
    let answer = match connection.send(get).await {
        Ok(answer) => answer,
        Err(error) => {
            exchange.failed(&error);
            refused(exchange);
            return None;
        }
    };
    let (head, mut body) = answer.into_parts();
    if !head.status.is_success() {
        // What was sent, and refused, is the GET.
        let _ = exchange.take(&Item::Sent { at: asked });
        let progress = exchange.take(&Item::Head {
            at: clock::now(),
            status: head.status,
            headers: &head.headers,
        });
        read_refusal(&mut body, exchange, progress).await;
        return None;
    }
    let _ = exchange.take(&Item::Answered {
        headers: &head.headers,
    });
    if !is_stream(&head.headers) {
        unreadable(exchange);
        return None;
    }
    let mut events = Events::new(body, connection);
    let Some(first) = events.wait_for_endpoint().await else {
        // Nothing has been sent yet: the stream was never there.
        match events.ending {
            Some(Ending::Unreadable) => unreadable(exchange),
            _ => refused(exchange),
        }
        return None;
    };
    let target = std::str::from_utf8(&first.data).map(|reference| endpoint.at(reference.trim()));
    let Ok(Ok(target)) = target else {
        unreadable(exchange);
        return None;
    };
    let (mailbox, outbox) = Mailbox::new();
    let reader = spawn_local(events.deliver_to(Rc::clone(&mailbox)));
    let way = Way {
        endpoint: target,
        ..way.clone()
    };
    let replier = spawn_local(reply(outbox, Post::new(way.clone())));
    Some(Stream {
        mailbox,
        post: Post::new(way),
        took,
        _reader: AbortOnDropHandle::new(reader),
        _replier: AbortOnDropHandle::new(replier),
    })
}

/// Feeds the body of a refusal, which may say why.
pub(super) async fn read_refusal(
    body: &mut Incoming,
    exchange: &mut Exchange,
    mut progress: Progress,
) {
    while progress == Progress::More {
        let frame = body.frame().await;
        let at = clock::now();
        progress = match frame {
            Some(Ok(frame)) => match frame.data_ref() {
                Some(bytes) => exchange.take(&Item::Body { at, bytes }),
                None => Progress::More,
            },
            Some(Err(_)) => exchange.take(&Item::Broken { at }),
            None => exchange.take(&Item::End { at }),
        };
    }
}

/// The headers of the GET: those of the message, without what describes its body.
fn for_stream(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove(CONTENT_TYPE);
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    headers
}

/// Whether the answer is an event stream, as it is: we ask for no encoding, and so understand none.
fn is_stream(headers: &HeaderMap) -> bool {
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("text/event-stream"));
    let plain = headers
        .get(CONTENT_ENCODING)
        .is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
    media && plain
}

/// Events as they come.
struct Events {
    body: Incoming,
    parser: Parser,
    /// When the waiting events came, raw.
    at: i64,
    waiting: std::vec::IntoIter<Event>,
    ending: Option<Ending>,
    _connection: Connection,
}

impl Events {
    fn new(body: Incoming, connection: Connection) -> Self {
        Self {
            body,
            parser: Parser::default(),
            at: clock::now(),
            waiting: Vec::new().into_iter(),
            ending: None,
            _connection: connection,
        }
    }

    /// The next event; `None` when the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.next() {
                return Some(event);
            }
            if self.ending.is_some() {
                return None;
            }
            let frame = self.body.frame().await;
            self.at = clock::now();
            let Some(Ok(frame)) = frame else {
                self.ending = Some(Ending::Broken);
                continue;
            };
            let mut events = Vec::new();
            let bytes = frame.data_ref().map_or(&[][..], |bytes| bytes);
            if self
                .parser
                .push(bytes, &mut |event| events.push(event))
                .is_err()
            {
                self.ending = Some(Ending::Unreadable);
            }
            self.waiting = events.into_iter();
        }
    }

    async fn wait_for_endpoint(&mut self) -> Option<Event> {
        loop {
            let event = self.next().await?;
            if event.name == "endpoint" {
                return Some(event);
            }
        }
    }

    /// Delivers each message until the stream ends.
    async fn deliver_to(mut self, mailbox: Rc<Mailbox>) {
        while let Some(event) = self.next().await {
            let is_message = matches!(event.name.as_str(), "" | "message");
            if is_message && !event.data.is_empty() {
                mailbox.deliver(self.at, Bytes::from(event.data)).await;
            }
        }
        mailbox.end(self.at, self.ending.unwrap_or(Ending::Broken));
    }
}

/// Posts replies to what the server asks, one after the other, on a connection of their own: a POST under way may wait for them.
async fn reply(mut outbox: mpsc::Receiver<Letter>, mut post: Post) {
    while let Some(Letter::Message { outgoing, .. }) = outbox.recv().await {
        // What becomes of it is not measured.
        let _ = timeout(REPLY, post.send_aside(outgoing)).await;
    }
}
