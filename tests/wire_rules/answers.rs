//! What rules make of single answers.

use std::io::Read;

use mcpload::fault::wire::actions::ACTIONS;
use serde_json::{Value, json};

use crate::support::{
    Answer, Ended, Server, args, call, echo, get, in_session, post, session, stream,
};

/// The answer to this request under this rule; with `--json` unless it streams.
async fn under(rule: &str, request: &str) -> Answer {
    let words: &[&str] = if request.contains("\"stream\"") {
        &[]
    } else {
        &["--json"]
    };
    let server = Server::start(&[rule], words).await;
    let answer = server.ask(request).await;
    server.stop().await;
    answer
}

fn value(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn answers_that_no_rule_hits_are_those_of_a_server_without_rules() {
    for words in [&[][..], &["--json"]] {
        let plain = Server::start(&[], words).await;
        let ruled = Server::start(&["html,method=none"], words).await;
        for request in [
            echo("hello"),
            stream(),
            call("no-such", &json!({})),
            get("/health"),
            get("/nowhere"),
        ] {
            let (expected, found) = (plain.ask(&request).await, ruled.ask(&request).await);
            assert_eq!(
                (found.status, &found.body, found.ended),
                (expected.status, &expected.body, Ended::Whole)
            );
            for header in [
                "content-type",
                "content-length",
                "transfer-encoding",
                "mcpload-instance",
            ] {
                assert_eq!(found.header(header), expected.header(header), "{header}");
            }
        }
        plain.stop().await;
        ruled.stop().await;
    }
}

#[tokio::test]
async fn every_action_is_served_and_leaves_the_server_whole() {
    for action in ACTIONS {
        let rule = format!(
            "{},tool=echo",
            action.example.split(",method=").next().unwrap()
        );
        let server = Server::start(&[&rule, "html,on=delete"], &["--json"]).await;
        let mut client = server.connect().await;
        client.send(&echo("hello")).await;
        // Whatever comes, or does not: the client has seen enough.
        let wait = std::time::Duration::from_millis(30);
        let _ = tokio::time::timeout(wait, client.stream.readable()).await;
        drop(client);
        assert_eq!(server.ask(&get("/health")).await.status, 200, "{rule}");
        let answer = server.ask(&call("whoami", &json!({}))).await;
        assert_eq!((answer.status, answer.ended), (200, Ended::Whole), "{rule}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_status_stands_in_place_of_the_answer() {
    let answer = under("status=429,retry-after=3", &echo("x")).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("3"))
    );
    assert_eq!(under("status=421", &echo("x")).await.status, 421);
    let answer = under("redirect=http://127.0.0.1:9/mcp", &echo("x")).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (307, Some("http://127.0.0.1:9/mcp"))
    );
    let answer = under("html", &echo("x")).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
}

#[tokio::test]
async fn messages_are_wrong_in_the_way_that_was_asked_for() {
    assert_eq!(value(&under("wrong-id", &echo("x")).await)["id"], 1_000_008);
    assert_eq!(value(&under("wrong-id=type", &echo("x")).await)["id"], "7");
    let twice = value(&under("two-answers", &echo("x")).await);
    assert_eq!((text(&twice[0]), text(&twice[1])), ("x", "x"));
    let broken = under("invalid-json", &echo("x")).await;
    assert!(broken.ended == Ended::Whole && serde_json::from_slice::<Value>(&broken.body).is_err());
    let deep = under("deep-json=5000", &echo("x")).await;
    assert!(deep.text().contains(&"[".repeat(5000)));
    let escapes = value(&under("escapes", &echo("x")).await);
    assert!(text(&escapes).contains('\u{1b}') && text(&escapes).ends_with('x'));
}

#[tokio::test]
async fn streams_lose_what_was_asked_for_and_end_well() {
    let whole = under("html,method=none", &stream()).await.messages();
    assert_eq!(whole.len(), 6);
    let answer = under("no-answer", &stream()).await;
    assert_eq!(
        (answer.messages(), answer.ended),
        (whole[..5].to_vec(), Ended::Whole)
    );
    let answer = under("drop-notifications", &stream()).await;
    assert_eq!(
        (answer.messages(), answer.ended),
        (whole[5..].to_vec(), Ended::Whole)
    );
    let answer = under("two-answers", &stream()).await;
    assert_eq!(answer.messages()[5], answer.messages()[6]);
    let answer = under("buffer", &stream()).await;
    assert_eq!((answer.messages(), answer.ended), (whole, Ended::Whole));
}

#[tokio::test]
async fn streams_are_cut_where_it_was_asked_for() {
    let answer = under("cut-stream=2", &stream()).await;
    assert_eq!((answer.messages().len(), answer.ended), (2, Ended::Closed));
    let answer = under("reset-stream=3", &stream()).await;
    assert_eq!((answer.messages().len(), answer.ended), (3, Ended::Reset));
    let answer = under("cut-stream=0", &stream()).await;
    assert_eq!(
        (answer.status, answer.messages().len(), answer.ended),
        (200, 0, Ended::Closed)
    );
    let answer = under("cut-stream=1,inside", &stream()).await;
    assert_eq!(answer.ended, Ended::Closed);
    // The second event's data is there; what would end it is not.
    assert_eq!(answer.messages().len(), 2);
    assert!(answer.text().ends_with("}\n") && !answer.text().ends_with("\n\n"));
}

