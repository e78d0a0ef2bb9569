//! What tools, resources and prompts answer, through the SDK's client in both eras.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rmcp::model::{GetPromptRequestParams, ReadResourceRequestParams, ResourceContents};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{ERAS, Era, PATIENCE, Progress, Server, lines, tool, tool_code, try_tool};

#[tokio::test]
async fn every_tool_answers_as_documented_in_both_eras() {
    let server = Server::start(&["--incarnation", "3"]).await;
    for era in ERAS {
        let client = server.client(era).await;
        let text = "x\u{2028}\"\n".repeat(100);
        assert_eq!(
            tool(&client, "echo", json!({"text": text})).await,
            (text, None),
            "{era:?}"
        );
        assert_eq!(
            tool(&client, "add", json!({"a": 2, "b": -5})).await,
            ("-3".to_owned(), Some(json!({"sum": -3})))
        );
        assert_eq!(
            tool(&client, "sleep", json!({"ms": 1})).await,
            ("1".to_owned(), None)
        );
        assert_eq!(
            tool(&client, "payload", json!({"bytes": 100_000})).await,
            ("x".repeat(100_000), None)
        );
        assert_eq!(
            tool(&client, "burn", json!({"ms": 5})).await,
            ("5".to_owned(), None)
        );
        assert_eq!(
            tool(&client, "stream", json!({"n": 0})).await,
            ("0".to_owned(), None)
        );

        let (text, content) = tool(&client, "whoami", json!({})).await;
        let content = content.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), content);
        assert_eq!(
            (&content["name"], &content["incarnation"]),
            (&json!("server-1"), &json!(3))
        );
        assert_eq!(content["pid"], json!(std::process::id()));
        assert_eq!(
            content["session"].is_string(),
            era == Era::Legacy,
            "{era:?}: {content}"
        );

        let failed = try_tool(&client, "fail", json!({"message": "no"}))
            .await
            .unwrap();
        assert_eq!(
            (
                failed.is_error,
                failed.content[0].as_text().unwrap().text.as_str()
            ),
            (Some(true), "no")
        );
        client.cancel().await.unwrap();
    }
    // One more session: lists belong to the process, not to a session or an era.
    for (era, value, length) in [(Era::Legacy, "a", 1), (Era::Modern, "b", 2)] {
        let client = server.client(era).await;
        let appended = tool(&client, "append", json!({"key": "k", "value": value})).await;
        assert_eq!(
            appended,
            (length.to_string(), Some(json!({"length": length})))
        );
    }
    let client = server.client(Era::Legacy).await;
    let read = tool(&client, "read", json!({"key": "k"})).await;
    assert_eq!(
        read,
        (
            r#"["a","b"]"#.to_owned(),
            Some(json!({"values": ["a", "b"]}))
        )
    );
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_invalid_parameters() {
    let server = Server::start(&[]).await;
    let client = server.client(Era::Modern).await;
    for (name, arguments) in [
        ("echo", json!({})),
        ("add", json!({"a": 1, "b": "2"})),
        ("add", json!({"a": i64::MAX, "b": 1})),
        ("sleep", json!({"ms": 600_001})),
        ("payload", json!({"bytes": -1})),
        ("burn", json!({"ms": 60_001})),
        ("effect", json!({"op": ""})),
        ("effect", json!({"op": "x".repeat(257)})),
        ("nothing", json!({})),
    ] {
        assert_eq!(
            tool_code(&client, name, arguments.clone()).await,
            -32602,
            "{name} {arguments}"
        );
    }
}

#[tokio::test]
async fn stream_sends_its_progress_before_the_result() {
    let server = Server::start(&[]).await;
    for era in ERAS {
        let progress = Progress::default();
        let client = server.client_with(era, progress.clone()).await;
        let answer = tool(&client, "stream", json!({"n": 5, "interval_ms": 2})).await;
        assert_eq!(answer, ("5".to_owned(), None));
        // The client handles notifications beside the call; they were read from the stream before its result.
        timeout(PATIENCE, async {
            while progress.0.load(Ordering::SeqCst) < 5 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        assert_eq!(progress.0.load(Ordering::SeqCst), 5, "{era:?}");
    }
}

#[tokio::test]
async fn an_effect_is_in_the_ledger_before_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    for (dedup, second, count) in [(false, "executed", 2), (true, "duplicate", 1)] {
        let path = folder.path().join(format!("ledger-{dedup}"));
        let mut words = vec!["--incarnation", "2", "--ledger", path.to_str().unwrap()];
        words.extend(dedup.then_some("--dedup"));
        let server = Server::start(&words).await;
        let client = server.client(Era::Legacy).await;
        let (text, content) = tool(&client, "effect", json!({"op": "op-1"})).await;
        assert_eq!(text, "executed");
        assert_eq!(
            content,
            Some(json!({"op": "op-1", "executed": true, "server": "server-1", "incarnation": 2}))
        );
        assert_eq!(lines(&path).len(), 1);
        assert_eq!(
            tool(&client, "effect", json!({"op": "op-1"})).await.0,
            second
        );
        let lines = lines(&path);
        assert_eq!(lines.len(), count);
        assert!(
            lines
                .iter()
                .all(|line| line["op"] == "op-1" && line["at_ns"].as_i64().unwrap() > 0)
        );
    }
}

#[tokio::test]
async fn lists_page_and_their_entries_can_be_used() {
    let server = Server::start(&["--page-size", "7"]).await;
    for era in ERAS {
        let client = server.client(era).await;
        assert_eq!(client.list_tools(None).await.unwrap().tools.len(), 7);
        assert_eq!(client.list_all_tools().await.unwrap().len(), 15);
        assert_eq!(client.list_all_prompts().await.unwrap().len(), 61);
        let resources = client.list_all_resources().await.unwrap();
        assert_eq!(resources.len(), 250);
        let last = resources.last().unwrap();
        let read = client
            .read_resource(ReadResourceRequestParams::new(last.uri.clone()))
            .await
            .unwrap();
        let [ResourceContents::TextResourceContents { text, .. }] = read.contents.as_slice() else {
            panic!("not one text: {read:?}")
        };
        assert_eq!(text, "This is resource 250 of 250.");
        let arguments = json!({"name": "Ada"}).as_object().unwrap().clone();
        let params = GetPromptRequestParams::new("greeting").with_arguments(arguments);
        let prompt = client.get_prompt(params).await.unwrap();
        assert_eq!(
            prompt.messages[0].content.as_text().unwrap().text,
            "Hello, Ada!"
        );
    }
}

#[tokio::test]
async fn defects_hit_the_share_of_calls_that_was_asked_for() {
    let server = Server::start(&["--error-rate", "100%"]).await;
    let client = server.client(Era::Modern).await;
    assert_eq!(
        tool_code(&client, "echo", json!({"text": "x"})).await,
        -32603
    );

    let server = Server::start(&["--wrong-answer", "100%", "--echo-delay", "50ms"]).await;
    let client = server.client(Era::Modern).await;
    let start = Instant::now();
    let (text, _) = tool(&client, "echo", json!({"text": "x"})).await;
    assert_ne!(text, "x");
    // A lower bound only: the delay is a timer of the server's runtime.
    assert!(start.elapsed() >= Duration::from_millis(50));
}
