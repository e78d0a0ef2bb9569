//! Who uses which connection, for how long, and from where.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use mcpload::mcp::Link;
use mcpload::mcp::http::{HttpLink, HttpOptions, Pool};
use mcpload::model::Class;
use mcpload::plan::{HttpVersion, SourceRange};
use tokio::io::AsyncWriteExt;

use crate::raw;
use crate::server::{Server, serve_until};
use crate::support::{
    ask, ask_well, exchange, let_tasks_run, link, link_from, local, post, speaking, until,
};

const BOTH: [HttpVersion; 2] = [HttpVersion::Http1, HttpVersion::Http2];

fn pooled(version: HttpVersion, size: u32) -> Rc<HttpOptions> {
    Rc::new(HttpOptions {
        pool: Some(Rc::new(Pool::new(size))),
        ..speaking(version)
    })
}

#[tokio::test]
async fn a_client_keeps_its_connection_until_it_is_closed() {
    local(async {
        for version in BOTH {
            let server = Server::start(version).await;
            let mut link = link(server.address, "/", &Rc::new(speaking(version)));
            let first = ask_well(&mut link).await;
            let second = ask_well(&mut link).await;
            assert!(first.connect_ns.is_some() && second.connect_ns.is_none());
            assert_eq!(server.seen.accepted.get(), 1);
            link.close();
            ask_well(&mut link).await;
            assert_eq!(server.seen.accepted.get(), 2, "{version:?}");
            let mut beside = link.beside().unwrap();
            ask_well(beside.as_mut()).await;
            assert_eq!(server.seen.accepted.get(), 3, "{version:?}");
            drop((link, beside));
            until(|| server.seen.open.get() == 0).await;
        }
    })
    .await;
}

