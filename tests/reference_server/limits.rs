//! The ends of sessions, their number, pings, and who may call.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::legacy::Session;
use crate::support::{Era, PATIENCE, Server, http, initialize, modern, request};

const VERSION: &str = "2025-11-25";

async fn ping(session: &Session<'_>) -> StatusCode {
    session.post(&request("ping", &json!({}))).await.status()
}

/// Waits until a session is unknown, asking nothing of it before `quiet` has passed.
async fn lost(session: &Session<'_>, quiet: Duration) {
    sleep(quiet).await;
    timeout(PATIENCE, async {
        while ping(session).await != StatusCode::NOT_FOUND {
            sleep(quiet).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_session_ends_when_nothing_is_said_but_not_while_a_call_runs() {
    let server = Server::start(&["--session-ttl", "200ms"]).await;
    let session = Session::start(&server, VERSION).await;
    let mut events = session.tool(1, "sleep", json!({"ms": 600})).await;
    let answer = events.rest().await.pop().unwrap().message();
    assert_eq!(answer["result"]["content"][0]["text"], "600");
    assert_eq!(ping(&session).await, StatusCode::OK);
    lost(&session, Duration::from_millis(400)).await;
    let text = server.get("/metrics").await.text().await.unwrap();
    assert!(text.contains("\nmcp_sessions 0\n"), "{text}");
}

#[tokio::test]
async fn with_the_defect_a_session_is_lost_in_the_middle_of_a_call() {
    let server = Server::start(&["--session-lifetime", "300ms"]).await;
    let session = Session::start(&server, VERSION).await;
    let mut events = session.tool(1, "sleep", json!({"ms": 600_000})).await;
    let rest = events.rest().await;
    assert!(rest.iter().all(|event| event.data.is_none()), "{rest:?}");
    assert_eq!(ping(&session).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_session_too_many_is_503_and_the_modern_era_is_not_concerned() {
    let server = Server::start(&["--max-sessions", "2"]).await;
    let first = Session::start(&server, VERSION).await;
    let _second = Session::start(&server, VERSION).await;
    let response = server.post(&initialize(VERSION), &[]).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], -32603);
    let (body, headers) = modern("tools/list", None, json!({}));
    assert_eq!(server.post(&body, &headers).await.status(), StatusCode::OK);
    for expected in [StatusCode::ACCEPTED, StatusCode::NOT_FOUND] {
        let delete = http().delete(server.url("/mcp"));
        let delete = delete.header("mcp-session-id", &first.id).send().await;
        assert_eq!(delete.unwrap().status(), expected);
    }
    Session::start(&server, VERSION).await;
}

#[tokio::test]
async fn clients_that_listen_are_pinged_and_their_answers_counted() {
    let server = Server::start(&["--ping-interval", "20ms"]).await;
    // It does not listen, so it is not pinged; and this one listens and never answers.
    let _silent = Session::start(&server, VERSION).await;
    let deaf = Session::start(&server, VERSION).await;
    let mut standing = deaf.listen(None).await;
    assert_eq!(standing.message().await.message()["method"], "ping");
    let client = server.client(Era::Legacy).await;
    let value = |text: &str, status: &str| {
        let line = format!("mcp_pings_total{{status=\"{status}\"}} ");
        let value = text.lines().find_map(|found| found.strip_prefix(&line));
        value.map_or(0, |value| value.parse::<u64>().unwrap())
    };
    timeout(PATIENCE, async {
        loop {
            let text = server.get("/metrics").await.text().await.unwrap();
            let (answered, unanswered) = (value(&text, "answered"), value(&text, "unanswered"));
            assert!(answered + unanswered <= value(&text, "sent"));
            if answered >= 3 && unanswered >= 3 {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_page_from_elsewhere_is_refused_and_other_hosts_if_told_so() {
    let server = Server::start(&[]).await;
    for (name, value, status) in [
        ("origin", "http://localhost:3000", 200),
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("host", "fleet.example", 200),
    ] {
        let response = server.post(&initialize(VERSION), &[(name, value)]).await;
        assert_eq!(response.status(), status, "{name}: {value}");
    }
    let server = Server::start(&[
        "--allow-host",
        "127.0.0.1",
        "--allow-host",
        "mcp.example:80",
    ])
    .await;
    for (value, status) in [
        ("127.0.0.1:9999", 200),
        ("mcp.example:80", 200),
        ("mcp.example:81", 403),
        ("fleet.example", 403),
    ] {
        let response = server.post(&initialize(VERSION), &[("host", value)]).await;
        assert_eq!(response.status(), status, "{value}");
    }
}
