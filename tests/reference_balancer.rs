//! The reference balancer from outside: its real listener, tiny upstreams on loopback, and a client that reads byte by byte.
//!
//! Upstreams speak HTTP by hand, so that a test decides what is on the wire at which moment. Every wait is bounded.

// Always true here; it tells clippy that this is test code.
#[cfg(test)]
#[path = "reference_balancer/wire.rs"]
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use wire::{Balancer, Upstream, bounded, ok, refusing, request};

#[tokio::test]
async fn a_session_stays_at_the_member_that_created_it() {
    let (first, second) = (
        Upstream::bind("server-1").await,
        Upstream::bind("server-2").await,
    );
    let members = format!("{},{}", first.member, second.member);
    let answer = |request: &str| {
        if request.contains("mcp-session-id") {
            ok("")
        } else {
            ok("Mcp-Session-Id: s-1\r\n")
        }
    };
    let other = |request: &str| {
        if request.contains("mcp-session-id") {
            ok("")
        } else {
            ok("Mcp-Session-Id: s-2\r\n")
        }
    };
    let _servers = (first.serve(answer), second.serve(other));
    let balancer = Balancer::start(&["--members", &members, "--policy", "round-robin"]).await;
    let (one, two) = (balancer.call("").await, balancer.call("").await);
    assert_eq!((one.instance(), two.instance()), ("server-1", "server-2"));
    for _ in 0..3 {
        assert_eq!(
            balancer.call("mcp-session-id: s-2\r\n").await.instance(),
            "server-2"
        );
        assert_eq!(
            balancer.call("mcp-session-id: s-1\r\n").await.instance(),
            "server-1"
        );
    }
    assert_eq!(balancer.stats().await["members"][0]["sessions"], 1);

    let careless = Balancer::start(&[
        "--members",
        &members,
        "--policy",
        "round-robin",
        "--no-sticky",
    ])
    .await;
    let mut served = Vec::new();
    for _ in 0..2 {
        served.push(
            careless
                .call("mcp-session-id: s-1\r\n")
                .await
                .instance()
                .to_owned(),
        );
    }
    assert_eq!(served, ["server-1", "server-2"]);
}

#[tokio::test]
async fn headers_are_those_of_a_proxy() {
    let upstream = Upstream::bind("server-1").await;
    let balancer = Balancer::start(&["--member", &upstream.member]).await;
    let headers = "Connection: x-hop\r\nX-Hop: 1\r\nX-Forwarded-For: 10.0.0.1\r\nAccept: text/event-stream\r\n";
    let mut client = balancer
        .send(&request("POST", "/mcp?a=b", headers, "{}"))
        .await;
    let (mut server, head) = upstream.next().await;
    let head = head.to_ascii_lowercase();
    let address = upstream.member.split_once('=').unwrap().1;
    assert!(head.starts_with("post /mcp?a=b http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {address}\r\n")), "{head}");
    assert!(
        head.contains("x-forwarded-for: 10.0.0.1, 127.0.0.1\r\n"),
        "{head}"
    );
    assert!(head.contains("accept: text/event-stream\r\n"), "{head}");
    assert!(
        !head.contains("x-hop") && !head.contains("balancer"),
        "{head}"
    );
    server
        .send(&ok(
            "mcpload-instance: server-1#3\r\nKeep-Alive: timeout=5\r\n",
        ))
        .await;
    let answer = client.answer().await;
    assert_eq!(
        (
            answer.instance(),
            answer.header("keep-alive"),
            answer.body.as_str()
        ),
        ("server-1#3", None, "ok")
    );
}

#[tokio::test]
async fn a_refused_connection_costs_the_client_nothing() {
    let alive = Upstream::bind("server-2").await;
    let members = format!("{},{}", refusing("server-1").await, alive.member);
    let _server = alive.serve(|_| ok(""));
    let arguments = [
        "--members",
        &members,
        "--policy",
        "round-robin",
        "--fail-timeout",
        "1h",
    ];
    let balancer = Balancer::start(&arguments).await;
    for _ in 0..4 {
        let answer = balancer.call("").await;
        assert_eq!((answer.status, answer.instance()), (200, "server-2"));
    }
    let stats = balancer.stats().await;
    assert_eq!(stats["members"][0]["state"], "aside");
    assert_eq!(
        stats["members"][0]["failures"], 1,
        "it was tried once and then put aside"
    );
    assert_eq!(stats["totals"]["retries"], 1);
}

