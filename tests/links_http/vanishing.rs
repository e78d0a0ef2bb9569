//! How clients leave, as the server sees it.

use std::rc::Rc;
use std::time::Duration;

use mcpload::mcp::Link;
use mcpload::mcp::http::{HttpLink, HttpOptions, Pool};
use mcpload::model::Class;
use mcpload::plan::{HttpVersion, VanishHow};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::raw::{self, Sign, sign};
use crate::server::Server;
use crate::support::{ask, ask_well, at, exchange, let_tasks_run, link, local, post, until};
use crate::tls::{Authority, trusting};

fn options(can_vanish: bool) -> Rc<HttpOptions> {
    Rc::new(HttpOptions {
        can_vanish,
        ..HttpOptions::default()
    })
}

/// A client sends a request, gives it up, and vanishes; the server's side of the connection.
async fn vanished(
    listener: &TcpListener,
    link: &mut HttpLink,
    how: VanishHow,
    at_once: bool,
) -> TcpStream {
    let mut given_up = exchange();
    let stream = tokio::select! {
        () = link.exchange(post(), &mut given_up) => panic!("nobody answered"),
        stream = raw::take_request(listener) => stream,
    };
    if !at_once {
        // What the layers above want to say about the end must not reach the server meanwhile.
        let_tasks_run().await;
    }
    link.vanish(how);
    let_tasks_run().await;
    stream
}

#[tokio::test]
async fn a_server_sees_each_way_to_vanish() {
    local(async {
        for at_once in [true, false] {
            for (how, wanted) in [
                (VanishHow::Close, Sign::End),
                (VanishHow::Reset, Sign::Reset),
                (VanishHow::HalfOpen, Sign::Nothing),
                (VanishHow::SlowReader, Sign::Nothing),
            ] {
                let (listener, address) = raw::listen().await;
                let mut link = link(address, "/", &options(true));
                let mut stream = vanished(&listener, &mut link, how, at_once).await;
                drop(link);
                assert_eq!(sign(&mut stream).await, wanted, "{how:?} {at_once}");
            }
        }
    })
    .await;
}

/// Writes until nothing is taken for a fifth of a second; what was taken.
async fn fill(stream: &mut TcpStream) -> usize {
    let part = [b'x'; 4096];
    let mut taken = 0;
    while let Ok(written) =
        tokio::time::timeout(Duration::from_millis(200), stream.write(&part)).await
    {
        taken += written.unwrap();
        assert!(taken < 1 << 30, "somebody reads");
    }
    taken
}

