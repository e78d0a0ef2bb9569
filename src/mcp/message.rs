//! JSON-RPC messages: the bytes of requests, and the strict reading of what comes back.
//!
//! Pure. Messages are read without building a tree: only what is checked is looked at, and the nesting is bounded by `serde_json`.
//! Invariant: a message is taken for an answer only if `jsonrpc` is "2.0", the id is the request's, and exactly one of result
//! and error is there; the result has the shape that the method's result must have.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::capabilities::Capabilities;
use super::exchange::RpcError;
use crate::model::ProtocolVersion;

mod result;

pub use result::{Expected, Judged, Judgement, judge};

/// The requests that the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// `initialize`.
    Initialize,
    /// `subscriptions/listen`.
    Listen,
    /// A method of the plan.
    Method(crate::plan::Method),
}

impl RequestKind {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Listen => "subscriptions/listen",
            Self::Method(method) => method.name(),
        }
    }
}

/// The notification that ends the legacy handshake, whole.
pub const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// The members of the parameters of `initialize` for this version.
pub fn initialize_params(version: ProtocolVersion, capabilities: Capabilities) -> String {
    format!(
        r#""protocolVersion":"{version}","capabilities":{},"clientInfo":{{"name":"mcpload","version":"{}"}}"#,
        capabilities.json(),
        env!("CARGO_PKG_VERSION")
    )
}

/// The members of `_meta` that every modern request carries, without the braces.
pub fn modern_meta(version: ProtocolVersion, capabilities: Capabilities) -> String {
    format!(
        r#""io.modelcontextprotocol/protocolVersion":"{version}","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{{"name":"mcpload","version":"{}"}}"#,
        capabilities.json(),
        env!("CARGO_PKG_VERSION")
    )
}

/// The notification that gives a request up, legacy era.
pub fn cancelled(id: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"given up by its user"}}}}"#
    )
}

/// The parameters of a request, each part as JSON members without braces; empty parts are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'a> {
    /// The members of `_meta`.
    pub meta: &'a str,
    /// Whether progress is asked for; the request's id is the token.
    pub progress: bool,
    /// The members beside it.
    pub members: &'a str,
    /// Where the list goes on.
    pub cursor: Option<&'a str>,
    /// Further members: what a multi-round-trip request adds.
    pub further: &'a str,
}

/// The bytes of a request; it has no parameters if all of their parts are empty.
pub fn request(id: u64, method: &str, params: &Params<'_>) -> String {
    let mut text = String::with_capacity(params.members.len() + params.meta.len() + 128);
    // Writing to a String cannot fail.
    let _ = write!(text, r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}""#);
    let empty = text.len();
    let next = |text: &mut String| {
        text.push_str(if text.len() == empty {
            r#","params":{"#
        } else {
            ","
        });
    };
    if !params.meta.is_empty() || params.progress {
        next(&mut text);
        let _ = write!(text, r#""_meta":{{{}"#, params.meta);
        if params.progress {
            let comma = if params.meta.is_empty() { "" } else { "," };
            let _ = write!(text, r#"{comma}"progressToken":{id}"#);
        }
        text.push('}');
    }
    for members in [params.members, params.further] {
        if !members.is_empty() {
            next(&mut text);
            text.push_str(members);
        }
    }
    if let Some(cursor) = params.cursor {
        next(&mut text);
        let _ = write!(text, r#""cursor":{}"#, Value::from(cursor));
    }
    text.push_str(if text.len() == empty { "}" } else { "}}" });
    text
}

/// The answer to a request of the server: what a client with these capabilities answers, "method not found" to all else. `id` is
/// raw JSON.
pub fn reply(method: &str, id: &str, params: Option<&str>, capabilities: Capabilities) -> String {
    let params = params.and_then(|raw| serde_json::from_str::<Value>(raw).ok());
    match capabilities.answer(method, params.as_ref()) {
        Some(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        None => format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"method not found"}}}}"#
        ),
    }
}

