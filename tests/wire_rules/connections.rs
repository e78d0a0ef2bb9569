//! The listener as a server of HTTP/1.1: what it takes for a request, and how connections and the server end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Ended, Server, bounded, call, echo, get, post, session, stream};

/// A rule that hits nothing, so that the listener serves right answers.
const NOTHING: &str = "html,method=none";

#[tokio::test]
async fn a_connection_serves_requests_one_after_the_other_and_pipelined_ones_too() {
    let server = Server::start(&["status=503,tool=echo,nth=2"], &["--json"]).await;
    let mut client = server.connect().await;
    client
        .send(&[echo("1"), echo("2"), stream(), get("/health"), echo("3")].concat())
        .await;
    for status in [200, 503, 200, 200, 200] {
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.ended), (status, Ended::Whole));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_can_come_in_chunks_and_byte_by_byte() {
    let server = Server::start(&[NOTHING], &["--json"]).await;
    let whole = echo("hello");
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    let head: Vec<&str> = head
        .lines()
        .filter(|line| !line.starts_with("content-length"))
        .collect();
    let (first, second) = body.split_at(body.len() / 2);
    let request = format!(
        "{}\r\ntransfer-encoding: chunked\r\n\r\n{:x};ext=1\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\nx-trailer: 1\r\n\r\n",
        head.join("\r\n"),
        first.len(),
        second.len()
    );
    let mut client = server.connect().await;
    for byte in request.chars() {
        client.send(&byte.to_string()).await;
    }
    let answer: Value = serde_json::from_slice(&client.answer().await.body).unwrap();
    assert_eq!(answer["result"]["content"][0]["text"], "hello");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_gets_it() {
    let server = Server::start(&[NOTHING], &["--json"]).await;
    let request = echo("x").replacen("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n", 1);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut client = server.connect().await;
    client.send(&format!("{head}\r\n\r\n")).await;
    assert_eq!(client.head().await, "HTTP/1.1 100 Continue\n\n");
    client.send(body).await;
    assert_eq!(client.answer().await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn who_asks_to_close_or_speaks_http_1_0_is_closed_after_the_answer() {
    let server = Server::start(&[NOTHING], &[]).await;
    for request in [
        "GET /health HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n".to_owned(),
        get("/health").replace("HTTP/1.1", "HTTP/1.0"),
        stream().replace("HTTP/1.1", "HTTP/1.0"),
    ] {
        let mut client = server.connect().await;
        client.send(&request).await;
        let (bytes, ended) = client.rest().await;
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.contains("connection: close\r\n") && !text.contains("chunked"),
            "{text}"
        );
        assert_eq!(ended, Ended::Closed);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_bounded() {
    let server = Server::start(&[NOTHING], &[]).await;
    let many = "x: 1\r\n".repeat(200);
    let long = "x".repeat(80 << 10);
    for (request, status) in [
        ("no request\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{many}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nx: {long}"), 431),
        (
            "POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n".to_owned(),
            413,
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            400,
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(),
            400,
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nfffffff\r\n".to_owned(),
            413,
        ),
    ] {
        let answer = server.ask(&request).await;
        assert_eq!(answer.status, status, "{request:.60}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_of_a_session_is_a_request_that_rules_can_name() {
    let server = Server::start(&["status=405,on=get,first=1", "cut-stream=0,on=get"], &[]).await;
    let id = session(&server).await;
    let request = format!(
        "GET /mcp HTTP/1.1\r\nhost: test\r\naccept: text/event-stream\r\nmcp-session-id: {id}\r\nmcp-protocol-version: 2025-11-25\r\n\r\n"
    );
    assert_eq!(server.ask(&request).await.status, 405);
    let answer = server.ask(&request).await;
    assert_eq!((answer.status, answer.ended), (200, Ended::Closed));
    server.stop().await;
}

#[tokio::test]
async fn a_request_that_is_executed_has_its_effect_though_no_answer_comes() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger");
    let words = ["--json", "--ledger", ledger.to_str().unwrap()];
    let rules = [
        "close-before-head=reset,executed,tool=effect,first=1",
        "status=502,tool=effect,first=1",
    ];
    let server = Server::start(&rules, &words).await;
    let effect = call("effect", &json!({"op": "one"}));
    let mut client = server.connect().await;
    client.send(&effect).await;
    assert_eq!(client.rest().await, (Vec::new(), Ended::Reset));
    assert_eq!(server.ask(&effect).await.status, 502);
    let lines = std::fs::read_to_string(&ledger).unwrap().lines().count();
    assert_eq!(lines, 1, "the first was done, the second went nowhere");
    server.stop().await;
}

#[tokio::test]
async fn a_modern_client_that_leaves_takes_its_call_with_it() {
    let server = Server::start(&[NOTHING], &["--drain", "60s"]).await;
    let mut client = server.connect().await;
    client
        .send(&call("stream", &json!({"n": 600, "interval_ms": 100})))
        .await;
    // Something is there once the call is in flight.
    assert_eq!(client.more().await, None);
    drop(client);
    let start = Instant::now();
    server.stop().await;
    // With no call left nothing keeps it: far less than the bound of 60 s.
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_rule_that_waits_does_not_keep_the_server() {
    let server = Server::start(
        &["never=10m", "stall-stream=1,for=10m,tool=stream"],
        &["--drain", "60s"],
    )
    .await;
    let mut client = server.connect().await;
    client.send(&echo("x")).await;
    // The rule waits once a request on another connection has been served after it.
    assert_eq!(server.ask(&get("/health")).await.status, 200);
    let start = Instant::now();
    server.stop().await;
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_ne!(bounded(client.rest()).await.1, Ended::Whole);
}

#[tokio::test]
async fn batches_and_notices_can_be_named() {
    let server = Server::start(&["status=500,on=notice"], &[]).await;
    let notice = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(server.ask(&post(&notice, &[])).await.status, 500);
    server.stop().await;
}
