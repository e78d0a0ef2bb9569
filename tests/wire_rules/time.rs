//! Rules about time. Bounds are lower ones: the rule's own waits, which no machine makes shorter.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Ended, Server, echo, stream};

#[tokio::test]
async fn answers_are_held_as_long_as_was_asked_for() {
    for rule in [
        "delay=300ms",
        "late=300ms",
        "never=300ms",
        "stall-stream=0,for=300ms",
    ] {
        let server = Server::start(&[rule], &[]).await;
        let start = Instant::now();
        let mut client = server.connect().await;
        client
            .send(&echo("hello").replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1))
            .await;
        let (bytes, ended) = client.rest().await;
        assert!(start.elapsed() >= Duration::from_millis(300), "{rule}");
        assert_eq!(ended, Ended::Closed);
        let answered = String::from_utf8(bytes).unwrap().contains("hello");
        assert_eq!(
            answered,
            rule.starts_with("delay") || rule.starts_with("late"),
            "{rule}"
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn late_lets_progress_pass_before_the_response() {
    let server = Server::start(&["late=500ms"], &[]).await;
    let mut client = server.connect().await;
    client.send(&stream()).await;
    let start = Instant::now();
    let answer = client.answer().await;
    assert_eq!((answer.messages().len(), answer.ended), (6, Ended::Whole));
    assert!(start.elapsed() >= Duration::from_millis(400));
    server.stop().await;
}

#[tokio::test]
async fn a_dripped_body_takes_as_long_as_its_bytes() {
    let server = Server::start(&["drip=8,every=10ms"], &["--json"]).await;
    let start = Instant::now();
    let answer = server.ask(&echo("hello")).await;
    let waits = u32::try_from(answer.body.len().div_ceil(8) - 1).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(10) * waits);
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["result"]["content"][0]["text"], "hello");
    server.stop().await;
}

#[tokio::test]
async fn one_byte_comes_in_a_second() {
    let server = Server::start(&["one-byte-per-second"], &["--json"]).await;
    let mut client = server.connect().await;
    client.send(&echo("hello")).await;
    let start = Instant::now();
    // The head, the first byte, and the second byte a second later.
    let mut last = None;
    for _ in 0..3 {
        assert_eq!(client.more().await, None);
        last = Some(start.elapsed());
    }
    assert!(last.unwrap() >= Duration::from_millis(900), "{last:?}");
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn endless_streams_end() {
    for rule in ["endless-event=3MiB", "endless-events=3MiB"] {
        let server = Server::start(&[rule], &[]).await;
        let answer = server.ask(&echo("x")).await;
        assert_eq!((answer.status, answer.ended), (200, Ended::Closed));
        assert!(answer.body.len() >= 3 << 20, "{}", answer.body.len());
        server.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_reset_when_the_time_is_over() {
    let server = Server::start(&["endless-event=1GiB,for=300ms"], &[]).await;
    let mut client = server.connect().await;
    client.send(&echo("x")).await;
    // Not reading: the server's writes block, until it resets. Then what the socket holds is read, and the reset after it.
    let start = Instant::now();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let (bytes, ended) = client.rest().await;
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(ended, Ended::Reset);
    assert!(bytes.len() < 1 << 30);
    server.stop().await;
}
