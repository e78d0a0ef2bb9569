//! WebSocket: messages are text frames, and the session is the connection.

use std::rc::Rc;

use futures_util::future::join;
use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderMap;
use mcpload::mcp::Link as _;
use mcpload::mcp::endpoint::Endpoint;
use mcpload::mcp::message;
use mcpload::mcp::websocket::WebSocketLink;
use mcpload::model::Class;
use mcpload::plan::VanishHow;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::support::{
    CLIENT_PONG, Peer, SERVER_PING, answer, call, class, headers, listen, notify, ping, run,
};

type Socket = WebSocketStream<TcpStream>;

#[expect(
    clippy::result_large_err,
    clippy::unnecessary_wraps,
    reason = "the form of tungstenite's callback"
)]
pub(crate) fn agree(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let asked = request.headers();
    assert_eq!(request.uri(), "/mcp?x=1");
    assert_eq!(asked["sec-websocket-protocol"], "mcp");
    assert_eq!(asked["authorization"], "Bearer abc");
    let headers = response.headers_mut();
    headers.insert("sec-websocket-protocol", "mcp".parse().unwrap());
    headers.insert("mcpload-instance", "server-2#1".parse().unwrap());
    Ok(response)
}

async fn accept(listener: &TcpListener) -> Socket {
    let (stream, _) = listener.accept().await.unwrap();
    accept_hdr_async(stream, agree).await.unwrap()
}

async fn linked() -> (TcpListener, WebSocketLink) {
    let (listener, endpoint) = listen("ws", "/mcp?x=1").await;
    (listener, link(endpoint))
}

fn link(endpoint: Rc<Endpoint>) -> WebSocketLink {
    WebSocketLink::new(endpoint, headers(), None)
}

/// The next text frame.
async fn heard(socket: &mut Socket) -> String {
    match socket.next().await.unwrap().unwrap() {
        Message::Text(text) => text.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

async fn say(socket: &mut Socket, text: impl Into<String>) {
    socket.send(Message::text(text.into())).await.unwrap();
}

/// A link of which one call has been answered, with the server's end.
async fn established(listener: &TcpListener, link: &mut WebSocketLink) -> Socket {
    let server = async {
        let mut socket = accept(listener).await;
        assert_eq!(heard(&mut socket).await, ping(1));
        say(&mut socket, answer(1)).await;
        socket
    };
    let (first, socket) = join(call(link, 1), server).await;
    assert_eq!(class(&first), (Class::None, None));
    assert!(first.facts().connect_ns.is_some());
    assert_eq!(first.facts().instance, "server-2#1");
    socket
}

#[test]
fn one_connection_carries_requests_and_notifications() {
    run(async {
        let (listener, mut link) = linked().await;
        let mut socket = established(&listener, &mut link).await;
        let (sent, body) = join(notify(&mut link), heard(&mut socket)).await;
        assert_eq!(class(&sent), (Class::None, None));
        assert_eq!(sent.facts().first_byte, None);
        assert_eq!(body, message::INITIALIZED);
        let server = async {
            heard(&mut socket).await;
            say(&mut socket, answer(2)).await;
        };
        let (second, ()) = join(call(&mut link, 2), server).await;
        assert_eq!(class(&second), (Class::None, None));
        assert_eq!(second.facts().connect_ns, None);
        assert_eq!(second.facts().instance, "server-2#1");
    });
}

#[test]
fn a_refused_upgrade_has_the_class_of_its_status() {
    for (status, wanted) in [
        ("401 Unauthorized", (Class::Http, Some(401))),
        ("302 Found", (Class::Http, Some(302))),
        ("503 Service Unavailable", (Class::Http, Some(503))),
        ("200 OK", (Class::Malformed, None)),
    ] {
        run(async {
            let (listener, mut link) = linked().await;
            let server = async {
                let mut peer = Peer::accept(&listener).await;
                peer.asked().await;
                peer.respond(status, "", "no").await;
                peer
            };
            let (refused, _peer) = join(call(&mut link, 1), server).await;
            assert_eq!(class(&refused), wanted);
        });
    }
}

#[test]
fn an_upgrade_without_the_subprotocol_is_malformed() {
    run(async {
        let (listener, mut link) = linked().await;
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            tokio_tungstenite::accept_async(stream).await.unwrap()
        };
        let (odd, _socket) = join(call(&mut link, 1), server).await;
        assert_eq!(class(&odd), (Class::Malformed, None));
    });
}

#[test]
fn what_does_not_answer_the_upgrade_is_no_connection() {
    run(async {
        let (listener, mut link) = linked().await;
        let server = async {
            let mut peer = Peer::accept(&listener).await;
            peer.asked().await;
        };
        let (none, ()) = join(call(&mut link, 1), server).await;
        assert_eq!(class(&none), (Class::Connect, None));
        drop(listener);
        assert_eq!(class(&call(&mut link, 2).await), (Class::Connect, None));
    });
}

#[test]
fn pings_of_both_kinds_are_answered_while_nothing_is_in_flight() {
    run(async {
        let (listener, mut link) = linked().await;
        let mut socket = established(&listener, &mut link).await;
        socket.send(Message::Ping("x".into())).await.unwrap();
        let pong = socket.next().await.unwrap().unwrap();
        assert_eq!(pong, Message::Pong("x".into()));
        for _ in 0..3 {
            say(&mut socket, SERVER_PING).await;
            assert_eq!(heard(&mut socket).await, CLIENT_PONG);
        }
        // And while something is.
        let server = async {
            heard(&mut socket).await;
            say(&mut socket, format!("[{SERVER_PING},{SERVER_PING}]")).await;
            assert_eq!(heard(&mut socket).await, CLIENT_PONG);
            assert_eq!(heard(&mut socket).await, CLIENT_PONG);
            say(&mut socket, answer(2)).await;
        };
        let (second, ()) = join(call(&mut link, 2), server).await;
        assert_eq!(class(&second), (Class::None, None));
    });
}

#[test]
fn a_binary_frame_is_malformed_and_ends_the_session() {
    run(async {
        let (listener, mut link) = linked().await;
        let mut socket = established(&listener, &mut link).await;
        let server = async {
            heard(&mut socket).await;
            let bytes = answer(2).into_bytes();
            socket.send(Message::binary(bytes)).await.unwrap();
            // The client leaves at once, with a word.
            assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))));
        };
        let (odd, ()) = join(call(&mut link, 2), server).await;
        assert_eq!(class(&odd), (Class::Malformed, None));
        assert_eq!(class(&call(&mut link, 3).await), (Class::SessionLost, None));
        established(&listener, &mut link).await;
    });
}

