//! Streams of sessions that are cut, closed, resumed, or not read.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::legacy::{Event, Events, Session};
use crate::support::{Server, request};

const VERSION: &str = "2025-11-25";

fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().filter_map(Event::number).collect()
}

/// The text of the tool's answer, which must be the last event.
fn text(events: &[Event]) -> Value {
    events.last().unwrap().data.as_ref().unwrap()["result"]["content"][0]["text"].clone()
}

/// Reads `count` events and cuts the connection; gives the events.
async fn cut_after(mut stream: Events, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(stream.next().await.unwrap());
    }
    events
}

#[tokio::test]
async fn a_call_that_is_cut_again_and_again_resumes_without_gap_and_double() {
    let server = Server::start(&[]).await;
    let session = Session::start(&server, VERSION).await;
    for (id, each) in [(1, 1), (2, 3), (3, 7)] {
        let arguments = json!({"n": 30, "interval_ms": 2});
        let stream = session.tool(id, "stream", arguments).await;
        let mut events = cut_after(stream, each).await;
        while events.last().unwrap().number() != Some(30) {
            let last = events.last().unwrap().id.clone();
            let stream = session.listen(last.as_deref()).await;
            let left = 30 - events.last().unwrap().number().unwrap_or(0);
            events.extend(cut_after(stream, each.min(usize::try_from(left).unwrap())).await);
        }
        let last = events.last().unwrap().id.clone();
        events.extend(session.listen(last.as_deref()).await.rest().await);
        assert_eq!(
            numbers(&events),
            (1..=30).collect::<Vec<_>>(),
            "cut after {each}"
        );
        assert_eq!(text(&events), "30");
    }
}

#[tokio::test]
async fn an_answer_can_be_fetched_after_the_stream_was_cut_and_even_twice() {
    let server = Server::start(&[]).await;
    let session = Session::start(&server, VERSION).await;
    let stream = session.tool(1, "sleep", json!({"ms": 50})).await;
    let primed = cut_after(stream, 1).await;
    for _ in 0..2 {
        let rest = session.listen(primed[0].id.as_deref()).await.rest().await;
        assert_eq!(rest.len(), 1);
        assert_eq!(text(&rest), "50");
    }
}

