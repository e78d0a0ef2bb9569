//! [`WebSocketLink`]: JSON-RPC messages as text frames of a WebSocket with the subprotocol `mcp`.
//!
//! Impure: sockets and the clock. No version of MCP has this transport; deployments do, and this is what they agree on (RFC 6455, one
//! message per text frame, the session ends with the connection). Invariants: a message is at most `MAX_BODY` long; a binary frame
//! ends the connection as malformed. Pings and close frames are answered while nothing is in flight, too.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use ::http::uri::Authority;
use ::http::{HeaderMap, HeaderValue, Request, Uri};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tokio_util::task::AbortOnDropHandle;

use super::dial::dial_secured;
use super::endpoint::Endpoint;
use super::exchange::{Exchange, Item, MAX_BODY};
use super::stream::{Channel, Ending, Letter, Mailbox};
use super::{Link, LocalFuture, Outgoing};
use crate::clock;
use crate::plan::VanishHow;

/// How long a close frame may wait for its answer.
const GOODBYE: Duration = Duration::from_secs(1);
/// The read buffer of a connection, bytes: there are many, and messages are small.
const READ_BUFFER: usize = 8 << 10;

/// One WebSocket to an endpoint, opened when it is needed.
pub struct WebSocketLink {
    endpoint: Rc<Endpoint>,
    headers: HeaderMap,
    source: Option<IpAddr>,
    tls: Option<Arc<ClientConfig>>,
    open: Option<Open>,
}

/// An open WebSocket.
struct Open {
    channel: Channel,
    reader: AbortOnDropHandle<()>,
    writer: AbortOnDropHandle<()>,
}

impl WebSocketLink {
    /// A link without a connection; `headers` go with the upgrade, `source` is the local address that it will connect from.
    pub fn new(endpoint: Rc<Endpoint>, headers: HeaderMap, source: Option<IpAddr>) -> Self {
        Self {
            endpoint,
            headers,
            source,
            tls: None,
            open: None,
        }
    }

    /// The same link, which trusts these; `wss` needs it. The configuration must not offer HTTP/2.
    #[must_use]
    pub fn secured_by(mut self, tls: Option<Arc<ClientConfig>>) -> Self {
        self.tls = tls;
        self
    }

    /// Connects and upgrades; `None` if that did not work, which the exchange is told.
    async fn connect(&self, exchange: &mut Exchange) -> Option<Open> {
        let tls = self.tls.as_ref();
        match dial_secured(&self.endpoint, self.source, tls, exchange).await {
            Ok(stream) => self.upgrade(stream, exchange).await,
            Err(error) => {
                exchange.failed(&error);
                let _ = exchange.take(&Item::Refused { at: clock::now() });
                None
            }
        }
    }

    async fn upgrade<S>(&self, stream: S, exchange: &mut Exchange) -> Option<Open>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_BODY))
            .max_frame_size(Some(MAX_BODY));
        let asked = clock::now();
        let request = self.request();
        match Box::pin(client_async_with_config(request, stream, Some(config))).await {
            Ok((socket, response)) => Some(Open::new(socket, response.into_parts().0.headers)),
            Err(error) => {
                refused(error, asked, exchange);
                None
            }
        }
    }

    fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = self.target();
        *request.headers_mut() = self.headers.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.endpoint.authority().clone());
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("mcp"));
        if let Ok(key) = HeaderValue::from_str(&generate_key()) {
            headers.insert(SEC_WEBSOCKET_KEY, key);
        }
        request
    }

    /// What tungstenite reads the path from. It wants a scheme, of which nothing goes out; TLS is the stream's affair.
    fn target(&self) -> Uri {
        let mut parts = self.endpoint.path().clone().into_parts();
        parts.scheme = "ws".parse().ok();
        parts.authority = Authority::try_from(self.endpoint.authority().as_bytes()).ok();
        Uri::from_parts(parts).unwrap_or_default()
    }

    async fn run(&mut self, outgoing: Outgoing, exchange: &mut Exchange) {
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.channel.is_over())
        {
            self.open = None;
            let _ = exchange.take(&Item::Gone { at: clock::now() });
            return;
        }
        if self.open.is_none() {
            self.open = self.connect(exchange).await;
        }
        if let Some(open) = &self.open {
            open.channel.exchange(outgoing, exchange).await;
        }
    }
}