#[tokio::test]
async fn twenty_exchanges_share_one_connection_of_http_2() {
    local(async {
        let server = Server::start(HttpVersion::Http2).await;
        let options = pooled(HttpVersion::Http2, 1);
        let mut links: Vec<HttpLink> = (0..20)
            .map(|_| link(server.address, "/held", &options))
            .collect();
        let asked = join_all(links.iter_mut().map(|link| ask_well(link)));
        let released = async {
            until(|| server.seen.in_flight.get() == 20).await;
            server.seen.gate.add_permits(20);
        };
        let (facts, ()) = tokio::join!(asked, released);
        assert_eq!(server.seen.accepted.get(), 1);
        let connected = facts.iter().filter(|facts| facts.connect_ns.is_some());
        assert_eq!(connected.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_pool_of_two_never_has_three_connections() {
    local(async {
        for version in BOTH {
            let server = Server::start(version).await;
            let options = pooled(version, 2);
            let mut links: Vec<HttpLink> = (0..6)
                .map(|_| link(server.address, "/held", &options))
                .collect();
            for _ in 0..2 {
                let asked = join_all(links.iter_mut().map(|link| ask_well(link)));
                // One connection of HTTP/1.1 carries one exchange at a time, one of HTTP/2 all of them.
                let at_once = if version == HttpVersion::Http1 { 2 } else { 6 };
                let released = async {
                    until(|| server.seen.in_flight.get() == at_once).await;
                    let_tasks_run().await;
                    server.seen.gate.add_permits(6);
                };
                tokio::join!(asked, released);
                assert_eq!(server.seen.most_in_flight.get(), at_once, "{version:?}");
            }
            assert_eq!(server.seen.accepted.get(), 2, "{version:?}");
            // Another link than the pool's has a connection of its own.
            server.seen.gate.add_permits(1);
            ask_well(links[0].beside().unwrap().as_mut()).await;
            assert_eq!(server.seen.accepted.get(), 3, "{version:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_of_a_pool_that_gives_up_leaves_its_place_to_another() {
    local(async {
        let server = Server::start(HttpVersion::Http1).await;
        let options = pooled(HttpVersion::Http1, 1);
        let (mut first, mut second) = (
            link(server.address, "/held", &options),
            link(server.address, "/", &options),
        );
        let mut given_up = exchange();
        tokio::select! {
            () = first.exchange(post(), &mut given_up) => panic!("nobody answered"),
            () = until(|| server.seen.in_flight.get() == 1) => {}
        }
        ask_well(&mut second).await;
        assert_eq!(server.seen.accepted.get(), 2);
        until(|| server.seen.open.get() == 1).await;
        // Its next exchange takes the connection that the other returned.
        server.seen.gate.add_permits(1);
        ask_well(&mut first).await;
        assert_eq!(server.seen.accepted.get(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_old_connection_is_replaced_before_a_request_and_never_during_one() {
    local(async {
        for version in BOTH {
            let server = Server::start(version).await;
            let options = Rc::new(HttpOptions {
                max_age: Some(Duration::from_nanos(1)),
                ..speaking(version)
            });
            let mut aging = link(server.address, "/held", &options);
            for number in 1..4 {
                let released = async {
                    until(|| server.seen.in_flight.get() == 1).await;
                    server.seen.gate.add_permits(1);
                };
                tokio::join!(ask_well(&mut aging), released);
                assert_eq!(server.seen.accepted.get(), number, "{version:?}");
            }
            let options = Rc::new(HttpOptions {
                max_age: Some(Duration::from_hours(1)),
                ..speaking(version)
            });
            let mut young = link(server.address, "/", &options);
            ask_well(&mut young).await;
            ask_well(&mut young).await;
            assert_eq!(server.seen.accepted.get(), 4, "{version:?}");
            until(|| server.seen.open.get() == 2).await;
        }
    })
    .await;
}

#[tokio::test]
async fn giving_up_an_exchange_of_http_2_ends_its_stream_alone() {
    local(async {
        let server = Server::start(HttpVersion::Http2).await;
        let options = pooled(HttpVersion::Http2, 1);
        let mut stays = link(server.address, "/held", &options);
        let mut leaves = link(server.address, "/held", &options);
        let leaving = async {
            let mut given_up = exchange();
            tokio::select! {
                () = leaves.exchange(post(), &mut given_up) => panic!("nobody answered"),
                () = until(|| server.seen.in_flight.get() == 2) => {}
            }
            until(|| server.seen.in_flight.get() == 1).await;
            server.seen.gate.add_permits(2);
        };
        tokio::join!(ask_well(&mut stays), leaving);
        ask_well(&mut leaves).await;
        assert_eq!(server.seen.accepted.get(), 1);
    })
    .await;
}

#[tokio::test]
async fn clients_connect_from_the_addresses_of_a_range() {
    local(async {
        let server = Server::start(HttpVersion::Http1).await;
        let range = SourceRange {
            first: IpAddr::V4(Ipv4Addr::new(127, 3, 0, 255)),
            count: 3,
        };
        for client in 0..6 {
            ask_well(&mut link_from(server.address, range.address(client))).await;
        }
        let peers: BTreeSet<String> = server
            .seen
            .peers
            .borrow()
            .iter()
            .map(ToString::to_string)
            .collect();
        let wanted = ["127.3.0.255", "127.3.1.0", "127.3.1.1"];
        assert_eq!(peers, wanted.map(str::to_owned).into());
    })
    .await;
}

#[tokio::test]
async fn cookies_are_sent_back_only_when_asked_for() {
    local(async {
        let server = Server::start(HttpVersion::Http1).await;
        for cookies in [false, true] {
            let options = Rc::new(HttpOptions {
                cookies,
                ..HttpOptions::default()
            });
            let mut link = link(server.address, "/cookie", &options);
            let facts = ask_well(&mut link).await;
            assert_eq!(facts.cookies, ["route=a; Path=/"]);
            assert!(server.seen.cookies.borrow().is_empty());
            ask_well(&mut link).await;
            ask_well(link.beside().unwrap().as_mut()).await;
        }
        assert_eq!(*server.seen.cookies.borrow(), ["route=a", "route=a"]);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_idle_is_replaced() {
    local(async {
        let (listener, address) = raw::listen().await;
        let mut link = link(address, "/", &Rc::default());
        for _ in 0..2 {
            let server = async {
                let mut stream = raw::take_request(&listener).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            };
            let (facts, ()) = tokio::join!(ask_well(&mut link), server);
            assert!(facts.connect_ns.is_some());
            // The end is on its way through the kernel; nothing tells when the link has seen it.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_that_was_taken_and_not_answered_is_not_sent_again() {
    local(async {
        let (listener, address) = raw::listen().await;
        let mut link = link(address, "/", &Rc::default());
        let server = async {
            let mut stream = raw::take_request(&listener).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            raw::read_request(&mut stream).await;
        };
        let asked = async {
            ask_well(&mut link).await;
            ask(&mut link).await
        };
        let (came, ()) = tokio::join!(asked, server);
        assert_eq!(came.class, Class::Transport);
        assert_ne!(came.failure(), "");
        let again = tokio::time::timeout(Duration::from_millis(100), listener.accept());
        assert!(again.await.is_err(), "there was a second connection");
    })
    .await;
}

#[tokio::test]
async fn a_connection_of_http_2_that_the_server_ended_is_replaced() {
    local(async {
        let (listener, address) = raw::listen().await;
        let options = Rc::new(speaking(HttpVersion::Http2));
        let mut link = link(address, "/", &options);
        for _ in 0..2 {
            let (ending, ended) = tokio::sync::oneshot::channel::<()>();
            let server = async {
                let (stream, _) = listener.accept().await.unwrap();
                serve_until(stream, ended).await;
            };
            let asked = async {
                let facts = ask_well(&mut link).await;
                assert!(facts.connect_ns.is_some());
                ending.send(()).unwrap();
            };
            tokio::join!(asked, server);
            // The end is on its way through the kernel; nothing tells when the link has seen it.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}