#[tokio::test]
async fn a_session_of_a_dead_member_goes_to_another() {
    let (first, second) = (
        Upstream::bind("server-1").await,
        Upstream::bind("server-2").await,
    );
    let members = format!("{},{}", first.member, second.member);
    let dying = first.serve(|_| ok("Mcp-Session-Id: s-1\r\n"));
    let lost = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned();
    let _alive = second.serve(move |request| {
        if request.contains("mcp-session-id") {
            lost.clone()
        } else {
            ok("Mcp-Session-Id: s-2\r\n")
        }
    });
    let balancer = Balancer::start(&["--members", &members, "--policy", "round-robin"]).await;
    assert_eq!(balancer.call("").await.instance(), "server-1");
    dying.abort();
    bounded("the end of server-1", dying).await.unwrap_err();
    let answer = balancer.call("mcp-session-id: s-1\r\n").await;
    assert_eq!((answer.status, answer.instance()), (404, "server-2"));
    assert_eq!(balancer.call("").await.instance(), "server-2");
    let answer = balancer.call("mcp-session-id: s-1\r\n").await;
    assert_eq!((answer.status, answer.instance()), (404, "server-2"));
}

#[tokio::test]
async fn a_request_that_was_sent_is_never_sent_again() {
    let (first, second) = (
        Upstream::bind("server-1").await,
        Upstream::bind("server-2").await,
    );
    let members = format!("{},{}", first.member, second.member);
    let balancer = Balancer::start(&["--members", &members, "--policy", "round-robin"]).await;
    let mut client = balancer.send(&request("POST", "/mcp", "", "{}")).await;
    let (connection, _) = first.next().await;
    drop(connection);
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.instance()), (502, "server-1"));
    assert!(answer.body.contains("server-1"), "{}", answer.body);
    let stats = balancer.stats().await;
    assert_eq!(
        (
            &stats["members"][1]["requests"],
            &stats["totals"]["retries"]
        ),
        (&0.into(), &0.into())
    );
    assert_eq!(stats["members"][0]["state"], "aside");
}

#[tokio::test]
async fn an_idle_connection_that_the_member_closed_is_no_failure() {
    let upstream = Upstream::bind("server-1").await;
    let balancer = Balancer::start(&["--member", &upstream.member]).await;
    for round in 0..3 {
        let mut client = balancer.send(&request("POST", "/mcp", "", "{}")).await;
        let (mut server, _) = upstream.next().await;
        server.send(&ok("")).await;
        assert_eq!(client.answer().await.status, 200, "round {round}");
        // Answered without `Connection: close`, and closed nevertheless. The end of our reading proves that the balancer
        // has seen it, so the next request finds a closed connection and not one that is just closing.
        server.stream.shutdown().await.unwrap();
        server.rest().await;
    }
    assert_eq!(balancer.stats().await["members"][0]["failures"], 0);
}

#[tokio::test]
async fn connections_to_members_are_used_again() {
    let upstream = Upstream::bind("server-1").await;
    let balancer = Balancer::start(&["--member", &upstream.member]).await;
    let mut client = balancer.send(&request("POST", "/mcp", "", "{}")).await;
    let (mut server, _) = upstream.next().await;
    server.send(&ok("")).await;
    client.answer().await;
    client.send(&request("POST", "/mcp", "", "{}")).await;
    server.request().await;
    // A chunked answer has no length; its end is a chunk of its own.
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        .await;
    client.until("0\r\n\r\n").await;
    client.send(&request("GET", "/mcp", "", "")).await;
    server.request().await;
}

