//! What a rule can know of a request: method, tool, era, session.
//!
//! Pure. Read leniently: a request that is no MCP is still a request, and matches what asks for nothing more.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::tokens;
use crate::mcp::header::{METHOD, PROTOCOL_VERSION, SESSION_ID};
use crate::model::ProtocolVersion;
use crate::model::protocol::Era;

/// A request, as far as rules look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// What it is.
    pub carries: Carries,
    /// The JSON-RPC method, if it carries one.
    pub method: Option<String>,
    /// The tool, for `tools/call`.
    pub tool: Option<String>,
    /// The era that it speaks, if it can be told: every MCP request but the first of the legacy era says it.
    pub era: Option<Era>,
    /// The session header.
    pub session: Option<String>,
    /// Which token it carries in `Authorization`: a number that tells it from others, and nothing of it.
    pub token: Option<u64>,
}

/// What a request carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carries {
    /// A JSON-RPC request, which wants an answer.
    Call,
    /// A JSON-RPC notification or response.
    Notice,
    /// GET for an event stream.
    Stream,
    /// The end of a session.
    Delete,
    /// Something else: a probe, or what is no JSON-RPC.
    #[default]
    Other,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(default)]
    result: Option<IgnoredAny>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
struct Params<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(rename = "_meta", borrow, default)]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion", borrow, default)]
    version: Option<Cow<'a, str>>,
}

impl Request {
    /// Reads a request. Of a batch, the first message that has a method counts.
    pub fn read(verb: &Method, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
        let mut request = Self {
            session: headers.get(SESSION_ID).and_then(text),
            token: headers
                .get(header::AUTHORIZATION)
                .map(|value| tokens::number(value.as_bytes())),
            ..Self::default()
        };
        let mut version = headers.get(PROTOCOL_VERSION).and_then(text);
        match *verb {
            Method::POST => {
                if let Some(message) = first(body) {
                    let params = message
                        .params
                        .and_then(|raw| serde_json::from_str::<Params<'_>>(raw.get()).ok())
                        .unwrap_or_default();
                    request.carries = carries(&message);
                    request.method = message.method.map(Cow::into_owned);
                    if request.method.as_deref() == Some("tools/call") {
                        request.tool = params.name.map(Cow::into_owned);
                    }
                    let stated = params.meta.and_then(|meta| meta.version);
                    version = stated.map(Cow::into_owned).or(version);
                }
            }
            Method::GET if accepts_events(headers) => request.carries = Carries::Stream,
            Method::DELETE => request.carries = Carries::Delete,
            _ => {}
        }
        request.era = match version {
            // Versions are dates, so the order of texts is their order.
            Some(version) if version.as_str() >= ProtocolVersion::V2026_07_28.name() => {
                Some(Era::Modern)
            }
            Some(_) => Some(Era::Legacy),
            None if headers.contains_key(METHOD) => Some(Era::Modern),
            None if request.session.is_some()
                || request.method.as_deref() == Some("initialize") =>
            {
                Some(Era::Legacy)
            }
            None => None,
        };
        request
    }
}

fn first(body: &[u8]) -> Option<Message<'_>> {
    if body.trim_ascii_start().starts_with(b"[") {
        let batch: Vec<Message<'_>> = serde_json::from_slice(body).ok()?;
        return batch.into_iter().find(|message| message.method.is_some());
    }
    serde_json::from_slice(body).ok()
}

fn carries(message: &Message<'_>) -> Carries {
    let answer = message.result.is_some() || message.error.is_some();
    match (&message.method, message.id) {
        (Some(_), Some(_)) => Carries::Call,
        (Some(_), None) => Carries::Notice,
        (None, _) if answer => Carries::Notice,
        (None, _) => Carries::Other,
    }
}

fn accepts_events(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|text| text.contains("text/event-stream"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(verb: &Method, headers: &[(&'static str, &str)], body: &str) -> Request {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        Request::read(verb, &headers, body.as_bytes())
    }

    #[test]
    fn a_call_says_its_method_and_tool() {
        let request = read(
            &Method::POST,
            &[("mcp-session-id", "s")],
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"name":"x"}}}"#,
        );
        assert_eq!(request.carries, Carries::Call);
        assert_eq!(request.method.as_deref(), Some("tools/call"));
        assert_eq!(request.tool.as_deref(), Some("echo"));
        assert_eq!(request.session.as_deref(), Some("s"));
        assert_eq!(request.era, Some(Era::Legacy));
    }

    #[test]
    fn the_name_of_a_prompt_is_no_tool() {
        let body = r#"{"id":1,"method":"prompts/get","params":{"name":"greeting"}}"#;
        assert_eq!(read(&Method::POST, &[], body).tool, None);
    }

    #[test]
    fn the_era_shows_in_body_or_headers() {
        let meta = r#"{"id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        for (headers, body, era) in [
            (&[][..], meta, Some(Era::Modern)),
            (
                &[("mcp-protocol-version", "2026-07-28")],
                "{}",
                Some(Era::Modern),
            ),
            (
                &[("mcp-protocol-version", "2025-06-18")],
                "{}",
                Some(Era::Legacy),
            ),
            (&[("mcp-method", "ping")], "{}", Some(Era::Modern)),
            (&[], r#"{"id":1,"method":"initialize"}"#, Some(Era::Legacy)),
            (&[], r#"{"id":1,"method":"ping"}"#, None),
        ] {
            assert_eq!(
                read(&Method::POST, headers, body).era,
                era,
                "{headers:?} {body}"
            );
        }
    }

    #[test]
    fn what_is_no_call_is_told_apart() {
        for (verb, headers, body, carries) in [
            (
                Method::POST,
                "",
                r#"{"method":"notifications/initialized"}"#,
                Carries::Notice,
            ),
            (Method::POST, "", r#"{"id":1,"result":{}}"#, Carries::Notice),
            (
                Method::POST,
                "",
                r#"[{"id":1,"method":"ping"}]"#,
                Carries::Call,
            ),
            (Method::POST, "", "no json", Carries::Other),
            (Method::GET, "text/event-stream", "", Carries::Stream),
            (Method::GET, "*/*", "", Carries::Other),
            (Method::DELETE, "", "", Carries::Delete),
        ] {
            let request = read(&verb, &[("accept", headers)], body);
            assert_eq!(request.carries, carries, "{verb} {body}");
        }
    }
}
