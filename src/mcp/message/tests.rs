//! What is taken for a message, and for a right one.

use super::*;
use crate::model::protocol::Era;
use crate::plan::Method;

fn kind_of(text: &str) -> String {
    match read(text.as_bytes(), Some(7)) {
        Incoming::Result(raw) => format!("result {raw}"),
        Incoming::Error { code, .. } => format!("error {code}"),
        Incoming::Request { method, id, .. } => format!("request {method} {id}"),
        Incoming::Notification { method, .. } => format!("notification {method}"),
        Incoming::Late => "late".to_owned(),
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
            "notification notifications/message",
        ),
        (r#"{"jsonrpc":"2.0","id":6,"result":{}}"#, "late"),
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
            judge(kind, Era::Legacy, right, &[]).outcome,
            Judged::Right,
            "{right}"
        );
        assert_eq!(
            judge(kind, Era::Legacy, wrong, &[]).outcome,
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
            judge(kind, Era::Legacy, raw, std::slice::from_ref(&expected)).outcome,
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
    assert_eq!(
        judge(kind, Era::Legacy, error, &[]).outcome,
        Judged::ToolError
    );
    assert_eq!(
        judge(kind, Era::Modern, asks, &[]).outcome,
        Judged::AsksInput
    );
    assert_eq!(
        judge(kind, Era::Modern, complete, &[]).outcome,
        Judged::Right
    );
}

#[test]
fn a_counter_offer_of_a_known_version_is_taken() {
    let raw = r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"a","version":"1"}}"#;
    let judged = judge(RequestKind::Initialize, Era::Legacy, raw, &[]).outcome;
    assert_eq!(judged, Judged::Version(ProtocolVersion::V2025_06_18));
    let odd = raw.replace("2025-06-18", "1999-01-01");
    assert_eq!(
        judge(RequestKind::Initialize, Era::Legacy, &odd, &[]).outcome,
        Judged::UnknownVersion
    );
}

#[test]
fn requests_are_valid_json_with_the_parts_that_they_were_given() {
    let none = Capabilities::default();
    let able = Capabilities { elicitation: true };
    let initialize = initialize_params(ProtocolVersion::V2025_11_25, able);
    let meta = modern_meta(ProtocolVersion::V2026_07_28, none);
    let params = [
        (Params::default(), "null"),
        (
            Params {
                members: &initialize,
                ..Params::default()
            },
            r#"{"elicitation":{}}"#,
        ),
        (
            Params {
                meta: &meta,
                progress: true,
                members: r#""name":"a""#,
                cursor: Some(""),
                further: r#""requestState":"s""#,
            },
            r#"{"name":"a","cursor":"","requestState":"s"}"#,
        ),
        (
            Params {
                progress: true,
                ..Params::default()
            },
            r#"{"_meta":{"progressToken":7}}"#,
        ),
    ];
    for (params, part) in params {
        let value: Value = serde_json::from_str(&request(7, "ping", &params)).unwrap();
        assert_eq!(
            (&value["jsonrpc"], &value["id"]),
            (&"2.0".into(), &7.into())
        );
        let part: Value = serde_json::from_str(part).unwrap();
        match &part {
            Value::Null => assert!(value.get("params").is_none()),
            Value::Object(members) if members.contains_key("elicitation") => {
                assert_eq!(value["params"]["capabilities"], part);
            }
            Value::Object(members) => {
                for (name, member) in members {
                    assert_eq!(&value["params"][name], member);
                }
            }
            other => panic!("{other}"),
        }
    }
    for text in [
        reply("ping", "\"x\"", None, none),
        reply("roots/list", "3", Some("{}"), none),
        cancelled(5),
    ] {
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["jsonrpc"], "2.0");
    }
}

#[test]
fn expectations_look_into_results() {
    let kind = RequestKind::Method(Method::ToolsCall);
    let raw = r#"{"content":[],"structuredContent":{"sum":5,"parts":[{"n":1},{"n":1}]}}"#;
    let path = |text: &str| std::sync::Arc::new(serde_json_path::JsonPath::parse(text).unwrap());
    let schema = |kind: &str| {
        let schema = serde_json::json!({"properties": {"sum": {"type": kind}}});
        Expected::Schema(
            jsonschema::validator_for(&schema)
                .ok()
                .map(std::sync::Arc::new),
        )
    };
    for (expected, judged) in [
        (
            Expected::Json(path("$.structuredContent.sum"), 5.into()),
            Judged::Right,
        ),
        (Expected::Json(path("$..n"), 1.into()), Judged::Right),
        (Expected::Json(path("$..n"), 2.into()), Judged::Wrong),
        (Expected::Json(path("$.none"), Value::Null), Judged::Wrong),
        (schema("integer"), Judged::Right),
        (schema("string"), Judged::Wrong),
        (Expected::Schema(None), Judged::Wrong),
    ] {
        let one = std::slice::from_ref(&expected);
        assert_eq!(
            judge(kind, Era::Legacy, raw, one).outcome,
            judged,
            "{expected:?}"
        );
    }
}

#[test]
fn progress_and_refusals_are_read_and_an_empty_cursor_is_one() {
    let params = r#"{"progressToken":7,"progress":0.5,"total":1}"#;
    assert_eq!(progress(Some(params), 7), Some(0.5));
    assert_eq!(progress(Some(params), 8), None);
    let body = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"x","data":{"supported":["2026-07-28","2099-01-01"],"requested":"a"}}}"#;
    let error = refusal(body).unwrap();
    assert_eq!(error.code, -32022);
    assert_eq!(error.supported, [ProtocolVersion::V2026_07_28]);
    let kind = RequestKind::Method(Method::ToolsList);
    let judged = judge(kind, Era::Legacy, r#"{"tools":[],"nextCursor":""}"#, &[]);
    assert_eq!(judged.next_cursor.as_deref(), Some(""));
}

#[test]
fn what_is_not_utf8_anywhere_is_no_message() {
    let message = b"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{},\"x\":\"\xff\"}";
    assert!(matches!(read(message, Some(7)), Incoming::Invalid));
}
