//! Links that carry HTTP: answers are named and changed, streams flow, and what is no HTTP passes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mcpload::fault::link::toxic::Answers;
use mcpload::fault::link::{LinkRule, Toxic};
use mcpload::proxy::{Ask, Start};

use super::support::{PATIENCE, Proxy, echo, is_silent, plain, rest, round_trip, server};
use super::time::latency;

fn http(upstream: SocketAddr, instance: Option<&str>) -> Proxy {
    Proxy::start(Start {
        http: true,
        instance: instance.map(str::to_owned),
        ..plain(upstream)
    })
}

fn answers(rules: &[&str]) -> LinkRule {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    LinkRule::new(Toxic::Answers(Answers { rules }))
}

fn post(method: &str) -> String {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
    let length = body.len();
    format!("POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// Reads a head, or a message without a body, from a stream; empty at its end.
fn head(stream: &mut impl BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).unwrap_or(0) == 0 {
            return String::new();
        }
    }
    head
}

fn message(stream: &mut impl BufRead) -> (String, String) {
    let head = head(stream);
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// A server that says what it was asked, with a header of its own spelling.
fn mirror() -> SocketAddr {
    server(|stream| {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        loop {
            let (head, body) = message(&mut reader);
            if head.is_empty() {
                return;
            }
            let length = body.len();
            let text =
                format!("HTTP/1.1 200 OK\r\nX-Odd:  one\r\ncontent-length: {length}\r\n\r\n{body}");
            if writer.write_all(text.as_bytes()).is_err() {
                return;
            }
        }
    })
}

fn ask(stream: &mut BufReader<TcpStream>, method: &str) -> (String, String) {
    stream.get_mut().write_all(post(method).as_bytes()).unwrap();
    message(stream)
}

#[test]
fn answers_are_named_after_the_instance_of_the_moment() {
    let mut proxy = http(mirror(), Some("server-1#1"));
    let mut stream = BufReader::new(proxy.connect());
    for name in ["server-1#1", "server-1#2"] {
        let (head, body) = ask(&mut stream, "ping");
        assert_eq!(
            head,
            format!(
                "HTTP/1.1 200 OK\r\nX-Odd:  one\r\ncontent-length: 40\r\nmcpload-instance: {name}\r\n\r\n"
            )
        );
        assert!(post("ping").ends_with(&body));
        proxy.ask(&Ask::Instance {
            name: Some("server-1#2".to_owned()),
        });
        proxy.status();
    }
    proxy.ask(&Ask::Instance { name: None });
    proxy.status();
    assert!(!ask(&mut stream, "ping").0.contains("mcpload-instance"));
}

#[test]
fn rules_act_on_the_requests_that_they_select_while_a_connection_lives() {
    let mut proxy = http(mirror(), Some("a#1"));
    let mut stream = BufReader::new(proxy.connect());
    assert!(ask(&mut stream, "tools/call").0.starts_with("HTTP/1.1 200"));
    proxy.apply(
        "busy",
        answers(&["status=429,retry-after=2,method=tools/call"]),
    );
    assert!(ask(&mut stream, "tools/list").0.starts_with("HTTP/1.1 200"));
    let (head, _) = ask(&mut stream, "tools/call");
    assert!(head.starts_with("HTTP/1.1 429") && head.contains("retry-after: 2"));
    // It adds to another fault on the same link.
    proxy.apply("late", latency(50));
    let begun = Instant::now();
    assert!(ask(&mut stream, "tools/call").0.starts_with("HTTP/1.1 429"));
    assert!(begun.elapsed() >= Duration::from_millis(50));
    let busy = proxy.rule("busy");
    assert_eq!((busy.chunks, busy.hits), (3, 2));
    proxy.lift("busy");
    assert!(ask(&mut stream, "tools/call").0.starts_with("HTTP/1.1 200"));
    assert_eq!(proxy.status().accepted, 1);
}

#[test]
fn a_rule_can_reset_close_and_wait() {
    let mut proxy = http(mirror(), None);
    for (rule, error) in [
        ("close-before-head", None),
        (
            "close-before-head=reset",
            Some(std::io::ErrorKind::ConnectionReset),
        ),
        ("never=100ms", None),
    ] {
        proxy.apply("gone", answers(&[rule]));
        let mut stream = proxy.connect();
        let begun = Instant::now();
        stream.write_all(post("ping").as_bytes()).unwrap();
        assert_eq!(rest(&mut stream), (vec![], error), "{rule}");
        if rule.starts_with("never") {
            assert!(begun.elapsed() >= Duration::from_millis(100));
        }
    }
    // What waits is let go when the rule is lifted.
    proxy.apply("gone", answers(&["delay=1h"]));
    let mut stream = proxy.connect();
    stream.write_all(post("ping").as_bytes()).unwrap();
    assert!(is_silent(&mut stream, Duration::from_millis(50)));
    proxy.lift("gone");
    assert!(head(&mut BufReader::new(stream)).starts_with("HTTP/1.1 200"));
}

#[test]
fn an_event_arrives_before_the_next_is_sent() {
    let (go_on, next) = mpsc::channel::<()>();
    let next = std::sync::Arc::new(std::sync::Mutex::new(next));
    let upstream = server(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        message(&mut reader);
        writer
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            .unwrap();
        for number in 0..5 {
            let chunk = format!("9\r\ndata: {number}\n\n\r\n");
            writer.write_all(chunk.as_bytes()).unwrap();
            next.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        writer.write_all(b"0\r\n\r\n").unwrap();
    });
    let mut proxy = http(upstream, Some("a#1"));
    // A rule that looks into streams and hits none of this one.
    proxy.apply(
        "swap",
        answers(&["swap-ids,method=tools/call", "status=500,method=x"]),
    );
    let mut stream = BufReader::new(proxy.connect());
    stream
        .get_mut()
        .write_all(post("tools/list").as_bytes())
        .unwrap();
    assert!(head(&mut stream).contains("mcpload-instance: a#1"));
    for number in 0..5 {
        let mut chunk = [0; 14];
        stream.read_exact(&mut chunk).unwrap();
        assert_eq!(
            chunk,
            format!("9\r\ndata: {number}\n\n\r\n").as_bytes()[..14]
        );
        go_on.send(()).unwrap();
    }
    let mut end = [0; 5];
    stream.read_exact(&mut end).unwrap();
    assert_eq!(&end, b"0\r\n\r\n");
}

#[test]
fn a_head_may_come_byte_by_byte_and_an_overdue_answer_is_reset() {
    let upstream = server(|mut stream| {
        message(&mut BufReader::new(stream.try_clone().unwrap()));
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let mut proxy = http(upstream, Some("a#1"));
    let mut stream = BufReader::new(proxy.connect());
    assert_eq!(ask(&mut stream, "ping").1, "ok");
    proxy.apply("slow", answers(&["drip=1,every=1h,for=100ms"]));
    let mut stream = proxy.connect();
    stream.write_all(post("ping").as_bytes()).unwrap();
    let (_, error) = rest(&mut stream);
    assert_eq!(error, Some(std::io::ErrorKind::ConnectionReset));
}

#[test]
fn what_is_no_http_passes_as_it_came() {
    let mut proxy = http(echo(), Some("a#1"));
    proxy.apply("busy", answers(&["status=503,on=any"]));
    for text in [
        &b"*1\r\n$4\r\nPING\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0; 5000],
    ] {
        let mut stream = proxy.connect();
        round_trip(&mut stream, text);
        round_trip(&mut stream, post("ping").as_bytes());
    }
}

#[test]
fn a_client_of_mcp_works_through_it() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mcpload"))
        .args([
            "serve",
            "server",
            "--name",
            "other",
            "--lame-duck",
            "0s",
            "--listen",
        ])
        .arg(port.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while TcpStream::connect(port).is_err() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut proxy = http(port, Some("server-1#7"));
    proxy.apply("late", latency(20));
    let called = Command::new(env!("CARGO_BIN_EXE_mcpload"))
        .args([
            "call",
            &format!("http://{}/mcp", proxy.address),
            "echo",
            "text=hello",
        ])
        .output()
        .unwrap();
    let _ = child.kill();
    let _ = child.wait();
    let printed = String::from_utf8_lossy(&called.stdout) + String::from_utf8_lossy(&called.stderr);
    assert!(called.status.success(), "{printed}");
    assert!(
        printed.contains("hello") && printed.contains("server-1#7"),
        "{printed}"
    );
}
