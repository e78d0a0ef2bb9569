//! What an exchange makes of every way in which a request can end.

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use proptest::strategy::Strategy as _;

use super::*;
use crate::plan::Method;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream; charset=utf-8";
const RIGHT: &str =
    r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"hi"}]}}"#;

fn exchange(in_session: bool) -> Exchange {
    let awaited = Awaited::Response {
        id: 7,
        kind: RequestKind::Method(Method::ToolsCall),
        expected: vec![Expected::Equals("hi".to_owned())],
    };
    let served_by = Some(HeaderName::from_static("mcpload-instance"));
    Exchange::new(awaited, Era::Legacy, in_session, served_by)
}

/// Sends, answers with this head and these parts of a body, and ends.
fn answered(mut exchange: Exchange, status: u16, media: &str, body: &[&str]) -> Exchange {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, media.parse().unwrap());
    headers.insert("mcpload-instance", HeaderValue::from_static("server-2#1"));
    let _ = exchange.take(&Item::Sent { at: 10 });
    let _ = exchange.take(&Item::Head {
        at: 20,
        status: StatusCode::from_u16(status).unwrap(),
        headers: &headers,
    });
    for (place, part) in body.iter().enumerate() {
        let bytes = Bytes::copy_from_slice(part.as_bytes());
        let at = 30 + i64::try_from(place).unwrap();
        let _ = exchange.take(&Item::Body { at, bytes: &bytes });
    }
    let _ = exchange.take(&Item::End { at: 90 });
    exchange
}

fn class(exchange: &Exchange) -> (Class, Option<i64>) {
    let verdict = exchange.verdict().unwrap();
    (verdict.class, verdict.code)
}

#[test]
fn a_right_answer_is_ok_and_its_facts_are_kept() {
    let exchange = answered(exchange(false), 200, JSON, &[&RIGHT[..9], &RIGHT[9..]]);
    assert_eq!(class(&exchange), (Class::None, None));
    assert_eq!(exchange.verdict().unwrap().done, 90);
    let facts = exchange.facts();
    assert_eq!(
        (facts.sent, facts.first_byte, facts.first_event),
        (Some(10), Some(20), Some(30))
    );
    assert_eq!(facts.instance, "server-2#1");
    assert_eq!(facts.bytes_in, RIGHT.len() as u64);
}

#[test]
fn an_event_stream_ends_with_the_answer_and_requests_on_it_are_replied_to() {
    let ping = "data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\n";
    let event = format!("id: 1\ndata:\n\n{ping}data: {RIGHT}\r\n\r\n");
    let mut exchange = answered(exchange(true), 200, EVENTS, &[&event]);
    assert_eq!(class(&exchange), (Class::None, None));
    // It is done when the answer is there, not when the stream ends.
    assert_eq!(exchange.verdict().unwrap().done, 30);
    let replies = exchange.take_replies();
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].body, r#"{"jsonrpc":"2.0","id":"p","result":{}}"#);
}

#[test]
fn every_answer_has_its_class() {
    let wrong_id = RIGHT.replace('7', "8");
    let wrong_text = RIGHT.replace("hi", "ho");
    let error = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"x"}}"#;
    let tool = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[],"isError":true}}"#;
    let batch = format!("[{RIGHT}]");
    let cases = [
        ("batch", true, 200, JSON, batch.as_str(), Class::None, None),
        (
            "foreign answer",
            true,
            200,
            JSON,
            &wrong_id,
            Class::Malformed,
            None,
        ),
        (
            "wrong content",
            true,
            200,
            JSON,
            &wrong_text,
            Class::WrongAnswer,
            None,
        ),
        (
            "error",
            true,
            200,
            JSON,
            error,
            Class::JsonRpc,
            Some(-32603),
        ),
        ("tool error", true, 200, JSON, tool, Class::Tool, None),
        ("no JSON", true, 200, JSON, "<html>", Class::Malformed, None),
        (
            "no MCP media type",
            true,
            200,
            "text/html",
            RIGHT,
            Class::Malformed,
            None,
        ),
        (
            "accepted, but nothing came",
            true,
            202,
            JSON,
            "",
            Class::Malformed,
            None,
        ),
        (
            "session lost",
            true,
            404,
            JSON,
            "",
            Class::SessionLost,
            Some(404),
        ),
        (
            "session lost by 400",
            true,
            400,
            JSON,
            error,
            Class::SessionLost,
            Some(400),
        ),
        ("not found", false, 404, JSON, error, Class::Http, Some(404)),
        ("unavailable", true, 503, JSON, "", Class::Http, Some(503)),
        ("redirect", true, 302, JSON, "", Class::Http, Some(302)),
        (
            "stream without answer",
            true,
            200,
            EVENTS,
            "data: {\"jso",
            Class::Truncated,
            None,
        ),
    ];
    for (name, in_session, status, media, body, wanted, code) in cases {
        let exchange = answered(exchange(in_session), status, media, &[body]);
        assert_eq!(class(&exchange), (wanted, code), "{name}");
    }
}