#[test]
fn a_message_that_is_too_long_is_refused_by_its_header() {
    run(async {
        let (listener, mut link) = linked().await;
        let mut socket = established(&listener, &mut link).await;
        let server = async {
            heard(&mut socket).await;
            // Text, whole, unmasked, with a length of 1 GB in 64 bits.
            let mut head = vec![0x81, 127];
            head.extend(1_000_000_000_u64.to_be_bytes());
            socket.get_mut().write_all(&head).await.unwrap();
        };
        let (odd, ()) = join(call(&mut link, 2), server).await;
        assert_eq!(class(&odd), (Class::Malformed, None));
    });
}

#[test]
fn a_server_that_says_goodbye_breaks_the_call_and_loses_the_session_once() {
    run(async {
        let (listener, mut link) = linked().await;
        let mut socket = established(&listener, &mut link).await;
        let server = async {
            heard(&mut socket).await;
            socket.close(None).await.unwrap();
            // The close frame is answered.
            assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))));
            assert!(socket.next().await.is_none());
        };
        let (broken, ()) = join(call(&mut link, 2), server).await;
        assert_eq!(class(&broken), (Class::Transport, None));
        assert_eq!(class(&call(&mut link, 3).await), (Class::SessionLost, None));
        let socket = established(&listener, &mut link).await;

        // Cut without a word, while nothing is in flight.
        drop(socket);
        let lost = loop {
            let lost = call(&mut link, 2).await;
            // Until the end is noticed, a call may still be written.
            if class(&lost).0 != Class::Transport {
                break lost;
            }
        };
        assert_eq!(class(&lost), (Class::SessionLost, None));
        assert_eq!(lost.facts().sent, None);
    });
}

#[test]
fn a_request_that_is_given_up_leaves_the_connection_usable() {
    run(async {
        let (listener, mut link) = linked().await;
        let mut socket = established(&listener, &mut link).await;
        tokio::select! {
            _ = call(&mut link, 2) => panic!("nobody answers"),
            _ = heard(&mut socket) => {}
        }
        let server = async {
            heard(&mut socket).await;
            say(&mut socket, answer(2)).await;
            say(&mut socket, answer(3)).await;
        };
        let (third, ()) = join(call(&mut link, 3), server).await;
        assert_eq!(class(&third), (Class::None, None));
    });
}

#[test]
fn closing_says_goodbye() {
    run(async {
        let (listener, mut link) = linked().await;
        let mut socket = established(&listener, &mut link).await;
        link.close();
        match socket.next().await.unwrap().unwrap() {
            Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Normal),
            other => panic!("{other:?}"),
        }
        assert!(socket.next().await.is_none());
        // The next call begins anew.
        established(&listener, &mut link).await;
    });
}

#[test]
fn vanishing_says_nothing() {
    run(async {
        let (listener, mut link) = linked().await;
        let mut socket = established(&listener, &mut link).await;
        link.vanish(VanishHow::Close);
        let left = socket.next().await;
        assert!(!matches!(left, Some(Ok(Message::Close(_)))), "{left:?}");
        established(&listener, &mut link).await;
    });
}

#[test]
fn dropping_the_link_closes_the_connection() {
    run(async {
        let (listener, endpoint) = listen("ws", "/mcp?x=1").await;
        let mut link = WebSocketLink::new(endpoint, HeaderMap::clone(&headers()), None);
        let mut socket = established(&listener, &mut link).await;
        drop(link);
        assert!(!matches!(socket.next().await, Some(Ok(_))));
    });
}