#[tokio::test]
async fn bodies_are_shorter_than_they_say() {
    let answer = under("truncate=10", &echo("hello")).await;
    let length: usize = answer.header("content-length").unwrap().parse().unwrap();
    assert_eq!((answer.body.len(), answer.ended), (10, Ended::Closed));
    assert!(length > 10);
    let answer = under("declared-length", &echo("hello")).await;
    assert_eq!(answer.header("content-length"), Some("1000000000"));
    assert_eq!(
        (text(&value(&answer)), answer.ended),
        ("hello", Ended::Closed)
    );
    let answer = under("strip-header=content-length", &echo("hello")).await;
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(
        (text(&value(&answer)), answer.ended),
        ("hello", Ended::Closed)
    );
}

#[tokio::test]
async fn headers_are_other_than_they_should_be() {
    let answer = under("strip-header=content-type", &echo("x")).await;
    assert_eq!(answer.header("content-type"), None);
    let answer = under("set-header=set-cookie:route=a", &echo("x")).await;
    assert_eq!(answer.header("set-cookie"), Some("route=a"));
    let answer = under("header-flood=500,size=1KiB", &echo("x")).await;
    assert!(answer.head.len() > 500 << 10);
    assert_eq!(text(&value(&answer)), "x");
}

#[tokio::test]
async fn compressed_bodies_come_though_nobody_asked() {
    for (rule, least) in [("gzip", 0), ("bomb=16MiB", 16 << 20)] {
        let answer = under(rule, &echo("hello")).await;
        assert_eq!(
            (answer.header("content-encoding"), answer.ended),
            (Some("gzip"), Ended::Whole)
        );
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&answer.body[..])
            .read_to_end(&mut plain)
            .unwrap();
        assert!(plain.len() >= least && answer.body.len() < 128 << 10);
        assert_eq!(text(&serde_json::from_slice(&plain).unwrap()), "hello");
    }
}

#[tokio::test]
async fn an_independent_client_reads_odd_chunks() {
    let server = Server::start(&["chunked-oddities,on=any"], &[]).await;
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .build()
        .unwrap();
    for _ in 0..2 {
        let answer = client
            .get(format!("http://{}/config", server.address))
            .send();
        let config: Value = crate::support::bounded(answer)
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(config["wire"], json!(["chunked-oddities,on=any"]));
    }
    server.stop().await;
}

#[tokio::test]
async fn sessions_get_the_answers_of_other_sessions() {
    let server = Server::start(&["swap-ids,tool=echo", "swap-ids=foreign,tool=add"], &[]).await;
    let sessions = [session(&server).await, session(&server).await];
    let mut results = Vec::new();
    for (number, id) in sessions.iter().enumerate() {
        let call = |tool: &str, arguments: Value| {
            let params = json!({"name": tool, "arguments": arguments});
            let body = json!({"jsonrpc": "2.0", "id": number + 10, "method": "tools/call", "params": params});
            post(&body, &in_session(id))
        };
        for (tool, arguments) in [
            ("echo", json!({"text": id})),
            ("add", json!({"a": number, "b": 1})),
        ] {
            let messages = server.ask(&call(tool, arguments)).await.messages();
            results.push(messages.last().unwrap().clone());
        }
    }
    // The first session's answers are right, for there was no other; the second gets the first one's.
    assert_eq!(
        (text(&results[0]), &results[0]["id"]),
        (sessions[0].as_str(), &json!(10))
    );
    assert_eq!(
        (text(&results[2]), &results[2]["id"]),
        (sessions[0].as_str(), &json!(11))
    );
    assert_eq!((text(&results[1]), text(&results[3])), ("1", "1"));
    assert_eq!(results[3]["id"], 10);
    server.stop().await;
}

#[tokio::test]
async fn rules_hit_what_they_name_and_nothing_else() {
    let server = Server::start(
        &[
            "status=503,tool=echo,nth=2",
            "status=404,session=with,method=tools/list",
        ],
        &["--json"],
    )
    .await;
    for expected in [200, 503, 200, 503] {
        assert_eq!(server.ask(&echo("x")).await.status, expected);
        assert_eq!(server.ask(&call("whoami", &json!({}))).await.status, 200);
    }
    let id = session(&server).await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    assert_eq!(server.ask(&post(&list, &in_session(&id))).await.status, 404);
    server.stop().await;

    // Probes are no calls, unless it is asked for.
    let server = Server::start(&["status=503"], &[]).await;
    assert_eq!(server.ask(&get("/health")).await.status, 200);
    server.stop().await;
    assert_eq!(
        under("status=503,on=any", &get("/health")).await.status,
        503
    );
}

#[test]
fn a_rule_that_is_none_is_refused_with_a_hint() {
    for (rule, says) in [
        ("cut-strem=3", "did you mean `cut-stream`?"),
        ("status", "status needs CODE"),
        ("gzip,share=1", "expected a share such as 10%"),
    ] {
        let error = args(&[rule], &[]).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_token_that_was_used_often_enough_is_refused_and_another_one_is_not() {
    let server = Server::start(&["status=401,token-uses=2"], &["--json"]).await;
    let with = |token: &str| {
        let request = echo("hello");
        request.replacen("\r\n", &format!("\r\nauthorization: Bearer {token}\r\n"), 1)
    };
    let mut statuses = Vec::new();
    for token in ["old", "old", "old", "new", "old"] {
        let answer = server.ask(&with(token)).await;
        assert_eq!(
            answer.status == 401,
            answer.header("www-authenticate").is_some()
        );
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [200, 200, 401, 200, 401]);
    // What carries no token has none that could expire.
    assert_eq!(server.ask(&echo("hello")).await.status, 200);
    server.stop().await;
}