#[test]
fn what_breaks_is_classed_by_how_far_it_came() {
    let mut refused = exchange(true);
    assert_eq!(refused.take(&Item::Refused { at: 1 }), Progress::Complete);
    assert_eq!(class(&refused), (Class::Connect, None));

    let mut unconnected = exchange(true);
    let _ = unconnected.take(&Item::TimedOut { at: 1 });
    assert_eq!(class(&unconnected), (Class::Connect, None));

    let mut broken = exchange(true);
    let _ = broken.take(&Item::Sent { at: 1 });
    let _ = broken.take(&Item::Broken { at: 2 });
    assert_eq!(class(&broken), (Class::Transport, None));

    for (item, wanted) in [
        (Item::Broken { at: 3 }, Class::Truncated),
        (Item::TimedOut { at: 3 }, Class::Timeout),
    ] {
        let mut headed = exchange(true);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        let _ = headed.take(&Item::Sent { at: 1 });
        let _ = headed.take(&Item::Head {
            at: 2,
            status: StatusCode::OK,
            headers: &headers,
        });
        let _ = headed.take(&item);
        assert_eq!(class(&headed), (wanted, None));
    }
}

#[test]
fn a_verdict_stands() {
    let mut exchange = answered(exchange(true), 200, JSON, &[RIGHT]);
    assert_eq!(exchange.take(&Item::Broken { at: 99 }), Progress::Complete);
    assert_eq!(class(&exchange), (Class::None, None));
}

#[test]
fn a_body_without_end_is_refused() {
    let mut exchange = exchange(false);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    let _ = exchange.take(&Item::Head {
        at: 2,
        status: StatusCode::OK,
        headers: &headers,
    });
    let bytes = Bytes::from(vec![b' '; 8 << 20]);
    let refused =
        (0..9).any(|at| exchange.take(&Item::Body { at, bytes: &bytes }) == Progress::Complete);
    assert!(refused);
    assert_eq!(class(&exchange), (Class::Malformed, None));
}

#[test]
fn a_status_alone_answers_a_notification() {
    for (status, wanted) in [
        (202, Class::None),
        (200, Class::None),
        (405, Class::Http),
        (404, Class::SessionLost),
    ] {
        let exchange = Exchange::new(Awaited::Status, Era::Legacy, true, None);
        assert_eq!(
            class(&answered(exchange, status, JSON, &[])).0,
            wanted,
            "{status}"
        );
    }
}

#[test]
fn a_stream_that_cannot_be_understood_is_not_waited_for() {
    for id in [None, Some(7)] {
        let mut exchange = Exchange::new(Awaited::Stream { id }, Era::Legacy, false, None);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, EVENTS.parse().unwrap());
        headers.insert("content-encoding", HeaderValue::from_static("gzip"));
        let progress = exchange.take(&Item::Head {
            at: 20,
            status: StatusCode::OK,
            headers: &headers,
        });
        assert_eq!(progress, Progress::Complete);
        assert_eq!(class(&exchange), (Class::Malformed, None));
    }
}

proptest::proptest! {
    /// Whatever a server sends, cut anywhere, the exchange has one verdict at its end and holds no more than came.
    #[test]
    fn any_body_ends_in_a_verdict(
        pieces in proptest::collection::vec(
            proptest::prop_oneof![
                proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
                proptest::sample::select(vec![
                    "data: ", "\n\n", "id: 7\n", "retry: 5\n", "[", "]", ",", "{", "}", RIGHT, "event: x\n", ": c\n",
                    r#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":""}}"#,
                    r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#,
                    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1e308}}"#,
                    r#"{"jsonrpc":"2.0","id":7,"result":{"resultType":"input_required","nextCursor":""}}"#,
                ]).prop_map(|text| text.as_bytes().to_vec()),
            ], 0..30),
        media in proptest::sample::select(vec![JSON, EVENTS, "text/html"]),
        status in proptest::sample::select(vec![200_u16, 202, 302, 400, 404, 500]),
        broken in proptest::prelude::any::<bool>(),
    ) {
        let mut exchange = exchange(true);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, media.parse().unwrap());
        let _ = exchange.take(&Item::Sent { at: 1 });
        let status = StatusCode::from_u16(status).unwrap();
        let _ = exchange.take(&Item::Head { at: 2, status, headers: &headers });
        let came: usize = pieces.iter().map(Vec::len).sum();
        for piece in pieces {
            let _ = exchange.take(&Item::Body { at: 3, bytes: &Bytes::from(piece) });
        }
        let last = if broken { Item::Broken { at: 4 } } else { Item::End { at: 4 } };
        proptest::prop_assert_eq!(exchange.take(&last), Progress::Complete);
        proptest::prop_assert!(exchange.verdict().is_some());
        proptest::prop_assert!(exchange.facts().bytes_in <= came as u64);
        proptest::prop_assert!(exchange.take_replies().len() <= MAX_REPLIES);
    }
}

mod streams;