impl Link for WebSocketLink {
    fn exchange<'a>(
        &'a mut self,
        outgoing: Outgoing,
        exchange: &'a mut Exchange,
    ) -> LocalFuture<'a, ()> {
        Box::pin(self.run(outgoing, exchange))
    }

    fn follow<'a>(&'a mut self, exchange: &'a mut Exchange) -> LocalFuture<'a, ()> {
        Box::pin(async {
            match &self.open {
                Some(open) => open.channel.follow(exchange).await,
                None => {
                    let _ = exchange.take(&Item::Gone { at: clock::now() });
                }
            }
        })
    }

    fn settle(&mut self) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Sends a close frame and leaves; the answer is waited for up to a second, beside what comes next.
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.channel.say_goodbye();
            spawn_local(async move {
                let Open { reader, writer, .. } = open;
                let _ = timeout(GOODBYE, async {
                    let _ = writer.await;
                    let _ = reader.await;
                })
                .await;
            });
        }
    }

    fn beside(&self) -> Option<Box<dyn Link>> {
        None
    }

    /// Leaves without a close frame; of the ways to vanish this is the only one here.
    fn vanish(&mut self, _how: VanishHow) {
        self.open = None;
    }
}

/// Tells the exchange why there is no WebSocket: the status of a refusal decides, if it came to one.
fn refused(error: Error, asked: i64, exchange: &mut Exchange) {
    let at = clock::now();
    exchange.failed(&error);
    match error {
        Error::Http(response) if !response.status().is_success() => {
            let (head, body) = (*response).into_parts();
            // What was sent, and refused, is the upgrade.
            let _ = exchange.take(&Item::Sent { at: asked });
            let _ = exchange.take(&Item::Head {
                at,
                status: head.status,
                headers: &head.headers,
            });
            let bytes = Bytes::from(body.unwrap_or_default());
            let _ = exchange.take(&Item::Body { at, bytes: &bytes });
            let _ = exchange.take(&Item::End { at });
        }
        Error::Io(_) | Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            let _ = exchange.take(&Item::Refused { at });
        }
        // It answered, but what came is no upgrade to the subprotocol.
        _ => {
            let _ = exchange.take(&Item::Unreadable { at });
        }
    }
}

impl Open {
    fn new<S>(socket: WebSocketStream<S>, headers: HeaderMap) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (mailbox, outbox) = Mailbox::new();
        let (sink, source) = socket.split();
        let reader = spawn_local(read(source, Rc::clone(&mailbox)));
        let writer = spawn_local(write(sink, outbox, Rc::clone(&mailbox)));
        Self {
            channel: Channel::new(mailbox).opened_with(headers),
            reader: AbortOnDropHandle::new(reader),
            writer: AbortOnDropHandle::new(writer),
        }
    }
}

/// Delivers each text frame until the connection ends; then the writer stops, too, which closes the socket.
async fn read<S>(mut source: SplitStream<WebSocketStream<S>>, mailbox: Rc<Mailbox>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (at, ending) = deliver_all(&mut source, &mailbox).await;
    mailbox.end(at, ending);
    let _ = mailbox.letters().try_send(Letter::Goodbye);
    if ending == Ending::Broken {
        // A close frame is answered by reading on.
        let _ = timeout(GOODBYE, async { while source.next().await.is_some() {} }).await;
    }
}

async fn deliver_all<S>(
    source: &mut SplitStream<WebSocketStream<S>>,
    mailbox: &Mailbox,
) -> (i64, Ending)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let frame = source.next().await;
        let at = clock::now();
        match frame {
            Some(Ok(Message::Text(text))) => mailbox.deliver(at, Bytes::from(text)).await,
            // A ping is answered by the next read.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            None | Some(Ok(Message::Close(_))) => return (at, Ending::Broken),
            Some(Err(error)) => return (at, ending_of(&error)),
            Some(Ok(Message::Binary(_))) => return (at, Ending::Unreadable),
        }
    }
}

/// A connection that is cut is broken, also in the middle of a frame; all else is against the protocol or its bounds.
fn ending_of(error: &Error) -> Ending {
    match error {
        Error::Io(_)
        | Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Ending::Broken,
        _ => Ending::Unreadable,
    }
}

/// Writes messages until there are no more.
async fn write<S>(
    mut sink: SplitSink<WebSocketStream<S>, Message>,
    mut outbox: mpsc::Receiver<Letter>,
    mailbox: Rc<Mailbox>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(letter) = outbox.recv().await {
        let (message, written) = match letter {
            Letter::Message { outgoing, written } => {
                let Ok(text) = Utf8Bytes::try_from(outgoing.body) else {
                    // Every message of ours is text; one that is not cannot be sent here.
                    continue;
                };
                (Message::Text(text), written)
            }
            Letter::Goodbye => {
                let close = CloseFrame {
                    code: CloseCode::Normal,
                    reason: Utf8Bytes::default(),
                };
                let _ = sink.send(Message::Close(Some(close))).await;
                return;
            }
        };
        if sink.send(message).await.is_err() {
            return mailbox.end(clock::now(), Ending::Broken);
        }
        if let Some(written) = written {
            // Nobody waits for it if the request was given up.
            let _ = written.send(clock::now());
        }
    }
}
