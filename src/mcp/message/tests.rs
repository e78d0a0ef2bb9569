//! What is taken for a message, and for a right one.

use super::*;
use crate::plan::Method;

fn kind_of(text: &str) -> String {
    match read(text.as_bytes(), 7) {
        Incoming::Result(raw) => format!("result {raw}"),
        Incoming::Error(code) => format!("error {code}"),
        Incoming::Request { method, id } => format!("request {method} {id}"),
        Incoming::Notification => "notification".to_owned(),
        Incoming::Invalid => "invalid".to_owned(),
    }
}

#[test]
fn a_message_is_what_its_members_say_and_nothing_else_is_accepted() {
    for (text, wanted) in [
        (r#"{"jsonrpc":"2.0","id":7,"result":{}}"#, "result {}"),
        (
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"x"}}"#,
            "error -32602",
        ),
        (
            r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#,
            "request ping \"a\"",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#,
            "notification",
        ),
        (r#"{"jsonrpc":"2.0","id":8,"result":{}}"#, "invalid"),
        (r#"{"jsonrpc":"2.0","id":"7","result":{}}"#, "invalid"),
        (r#"{"jsonrpc":"2.0","result":{}}"#, "invalid"),
        (r#"{"jsonrpc":"1.0","id":7,"result":{}}"#, "invalid"),
        (r#"{"id":7,"result":{}}"#, "invalid"),
        (
            r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":""}}"#,
            "invalid",
        ),
        (r#"{"jsonrpc":"2.0","id":7}"#, "invalid"),
        (
            r#"{"jsonrpc":"2.0","id":7,"error":{"message":"no code"}}"#,
            "invalid",
        ),
        ("{", "invalid"),
        ("", "invalid"),
    ] {
        assert_eq!(kind_of(text), wanted, "{text}");
    }
}

#[test]
fn each_method_has_its_shape() {
    use Method::{PromptsGet, PromptsList, ResourcesList, ResourcesRead, ToolsCall, ToolsList};
    for (method, right, wrong) in [
        (
            ToolsCall,
            r#"{"content":[{"type":"text","text":"a"}]}"#,
            r#"{"content":[{"type":"text"}]}"#,
        ),
        (ToolsCall, r#"{"content":[]}"#, "{}"),
        (
            ToolsList,
            r#"{"tools":[{"name":"a","inputSchema":{"type":"object"}}]}"#,
            r#"{"tools":[{"name":"a"}]}"#,
        ),
        (
            ResourcesList,
            r#"{"resources":[{"uri":"a:b","name":"a"}]}"#,
            r#"{"resources":{}}"#,
        ),
        (
            ResourcesRead,
            r#"{"contents":[{"uri":"a:b","text":"x"}]}"#,
            r#"{"contents":[{"uri":"a:b"}]}"#,
        ),
        (
            PromptsList,
            r#"{"prompts":[{"name":"a"}]}"#,
            r#"{"tools":[]}"#,
        ),
        (
            PromptsGet,
            r#"{"messages":[{"role":"user","content":{"type":"text","text":"x"}}]}"#,
            r#"{"messages":[{}]}"#,
        ),
    ] {
        let kind = RequestKind::Method(method);
        assert_eq!(
            judge(kind, Era::Legacy, right, None),
            Judged::Right,
            "{right}"
        );
        assert_eq!(
            judge(kind, Era::Legacy, wrong, None),
            Judged::Malformed,
            "{wrong}"
        );
    }
}

#[test]
fn the_first_text_is_held_against_what_is_expected() {
    let kind = RequestKind::Method(Method::ToolsCall);
    let raw = r#"{"content":[{"type":"image","data":"","mimeType":"x"},{"type":"text","text":"h\u00e9llo"}]}"#;
    for (expected, judged) in [
        (Expected::Equals("héllo".to_owned()), Judged::Right),
        (Expected::Equals("hello".to_owned()), Judged::Wrong),
        (Expected::Contains("llo".to_owned()), Judged::Right),
        (Expected::Contains("x".to_owned()), Judged::Wrong),
        (Expected::Length(6), Judged::Right),
        (Expected::Length(5), Judged::Wrong),
    ] {
        assert_eq!(
            judge(kind, Era::Legacy, raw, Some(&expected)),
            judged,
            "{expected:?}"
        );
    }
}

#[test]
fn tool_errors_and_unknown_result_types_are_told_apart() {
    let kind = RequestKind::Method(Method::ToolsCall);
    let error = r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#;
    let asks = r#"{"resultType":"input_required","content":[]}"#;
    let complete = r#"{"resultType":"complete","content":[]}"#;
    assert_eq!(judge(kind, Era::Legacy, error, None), Judged::ToolError);
    assert_eq!(judge(kind, Era::Modern, asks, None), Judged::Malformed);
    assert_eq!(judge(kind, Era::Modern, complete, None), Judged::Right);
}

#[test]
fn a_counter_offer_of_a_known_version_is_taken() {
    let raw = r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"a","version":"1"}}"#;
    let judged = judge(RequestKind::Initialize, Era::Legacy, raw, None);
    assert_eq!(judged, Judged::Version(ProtocolVersion::V2025_06_18));
    let odd = raw.replace("2025-06-18", "1999-01-01");
    assert_eq!(
        judge(RequestKind::Initialize, Era::Legacy, &odd, None),
        Judged::Malformed
    );
}

#[test]
fn requests_are_valid_json() {
    let params = initialize_params(ProtocolVersion::V2025_11_25);
    for text in [
        request(1, "ping", ""),
        request(2, "initialize", &params),
        reply("ping", "\"x\""),
        reply("roots/list", "3"),
    ] {
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["jsonrpc"], "2.0");
    }
    let meta = format!("{{{}}}", modern_meta(ProtocolVersion::V2026_07_28));
    assert!(serde_json::from_str::<serde_json::Value>(&meta).unwrap()["_meta"].is_object());
}
