//! JSON-RPC messages: the bytes of requests, and the strict reading of what comes back.
//!
//! Pure. Answers are read without building a tree: only what is checked is looked at, and the nesting is bounded by `serde_json`.
//! Invariant: a message is taken for an answer only if `jsonrpc` is "2.0", the id is the request's, and exactly one of result
//! and error is there; the result has the shape that the method's result must have.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::model::ProtocolVersion;
use crate::model::protocol::Era;

/// The requests that the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// `initialize`.
    Initialize,
    /// `server/discover`, which a modern client sends in place of `ping`.
    Discover,
    /// A method of the plan.
    Method(crate::plan::Method),
}

impl RequestKind {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Discover => "server/discover",
            Self::Method(method) => method.name(),
        }
    }
}

/// The notification that ends the legacy handshake, whole.
pub const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// The parameters of `initialize` for this version.
pub fn initialize_params(version: ProtocolVersion) -> String {
    format!(
        r#"{{"protocolVersion":"{version}","capabilities":{{}},"clientInfo":{{"name":"mcpload","version":"{}"}}}}"#,
        env!("CARGO_PKG_VERSION")
    )
}

/// The `_meta` member that every modern request carries, as `"_meta":{…}`.
pub fn modern_meta(version: ProtocolVersion) -> String {
    format!(
        r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}","io.modelcontextprotocol/clientCapabilities":{{}},"io.modelcontextprotocol/clientInfo":{{"name":"mcpload","version":"{}"}}}}"#,
        env!("CARGO_PKG_VERSION")
    )
}

/// The bytes of a request; `params` is a JSON object, or empty for none.
pub fn request(id: u64, method: &str, params: &str) -> String {
    let mut text = String::with_capacity(params.len() + method.len() + 64);
    // Writing to a String cannot fail.
    let _ = write!(text, r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}""#);
    if !params.is_empty() {
        text.push_str(r#","params":"#);
        text.push_str(params);
    }
    text.push('}');
    text
}

/// The answer to a request of the server: an empty result to `ping`, "method not found" to all others. `id` is raw JSON.
pub fn reply(method: &str, id: &str) -> String {
    if method == "ping" {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
    } else {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"method not found"}}}}"#
        )
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<ErrorObject>,
}

#[derive(Deserialize)]
struct ErrorObject {
    code: i64,
    #[serde(rename = "message")]
    _message: IgnoredAny,
}

/// What a message from the server is.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// The answer to our request: its result, as raw JSON.
    Result(&'a str),
    /// The answer to our request: an error with this code.
    Error(i64),
    /// A request of the server, which wants [`reply`].
    Request {
        /// Its method.
        method: Cow<'a, str>,
        /// Its id, raw JSON.
        id: &'a str,
    },
    /// A notification.
    Notification,
    /// No valid message, or an answer to a request that is not ours.
    Invalid,
}

/// The longest id of a server's request that is answered, bytes.
const MAX_ID: usize = 256;

/// Reads a message; `id` is that of our request.
pub fn read(bytes: &[u8], id: u64) -> Incoming<'_> {
    let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(bytes) else {
        return Incoming::Invalid;
    };
    if envelope.jsonrpc.as_deref() != Some("2.0") {
        return Incoming::Invalid;
    }
    let answers = || {
        envelope
            .id
            .is_some_and(|raw| raw.get().parse::<u64>() == Ok(id))
    };
    match (
        envelope.method,
        envelope.id,
        envelope.result,
        envelope.error,
    ) {
        (Some(method), Some(id), None, None) if id.get().len() <= MAX_ID => Incoming::Request {
            method,
            id: id.get(),
        },
        (Some(_), None, None, None) => Incoming::Notification,
        (None, Some(_), Some(result), None) if answers() => Incoming::Result(result.get()),
        (None, Some(_), None, Some(error)) if answers() => Incoming::Error(error.code),
        _ => Incoming::Invalid,
    }
}

/// What a right answer holds, templates filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The first text content equals this.
    Equals(String),
    /// The first text content contains this.
    Contains(String),
    /// The first text content has this many bytes.
    Length(u64),
}

impl Expected {
    fn holds(&self, text: Option<&str>) -> bool {
        text.is_some_and(|text| match self {
            Self::Equals(wanted) => text == wanted,
            Self::Contains(wanted) => text.contains(wanted.as_str()),
            Self::Length(wanted) => u64::try_from(text.len()) == Ok(*wanted),
        })
    }
}

