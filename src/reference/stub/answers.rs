//! The bytes of the stub's answers.
//!
//! Pure.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A message, as far as the stub looks at it.
#[derive(Deserialize)]
struct Message<'a> {
    /// As it came.
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Initialize<'a> {
    #[serde(rename = "protocolVersion", borrow)]
    version: Cow<'a, str>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call of a tool.
    Call,
    /// Anything else.
    Other,
}

/// What a call gets.
const CALLED: &str =
    r#"{"resultType":"complete","content":[{"type":"text","text":"ok"}],"isError":false}"#;
/// The tools.
const TOOLS: &str = r#"{"resultType":"complete","ttlMs":60000,"cacheScope":"public","tools":[{"name":"echo","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},{"name":"add","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}]}"#;
/// What it speaks.
const DISCOVERED: &str = r#"{"resultType":"complete","ttlMs":60000,"cacheScope":"public","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"stub","version":"1"}}"#;

/// Appends the answer to the body of a POST, head included, and says what was asked for.
pub(super) fn answer(out: &mut Vec<u8>, body: &[u8], events: bool) -> Kind {
    let Ok(message) = serde_json::from_slice::<Message<'_>>(body) else {
        plain(out, "400 Bad Request");
        return Kind::Other;
    };
    let (Some(id), Some(method)) = (message.id, &message.method) else {
        // A notification, or an answer to a question that the stub never asked.
        plain(out, "202 Accepted");
        return Kind::Other;
    };
    let id = id.get();
    match method.as_ref() {
        "tools/call" => {
            result(out, id, CALLED, "", events);
            return Kind::Call;
        }
        "initialize" => {
            let params = message.params.map_or("", RawValue::get);
            let asked = serde_json::from_str::<Initialize<'_>>(params).ok();
            // A version in whose name there is anything but letters, digits and `-` is none.
            let version = asked
                .map(|asked| asked.version)
                .filter(|name| {
                    name.bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                })
                .unwrap_or(Cow::Borrowed("2025-11-25"));
            let known = format!(
                r#"{{"protocolVersion":"{version}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"stub","version":"1"}}}}"#
            );
            result(out, id, &known, "mcp-session-id: stub\r\n", events);
        }
        "tools/list" => result(out, id, TOOLS, "", events),
        "server/discover" => result(out, id, DISCOVERED, "", events),
        "ping" => result(out, id, "{}", "", events),
        _ => {
            let error = r#","error":{"code":-32601,"message":"no such method"}}"#;
            let parts = [r#"{"jsonrpc":"2.0","id":"#, id, error];
            whole(out, "", "application/json", &parts);
        }
    }
    Kind::Other
}

/// Appends an answer without a body.
pub(super) fn plain(out: &mut Vec<u8>, status: &str) {
    for part in ["HTTP/1.1 ", status, "\r\ncontent-length: 0\r\n\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Appends the head of an event stream that does not end.
pub(super) fn stream(out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    );
}

/// Appends a JSON document.
pub(super) fn document(out: &mut Vec<u8>, text: &str) {
    whole(out, "", "application/json", &[text]);
}

fn result(out: &mut Vec<u8>, id: &str, result: &str, headers: &str, events: bool) {
    let head = r#"{"jsonrpc":"2.0","id":"#;
    let middle = r#","result":"#;
    if events {
        let parts = ["event: message\ndata: ", head, id, middle, result, "}\n\n"];
        whole(out, headers, "text/event-stream", &parts);
    } else {
        whole(
            out,
            headers,
            "application/json",
            &[head, id, middle, result, "}"],
        );
    }
}

fn whole(out: &mut Vec<u8>, headers: &str, kind: &str, parts: &[&str]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = length.to_string();
    let head = [
        "HTTP/1.1 200 OK\r\ncontent-type: ",
        kind,
        "\r\n",
        headers,
        "content-length: ",
        &length,
        "\r\n\r\n",
    ];
    for part in head.iter().chain(parts) {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(body: &str, events: bool) -> (Kind, String) {
        let mut out = Vec::new();
        let kind = answer(&mut out, body.as_bytes(), events);
        (kind, String::from_utf8(out).unwrap())
    }

    #[test]
    fn an_answer_has_the_id_of_its_request_and_the_length_that_it_says() {
        for id in ["7", "\"a b\"", "-1"] {
            let body =
                format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{}}}}"#);
            for events in [false, true] {
                let (kind, text) = to(&body, events);
                assert_eq!(kind, Kind::Call);
                let (head, rest) = text.split_once("\r\n\r\n").unwrap();
                assert!(
                    head.contains(&format!("content-length: {}", rest.len())),
                    "{text}"
                );
                assert!(rest.contains(&format!(r#""id":{id},"result""#)), "{text}");
            }
        }
    }

    #[test]
    fn the_version_that_is_asked_for_is_spoken() {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#;
        assert!(
            to(body, false)
                .1
                .contains(r#""protocolVersion":"2025-06-18""#)
        );
        let hostile =
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"\"}"}}"#;
        assert!(
            to(hostile, false)
                .1
                .contains(r#""protocolVersion":"2025-11-25""#)
        );
    }

    #[test]
    fn what_asks_nothing_is_accepted_and_what_is_no_message_refused() {
        let notified = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert!(to(notified, false).1.starts_with("HTTP/1.1 202 "));
        assert!(to("{", false).1.starts_with("HTTP/1.1 400 "));
        let unknown = r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#;
        assert!(to(unknown, false).1.contains("-32601"));
    }
}
