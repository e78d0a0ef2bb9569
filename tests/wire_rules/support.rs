//! A server in this process, and a client that sees bytes: a plain socket, nothing that would mend what comes.

use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use mcpload::reference::server::{Args, ServeError, serve_on};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Bound of every wait: far beyond what a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// The arguments of a server with these rules, or what is said of them.
pub(crate) fn args(rules: &[&str], words: &[&str]) -> Result<Args, clap::Error> {
    let mut line = vec!["server", "--listen", "127.0.0.1:0", "--lame-duck", "0s"];
    for rule in rules {
        line.extend(["--wire", rule]);
    }
    line.extend_from_slice(words);
    Line::try_parse_from(line).map(|line| line.args)
}

/// A server in this process. Dropping it drops the shutdown, which counts as asking for it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Server {
    pub(crate) async fn start(rules: &[&str], words: &[&str]) -> Self {
        let args = args(rules, words).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, asked) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            serve_on(listener, args, async {
                let _ = asked.await;
            })
            .await
        });
        Self {
            address,
            shutdown: Some(shutdown),
            task,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client {
            stream: bounded(TcpStream::connect(self.address)).await.unwrap(),
            read: Vec::new(),
        }
    }

    /// The answer to one request on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }

    pub(crate) async fn stop(mut self) {
        drop(self.shutdown.take());
        bounded(self.task).await.unwrap().unwrap();
    }
}

pub(crate) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap()
}

/// A connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As its framing says.
    Whole,
    /// The connection was closed, in order.
    Closed,
    /// The connection was reset.
    Reset,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) ended: Ended,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// The messages of its events.
    pub(crate) fn messages(&self) -> Vec<Value> {
        self.text()
            .split("\n\n")
            .flat_map(str::lines)
            .filter_map(|line| line.strip_prefix("data: "))
            .filter(|data| !data.is_empty())
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }
}

impl Client {
    pub(crate) async fn send(&mut self, request: &str) {
        bounded(self.stream.write_all(request.as_bytes()))
            .await
            .unwrap();
    }

    /// Reads once more; what came in place of bytes, if none did.
    pub(crate) async fn more(&mut self) -> Option<Ended> {
        let mut chunk = vec![0; 64 << 10];
        match bounded(self.stream.read(&mut chunk)).await {
            Ok(0) => Some(Ended::Closed),
            Ok(length) => {
                self.read.extend_from_slice(&chunk[..length]);
                None
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Some(Ended::Reset),
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads to the end of the connection; bytes and how it ended.
    pub(crate) async fn rest(&mut self) -> (Vec<u8>, Ended) {
        loop {
            if let Some(ended) = self.more().await {
                return (std::mem::take(&mut self.read), ended);
            }
        }
    }

    /// Reads the head of an answer.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self
                .read
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap().replace("\r\n", "\n");
            }
            assert_eq!(
                self.more().await,
                None,
                "the connection ended within the head"
            );
        }
    }

    /// Reads an answer, as long as its framing says or until the connection ends.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let mut answer = Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body: Vec::new(),
            ended: Ended::Whole,
        };
        let length = answer
            .header("content-length")
            .map(|text| text.parse::<usize>().unwrap());
        if answer.header("transfer-encoding").is_some() {
            answer.ended = self.chunks(&mut answer.body).await;
            return answer;
        }
        while length.is_none_or(|length| self.read.len() < length) {
            if let Some(ended) = self.more().await {
                answer.ended = ended;
                break;
            }
        }
        let length = length.unwrap_or(usize::MAX).min(self.read.len());
        answer.body = self.read.drain(..length).collect();
        answer
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> Ended {
        loop {
            let parsed = httparse::parse_chunk_size(&self.read).unwrap();
            if let httparse::Status::Complete((line, size)) = parsed {
                let end = line + usize::try_from(size).unwrap() + 2;
                let trailer = self
                    .read
                    .windows(4)
                    .position(|window| window == b"\r\n\r\n");
                if let (0, Some(at)) = (size, trailer) {
                    self.read.drain(..at + 4);
                    return Ended::Whole;
                }
                if size > 0 && self.read.len() >= end {
                    body.extend_from_slice(&self.read[line..end - 2]);
                    self.read.drain(..end);
                    continue;
                }
            }
            if let Some(ended) = self.more().await {
                return ended;
            }
        }
    }
}

/// A POST of this message.
pub(crate) fn post(body: &Value, headers: &[(&str, &str)]) -> String {
    let body = body.to_string();
    let mut request = format!(
        "POST /mcp HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request + "\r\n" + &body
}

/// A call of a tool in the modern era, which needs nothing before it.
pub(crate) fn call(tool: &str, arguments: &Value) -> String {
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": tool,
        "arguments": arguments,
        "_meta": {
            "progressToken": "token",
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        },
    }});
    post(
        &body,
        &[
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
        ],
    )
}

pub(crate) fn echo(text: &str) -> String {
    call("echo", &json!({"text": text}))
}

/// A call whose answer has five progress notifications before the response.
pub(crate) fn stream() -> String {
    call("stream", &json!({"n": 5}))
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")
}

/// A legacy session, initialised.
pub(crate) async fn session(server: &Server) -> String {
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }});
    let answer = server.ask(&post(&initialize, &[])).await;
    let id = answer.header("mcp-session-id").unwrap().to_owned();
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let answer = server.ask(&post(&initialized, &in_session(&id))).await;
    assert_eq!(answer.status, 202);
    id
}

pub(crate) fn in_session(id: &str) -> [(&str, &str); 2] {
    [
        ("mcp-session-id", id),
        ("mcp-protocol-version", "2025-11-25"),
    ]
}