/// What a result is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It has its shape, and what was expected.
    Right,
    /// The result of `initialize`: the version that the server chose.
    Version(ProtocolVersion),
    /// A tool error.
    ToolError,
    /// It has not the shape of the method's result.
    Malformed,
    /// It has its shape, but not what was expected.
    Wrong,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(rename = "uri")]
    _uri: String,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(default)]
    blob: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Prompted<'a> {
    #[serde(rename = "role")]
    _role: String,
    #[serde(borrow)]
    content: Content<'a>,
}

#[derive(Deserialize)]
struct Tool {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "inputSchema")]
    _schema: Members,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "name")]
    _name: String,
}

/// Any JSON object.
#[derive(Deserialize)]
struct Members {}

/// Every member that some result has; which of them must be there depends on the method.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow, default)]
    result_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    protocol_version: Option<Cow<'a, str>>,
    #[serde(default)]
    capabilities: Option<Members>,
    #[serde(default)]
    server_info: Option<Members>,
    #[serde(default)]
    supported_versions: Option<Vec<String>>,
    #[serde(default)]
    is_error: Option<bool>,
    #[serde(borrow, default)]
    content: Option<Vec<Content<'a>>>,
    #[serde(default)]
    tools: Option<Vec<Tool>>,
    #[serde(default)]
    resources: Option<Vec<Named>>,
    #[serde(default)]
    prompts: Option<Vec<Named>>,
    #[serde(borrow, default)]
    contents: Option<Vec<Resource<'a>>>,
    #[serde(borrow, default)]
    messages: Option<Vec<Prompted<'a>>>,
}

/// Checks the result of a request, given as raw JSON.
pub fn judge(kind: RequestKind, era: Era, raw: &str, expected: Option<&Expected>) -> Judged {
    let Ok(body) = serde_json::from_str::<Body<'_>>(raw) else {
        return Judged::Malformed;
    };
    // A server that leaves it out means `complete`; we declare no capability, so nothing else may come.
    if era == Era::Modern
        && body
            .result_type
            .as_deref()
            .is_some_and(|kind| kind != "complete")
    {
        return Judged::Malformed;
    }
    if kind == RequestKind::Initialize {
        let version = body.protocol_version.and_then(|text| text.parse().ok());
        return match (version, body.capabilities, body.server_info) {
            (Some(version), Some(_), Some(_)) => Judged::Version(version),
            _ => Judged::Malformed,
        };
    }
    let Ok(text) = shape(kind, &body) else {
        return Judged::Malformed;
    };
    if body.is_error == Some(true) && kind == RequestKind::Method(crate::plan::Method::ToolsCall) {
        return Judged::ToolError;
    }
    match expected {
        Some(expected) if !expected.holds(text) => Judged::Wrong,
        _ => Judged::Right,
    }
}

/// A result that has not the shape of its method's.
struct Misshapen;

/// The first text content of a result, if it has the method's shape.
fn shape<'a>(kind: RequestKind, body: &'a Body<'_>) -> Result<Option<&'a str>, Misshapen> {
    use crate::plan::Method;
    let is_right = match kind {
        RequestKind::Initialize | RequestKind::Method(Method::Ping) => true,
        RequestKind::Discover => body.supported_versions.is_some() && body.capabilities.is_some(),
        RequestKind::Method(Method::ToolsList) => body.tools.is_some(),
        RequestKind::Method(Method::ResourcesList) => body.resources.is_some(),
        RequestKind::Method(Method::PromptsList) => body.prompts.is_some(),
        RequestKind::Method(Method::ToolsCall) => {
            let content = body.content.as_ref().ok_or(Misshapen)?;
            if content.iter().all(well_formed) {
                return Ok(content.iter().find_map(text_of));
            }
            false
        }
        RequestKind::Method(Method::PromptsGet) => {
            let messages = body.messages.as_ref().ok_or(Misshapen)?;
            let mut contents = messages.iter().map(|message| &message.content);
            if contents.clone().all(well_formed) {
                return Ok(contents.find_map(text_of));
            }
            false
        }
        RequestKind::Method(Method::ResourcesRead) => {
            let contents = body.contents.as_ref().ok_or(Misshapen)?;
            let one_of =
                |resource: &Resource<'_>| resource.text.is_some() != resource.blob.is_some();
            if contents.iter().all(one_of) {
                return Ok(contents
                    .iter()
                    .find_map(|resource| resource.text.as_deref()));
            }
            false
        }
    };
    if is_right { Ok(None) } else { Err(Misshapen) }
}

/// A text content must have its text.
fn well_formed(content: &Content<'_>) -> bool {
    content.kind != "text" || content.text.is_some()
}

fn text_of<'a>(content: &'a Content<'_>) -> Option<&'a str> {
    (content.kind == "text").then_some(content.text.as_deref())?
}

#[cfg(test)]
mod tests;
