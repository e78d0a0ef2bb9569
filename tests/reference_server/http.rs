//! Sessions, headers and the plain routes, request by request.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::support::{
    Era, PATIENCE, Server, events, http, initialize, modern, request, tool, tool_code, try_tool,
};

#[tokio::test]
async fn every_legacy_version_is_negotiated_as_asked() {
    let server = Server::start(&[]).await;
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let response = server.post(&initialize(version), &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.headers().contains_key("mcp-session-id"));
        let answers = events(&response.text().await.unwrap());
        assert_eq!(answers[0]["result"]["protocolVersion"], version);
        assert_eq!(answers[0]["result"]["serverInfo"]["name"], "server-1");
    }
}

#[tokio::test]
async fn an_unknown_session_is_404_or_as_told_and_nothing_else_changes() {
    let ping = request("ping", &json!({}));
    let session: &[(&str, &str)] = &[("mcp-session-id", "no-such-session")];
    let server = Server::start(&[]).await;
    assert_eq!(
        server.post(&ping, session).await.status(),
        StatusCode::NOT_FOUND
    );
    let without = server.post(&ping, &[]).await.status();
    assert_eq!(without, StatusCode::BAD_REQUEST);

    let server = Server::start(&["--unknown-session", "400"]).await;
    let response = server.post(&ping, session).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let body: Value = response.json().await.unwrap();
    assert_eq!(
        (&body["error"]["code"], body.get("id")),
        (&json!(-32000), None)
    );
    // A modern request may carry a session header, which is ignored: its 404 speaks of the method.
    let (body, mut headers) = modern("no/such", None, json!({}));
    headers.extend_from_slice(session);
    let response = server.post(&body, &headers).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], -32601);
}

#[tokio::test]
async fn a_session_lives_until_it_is_deleted() {
    let server = Server::start(&[]).await;
    let started = server.post(&initialize("2025-11-25"), &[]).await;
    let id = started.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let headers = [
        ("mcp-session-id", id.as_str()),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(
        server.post(&initialized, &headers).await.status(),
        StatusCode::ACCEPTED
    );
    let pong = server.post(&request("ping", &json!({})), &headers).await;
    assert_eq!(events(&pong.text().await.unwrap())[0]["result"], json!({}));
    let mut delete = http().delete(server.url("/mcp")).timeout(PATIENCE);
    for (name, value) in headers {
        delete = delete.header(name, value);
    }
    assert!(delete.send().await.unwrap().status().is_success());
    let lost = server.post(&request("ping", &json!({})), &headers).await;
    assert_eq!(lost.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn answers_are_json_without_a_session_if_told_so() {
    let (body, headers) = modern(
        "tools/call",
        Some("add"),
        json!({"name": "add", "arguments": {"a": 1, "b": 2}}),
    );
    for (words, expected) in [
        (&[][..], "text/event-stream"),
        (&["--json"][..], "application/json"),
    ] {
        let server = Server::start(words).await;
        let response = server.post(&body, &headers).await;
        assert_eq!(response.headers()["content-type"], expected);
        if expected == "application/json" {
            assert!(response.headers().contains_key("content-length"));
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["result"]["structuredContent"], json!({"sum": 3}));
        }
    }
    let server = Server::start(&["--stateless", "--json"]).await;
    let response = server.post(&initialize("2025-11-25"), &[]).await;
    assert!(!response.headers().contains_key("mcp-session-id"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["result"]["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn plain_routes_tell_of_the_process_and_every_answer_is_signed() {
    let server = Server::start(&["--incarnation", "7"]).await;
    let signed = |headers: &HeaderMap| headers["mcpload-instance"] == "server-1#7";
    for (path, key, value) in [
        ("/health", "status", json!("ok")),
        ("/health/live", "status", json!("live")),
        ("/health/ready", "status", json!("ready")),
        ("/config", "listen", json!(server.address.to_string())),
    ] {
        let response = server.get(path).await;
        assert!(
            response.status().is_success() && signed(response.headers()),
            "{path}"
        );
        assert_eq!(server.json(path).await[key], value, "{path}");
    }
    let missing = server.get("/no/such/route").await;
    assert!(missing.status() == StatusCode::NOT_FOUND && signed(missing.headers()));
    let unknown = server
        .post(
            &request("ping", &json!({})),
            &[("mcp-session-id", "x"), ("host", "fleet.example")],
        )
        .await;
    assert!(unknown.status() == StatusCode::NOT_FOUND && signed(unknown.headers()));
}

#[tokio::test]
async fn metrics_count_what_was_done() {
    let server = Server::start(&[]).await;
    let client = server.client(Era::Legacy).await;
    for _ in 0..3 {
        tool(&client, "echo", json!({"text": "x"})).await;
    }
    try_tool(&client, "fail", json!({"message": "no"}))
        .await
        .unwrap();
    assert_eq!(tool_code(&client, "add", json!({})).await, -32602);
    server
        .post(&request("ping", &json!({})), &[("mcp-session-id", "x")])
        .await;
    let response = server.get("/metrics").await;
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let text = response.text().await.unwrap();
    let value = |series: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in\n{text}"))
            .parse::<u64>()
            .unwrap()
    };
    assert_eq!(
        value("mcp_request_duration_seconds_count{method=\"tools/call\"}"),
        5
    );
    assert_eq!(
        value("mcp_request_duration_seconds_count{method=\"initialize\"}"),
        1
    );
    assert_eq!(
        value("mcp_tools_executed_total{tool=\"echo\",status=\"ok\"}"),
        3
    );
    assert_eq!(
        value("mcp_tools_executed_total{tool=\"fail\",status=\"error\"}"),
        1
    );
    assert_eq!(
        value("mcp_tools_executed_total{tool=\"add\",status=\"rejected\"}"),
        1
    );
    assert_eq!(value("mcp_errors_total{kind=\"tool\"}"), 1);
    assert_eq!(value("mcp_errors_total{kind=\"invalid_params\"}"), 1);
    assert_eq!(value("mcp_errors_total{kind=\"unknown_session\"}"), 1);
    assert!(value("mcp_active_connections") >= 1);
}
