//! A stub of an MCP server of both eras, on 127.0.0.1, that can be told to misbehave.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

/// How calls (not `initialize`) are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    #[default]
    Json,
    Events,
    /// A ping of the server's own comes first, and the answer only when that was replied to.
    Ping,
    Hang,
    /// After so many calls nothing is answered for a second, once.
    PauseAfter(usize),
    Truncated,
    WrongId,
    WrongText,
    ToolError,
    RpcError,
    Status(u16),
    NotJson,
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Headers and body of every request.
    pub(crate) requests: Vec<(String, HeaderMap, Value)>,
    /// The connections that requests came on.
    pub(crate) peers: HashSet<SocketAddr>,
    pub(crate) sessions: HashSet<String>,
    pub(crate) born: u32,
    manner: Manner,
    replied: bool,
    /// Calls so far, and until when the pause lasts.
    calls: usize,
    paused_until: Option<tokio::time::Instant>,
    /// How many answers to calls are 404 with the session forgotten, before all is well.
    pub(crate) forget: u32,
    pub(crate) forbid_goodbye: bool,
}

pub(crate) struct Stub {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Seen>>,
    _runtime: tokio::runtime::Runtime,
}

type Shared = Arc<Mutex<Seen>>;

impl Stub {
    pub(crate) fn start(manner: Manner) -> Self {
        let seen = Arc::new(Mutex::new(Seen {
            manner,
            ..Seen::default()
        }));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&seen));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        runtime.spawn(async move { axum::serve(listener, service).await });
        Self {
            url,
            seen,
            _runtime: runtime,
        }
    }

    /// The arguments of every `tools/call`, sorted.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let calls = seen
            .requests
            .iter()
            .filter(|(_, _, body)| body["method"] == "tools/call");
        let mut arguments: Vec<String> = calls
            .map(|(_, _, body)| body["params"]["arguments"].to_string())
            .collect();
        arguments.sort();
        arguments
    }

    /// How many requests had this method (JSON-RPC or, without a body, HTTP).
    pub(crate) fn count(&self, method: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.requests
            .iter()
            .filter(|(verb, _, body)| body["method"] == method || verb == method)
            .count()
    }
}

async fn answer(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    verb: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let message: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let session = headers
        .get("mcp-session-id")
        .map(|id| id.to_str().unwrap().to_owned());
    let method = message["method"].as_str().unwrap_or_default().to_owned();
    let modern = message["params"]["_meta"].is_object();
    let manner = {
        let mut seen = shared.lock().unwrap();
        seen.peers.insert(peer);
        seen.requests
            .push((verb.to_string(), headers, message.clone()));
        if verb == Method::DELETE {
            let status = if seen.forbid_goodbye { 405 } else { 204 };
            seen.sessions.remove(&session.unwrap_or_default());
            return StatusCode::from_u16(status).unwrap().into_response();
        }
        if method == "initialize" {
            seen.born += 1;
            let id = format!("session-{}", seen.born);
            seen.sessions.insert(id.clone());
            let version = message["params"]["protocolVersion"].clone();
            let result = json!({"protocolVersion": version, "capabilities": {}, "serverInfo": {"name": "stub", "version": "1"}});
            return json_answer(&message, &result, Some(&id));
        }
        if method.is_empty() {
            seen.replied = true;
            return StatusCode::ACCEPTED.into_response();
        }
        if !modern && !session.is_some_and(|id| seen.sessions.contains(&id)) {
            return StatusCode::NOT_FOUND.into_response();
        }
        if method == "notifications/initialized" {
            return StatusCode::ACCEPTED.into_response();
        }
        if seen.forget > 0 {
            seen.forget -= 1;
            seen.sessions.clear();
            return StatusCode::NOT_FOUND.into_response();
        }
        seen.manner
    };
    call(&shared, manner, &message).await
}

async fn call(shared: &Shared, manner: Manner, message: &Value) -> Response {
    let text = message["params"]["arguments"]["text"].clone();
    let result = match message["method"].as_str().unwrap() {
        "tools/call" => {
            json!({"content": [{"type": "text", "text": text}], "resultType": "complete"})
        }
        "tools/list" => json!({"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}),
        "server/discover" => json!({"supportedVersions": ["2026-07-28"], "capabilities": {}}),
        _ => json!({}),
    };
    let right = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
    match manner {
        Manner::PauseAfter(calls) => {
            let until = {
                let mut seen = shared.lock().unwrap();
                seen.calls += usize::from(message["method"] == "tools/call");
                if seen.calls > calls && seen.paused_until.is_none() {
                    seen.paused_until = Some(tokio::time::Instant::now() + Duration::from_secs(1));
                }
                seen.paused_until
            };
            if let Some(until) = until {
                tokio::time::sleep_until(until).await;
            }
            json_answer(message, &result, None)
        }
        Manner::Json => json_answer(message, &result, None),
        Manner::Events => events(vec![format!(
            "id: 1\r\ndata:\r\n\r\n: hi\r\ndata: {right}\r\n\r\n"
        )]),
        Manner::Ping => {
            shared.lock().unwrap().replied = false;
            let ping =
                "data: {\"jsonrpc\":\"2.0\",\"id\":\"s1\",\"method\":\"ping\"}\n\n".to_owned();
            let shared = Arc::clone(shared);
            let later = async move {
                while !shared.lock().unwrap().replied {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Ok::<_, std::io::Error>(format!("data: {right}\n\n"))
            };
            let parts = stream::once(async move { Ok(ping) });
            let body = futures_util::StreamExt::chain(parts, stream::once(later));
            (
                [("content-type", "text/event-stream")],
                Body::from_stream(body),
            )
                .into_response()
        }
        Manner::Hang => std::future::pending().await,
        Manner::Truncated => {
            // The pause lets the head and the first part leave before the connection breaks.
            let first = stream::once(async { Ok("data: {\"js".to_owned()) });
            let broken = stream::once(async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Err(std::io::Error::other("cut"))
            });
            let body = Body::from_stream(futures_util::StreamExt::chain(first, broken));
            ([("content-type", "text/event-stream")], body).into_response()
        }
        Manner::WrongId => json_answer(&json!({"id": 999_999}), &result, None),
        Manner::WrongText => json_answer(
            message,
            &json!({"content": [{"type": "text", "text": "other"}]}),
            None,
        ),
        Manner::ToolError => json_answer(message, &json!({"content": [], "isError": true}), None),
        Manner::RpcError => {
            let error = json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32602, "message": "no"}});
            ([("content-type", "application/json")], error.to_string()).into_response()
        }
        Manner::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Manner::NotJson => ([("content-type", "application/json")], "<html>").into_response(),
    }
}

fn events(parts: Vec<String>) -> Response {
    let body = stream::iter(parts.into_iter().map(Ok::<_, std::io::Error>));
    (
        [("content-type", "text/event-stream")],
        Body::from_stream(body),
    )
        .into_response()
}

fn json_answer(message: &Value, result: &Value, session: Option<&str>) -> Response {
    let body = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
    let mut response = (
        [
            ("content-type", "application/json"),
            ("mcpload-instance", "server-1#1"),
        ],
        body,
    )
        .into_response();
    if let Some(session) = session {
        response
            .headers_mut()
            .insert("mcp-session-id", session.parse().unwrap());
    }
    response
}
