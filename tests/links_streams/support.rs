//! What all of these tests need: a thread with a deadline, requests, and a server that speaks raw HTTP.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use mcpload::mcp::endpoint::Endpoint;
use mcpload::mcp::exchange::{Awaited, Exchange};
use mcpload::mcp::message::{self, RequestKind};
use mcpload::mcp::{Link, Outgoing, Verb};
use mcpload::model::Class;
use mcpload::model::protocol::Era;
use mcpload::plan::Method;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

/// No test takes as long; what hangs fails.
const DEADLINE: Duration = Duration::from_mins(1);

/// Runs a test on one thread, as a worker runs its clients.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tasks = LocalSet::new();
    runtime.block_on(tasks.run_until(async {
        tokio::time::timeout(DEADLINE, test)
            .await
            .expect("the test ends in time")
    }))
}

/// The headers of every request here.
pub(crate) fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("authorization", HeaderValue::from_static("Bearer abc"));
    headers
}

/// A message as it goes out.
pub(crate) fn outgoing(body: impl Into<String>) -> Outgoing {
    Outgoing {
        verb: Verb::Post,
        headers: headers(),
        body: Bytes::from(body.into()),
    }
}

/// An exchange that awaits this.
pub(crate) fn exchange(awaited: Awaited) -> Exchange {
    let served_by = Some(HeaderName::from_static("mcpload-instance"));
    Exchange::new(awaited, Era::Legacy, false, served_by).replying_with(&headers())
}

/// An exchange for request `id`, which any result answers.
pub(crate) fn request(id: u64) -> Exchange {
    exchange(Awaited::Response {
        id,
        kind: RequestKind::Method(Method::Ping),
        expected: Vec::new(),
    })
}

/// The request `ping`.
pub(crate) fn ping(id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)
}

/// Asks `ping` under this number.
pub(crate) async fn call(link: &mut dyn Link, id: u64) -> Exchange {
    let mut exchange = request(id);
    link.exchange(outgoing(ping(id)), &mut exchange).await;
    link.settle().await;
    exchange
}

/// Sends a notification.
pub(crate) async fn notify(link: &mut dyn Link) -> Exchange {
    let mut exchange = exchange(Awaited::Status);
    link.exchange(outgoing(message::INITIALIZED), &mut exchange)
        .await;
    link.settle().await;
    exchange
}

/// What it came to.
pub(crate) fn class(exchange: &Exchange) -> (Class, Option<i64>) {
    let verdict = exchange.verdict().expect("the exchange is complete");
    (verdict.class, verdict.code)
}

/// The right answer to request `id`.
pub(crate) fn answer(id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
}

/// A request of the server.
pub(crate) const SERVER_PING: &str = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;
/// How a client answers it.
pub(crate) const CLIENT_PONG: &str = r#"{"jsonrpc":"2.0","id":"p","result":{}}"#;

/// A listener, and the endpoint that leads to it.
pub(crate) async fn listen(scheme: &str, path: &str) -> (TcpListener, Rc<Endpoint>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = Endpoint::parse(&format!("{scheme}://{address}{path}")).unwrap();
    (listener, Rc::new(endpoint))
}

/// The server's end of one connection.
pub(crate) struct Peer {
    stream: BufReader<TcpStream>,
}

/// A request as it came.
pub(crate) struct Asked {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Peer {
    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// The next request.
    pub(crate) async fn asked(&mut self) -> Asked {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let count = self.stream.read_line(&mut head).await.unwrap();
            assert!(count > 0, "the client left after {head:?}");
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        Asked {
            head,
            body: String::from_utf8(body).unwrap(),
        }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Writes until the client has left; how much it took.
    pub(crate) async fn flood(&mut self, chunk: &[u8], most: usize) -> usize {
        let mut written = 0;
        while written < most && self.stream.write_all(chunk).await.is_ok() {
            written += chunk.len();
        }
        written
    }

    pub(crate) async fn respond(&mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}");
        self.write(text).await;
    }

    /// An event of the stream.
    pub(crate) async fn event(&mut self, name: &str, data: &str) {
        self.write(format!("event: {name}\r\ndata: {data}\r\n\r\n"))
            .await;
    }

    /// Ends the answer, and waits until the client has seen it.
    pub(crate) async fn cut(mut self) {
        self.stream.shutdown().await.unwrap();
        self.gone().await;
    }

    /// Waits until the client has closed its end.
    pub(crate) async fn gone(&mut self) {
        let mut rest = Vec::new();
        // A reset says the same.
        let _ = self.stream.read_to_end(&mut rest).await;
    }
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("in 10 s it did not happen that {what}");
}