#[tokio::test]
async fn events_pass_one_by_one_in_both_directions() {
    let upstream = Upstream::bind("server-1").await;
    let balancer = Balancer::start(&["--member", &upstream.member]).await;
    let head = "POST /mcp HTTP/1.1\r\nHost: balancer\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = balancer.send(head).await;
    let (mut server, _) = upstream.next().await;
    for part in ["one", "two"] {
        client.send(&format!("3\r\n{part}\r\n")).await;
        server.until(part).await;
    }
    client.send("0\r\n\r\n").await;
    server.until("0\r\n\r\n").await;
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    server.send(head).await;
    client.until("\r\n\r\n").await;
    for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
        server
            .send(&format!("{:x}\r\n{event}\r\n", event.len()))
            .await;
        // The next event is not sent before this one has arrived.
        client.until(event).await;
    }
    server.send("0\r\n\r\n").await;
    client.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_breaks_off_for_the_client() {
    let upstream = Upstream::bind("server-1").await;
    let balancer = Balancer::start(&["--member", &upstream.member]).await;
    let mut client = balancer.send(&request("POST", "/mcp", "", "{}")).await;
    let (mut server, _) = upstream.next().await;
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        .await;
    client.until("one").await;
    drop(server);
    let rest = client.rest().await;
    assert!(
        !rest.contains("0\r\n\r\n"),
        "a proper end must not follow: {rest:?}"
    );
    let stats = balancer.stats().await;
    assert_eq!(
        (
            &stats["members"][0]["truncated"],
            &stats["members"][0]["cancelled"]
        ),
        (&1.into(), &0.into())
    );
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_request_at_the_member() {
    let upstream = Upstream::bind("server-1").await;
    let balancer = Balancer::start(&["--member", &upstream.member]).await;
    // Once before the head of the answer, once in the middle of a stream that is silent.
    let client = balancer.send(&request("POST", "/mcp", "", "{}")).await;
    let (mut server, _) = upstream.next().await;
    drop(client);
    assert_eq!(server.rest().await, "");
    let mut client = balancer.send(&request("POST", "/mcp", "", "{}")).await;
    let (mut server, _) = upstream.next().await;
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        .await;
    client.until("one").await;
    drop(client);
    assert_eq!(server.rest().await, "");
    balancer
        .stats_until("two cancellations", |stats| {
            let member = &stats["members"][0];
            (&member["cancelled"], &member["active"], &member["failures"])
                == (&2.into(), &0.into(), &0.into())
        })
        .await;
}

#[tokio::test]
async fn without_failover_dead_members_get_their_share() {
    let alive = Upstream::bind("server-2").await;
    let members = format!("{},{}", refusing("server-1").await, alive.member);
    let _server = alive.serve(|_| ok(""));
    let arguments = [
        "--members",
        &members,
        "--policy",
        "round-robin",
        "--no-failover",
        "--check-interval",
        "1ms",
    ];
    let balancer = Balancer::start(&arguments).await;
    for _ in 0..3 {
        let (dead, live) = (balancer.call("").await, balancer.call("").await);
        assert_eq!((dead.status, dead.instance()), (502, "server-1"));
        assert_eq!((live.status, live.instance()), (200, "server-2"));
    }
}

#[tokio::test]
async fn without_a_fit_member_the_answer_is_503() {
    let balancer = Balancer::start(&[]).await;
    assert_eq!(balancer.call("").await.status, 503);
    assert_eq!(balancer.ask("GET", "/health", "", "").await.status, 503);
    let member = refusing("server-1").await;
    let balancer = Balancer::start(&["--member", &member, "--fail-timeout", "1h"]).await;
    let tried = balancer.call("").await;
    assert_eq!((tried.status, tried.instance()), (502, "server-1"));
    let untried = balancer.call("").await;
    assert_eq!((untried.status, untried.instance()), (503, "nobody"));
}

#[tokio::test]
async fn members_come_and_go_by_the_api() {
    let upstream = Upstream::bind("server-1").await;
    let address = upstream.member.split_once('=').unwrap().1.to_owned();
    let _server = upstream.serve(|_| ok(""));
    let balancer = Balancer::start(&[]).await;
    let member = format!(r#"{{"name": "server-1", "address": "{address}", "weight": 2}}"#);
    let post = |body: String| {
        let balancer = &balancer;
        async move {
            balancer
                .ask("POST", "/_mcpload/members", "", &body)
                .await
                .status
        }
    };
    assert_eq!(post(member.clone()).await, 201);
    assert_eq!(post(member).await, 200);
    assert_eq!(post(r#"{"name": "x"}"#.to_owned()).await, 400);
    assert_eq!(
        post(format!(r#"{{"name": "{}"}}"#, "x".repeat(70_000))).await,
        400
    );
    let listed = balancer.ask("GET", "/_mcpload/members", "", "").await;
    let listed: serde_json::Value = serde_json::from_str(&listed.body).unwrap();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["weight"]),
        (&"server-1".into(), &2.into())
    );
    assert_eq!(balancer.call("").await.status, 200);
    assert_eq!(balancer.ask("GET", "/health", "", "").await.status, 200);
    let delete = || balancer.ask("DELETE", "/_mcpload/members/server-1", "", "");
    assert_eq!((delete().await.status, delete().await.status), (204, 404));
    assert_eq!(balancer.call("").await.status, 503);
    for path in [
        "/_mcpload/other",
        "/_mcpload/members/",
        "/_mcpload/membership",
    ] {
        assert_eq!(
            balancer.ask("GET", path, "", "").await.status,
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn active_checks_take_a_member_out_and_bring_it_back() {
    let upstream = Upstream::bind("server-1").await;
    let balancer = Balancer::start(&[
        "--member",
        &upstream.member,
        "--check-interval",
        "1ms",
        "--check-path",
        "/ready",
    ])
    .await;
    let (verdicts, mut heard) = (Arc::new(AtomicU16::new(503)), mpsc::channel::<()>(1));
    let verdict = Arc::clone(&verdicts);
    let told = heard.0.clone();
    let _server = upstream.serve(move |request| {
        assert!(request.starts_with("GET /ready "), "{request}");
        let _ = told.try_send(());
        let status = verdict.load(Ordering::SeqCst);
        format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")
    });
    bounded("a check", heard.1.recv()).await;
    balancer
        .stats_until("down", |stats| stats["members"][0]["state"] == "down")
        .await;
    assert_eq!(balancer.call("").await.status, 503);
    assert_eq!(balancer.ask("GET", "/health", "", "").await.status, 503);
    verdicts.store(204, Ordering::SeqCst);
    balancer
        .stats_until("up", |stats| stats["members"][0]["state"] == "up")
        .await;
    assert_eq!(balancer.ask("GET", "/health", "", "").await.status, 200);
}

#[tokio::test]
async fn requests_in_flight_end_before_the_balancer_does() {
    let upstream = Upstream::bind("server-1").await;
    let mut balancer = Balancer::start(&["--member", &upstream.member, "--drain", "1h"]).await;
    let mut client = balancer.send(&request("POST", "/mcp", "", "{}")).await;
    let (mut server, _) = upstream.next().await;
    balancer.stop.take().unwrap().send(()).unwrap();
    bounded("the closing of the listener", async {
        while TcpStream::connect(balancer.address).await.is_ok() {}
    })
    .await;
    server.send(&ok("")).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(client.rest().await, "");
    bounded("the balancer's end", balancer.served)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stream_without_end_does_not_hold_up_the_drain() {
    let upstream = Upstream::bind("server-1").await;
    let mut balancer = Balancer::start(&["--member", &upstream.member, "--drain", "10ms"]).await;
    let mut client = balancer.send(&request("GET", "/mcp", "", "")).await;
    let (mut server, _) = upstream.next().await;
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        .await;
    client.until("one").await;
    balancer.stop.take().unwrap().send(()).unwrap();
    bounded("the balancer's end", balancer.served)
        .await
        .unwrap();
    assert_eq!(
        server.rest().await,
        "",
        "the member's connection is closed too"
    );
}