#[tokio::test]
async fn a_client_that_reads_slowly_or_not_at_all_holds_a_server_up() {
    local(async {
        for how in [VanishHow::HalfOpen, VanishHow::SlowReader] {
            let (listener, address) = raw::listen().await;
            let mut link = link(address, "/", &options(true));
            let mut stream = vanished(&listener, &mut link, how, true).await;
            fill(&mut stream).await;
            assert_eq!(sign(&mut stream).await, Sign::Nothing, "{how:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_slow_reader_has_little_room() {
    local(async {
        let mut taken = Vec::new();
        for how in [VanishHow::HalfOpen, VanishHow::SlowReader] {
            let (listener, address) = raw::listen().await;
            let mut link = link(address, "/", &options(true));
            let mut stream = vanished(&listener, &mut link, how, true).await;
            taken.push(fill(&mut stream).await);
        }
        assert!(taken[1] < taken[0], "{taken:?}");
    })
    .await;
}

#[tokio::test]
async fn without_being_prepared_vanishing_is_closing() {
    local(async {
        for how in [VanishHow::Reset, VanishHow::HalfOpen, VanishHow::SlowReader] {
            let (listener, address) = raw::listen().await;
            let mut link = link(address, "/", &options(false));
            let mut stream = vanished(&listener, &mut link, how, true).await;
            assert_eq!(sign(&mut stream).await, Sign::End, "{how:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_can_come_back_after_it_vanished() {
    local(async {
        let (listener, address) = raw::listen().await;
        let mut link = link(address, "/", &options(true));
        let mut first = vanished(&listener, &mut link, VanishHow::HalfOpen, false).await;
        let server = async {
            let mut stream = raw::take_request(&listener).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            stream
        };
        let (_, mut second) = tokio::join!(ask_well(&mut link), server);
        assert_eq!(sign(&mut first).await, Sign::Nothing);
        assert_eq!(sign(&mut second).await, Sign::Nothing);
        link.close();
        assert_eq!(sign(&mut second).await, Sign::End);
        assert_eq!(sign(&mut first).await, Sign::Nothing);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_only_given_up_closes_its_connection_in_the_end() {
    local(async {
        let (listener, address) = raw::listen().await;
        for closes in [true, false] {
            let mut link = link(address, "/", &options(true));
            let mut given_up = exchange();
            let mut stream = tokio::select! {
                () = link.exchange(post(), &mut given_up) => panic!("nobody answered"),
                stream = raw::take_request(&listener) => stream,
            };
            if closes {
                link.close();
            } else {
                drop(link);
            }
            assert_eq!(sign(&mut stream).await, Sign::End);
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_the_server_ends_is_ended_by_a_client_that_may_vanish() {
    local(async {
        let (listener, address) = raw::listen().await;
        let mut link = link(address, "/", &options(true));
        let server = async {
            let mut stream = raw::take_request(&listener).await;
            let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            stream
        };
        let (_, mut stream) = tokio::join!(ask_well(&mut link), server);
        assert_eq!(sign(&mut stream).await, Sign::End);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_failed_is_not_kept_open_for_a_client_that_may_vanish() {
    local(async {
        let (listener, address) = raw::listen().await;
        let mut link = link(address, "/", &options(true));
        let server = async {
            let mut stream = raw::take_request(&listener).await;
            stream.write_all(b"this is no HTTP\r\n\r\n").await.unwrap();
            stream
        };
        let (came, mut stream) = tokio::join!(ask(&mut link), server);
        assert_eq!(came.class, Class::Transport);
        assert_eq!(sign(&mut stream).await, Sign::End);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_said_under_tls_either() {
    local(async {
        let authority = Authority::new("one");
        let acceptor = tokio_rustls::TlsAcceptor::from(authority.server(&["localhost"], &[]));
        for (how, wanted) in [
            (VanishHow::Reset, Sign::Reset),
            (VanishHow::HalfOpen, Sign::Nothing),
        ] {
            let (listener, address) = raw::listen().await;
            let mut options = trusting(&authority, HttpVersion::Http1);
            options.can_vanish = true;
            let endpoint = at(&format!("https://localhost:{}/", address.port()));
            let mut link = HttpLink::new(endpoint, Rc::new(options), None);
            let server = async {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = acceptor.accept(stream).await.unwrap();
                raw::read_request(&mut stream).await;
                stream
            };
            let mut given_up = exchange();
            let mut stream = tokio::select! {
                () = link.exchange(post(), &mut given_up) => panic!("nobody answered"),
                stream = server => stream,
            };
            let_tasks_run().await;
            link.vanish(how);
            assert_eq!(sign(&mut stream).await, wanted, "{how:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn over_http_2_a_client_vanishes_with_its_connection_but_not_with_others() {
    local(async {
        for pool in [None, Some(Rc::new(Pool::new(1)))] {
            let server = Server::start(HttpVersion::Http2).await;
            let options = Rc::new(HttpOptions {
                version: HttpVersion::Http2,
                can_vanish: true,
                pool: pool.clone(),
                ..HttpOptions::default()
            });
            let mut vanishes = link(server.address, "/", &options);
            let mut stays = link(server.address, "/", &options);
            ask_well(&mut vanishes).await;
            vanishes.vanish(VanishHow::Reset);
            let left = usize::from(pool.is_some());
            until(|| server.seen.open.get() == left).await;
            ask_well(&mut stays).await;
            assert_eq!(server.seen.accepted.get(), 2 - left);
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_of_a_pool_takes_its_connection_along() {
    local(async {
        let (listener, address) = raw::listen().await;
        let options = Rc::new(HttpOptions {
            can_vanish: true,
            pool: Some(Rc::new(Pool::new(1))),
            ..HttpOptions::default()
        });
        let mut vanishes = link(address, "/", &options);
        let mut stream = vanished(&listener, &mut vanishes, VanishHow::HalfOpen, true).await;
        let mut stays = link(address, "/", &options);
        let server = async {
            let mut stream = raw::take_request(&listener).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            stream
        };
        let (_, mut kept) = tokio::join!(ask_well(&mut stays), server);
        // What was returned to the pool is no longer this client's to leave with.
        stays.vanish(VanishHow::Reset);
        assert_eq!(sign(&mut kept).await, Sign::Nothing);
        assert_eq!(sign(&mut stream).await, Sign::Nothing);
    })
    .await;
}