/// The value of a progress notification for request `id`.
pub fn progress(params: Option<&str>, id: u64) -> Option<f64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Params {
        progress_token: u64,
        progress: f64,
    }
    let params: Params = serde_json::from_str(params?).ok()?;
    (params.progress_token == id && params.progress.is_finite()).then_some(params.progress)
}

/// What a notification speaks of, and its number, where its server numbers them (`_meta` member `mcpload/number`, as the reference
/// server does).
pub fn numbered(params: Option<&str>) -> Option<(String, f64)> {
    #[derive(Deserialize)]
    struct Params {
        #[serde(default)]
        uri: String,
        #[serde(rename = "_meta")]
        meta: Meta,
    }
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "mcpload/number")]
        number: f64,
    }
    let params: Params = serde_json::from_str(params?).ok()?;
    Some((params.uri, params.meta.number))
}

/// What an error says, with the versions that its data names.
pub fn rpc_error(code: i64, data: Option<&str>) -> RpcError {
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow, default)]
        supported: Vec<Cow<'a, str>>,
    }
    let data = data.and_then(|raw| serde_json::from_str::<Data<'_>>(raw).ok());
    let supported = data.map(|data| data.supported).unwrap_or_default();
    RpcError {
        code,
        supported: supported
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect(),
    }
}

/// The JSON-RPC error in the body of a refusal, whatever id it has.
pub fn refusal(body: &[u8]) -> Option<RpcError> {
    let envelope = serde_json::from_slice::<Envelope<'_>>(body).ok()?;
    let error = envelope.error?;
    Some(rpc_error(error.code, error.data.map(RawValue::get)))
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
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<ErrorObject<'a>>,
}

#[derive(Deserialize)]
struct ErrorObject<'a> {
    code: i64,
    #[serde(rename = "message")]
    _message: IgnoredAny,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// What a message from the server is.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// The answer to our request: its result, as raw JSON.
    Result(&'a str),
    /// The answer to our request: an error.
    Error {
        /// Its code.
        code: i64,
        /// Its data, raw JSON.
        data: Option<&'a str>,
    },
    /// A request of the server, which wants [`reply`].
    Request {
        /// Its method.
        method: Cow<'a, str>,
        /// Its id, raw JSON.
        id: &'a str,
        /// Its parameters, raw JSON.
        params: Option<&'a str>,
    },
    /// A notification.
    Notification {
        /// Its method.
        method: Cow<'a, str>,
        /// Its parameters, raw JSON.
        params: Option<&'a str>,
    },
    /// An answer to a request with a lower number, or to none that is awaited here.
    Late,
    /// No valid message.
    Invalid,
}

/// The longest id of a server's request that is answered, bytes.
const MAX_ID: usize = 256;

/// Reads a message; `id` is that of our request, if one is open.
pub fn read(bytes: &[u8], id: Option<u64>) -> Incoming<'_> {
    // As a whole: what is not looked at would not be checked either.
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Incoming::Invalid;
    };
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else {
        return Incoming::Invalid;
    };
    if envelope.jsonrpc.as_deref() != Some("2.0") {
        return Incoming::Invalid;
    }
    let number = envelope.id.and_then(|raw| raw.get().parse::<u64>().ok());
    let answers = number.is_some() && number == id;
    let params = envelope.params.map(RawValue::get);
    match (
        envelope.method,
        envelope.id,
        envelope.result,
        envelope.error,
    ) {
        (Some(method), Some(id), None, None) if id.get().len() <= MAX_ID => Incoming::Request {
            method,
            id: id.get(),
            params,
        },
        (Some(method), None, None, None) => Incoming::Notification { method, params },
        (None, Some(_), Some(result), None) if answers => Incoming::Result(result.get()),
        (None, Some(_), None, Some(error)) if answers => Incoming::Error {
            code: error.code,
            data: error.data.map(RawValue::get),
        },
        (None, _, Some(_), None) | (None, _, None, Some(_))
            if number.is_some_and(|number| id.is_none_or(|id| number < id)) =>
        {
            Incoming::Late
        }
        _ => Incoming::Invalid,
    }
}

#[cfg(test)]
mod tests;
