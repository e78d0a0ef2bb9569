//! HTTP+SSE: the session is the GET stream, and messages are posted where its first event says.

use futures_util::future::join;
use mcpload::mcp::exchange::Awaited;
use mcpload::mcp::http_sse::SseLink;
use mcpload::mcp::message;
use mcpload::mcp::{Link, Outgoing, Verb};
use mcpload::model::Class;
use tokio::net::TcpListener;

use crate::support::{
    Asked, CLIENT_PONG, Peer, SERVER_PING, answer, call, class, exchange, listen, notify, outgoing,
    ping, request, run,
};

const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// Answers the GET with a stream whose first event is this endpoint.
async fn open_at(listener: &TcpListener, target: &str) -> (Peer, Asked) {
    let mut stream = Peer::accept(listener).await;
    let asked = stream.asked().await;
    stream
        .write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nmcpload-instance: server-9#9\r\n\r\n: hello\n\n")
        .await;
    stream.event("endpoint", target).await;
    (stream, asked)
}

async fn open(listener: &TcpListener) -> Peer {
    open_at(listener, "/messages?session_id=7").await.0
}

const INSTANCE: &str = "mcpload-instance: server-2#1\r\n";

/// Takes a message on a connection that is open.
async fn take(post: &mut Peer) -> Asked {
    let asked = post.asked().await;
    post.respond("202 Accepted", INSTANCE, "Accepted").await;
    asked
}

/// A link of which one call has been answered, with the server's ends of its stream and of its POSTs.
async fn established(listener: &TcpListener, link: &mut SseLink) -> (Peer, Peer) {
    let server = async {
        let mut stream = open(listener).await;
        let mut post = Peer::accept(listener).await;
        take(&mut post).await;
        stream.event("message", &answer(1)).await;
        (stream, post)
    };
    let (first, ends) = join(call(link, 1), server).await;
    assert_eq!(class(&first), (Class::None, None));
    ends
}

#[test]
fn answers_come_on_the_stream_and_say_who_took_the_message() {
    run(async {
        let (listener, endpoint) = listen("http", "/x/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let server = async {
            let (mut stream, get) = open_at(&listener, "messages?session_id=7").await;
            let mut post = Peer::accept(&listener).await;
            let asked = take(&mut post).await;
            stream.event("other", &answer(1)).await;
            stream.event("message", &answer(1)).await;
            (get, asked, stream, post)
        };
        let (first, (get, asked, mut stream, mut post)) = join(call(&mut link, 1), server).await;
        assert!(
            get.head.starts_with("GET /x/sse HTTP/1.1\r\n"),
            "{}",
            get.head
        );
        for line in [
            "accept: text/event-stream\r\n",
            "authorization: Bearer abc\r\n",
        ] {
            assert!(get.head.contains(line), "{}", get.head);
        }
        assert!(
            asked.head.starts_with("POST /x/messages?session_id=7 "),
            "{}",
            asked.head
        );
        assert_eq!(asked.body, ping(1));
        assert_eq!(class(&first), (Class::None, None));
        let facts = first.facts();
        assert_eq!(facts.instance, "server-2#1");
        assert!(facts.connect_ns.is_some());
        assert_eq!((facts.events, facts.bytes_in), (1, answer(1).len() as u64));
        let stamps = [facts.sent, facts.first_byte.max(facts.first_event)];
        assert!(stamps.is_sorted() && stamps[0].is_some(), "{facts:?}");

        // Stream and connection are used again.
        let server = async {
            take(&mut post).await;
            stream.event("message", &answer(2)).await;
        };
        let (second, ()) = join(call(&mut link, 2), server).await;
        assert_eq!(class(&second), (Class::None, None));
        assert_eq!(second.facts().connect_ns, None);
    });
}

#[test]
fn an_answer_that_is_faster_than_the_status_counts() {
    run(async {
        let (listener, endpoint) = listen("http", "/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let server = async {
            let mut stream = open(&listener).await;
            let mut post = Peer::accept(&listener).await;
            post.asked().await;
            stream.event("message", &answer(1)).await;
            (stream, post)
        };
        let ((), (mut stream, mut post)) = join(
            async {
                let mut first = request(1);
                let outgoing = outgoing(ping(1));
                link.exchange(outgoing, &mut first).await;
                assert_eq!(class(&first), (Class::None, None));
            },
            server,
        )
        .await;
        // The status comes later, and the connection goes on.
        post.respond("202 Accepted", INSTANCE, "").await;
        link.settle().await;
        let server = async {
            take(&mut post).await;
            stream.event("message", &answer(2)).await;
        };
        let (second, ()) = join(call(&mut link, 2), server).await;
        assert_eq!(class(&second), (Class::None, None));
        assert_eq!(second.facts().connect_ns, None);
    });
}

