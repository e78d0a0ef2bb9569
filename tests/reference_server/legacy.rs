//! A session of the legacy era over plain HTTP, and event streams read event by event.

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{PATIENCE, Server, http, initialize, post, request};

/// A session that was initialized.
pub(crate) struct Session<'a> {
    pub(crate) server: &'a Server,
    pub(crate) id: String,
    version: &'static str,
}

impl<'a> Session<'a> {
    pub(crate) async fn start(server: &'a Server, version: &'static str) -> Self {
        let started = server.post(&initialize(version), &[]).await;
        let id = started.headers()["mcp-session-id"].to_str().unwrap();
        let session = Self {
            server,
            id: id.to_owned(),
            version,
        };
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(session.post(&initialized).await.status(), 202);
        session
    }

    fn headers(&self) -> [(&str, &str); 2] {
        [
            ("mcp-session-id", &self.id),
            ("mcp-protocol-version", self.version),
        ]
    }

    pub(crate) async fn post(&self, body: &Value) -> Response {
        post(&http(), &self.server.url("/mcp"), body, &self.headers()).await
    }

    /// Sends a request and gives its stream.
    pub(crate) async fn stream(&self, id: u32, method: &str, params: &Value) -> Events {
        let mut body = request(method, params);
        body["id"] = json!(id);
        Events::of(self.post(&body).await)
    }

    pub(crate) async fn tool(&self, id: u32, tool: &str, arguments: Value) -> Events {
        let meta = json!({"progressToken": format!("token-{id}")});
        let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
        self.stream(id, "tools/call", &params).await
    }

    /// The answer to a request.
    pub(crate) async fn answer(&self, id: u32, method: &str, params: &Value) -> Value {
        let mut events = self.stream(id, method, params).await;
        events.rest().await.pop().unwrap().message()
    }

    pub(crate) async fn cancel(&self, id: u32) {
        let body = json!({
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": id},
        });
        assert_eq!(self.post(&body).await.status(), 202);
    }

    /// Opens a standing stream, or resumes a stream.
    pub(crate) async fn listen(&self, last_event_id: Option<&str>) -> Events {
        let mut get = http().get(self.server.url("/mcp")).timeout(PATIENCE);
        get = get.header("accept", "text/event-stream");
        for (name, value) in self.headers() {
            get = get.header(name, value);
        }
        if let Some(id) = last_event_id {
            get = get.header("last-event-id", id);
        }
        let response = timeout(PATIENCE, get.send()).await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        Events::of(response)
    }
}

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<u64>,
    pub(crate) data: Option<Value>,
}

impl Event {
    pub(crate) fn message(self) -> Value {
        self.data.unwrap()
    }

    /// The number that a progress notification or a change carries.
    pub(crate) fn number(&self) -> Option<u64> {
        let params = &self.data.as_ref()?["params"];
        let progress = params["progress"]
            .as_f64()
            .map(|progress| progress.to_string().parse().unwrap());
        progress.or_else(|| params["_meta"]["mcpload/number"].as_u64())
    }
}

/// An event stream. Dropping it cuts the connection.
pub(crate) struct Events {
    response: Response,
    buffer: String,
}

impl Events {
    pub(crate) fn of(response: Response) -> Self {
        Self {
            response,
            buffer: String::new(),
        }
    }

    /// The next event; `None` when the stream has ended, cleanly or not.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let text: String = self.buffer.drain(..end + 2).collect();
                let event = parse(&text);
                if event != Event::default() {
                    return Some(event);
                }
                continue;
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.unwrap();
            let chunk = chunk.ok().flatten()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event that has a message.
    pub(crate) async fn message(&mut self) -> Event {
        loop {
            let event = self.next().await.unwrap();
            if event.data.is_some() {
                return event;
            }
        }
    }

    /// All events that follow.
    pub(crate) async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn parse(text: &str) -> Event {
    let mut event = Event::default();
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => event.id = Some(value.to_owned()),
            "retry" => event.retry = Some(value.parse().unwrap()),
            "data" if !value.is_empty() => {
                event.data = Some(serde_json::from_str(value).unwrap());
            }
            _ => {}
        }
    }
    event
}
