//! Servers that say too much, too little, or the wrong thing.

use std::rc::Rc;

use mcpload::mcp::Link;
use mcpload::mcp::exchange::{Awaited, Exchange, MAX_BODY};
use mcpload::model::Class;
use mcpload::model::protocol::Era;
use mcpload::plan::HttpVersion;
use tokio::io::AsyncWriteExt;

use crate::raw;
use crate::server::Server;
use crate::support::{Came, ask, ask_well, exchange, link, local, post, speaking};

/// What a client makes of these bytes, after which the server waits, and closes if it is told to.
async fn answered(parts: &[&[u8]], closes: bool) -> Came {
    let (listener, address) = raw::listen().await;
    let mut link = link(address, "/", &Rc::default());
    let server = async {
        let mut stream = raw::take_request(&listener).await;
        for part in parts {
            // The client may have had enough.
            if stream.write_all(part).await.is_err() {
                break;
            }
        }
        (!closes).then_some(stream)
    };
    let (came, _stream) = tokio::join!(ask(&mut link), server);
    came
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    local(async {
        let many = "x: y\r\n".repeat(101);
        let large = format!("x: {}\r\n", "y".repeat(65 << 10));
        for flood in [many, large] {
            let head = format!("HTTP/1.1 200 OK\r\n{flood}\r\n");
            let came = answered(&[head.as_bytes()], false).await;
            assert_eq!(came.class, Class::Transport);
            assert_ne!(came.failure(), "");
        }
        let endless = vec!["x-endless: y\r\n".repeat(1000); 1000];
        let mut parts: Vec<&[u8]> = vec![b"HTTP/1.1 200 OK\r\n"];
        parts.extend(endless.iter().map(String::as_bytes));
        assert_eq!(answered(&parts, false).await.class, Class::Transport);
        let server = Server::start(HttpVersion::Http2).await;
        let mut link = link(
            server.address,
            "/flood",
            &Rc::new(speaking(HttpVersion::Http2)),
        );
        let came = ask(&mut link).await;
        assert_eq!(came.class, Class::Transport);
        assert!(came.failure().contains("header fields"));
    })
    .await;
}

#[tokio::test]
async fn a_head_within_the_bounds_is_taken() {
    local(async {
        let many = "x: y\r\n".repeat(90);
        let large = format!("x: {}\r\n", "y".repeat(60 << 10));
        for fields in [many, large] {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{fields}\r\n");
            let came = answered(&[head.as_bytes()], false).await;
            assert_eq!((came.class, came.failure()), (Class::None, ""));
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_without_end_is_read_up_to_its_bound() {
    local(async {
        let part = vec![b'x'; 1 << 20];
        let mut parts: Vec<&[u8]> = vec![b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n"];
        parts.extend((0..1024).map(|_| part.as_slice()));
        let came = answered(&parts, false).await;
        assert_eq!(came.class, Class::Malformed);
        assert!(came.facts.bytes_in <= MAX_BODY as u64 + (1 << 20));
        // Less than was promised, then the end.
        let came = answered(&parts[..2], true).await;
        assert_eq!(came.class, Class::Truncated);
        assert_ne!(came.failure(), "");
    })
    .await;
}

#[tokio::test]
async fn oddities_of_chunks_have_a_class() {
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    local(async {
        for (body, closes, class) in [
            (
                &b"1;a=b\r\n{\r\n1\r\n}\r\n0\r\nx: y\r\n\r\n"[..],
                false,
                Class::None,
            ),
            (b"zz\r\n{}\r\n0\r\n\r\n", false, Class::Truncated),
            (b"2\r\n{}", true, Class::Truncated),
            (b"ffffffffffffffff1\r\n{}", false, Class::Truncated),
        ] {
            let came = answered(&[chunked, body], closes).await;
            assert_eq!(came.class, class, "{}", String::from_utf8_lossy(body));
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_http_is_a_broken_transport() {
    local(async {
        for bytes in [
            &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
            b"\0\xff\x1b[2J\r\n\r\n",
            b"",
        ] {
            let came = answered(&[bytes], true).await;
            assert_eq!(came.class, Class::Transport);
            assert!(came.failure().is_ascii());
        }
    })
    .await;
}

#[tokio::test]
async fn interim_answers_are_ignored() {
    local(async {
        let came = answered(
            &[
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
                b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            ],
            false,
        )
        .await;
        assert_eq!(came.class, Class::None);
    })
    .await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    local(async {
        for version in [HttpVersion::Http1, HttpVersion::Http2] {
            let server = Server::start(version).await;
            let mut link = link(server.address, "/moved", &Rc::new(speaking(version)));
            let came = ask(&mut link).await;
            assert_eq!((came.class, came.code), (Class::Http, Some(307)));
            assert_eq!(server.seen.requests.get(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_listening_is_a_refusal_with_a_reason() {
    local(async {
        let (listener, address) = raw::listen().await;
        drop(listener);
        let came = ask(&mut link(address, "/", &Rc::default())).await;
        assert_eq!(came.class, Class::Connect);
        assert!(came.failure().contains("refused"), "{}", came.failure());
        assert!(came.failure().contains(&address.port().to_string()));
    })
    .await;
}

#[tokio::test]
async fn a_server_of_http_1_is_told_from_one_of_http_2() {
    local(async {
        let server = Server::start(HttpVersion::Http1).await;
        let mut link = link(server.address, "/", &Rc::new(speaking(HttpVersion::Http2)));
        let came = ask(&mut link).await;
        assert!(matches!(came.class, Class::Transport | Class::Connect));
        assert_ne!(came.failure(), "");
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_not_read_to_its_end_costs_its_connection() {
    local(async {
        let (listener, address) = raw::listen().await;
        let mut link = link(address, "/", &Rc::default());
        let event = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
            data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n";
        for _ in 0..2 {
            let server = async {
                let mut stream = raw::take_request(&listener).await;
                stream.write_all(event).await.unwrap();
                stream
            };
            let asked = async {
                let awaited = Awaited::Response {
                    id: 1,
                    kind: mcpload::mcp::message::RequestKind::Method(mcpload::plan::Method::Ping),
                    expected: Vec::new(),
                };
                let mut exchange = Exchange::new(awaited, Era::Legacy, false, None);
                link.exchange(post(), &mut exchange).await;
                assert_eq!(exchange.verdict().unwrap().class, Class::None);
                link.settle().await;
            };
            let (mut stream, ()) = tokio::join!(server, asked);
            assert_eq!(raw::sign(&mut stream).await, raw::Sign::End);
        }
    })
    .await;
}

#[tokio::test]
async fn an_exchange_that_is_dropped_anywhere_leaves_the_link_usable() {
    local(async {
        for version in [HttpVersion::Http1, HttpVersion::Http2] {
            let server = Server::start(version).await;
            let mut link = link(server.address, "/", &Rc::new(speaking(version)));
            // Each round is polled once more than the one before, until one comes through.
            for polls in 0.. {
                let mut dropped = exchange();
                let mut asked = link.exchange(post(), &mut dropped);
                let mut is_done = false;
                for _ in 0..polls {
                    let polled = futures_util::future::poll_immediate(&mut asked).await;
                    is_done = is_done || polled.is_some();
                    if is_done {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                drop(asked);
                if is_done {
                    break;
                }
                ask_well(&mut link).await;
                link.close();
            }
        }
    })
    .await;
}
