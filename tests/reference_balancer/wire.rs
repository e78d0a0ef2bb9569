//! A balancer, clients and upstreams for the tests beside, which speak HTTP by hand.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use mcpload::reference::balancer::{Args, serve_on};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Far beyond what anything here takes; only a hang gets there.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) async fn bounded<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(LIMIT, Box::pin(future))
        .await
        .unwrap_or_else(|_| panic!("{what} takes too long"))
}

#[derive(Parser)]
pub(crate) struct Command {
    #[command(flatten)]
    args: Args,
}

pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<()>,
}

impl Balancer {
    /// Starts one on a free port. Checks are off unless `arguments` turn them on: tests of one thing need no other.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut all = vec!["balancer", "--listen", "127.0.0.1:0"];
        if !arguments.contains(&"--check-interval") {
            all.extend(["--check-interval", "0s"]);
        }
        all.extend(arguments);
        let args = Command::try_parse_from(all).unwrap().args;
        let listener = TcpListener::bind(args.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            serve_on(listener, args, async move { drop(stopped.await) })
                .await
                .unwrap();
        });
        Self {
            address,
            stop: Some(stop),
            served,
        }
    }

    pub(crate) async fn send(&self, request: &str) -> Client {
        let mut client = Client {
            stream: TcpStream::connect(self.address).await.unwrap(),
            read: String::new(),
        };
        client.send(request).await;
        client
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        self.send(&request(method, path, headers, body))
            .await
            .answer()
            .await
    }

    pub(crate) async fn call(&self, headers: &str) -> Answer {
        self.ask("POST", "/mcp", headers, "{}").await
    }

    pub(crate) async fn stats(&self) -> serde_json::Value {
        serde_json::from_str(&self.ask("GET", "/stats", "", "").await.body).unwrap()
    }

    /// Asks for the statistics until they are as expected.
    pub(crate) async fn stats_until(
        &self,
        what: &str,
        expected: impl Fn(&serde_json::Value) -> bool,
    ) {
        bounded(what, async { while !expected(&self.stats().await) {} }).await;
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: balancer\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .into_iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn instance(&self) -> &str {
        self.header("mcpload-instance").unwrap_or("nobody")
    }
}

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until `text` has come; returns everything up to its end.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        bounded(text, async {
            loop {
                if let Some(at) = self.read.find(text) {
                    let rest = self.read.split_off(at + text.len());
                    return std::mem::replace(&mut self.read, rest);
                }
                assert!(
                    self.more().await,
                    "the connection ended before {text:?}, after {:?}",
                    self.read
                );
            }
        })
        .await
    }

    /// Reads until the connection ends.
    pub(crate) async fn rest(&mut self) -> String {
        bounded("the end of the connection", async {
            while self.more().await {}
        })
        .await;
        std::mem::take(&mut self.read)
    }

    pub(crate) async fn more(&mut self) -> bool {
        let mut buffer = vec![0; 4096];
        let count = self.stream.read(&mut buffer).await.unwrap_or(0);
        self.read
            .push_str(&String::from_utf8_lossy(&buffer[..count]));
        count > 0
    }

    /// Reads one answer with a length.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n").await;
        let mut answer = Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body: String::new(),
        };
        let length: usize = answer
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        bounded("the body", async {
            while self.read.len() < length && self.more().await {}
        })
        .await;
        let rest = self.read.split_off(length);
        answer.body = std::mem::replace(&mut self.read, rest);
        answer
    }
}

/// A server whose accepted connections the test holds in its hands.
pub(crate) struct Upstream {
    listener: TcpListener,
    pub(crate) member: String,
}

impl Upstream {
    pub(crate) async fn bind(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let member = format!("{name}={}", listener.local_addr().unwrap());
        Self { listener, member }
    }

    /// The next connection, as soon as a whole request (head and `{}`, or no body) was read from it.
    pub(crate) async fn next(&self) -> (Client, String) {
        let (stream, _) = bounded("a connection from the balancer", self.listener.accept())
            .await
            .unwrap();
        let mut connection = Client {
            stream,
            read: String::new(),
        };
        let request = connection.request().await;
        (connection, request)
    }

    /// Answers every request on every connection with `answer(request)` until the task is aborted.
    pub(crate) fn serve(
        self,
        answer: impl Fn(&str) -> String + Clone + Send + 'static,
    ) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = self.listener.accept().await {
                let answer = answer.clone();
                let mut connection = Client {
                    stream,
                    read: String::new(),
                };
                connections.spawn(async move {
                    while let Some(request) = connection.try_request().await {
                        connection.send(&answer(&request)).await;
                    }
                });
            }
        })
    }
}

impl Client {
    /// As an upstream: reads one request, or finds the connection closed.
    pub(crate) async fn try_request(&mut self) -> Option<String> {
        while !self.read.contains("\r\n\r\n") {
            if !self.more().await {
                return None;
            }
        }
        let head = self.until("\r\n\r\n").await;
        if head.to_ascii_lowercase().contains("content-length: 2\r\n") {
            self.until("{}").await;
        }
        Some(head)
    }

    pub(crate) async fn request(&mut self) -> String {
        bounded("a request", self.try_request())
            .await
            .expect("a request")
    }
}

pub(crate) fn ok(headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{headers}\r\nok")
}

/// An address that refuses connections: it was free a moment ago.
pub(crate) async fn refusing(name: &str) -> String {
    Upstream::bind(name).await.member
}
