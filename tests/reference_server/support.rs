//! A server in this process, an SDK client, and the words to speak to it over plain HTTP.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use mcpload::reference::server::{Args, ServeError, serve_on};
use reqwest::Response;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientConfig, ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt, NotificationContext, RoleClient, RunningService,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ServiceError};
use serde_json::{Value, json};
use tokio::net::TcpListener;
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

/// A server in this process. Dropping it drops the shutdown, which counts as asking for it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Server {
    pub(crate) async fn start(words: &[&str]) -> Self {
        let mut line = vec!["server", "--listen", "127.0.0.1:0", "--name", "server-1"];
        if !words.contains(&"--lame-duck") {
            line.extend(["--lame-duck", "0s"]);
        }
        line.extend_from_slice(words);
        let args = Line::parse_from(line).args;
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

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn ask_to_stop(&mut self) {
        self.shutdown.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn ended(self) {
        timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        timeout(PATIENCE, http().get(self.url(path)).send())
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    pub(crate) async fn post(&self, body: &Value, headers: &[(&str, &str)]) -> Response {
        post(&http(), &self.url("/mcp"), body, headers).await
    }

    pub(crate) async fn client(&self, era: Era) -> Client {
        self.client_with(era, Progress::default()).await
    }

    pub(crate) async fn client_with(&self, era: Era, handler: Progress) -> Client {
        let config = StreamableHttpClientTransportConfig::with_uri(self.url("/mcp"));
        let transport = StreamableHttpClientTransport::with_client(http(), config);
        let lifecycle = match era {
            Era::Legacy => ClientLifecycleMode::Initialize,
            Era::Modern => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        };
        timeout(PATIENCE, handler.serve_with_lifecycle(transport, lifecycle))
            .await
            .unwrap()
            .unwrap()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Legacy,
    Modern,
}

pub(crate) const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];

pub(crate) type Client = RunningService<RoleClient, Progress>;

/// A client that counts the progress notifications it gets.
#[derive(Clone, Default)]
pub(crate) struct Progress(pub(crate) Arc<AtomicU64>);

impl ClientHandler for Progress {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::default()
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        assert_eq!(params.total, Some(5.0));
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A client of plain HTTP that needs no certificates of the machine.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .build()
        .unwrap()
}

pub(crate) async fn post(
    client: &reqwest::Client,
    url: &str,
    body: &Value,
    headers: &[(&str, &str)],
) -> Response {
    let mut request = client
        .post(url)
        .header("accept", "application/json, text/event-stream")
        .json(body)
        .timeout(PATIENCE);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

pub(crate) fn call(tool: &'static str, arguments: &Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments.as_object().unwrap().clone())
}

pub(crate) async fn try_tool(
    client: &Client,
    tool: &'static str,
    arguments: Value,
) -> Result<CallToolResult, ServiceError> {
    timeout(PATIENCE, client.call_tool(call(tool, &arguments)))
        .await
        .unwrap()
}

/// The text, which must be the only content, and the structured content.
pub(crate) async fn tool(
    client: &Client,
    tool: &'static str,
    arguments: Value,
) -> (String, Option<Value>) {
    let result = try_tool(client, tool, arguments).await.unwrap();
    assert_eq!(result.is_error, Some(false), "{result:?}");
    let [content] = result.content.as_slice() else {
        panic!("not one content: {result:?}")
    };
    (
        content.as_text().unwrap().text.clone(),
        result.structured_content,
    )
}

/// The error code of a call that must fail with a JSON-RPC error.
pub(crate) async fn tool_code(client: &Client, tool: &'static str, arguments: Value) -> i32 {
    match try_tool(client, tool, arguments).await.unwrap_err() {
        ServiceError::McpError(error) => error.code.0,
        other => panic!("not a JSON-RPC error: {other:?}"),
    }
}

pub(crate) fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

pub(crate) fn initialize(version: &str) -> Value {
    let client = json!({"name": "test", "version": "1"});
    request(
        "initialize",
        &json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client}),
    )
}

/// A stateless request of the modern era and the headers that mirror it.
pub(crate) fn modern<'a>(
    method: &'a str,
    name: Option<&'a str>,
    mut params: Value,
) -> (Value, Vec<(&'a str, &'a str)>) {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    let mut headers = vec![
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", method),
    ];
    headers.extend(name.map(|name| ("mcp-name", name)));
    (request(method, &params), headers)
}

/// The JSON-RPC messages of an event stream.
pub(crate) fn events(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter(|data| !data.trim().is_empty())
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

pub(crate) fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
