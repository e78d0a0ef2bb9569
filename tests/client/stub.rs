//! A server that answers as a test says, for what the reference server never says.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Gives the status and, as `result` or `error`, the answer to a request.
type Answers = fn(&Value) -> (u16, Value);

#[derive(Clone)]
struct Shared {
    seen: Arc<Mutex<Vec<Value>>>,
    answers: Answers,
}

/// A server on a thread of this process, which ends when this is dropped.
pub(crate) struct Stub {
    pub(crate) url: String,
    /// Every message that came.
    pub(crate) seen: Arc<Mutex<Vec<Value>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Stub {
    pub(crate) fn start(answers: Answers) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Shared {
            seen: Arc::clone(&seen),
            answers,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shared);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            seen,
            _runtime: runtime,
        }
    }

    /// How many requests of this method came.
    pub(crate) fn count(&self, method: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|message| message["method"] == method)
            .count()
    }
}

async fn answer(State(shared): State<Shared>, verb: Method, body: Bytes) -> Response {
    if verb != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let message: Value = serde_json::from_slice(&body).unwrap();
    shared.seen.lock().unwrap().push(message.clone());
    if message.get("id").is_none() {
        return StatusCode::ACCEPTED.into_response();
    }
    let (status, mut answer) = (shared.answers)(&message);
    answer["jsonrpc"] = "2.0".into();
    answer["id"] = message["id"].clone();
    let status = StatusCode::from_u16(status).unwrap();
    let head = [("content-type", "application/json")];
    (status, head, answer.to_string()).into_response()
}

/// The answer to `initialize` with this version.
pub(crate) fn initialized(version: &str) -> (u16, Value) {
    let info = json!({"name": "stub", "version": "1"});
    let result = json!({"protocolVersion": version, "capabilities": {}, "serverInfo": info});
    (200, json!({"result": result}))
}

/// The answer to a call of `echo`, or an empty result.
pub(crate) fn echoed(message: &Value) -> (u16, Value) {
    let text = message["params"]["arguments"]["text"].clone();
    let content = json!([{"type": "text", "text": text}]);
    let result = json!({"content": content, "tools": [], "resultType": "complete"});
    (200, json!({"result": result}))
}