#[test]
fn a_notification_is_done_when_it_is_taken() {
    run(async {
        let (listener, endpoint) = listen("http", "/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let (_stream, mut post) = established(&listener, &mut link).await;
        let (sent, asked) = join(notify(&mut link), take(&mut post)).await;
        assert_eq!(class(&sent), (Class::None, None));
        assert_eq!(asked.body, message::INITIALIZED);

        // There is no DELETE: the session ends with the stream.
        let goodbye = Outgoing {
            verb: Verb::Delete,
            ..outgoing("")
        };
        let mut ended = exchange(Awaited::Status);
        link.exchange(goodbye, &mut ended).await;
        assert_eq!(class(&ended), (Class::None, None));
    });
}

#[test]
fn a_stream_that_is_refused_has_the_class_of_its_status() {
    for (status, wanted) in [
        ("401 Unauthorized", (Class::Http, Some(401))),
        ("503 Service Unavailable", (Class::Http, Some(503))),
        ("307 Temporary Redirect", (Class::Http, Some(307))),
    ] {
        run(async {
            let (listener, endpoint) = listen("http", "/sse").await;
            let mut link = SseLink::new(endpoint, None);
            let server = async {
                let mut stream = Peer::accept(&listener).await;
                stream.asked().await;
                let headers = "www-authenticate: Bearer x=1\r\n";
                stream.respond(status, headers, "no").await;
                stream
            };
            let (refused, _stream) = join(call(&mut link, 1), server).await;
            assert_eq!(class(&refused), wanted);
            assert_eq!(refused.facts().challenge.as_deref(), Some("Bearer x=1"));
        });
    }
}

#[test]
fn what_is_no_event_stream_is_malformed() {
    for head in [
        "content-type: text/html\r\n",
        "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n",
        "",
    ] {
        run(async {
            let (listener, endpoint) = listen("http", "/sse").await;
            let mut link = SseLink::new(endpoint, None);
            let server = async {
                let mut stream = Peer::accept(&listener).await;
                stream.asked().await;
                stream.respond("200 OK", head, "<html>").await;
                stream
            };
            let (odd, _stream) = join(call(&mut link, 1), server).await;
            assert_eq!(class(&odd), (Class::Malformed, None), "{head:?}");
        });
    }
}

#[test]
fn a_stream_that_leads_to_another_server_is_refused() {
    for elsewhere in [
        "http://127.0.0.2:80/messages",
        "//127.0.0.2/messages",
        "https:///",
        "a b",
    ] {
        run(async {
            let (listener, endpoint) = listen("http", "/sse").await;
            let mut link = SseLink::new(endpoint, None);
            let (odd, (mut stream, _)) =
                join(call(&mut link, 1), open_at(&listener, elsewhere)).await;
            assert_eq!(class(&odd), (Class::Malformed, None), "{elsewhere}");
            assert_eq!(odd.facts().sent, None);
            stream.gone().await;
        });
    }
}

#[test]
fn a_stream_that_ends_before_it_begins_is_no_connection() {
    run(async {
        let (listener, endpoint) = listen("http", "/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let server = async {
            let mut stream = Peer::accept(&listener).await;
            stream.asked().await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            stream.write(head).await;
            stream.cut().await;
        };
        let (none, ()) = join(call(&mut link, 1), server).await;
        assert_eq!(class(&none), (Class::Connect, None));
        drop(listener);
        assert_eq!(class(&call(&mut link, 2).await), (Class::Connect, None));
    });
}

#[test]
fn a_refused_message_leaves_the_stream_as_it_is() {
    run(async {
        let (listener, endpoint) = listen("http", "/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let (mut stream, mut post) = established(&listener, &mut link).await;
        let server = async {
            post.asked().await;
            post.respond("404 Not Found", INSTANCE, "unknown").await;
        };
        let (refused, ()) = join(call(&mut link, 2), server).await;
        assert_eq!(class(&refused), (Class::Http, Some(404)));
        assert_eq!(refused.facts().instance, "server-2#1");
        let server = async {
            take(&mut post).await;
            stream.event("message", &answer(3)).await;
        };
        let (third, ()) = join(call(&mut link, 3), server).await;
        assert_eq!(class(&third), (Class::None, None));
    });
}

#[test]
fn a_cut_stream_breaks_the_call_and_loses_the_session_once() {
    run(async {
        let (listener, endpoint) = listen("http", "/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let (stream, mut post) = established(&listener, &mut link).await;
        let server = async {
            take(&mut post).await;
            stream.cut().await;
        };
        let (broken, ()) = join(call(&mut link, 2), server).await;
        assert_eq!(class(&broken), (Class::Truncated, None));
        let lost = call(&mut link, 3).await;
        assert_eq!(class(&lost), (Class::SessionLost, None));
        assert_eq!(lost.facts().sent, None);
        established(&listener, &mut link).await;
    });
}

#[test]
fn a_stream_that_ended_meanwhile_loses_the_session_before_anything_is_sent() {
    run(async {
        let (listener, endpoint) = listen("http", "/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let (stream, _post) = established(&listener, &mut link).await;
        stream.cut().await;
        let lost = call(&mut link, 2).await;
        assert_eq!(class(&lost), (Class::SessionLost, None));
        assert_eq!(lost.facts().sent, None);
        established(&listener, &mut link).await;
    });
}

#[test]
fn a_request_that_is_given_up_leaves_the_stream_usable() {
    run(async {
        let (listener, endpoint) = listen("http", "/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let (mut stream, mut post) = established(&listener, &mut link).await;
        // Given up before its message is taken, and after.
        tokio::select! {
            _ = call(&mut link, 2) => panic!("nobody answers"),
            _ = post.asked() => {}
        }
        let mut post = {
            let calling = call(&mut link, 3);
            let server = async {
                let mut post = Peer::accept(&listener).await;
                take(&mut post).await;
                // A message of the stream shows that the exchange is under way.
                stream.event("message", SERVER_PING).await;
                let mut replies = Peer::accept(&listener).await;
                assert_eq!(take(&mut replies).await.body, CLIENT_PONG);
                post
            };
            tokio::select! {
                _ = calling => panic!("nobody answers"),
                post = server => post,
            }
        };
        stream.event("message", &answer(2)).await;
        let server = async {
            take(&mut post).await;
            stream.event("message", &answer(3)).await;
            stream.event("message", &answer(4)).await;
        };
        // The connection of the one that waited for its answer is used again.
        let (fourth, ()) = join(call(&mut link, 4), server).await;
        assert_eq!(class(&fourth), (Class::None, None));
    });
}

#[test]
fn what_the_server_asks_while_nothing_is_in_flight_is_answered() {
    run(async {
        let (listener, endpoint) = listen("http", "/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let (mut stream, mut post) = established(&listener, &mut link).await;
        stream.event("message", "nonsense").await;
        stream.event("message", &answer(1)).await;
        let mut replies = None;
        for _ in 0..3 {
            stream.event("message", SERVER_PING).await;
            if replies.is_none() {
                replies = Some(Peer::accept(&listener).await);
            }
            let asked = take(replies.as_mut().unwrap()).await;
            assert!(asked.head.starts_with("POST /messages?session_id=7 "));
            assert!(asked.head.contains("authorization: Bearer abc\r\n"));
            assert_eq!(asked.body, CLIENT_PONG);
        }
        // And while a notification is.
        let server = async {
            post.asked().await;
            stream.event("message", SERVER_PING).await;
            assert_eq!(take(replies.as_mut().unwrap()).await.body, CLIENT_PONG);
            post.respond("202 Accepted", "", "").await;
        };
        let (sent, ()) = join(notify(&mut link), server).await;
        assert_eq!(class(&sent), (Class::None, None));
    });
}

#[test]
fn who_listens_follows_the_stream_that_is_there() {
    run(async {
        let (listener, endpoint) = listen("http", "/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let (mut stream, _post) = established(&listener, &mut link).await;
        assert!(link.beside().is_none());
        let get = Outgoing {
            verb: Verb::Get,
            ..outgoing("")
        };
        let mut listening = exchange(Awaited::Stream { id: None });
        link.exchange(get, &mut listening).await;
        assert_eq!(class(&listening), (Class::None, None));
        listening.follow();
        let server = async {
            for _ in 0..3 {
                stream.event("message", CHANGED).await;
            }
            stream.cut().await;
        };
        let ((), ()) = join(link.follow(&mut listening), server).await;
        assert_eq!(class(&listening), (Class::Truncated, None));
        assert_eq!(listening.facts().events, 3);
    });
}

#[test]
fn an_endless_event_ends_the_stream() {
    run(async {
        let (listener, endpoint) = listen("http", "/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let (mut stream, mut post) = established(&listener, &mut link).await;
        let server = async {
            take(&mut post).await;
            stream.write("data: ").await;
            stream.flood(&vec![b'x'; 1 << 20], 1 << 30).await
        };
        let (odd, written) = join(call(&mut link, 2), server).await;
        assert_eq!(class(&odd), (Class::Malformed, None));
        assert!(written < 64 << 20, "{written} bytes");
        assert_eq!(class(&call(&mut link, 3).await), (Class::SessionLost, None));
    });
}

#[test]
fn endless_messages_do_not_outgrow_the_bound_of_an_answer() {
    run(async {
        let (listener, endpoint) = listen("http", "/sse").await;
        let mut link = SseLink::new(endpoint, None);
        let (mut stream, mut post) = established(&listener, &mut link).await;
        let text = "x".repeat(1 << 20);
        let event = format!(
            "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{{\"data\":\"{text}\"}}}}\n\n"
        );
        let calling = call(&mut link, 2);
        let server = async {
            take(&mut post).await;
            stream.flood(event.as_bytes(), 1 << 30).await
        };
        let odd = tokio::select! {
            odd = calling => odd,
            written = server => panic!("{written} bytes were read"),
        };
        assert_eq!(class(&odd), (Class::Malformed, None));
    });
}
