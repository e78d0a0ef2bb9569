//! Calls that are cancelled, or whose client goes: what stops, what goes on, and what the server counts.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::legacy::{Events, Session};
use crate::support::{PATIENCE, Server, modern};

/// Waits until the server's metrics have the line.
async fn counted(server: &Server, line: &str) {
    timeout(PATIENCE, async {
        loop {
            let text = server.get("/metrics").await.text().await.unwrap();
            if text.lines().any(|found| found == line) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("never saw {line}"));
}

fn executions(tool: &str, stage: &str, count: u32) -> String {
    format!("mcp_executions_total{{tool=\"{tool}\",stage=\"{stage}\"}} {count}")
}

/// A call of the modern era that is running.
async fn running(server: &Server, tool: &str, arguments: Value) -> Events {
    let (mut body, headers) = modern(
        "tools/call",
        Some(tool),
        json!({"name": tool, "arguments": arguments}),
    );
    body["params"]["_meta"]["progressToken"] = json!("token");
    let mut events = Events::of(server.post(&body, &headers).await);
    assert_eq!(events.next().await.unwrap().number(), Some(1));
    events
}

const LONG: u32 = 600_000;

#[tokio::test]
async fn a_cancelled_call_of_the_legacy_era_stops_and_is_not_answered() {
    let server = Server::start(&[]).await;
    let session = Session::start(&server, "2025-11-25").await;
    let mut events = session.tool(7, "sleep", json!({"ms": LONG})).await;
    counted(&server, &executions("sleep", "started", 1)).await;
    session.cancel(7).await;
    counted(&server, &executions("sleep", "cancelled", 1)).await;
    let rest = events.rest().await;
    assert!(rest.iter().all(|event| event.data.is_none()), "{rest:?}");
}

#[tokio::test]
async fn a_call_of_the_legacy_era_goes_on_when_its_client_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let server = Server::start(&["--ledger", path.to_str().unwrap()]).await;
    let session = Session::start(&server, "2025-11-25").await;
    let arguments = json!({"op": "left", "after_ms": 300});
    let mut events = session.tool(1, "effect", arguments).await;
    assert_eq!(events.next().await.unwrap().data, None);
    drop(events);
    counted(&server, &executions("effect", "finished", 1)).await;
    assert_eq!(ops(&path), ["left"]);
}

#[tokio::test]
async fn a_call_of_the_modern_era_stops_when_its_client_goes() {
    let server = Server::start(&[]).await;
    let events = running(&server, "stream", json!({"n": 1000, "interval_ms": 1000})).await;
    drop(events);
    counted(&server, &executions("stream", "cancelled", 1)).await;
}

#[tokio::test]
async fn a_call_of_the_modern_era_stops_even_before_its_first_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let server = Server::start(&["--ledger", path.to_str().unwrap()]).await;
    let arguments = json!({"op": "never", "after_ms": LONG});
    let (body, headers) = modern(
        "tools/call",
        Some("effect"),
        json!({"name": "effect", "arguments": arguments}),
    );
    let started = executions("effect", "started", 1);
    tokio::select! {
        _ = server.post(&body, &headers) => panic!("answered"),
        () = counted(&server, &started) => {}
    }
    counted(&server, &executions("effect", "cancelled", 1)).await;
    assert_eq!(ops(&path), [""; 0]);
}

#[tokio::test]
async fn with_the_defect_a_cancelled_call_goes_on_in_both_eras() {
    let server = Server::start(&["--ignore-cancel"]).await;
    let session = Session::start(&server, "2025-11-25").await;
    let mut events = session.tool(7, "sleep", json!({"ms": 300})).await;
    session.cancel(7).await;
    let answer = events.message().await.message();
    assert_eq!(
        (&answer["id"], &answer["result"]["content"][0]["text"]),
        (&json!(7), &json!("300"))
    );

    let events = running(&server, "stream", json!({"n": 20, "interval_ms": 10})).await;
    drop(events);
    counted(&server, &executions("sleep", "finished", 1)).await;
    // Its notifications find nobody, which ends it, too; it was not cancelled before.
    counted(&server, &executions("stream", "finished", 1)).await;
}

#[tokio::test]
async fn with_the_defect_an_effect_is_executed_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let words = [
        "--ledger",
        path.to_str().unwrap(),
        "--duplicate-effect",
        "100%",
    ];
    let server = Server::start(&words).await;
    let session = Session::start(&server, "2025-11-25").await;
    let mut events = session.tool(1, "effect", json!({"op": "x"})).await;
    let answer = events.message().await.message();
    assert_eq!(answer["result"]["structuredContent"]["executed"], true);
    assert_eq!(ops(&path), ["x", "x"]);
}

fn ops(ledger: &Path) -> Vec<String> {
    let lines = crate::support::lines(ledger);
    let op = |line: &Value| line["op"].as_str().unwrap().to_owned();
    lines.iter().map(op).collect()
}