#[tokio::test]
async fn streams_begin_with_a_priming_event_from_2025_11_25_on() {
    let server = Server::start(&["--sse-retry", "1500ms"]).await;
    for (version, primes) in [("2025-06-18", false), (VERSION, true)] {
        let session = Session::start(&server, version).await;
        let mut streams = [
            session.tool(1, "sleep", json!({"ms": 0})).await,
            session.listen(None).await,
        ];
        for (index, stream) in streams.iter_mut().enumerate() {
            if index == 1 && !primes {
                continue;
            }
            let first = stream.next().await.unwrap();
            assert!(first.id.is_some(), "{version}");
            assert_eq!(first.data.is_none(), primes, "{version}");
            assert_eq!(first.retry, primes.then_some(1500), "{version}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_the_server_closes_is_continued_by_its_client() {
    let server = Server::start(&[]).await;
    let session = Session::start(&server, VERSION).await;
    let arguments = json!({"n": 10, "interval_ms": 5, "close_after": 4});
    let mut events = session.tool(1, "stream", arguments).await.rest().await;
    assert_eq!(numbers(&events), [1, 2, 3, 4]);
    let last = events.last().unwrap().id.clone();
    events.extend(session.listen(last.as_deref()).await.rest().await);
    assert_eq!(numbers(&events), (1..=10).collect::<Vec<_>>());
    assert_eq!(text(&events), "10");
}

#[tokio::test]
async fn an_event_id_of_another_session_or_of_nothing_resumes_nothing() {
    let server = Server::start(&[]).await;
    let session = Session::start(&server, VERSION).await;
    let other = Session::start(&server, VERSION).await;
    let mut stream = session.tool(1, "stream", json!({"n": 3})).await;
    let id = stream.next().await.unwrap().id.unwrap();
    assert_eq!(other.listen(Some(&id)).await.rest().await, []);
    for id in ["", "0", "no-such-event", "99999999999999999999"] {
        assert_eq!(session.listen(Some(id)).await.rest().await, [], "{id}");
    }
}

#[tokio::test]
async fn without_an_event_store_nothing_can_be_resumed_and_nothing_else_changes() {
    let server = Server::start(&["--event-store", "0"]).await;
    let session = Session::start(&server, VERSION).await;
    let arguments = json!({"n": 3, "close_after": 1});
    let events = session.tool(1, "stream", arguments).await.rest().await;
    assert_eq!(numbers(&events), [1, 2, 3]);
    assert!(
        events
            .iter()
            .all(|event| event.id.is_none() && event.retry.is_none())
    );
    assert_eq!(text(&events), "3");
}

#[tokio::test]
async fn defects_leave_events_out_or_repeat_one() {
    for (words, expected) in [
        (&["--resume-gap", "2"][..], vec![1, 2, 3, 6, 7, 8, 9, 10]),
        (
            &["--resume-double"][..],
            vec![1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10],
        ),
    ] {
        let server = Server::start(words).await;
        let session = Session::start(&server, VERSION).await;
        // Closed, not cut: so that all events are there when the client comes back.
        let arguments = json!({"n": 10, "close_after": 3});
        let mut events = session.tool(1, "stream", arguments).await.rest().await;
        loop {
            let text = server.get("/metrics").await.text().await.unwrap();
            if text.contains("mcp_executions_total{tool=\"stream\",stage=\"finished\"} 1") {
                break;
            }
        }
        let last = events.last().unwrap().id.clone();
        events.extend(session.listen(last.as_deref()).await.rest().await);
        assert_eq!(numbers(&events), expected, "{words:?}");
        assert_eq!(text(&events), "10");
    }
}

#[tokio::test]
async fn a_connection_that_is_not_read_holds_up_no_other_call() {
    let server = Server::start(&[]).await;
    let session = Session::start(&server, VERSION).await;
    let stalled = session.tool(1, "stream", json!({"n": 100_000})).await;
    for id in 2..12 {
        let answer = session.answer(id, "ping", &json!({})).await;
        assert_eq!(answer["result"], json!({}));
    }
    drop(stalled);
}

#[tokio::test]
async fn changes_reach_a_standing_stream_once_each_however_often_it_is_cut() {
    let server = Server::start(&[]).await;
    let session = Session::start(&server, VERSION).await;
    let uri = json!({"uri": "mem://counter/a"});
    session.answer(1, "resources/subscribe", &uri).await;
    let touch = |id| session.answer(id, "tools/call", TOUCH_A.get_or_init(touch_a));
    // Nobody listens yet: the change waits.
    touch(2).await;
    let mut events = Vec::new();
    let mut last: Option<String> = None;
    for id in 3..10 {
        let mut standing = session.listen(last.as_deref()).await;
        touch(id).await;
        if id % 2 == 0 {
            // What is not read before the cut is read after it.
            touch(100 + id).await;
        }
        let event = standing.message().await;
        last.clone_from(&event.id);
        events.push(event);
    }
    let mut standing = session.listen(last.as_deref()).await;
    while events.len() < 11 {
        events.push(standing.message().await);
    }
    assert_eq!(numbers(&events), (1..=11).collect::<Vec<_>>());
    let read = session.answer(200, "resources/read", &uri).await;
    assert_eq!(read["result"]["contents"][0]["text"], "11");
}

static TOUCH_A: std::sync::OnceLock<Value> = std::sync::OnceLock::new();

fn touch_a() -> Value {
    json!({"name": "touch", "arguments": {"name": "a"}})
}

#[tokio::test]
async fn of_several_standing_streams_one_gets_a_message() {
    let server = Server::start(&[]).await;
    let session = Session::start(&server, VERSION).await;
    let uri = json!({"uri": "mem://counter/a"});
    session.answer(1, "resources/subscribe", &uri).await;
    let mut older = session.listen(None).await;
    let mut newer = session.listen(None).await;
    session.answer(2, "tools/call", &touch_a()).await;
    assert_eq!(newer.message().await.number(), Some(1));
    drop(newer);
    session.answer(3, "resources/unsubscribe", &uri).await;
    session.answer(4, "tools/call", &touch_a()).await;
    let delete = crate::support::http().delete(server.url("/mcp"));
    let delete = delete.header("mcp-session-id", &session.id).send().await;
    assert_eq!(delete.unwrap().status(), StatusCode::ACCEPTED);
    // The end of the session ends its streams; this one got neither the first change nor the one after the end of the
    // subscription.
    let rest = older.rest().await;
    assert!(rest.iter().all(|event| event.data.is_none()), "{rest:?}");
}

#[tokio::test]
async fn answers_are_json_in_sessions_too_unless_something_comes_before() {
    let server = Server::start(&["--json-response"]).await;
    let session = Session::start(&server, VERSION).await;
    let response = session.post(&request("ping", &json!({}))).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("content-length"));
    let answer: Value = response.json().await.unwrap();
    assert_eq!((&answer["id"], &answer["result"]), (&json!(1), &json!({})));
    let events = session
        .tool(2, "stream", json!({"n": 2}))
        .await
        .rest()
        .await;
    assert_eq!(numbers(&events), [1, 2]);
    assert_eq!(text(&events), "2");
}
