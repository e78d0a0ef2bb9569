//! Asks a server that runs what it offers: protocol and tools. Control plane, never measured.
//!
//! Tries the modern era first and falls back to `initialize`, as a dual-era client does.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use thiserror::Error;

use crate::model::ProtocolVersion;
use crate::scenario::init::ToolInfo;

/// What a server offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The version to speak to it.
    pub protocol: ProtocolVersion,
    /// Its tools, in its order.
    pub tools: Vec<ToolInfo>,
}

/// Why a server could not be asked.
#[derive(Debug, Error)]
pub enum DiscoverError {
    /// No connection, or it broke.
    #[error("{url} does not answer")]
    Unreachable {
        /// Who was asked.
        url: String,
        /// What the HTTP client says.
        #[source]
        source: reqwest::Error,
    },
    /// It answers, but not as an MCP server.
    #[error("{url} does not answer as an MCP server: {what}")]
    NotMcp {
        /// Who was asked.
        url: String,
        /// What it said instead, cut and made harmless.
        what: String,
    },
}

/// The longest answer that is read, bytes.
const MAX_ANSWER: usize = 8 << 20;
/// How many pages of tools are asked for at most.
const MAX_PAGES: usize = 50;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// [`discover`] for a caller without a runtime.
///
/// # Errors
/// If the server cannot be reached or is none.
pub fn blocking(url: &str) -> Result<Found, DiscoverError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| DiscoverError::NotMcp {
        url: url.to_owned(),
        what: error.to_string(),
    })?;
    runtime.block_on(discover(url))
}

/// Asks a server for its tools.
///
/// # Errors
/// If the server cannot be reached or is none.
pub async fn discover(url: &str) -> Result<Found, DiscoverError> {
    let builder = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
    // The system's authorities are only read where they are needed.
    let client = if url.starts_with("https://") {
        builder.build()
    } else {
        builder.tls_certs_only([]).build()
    };
    let client = client.map_err(|source| DiscoverError::Unreachable {
        url: url.to_owned(),
        source,
    })?;
    let mut asker = Asker {
        url,
        client,
        headers: HeaderMap::new(),
        next_id: 0,
        modern: true,
    };
    if asker.request("tools/list", json!({})).await.is_ok() {
        let tools = asker.tools().await?;
        return Ok(Found {
            protocol: ProtocolVersion::V2026_07_28,
            tools,
        });
    }
    asker.modern = false;
    asker.initialize().await?;
    let tools = asker.tools().await;
    asker.goodbye().await;
    Ok(Found {
        protocol: ProtocolVersion::V2025_11_25,
        tools: tools?,
    })
}

struct Asker<'a> {
    url: &'a str,
    client: reqwest::Client,
    /// Session and version headers of the legacy era.
    headers: HeaderMap,
    next_id: u64,
    modern: bool,
}

impl Asker<'_> {
    async fn initialize(&mut self) -> Result<(), DiscoverError> {
        let version = ProtocolVersion::V2025_11_25.name();
        let params = json!({
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": { "name": "mcpload", "version": env!("CARGO_PKG_VERSION") },
        });
        let result = self.request("initialize", params).await?;
        let negotiated = result
            .get("protocolVersion")
            .and_then(Value::as_str)
            .unwrap_or(version);
        if let Ok(value) = HeaderValue::from_str(negotiated) {
            self.headers.insert("mcp-protocol-version", value);
        }
        let told = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.post(&told, "notifications/initialized")
            .await
            .map(drop)
    }

    async fn tools(&mut self) -> Result<Vec<ToolInfo>, DiscoverError> {
        let mut tools = Vec::new();
        let mut params = json!({});
        for _ in 0..MAX_PAGES {
            let page = self.request("tools/list", params).await?;
            tools.extend(
                page.get("tools")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(tool),
            );
            match page.get("nextCursor").and_then(Value::as_str) {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => break,
            }
        }
        Ok(tools)
    }

    /// Ends a legacy session; a server that does not let clients do that is left alone.
    async fn goodbye(&self) {
        if self.headers.contains_key("mcp-session-id") {
            let _ = self
                .client
                .delete(self.url)
                .headers(self.headers.clone())
                .send()
                .await;
        }
    }

    async fn request(&mut self, method: &str, mut params: Value) -> Result<Value, DiscoverError> {
        self.next_id += 1;
        if self.modern
            && let Some(params) = params.as_object_mut()
        {
            let meta = json!({
                "io.modelcontextprotocol/protocolVersion": ProtocolVersion::V2026_07_28.name(),
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": "mcpload", "version": env!("CARGO_PKG_VERSION") },
            });
            params.insert("_meta".to_owned(), meta);
        }
        let id = self.next_id;
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let text = self.post(&body, method).await?;
        let messages = text.lines().filter_map(|line| {
            serde_json::from_str::<Value>(line.strip_prefix("data:").unwrap_or(line).trim()).ok()
        });
        let whole = serde_json::from_str::<Value>(&text).ok();
        let answer = whole
            .into_iter()
            .chain(messages)
            .find(|message| message.get("id") == Some(&json!(id)));
        match answer {
            Some(mut answer) => match answer.get_mut("result") {
                Some(result) => Ok(result.take()),
                None => Err(self.not_mcp(&answer.to_string())),
            },
            None => Err(self.not_mcp(&text)),
        }
    }

    /// Posts a message; the text of a successful answer.
    async fn post(&mut self, body: &Value, method: &str) -> Result<String, DiscoverError> {
        let unreachable = |source| DiscoverError::Unreachable {
            url: self.url.to_owned(),
            source,
        };
        let mut request = self
            .client
            .post(self.url)
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .body(body.to_string());
        if self.modern {
            request = request
                .header("mcp-protocol-version", ProtocolVersion::V2026_07_28.name())
                .header("mcp-method", method);
        }
        let mut answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let session = answer.headers().get("mcp-session-id").cloned();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER {
                return Err(self.not_mcp("an answer of more than 8 MiB"));
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if !status.is_success() {
            return Err(self.not_mcp(&format!("HTTP {status}: {text}")));
        }
        if let Some(session) = session
            && !self.modern
        {
            self.headers.insert("mcp-session-id", session);
        }
        Ok(text)
    }

    fn not_mcp(&self, said: &str) -> DiscoverError {
        let what = said.chars().filter(|c| !c.is_control()).take(200).collect();
        DiscoverError::NotMcp {
            url: self.url.to_owned(),
            what,
        }
    }
}

fn tool(value: &Value) -> Option<ToolInfo> {
    let hint = |name: &str| {
        value
            .pointer(&format!("/annotations/{name}"))
            .and_then(Value::as_bool)
    };
    Some(ToolInfo {
        name: value.get("name")?.as_str()?.to_owned(),
        description: value
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        read_only: hint("readOnlyHint") == Some(true) && hint("destructiveHint") != Some(true),
        input_schema: value
            .get("inputSchema")
            .cloned()
            .unwrap_or_else(|| json!({})),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tool_that_says_so_is_read_only() {
        let marked = |annotations: Value| {
            tool(&json!({ "name": "x", "annotations": annotations }))
                .unwrap()
                .read_only
        };
        assert!(marked(json!({ "readOnlyHint": true })));
        assert!(!marked(
            json!({ "readOnlyHint": true, "destructiveHint": true })
        ));
        assert!(!marked(json!({})));
        assert!(!tool(&json!({ "name": "x" })).unwrap().read_only);
    }
}
