//! Noise through a link that carries HTTP, with rules that change answers: the proxy lives, and what is no HTTP passes unchanged.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use mcpload::fault::link::toxic::Answers;
use mcpload::fault::link::{LinkRule, Toxic};
use mcpload::fault::wire::Rule;
use mcpload::fault::wire::actions::{ACTIONS, Action};
use mcpload::proxy::Start;
use proptest::prelude::*;

use super::support::{Proxy, bounded, plain};

/// How long an answer is waited for that may never come: some rules hold it back for ever.
const MOMENT: Duration = Duration::from_millis(15);

/// A request, and the beginnings of answers that are worth being broken.
const TEXTS: &[&str] = &[
    "POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: 40\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
    "GET /mcp HTTP/1.1\r\naccept: text/event-stream\r\n\r\n",
    "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nid: 1\ndata: {\"jsonrpc\":\"2.0\"}\n\nretry: 5\n: x\n\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nffffffffffffffff\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 36\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "data: {\"id\":1}\r\rdata:\n\n",
];

/// Bytes, most of them near to HTTP or an event stream.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..60),
        "[a-z0-9 :;/{}\"\r\n]{1,60}".prop_map(String::into_bytes),
        (0..TEXTS.len()).prop_map(|which| TEXTS[which].as_bytes().to_vec()),
        (0..TEXTS.len(), any::<u8>(), any::<u8>()).prop_map(|(which, byte, place)| {
            let mut text = TEXTS[which].as_bytes().to_vec();
            let place = usize::from(place) % text.len();
            text[place] = byte;
            text
        }),
    ];
    proptest::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

/// A link with a rule on every request; the test is its server.
struct Noisy {
    proxy: Proxy,
    listener: TcpListener,
}

/// What arrived at the server and at the client.
struct Arrived {
    to_server: Vec<u8>,
    to_client: Vec<u8>,
}

impl Noisy {
    fn with(action: &Action) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut proxy = Proxy::start(Start {
            http: true,
            instance: Some("server-1#1".to_owned()),
            ..plain(listener.local_addr().unwrap())
        });
        let rule: Rule = format!("{},on=any", action.example)
            .parse()
            .or_else(|_| action.example.parse())
            .unwrap();
        let rules = vec![rule];
        proxy.apply("answers", LinkRule::new(Toxic::Answers(Answers { rules })));
        Self { proxy, listener }
    }

    /// One connection: the client says this in pieces, the server that once it has heard something, and both end.
    fn carry(&self, client: &[u8], server: &[u8], size: usize, wait: Duration) -> Arrived {
        let mut ours = self.proxy.connect();
        ours.set_read_timeout(Some(wait)).unwrap();
        let mut theirs = bounded(self.listener.accept().unwrap().0);
        theirs.set_read_timeout(Some(wait)).unwrap();
        let said = server.to_vec();
        let serving = thread::spawn(move || {
            let mut heard = vec![0; 1];
            let first = theirs.read(&mut heard).unwrap_or(0);
            heard.truncate(first);
            write(&mut theirs, &said, size);
            let _ = theirs.read_to_end(&mut heard);
            heard
        });
        write(&mut ours, client, size);
        let mut to_client = Vec::new();
        let _ = ours.read_to_end(&mut to_client);
        Arrived {
            to_server: serving.join().unwrap(),
            to_client,
        }
    }
}

/// Writes in pieces, and then ends; the peer may be gone.
fn write(stream: &mut TcpStream, text: &[u8], size: usize) {
    let _ = text
        .chunks(size)
        .try_for_each(|piece| stream.write_all(piece));
    let _ = stream.shutdown(Shutdown::Write);
}

#[test]
fn noise_never_ends_the_proxy_whatever_the_rule() {
    let turn = AtomicU32::new(0);
    // Each rule has a proxy, and some conversations of its own.
    for action in ACTIONS {
        let mut noisy = Noisy::with(action);
        let config = ProptestConfig {
            cases: 20,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        proptest!(config, |(client in noise(), server in noise(), size in 1_usize..90)| {
            noisy.carry(&client, &server, size, MOMENT);
            turn.fetch_add(1, Ordering::Relaxed);
        });
        // It lives, and has lost no connection from sight.
        assert!(noisy.proxy.status().accepted >= 20, "{}", action.name);
    }
    assert!(turn.into_inner() as usize >= 20 * ACTIONS.len());
}

#[test]
fn what_is_no_http_passes_unchanged_under_every_rule() {
    for action in ACTIONS {
        let noisy = Noisy::with(action);
        let config = ProptestConfig {
            cases: 10,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        // No method begins so: from the first byte on it is something else, such as Redis or TLS.
        let garbage = (proptest::sample::select(&b"\x00\x16*$\xff{"[..]), noise());
        let garbage =
            garbage.prop_map(|(first, rest)| [&[first, b'\r', b'\n'], &rest[..]].concat());
        proptest!(config, |(client in garbage, server in noise(), size in 1_usize..90)| {
            let arrived = noisy.carry(&client, &server, size, super::support::PATIENCE);
            prop_assert_eq!(arrived.to_server, client, "{}", action.name);
            prop_assert_eq!(arrived.to_client, server, "{}", action.name);
        });
    }
}
