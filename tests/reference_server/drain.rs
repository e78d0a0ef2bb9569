//! What happens to calls and streams when the server is asked to stop.

use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};
use serde_json::json;
use tokio::time::timeout;

use crate::support::{Era, PATIENCE, Server, events, http, initialize, modern, tool, try_tool};

/// A call that takes `n` times `interval_ms` and is in flight: the first progress notification has arrived.
async fn call_in_flight(server: &Server, n: u32, interval_ms: u32) -> (Response, String) {
    let arguments = json!({"n": n, "interval_ms": interval_ms});
    let (mut body, headers) = modern(
        "tools/call",
        Some("stream"),
        json!({"name": "stream", "arguments": arguments}),
    );
    body["params"]["_meta"]["progressToken"] = json!("token");
    let mut response = server.post(&body, &headers).await;
    let first = String::from_utf8(response.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    (response, first)
}

#[tokio::test]
async fn a_drain_finishes_calls_in_flight_and_refuses_new_connections() {
    let mut server = Server::start(&["--drain", "20s"]).await;
    let (response, first) = call_in_flight(&server, 4, 300).await;
    server.ask_to_stop();
    timeout(PATIENCE, async {
        while tokio::net::TcpStream::connect(server.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    let answers = events(&(first + &response.text().await.unwrap()));
    assert_eq!(answers.len(), 5, "{answers:?}");
    assert_eq!(answers[4]["result"]["content"][0]["text"], "4");
    let start = Instant::now();
    server.ended().await;
    // With the last call ended nothing keeps it: far less than the bound of 20 s.
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_lame_duck_is_not_ready_and_still_serves() {
    let mut server = Server::start(&["--drain", "60s", "--lame-duck", "60s"]).await;
    server.ask_to_stop();
    let ready = timeout(PATIENCE, async {
        loop {
            let response = server.get("/health/ready").await;
            if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                break response;
            }
        }
    });
    assert_eq!(ready.await.unwrap().headers()["connection"], "close");
    assert_eq!(server.json("/health").await["status"], "draining");
    assert!(server.get("/health/live").await.status().is_success());
    let client = server.client(Era::Modern).await;
    assert_eq!(tool(&client, "echo", json!({"text": "x"})).await.0, "x");
}

#[tokio::test]
async fn a_drain_ends_standing_streams_cleanly() {
    let mut server = Server::start(&["--drain", "20s"]).await;
    let started = server.post(&initialize("2025-11-25"), &[]).await;
    let id = started.headers()["mcp-session-id"].clone();
    let standing = http()
        .get(server.url("/mcp"))
        .header("accept", "text/event-stream")
        .header("mcp-session-id", id);
    let standing = standing.timeout(PATIENCE).send().await.unwrap();
    assert_eq!(standing.status(), StatusCode::OK);

    let filter = json!({"notifications": {"toolsListChanged": true}});
    let (body, headers) = modern("subscriptions/listen", None, filter);
    let mut listening = server.post(&body, &headers).await;
    let first = listening.chunk().await.unwrap().unwrap();
    let first = events(std::str::from_utf8(&first).unwrap());
    assert_eq!(
        first[0]["method"],
        "notifications/subscriptions/acknowledged"
    );

    server.ask_to_stop();
    // An abrupt end would be an error here, as both bodies are chunked.
    standing.text().await.unwrap();
    let rest = events(&listening.text().await.unwrap());
    assert!(rest.last().unwrap()["result"].is_object(), "{rest:?}");
    server.ended().await;
}

#[tokio::test]
async fn what_is_left_at_the_end_of_the_drain_is_cut() {
    let mut server = Server::start(&["--drain", "300ms"]).await;
    let (response, first) = call_in_flight(&server, 1000, 100).await;
    server.ask_to_stop();
    server.ended().await;
    // Cut between two events or with an error; in no case with a result.
    let answers = events(&(first + &response.text().await.unwrap_or_default()));
    assert!(
        answers.iter().all(|answer| answer.get("result").is_none()),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_burn_does_not_outlive_the_drain() {
    let mut server = Server::start(&["--drain", "200ms"]).await;
    let client = server.client(Era::Legacy).await;
    let call = tokio::spawn(async move { try_tool(&client, "burn", json!({"ms": 60_000})).await });
    let (_response, _first) = call_in_flight(&server, 1000, 10).await;
    server.ask_to_stop();
    server.ended().await;
    call.abort();
    // The runtime of this test waits for its blocking threads when it ends: a burn that went on would hold it up.
}
