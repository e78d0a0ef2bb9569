//! A link looks like what is behind it: refused where nothing listens, and ended as the server ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use mcpload::fault::link::toxic::Blackhole;
use mcpload::fault::link::{LinkRule, Toxic};
use mcpload::proxy::{Ask, Start, Tell};

use super::support::{PATIENCE, Proxy, bounded, is_silent, plain, rest};

/// Nothing else on the machine listens there, so that a port that was free stays so.
const ALONE: &str = "127.93.7.1:0";

/// An address where nothing listens.
fn nobody() -> SocketAddr {
    let address = TcpListener::bind(ALONE).unwrap().local_addr().unwrap();
    // A process that another test has just forked may hold it for a moment.
    until(|| TcpStream::connect(address).is_err());
    address
}

fn following(upstream: SocketAddr) -> Proxy {
    Proxy::start(Start {
        follows: true,
        ..plain(upstream)
    })
}

impl Proxy {
    /// Lets it look; whether something listens behind it.
    fn look(&mut self) -> bool {
        self.ask(&Ask::Look);
        match self.hear() {
            Tell::Upstream { listens } => listens,
            other => panic!("{other:?}"),
        }
    }

    fn refuses(&self) -> bool {
        match TcpStream::connect(self.address) {
            Ok(_) => false,
            Err(error) => {
                let kind = error.kind();
                // It may be let in and reset in the moment in which the server goes.
                let known = [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset];
                assert!(known.contains(&kind), "{kind:?}");
                kind == ErrorKind::ConnectionRefused
            }
        }
    }

    /// Waits until it refuses, or does not, without being told to look.
    fn until_refuses(&self, wanted: bool) {
        until(|| self.refuses() == wanted);
    }
}

fn until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "never");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn accept(listener: &TcpListener) -> TcpStream {
    bounded(listener.accept().unwrap().0)
}

/// Makes the drop of a socket a reset.
fn will_reset(stream: &TcpStream) {
    let linger = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::Linger, &linger).unwrap();
}

/// Sends one byte each way.
fn passes(client: &mut TcpStream, server: &mut TcpStream) {
    client.write_all(b"x").unwrap();
    server.read_exact(&mut [0]).unwrap();
    server.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
}

#[test]
fn what_does_not_listen_is_refused_until_it_does() {
    let address = nobody();
    let mut proxy = following(address);
    assert!(proxy.refuses() && !proxy.look() && proxy.refuses());
    // Each turn it is found without a word of ours, come or gone.
    for _ in 0..3 {
        let listener = TcpListener::bind(address).unwrap();
        proxy.until_refuses(false);
        // Those that looked are there, too.
        let mut client = proxy.connect();
        client.write_all(b"me").unwrap();
        let mut server = accept(&listener);
        while !matches!(server.read(&mut [0; 2]), Ok(2)) {
            server = accept(&listener);
        }
        drop((listener, server));
        assert_eq!(rest(&mut client), (vec![], None));
        proxy.until_refuses(true);
    }
    until(|| !proxy.look());
}

#[test]
fn a_word_is_enough_to_find_the_link_as_the_server_is() {
    let address = nobody();
    let mut proxy = following(address);
    for _ in 0..20 {
        let listener = TcpListener::bind(address).unwrap();
        assert!(proxy.look(), "not found");
        assert!(!proxy.refuses(), "refused");
        drop(listener);
        // A process that another test has just forked may hold the port for a moment.
        until(|| !proxy.look());
        assert!(proxy.refuses(), "not refused");
    }
}

#[test]
fn a_server_that_closes_its_port_and_goes_on_is_refused_to_new_clients_alone() {
    let address = nobody();
    let listener = TcpListener::bind(address).unwrap();
    let proxy = following(address);
    let (mut client, mut server) = (proxy.connect(), accept(&listener));
    drop(listener);
    // Whoever comes first shows it, if nothing else has.
    proxy.until_refuses(true);
    passes(&mut client, &mut server);
}

#[test]
fn a_refusal_by_a_rule_and_one_for_want_of_a_server_stack() {
    let address = nobody();
    let mut proxy = following(address);
    let refuse = || LinkRule::new(Toxic::Refuse);
    // The rule goes first, then the server comes.
    proxy.apply("refuse", refuse());
    proxy.lift("refuse");
    assert!(proxy.refuses());
    // The server comes first, then the rule goes.
    proxy.apply("refuse", refuse());
    let listener = TcpListener::bind(address).unwrap();
    assert!(proxy.look() && proxy.refuses());
    proxy.lift("refuse");
    assert!(!proxy.refuses());
    // The server goes under the rule.
    proxy.apply("refuse", refuse());
    drop(listener);
    until(|| !proxy.look());
    proxy.lift("refuse");
    assert!(proxy.refuses());
}

#[test]
fn nobody_finds_out_through_a_blackhole_that_nothing_listens() {
    let mut proxy = following(nobody());
    let hole = LinkRule::new(Toxic::Blackhole(Blackhole::default()));
    proxy.apply("hole", hole);
    let mut lost = proxy.connect();
    lost.write_all(b"into the void").unwrap();
    assert!(is_silent(&mut lost, Duration::from_millis(100)));
    proxy.lift("hole");
    assert!(proxy.refuses());
    assert_eq!(rest(&mut lost).1, Some(ErrorKind::ConnectionReset));
}

#[test]
fn the_end_of_a_server_is_passed_on_as_what_it_was_whether_the_link_carries_http_or_not() {
    for http in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(Start {
            http,
            ..plain(listener.local_addr().unwrap())
        });
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun";
        for answers in [false, true] {
            for resets in [false, true] {
                let mut client = proxy.connect();
                client.write_all(request).unwrap();
                let mut server = accept(&listener);
                server.read_exact(&mut vec![0; request.len()]).unwrap();
                if answers {
                    server.write_all(begun).unwrap();
                    client.read_exact(&mut vec![0; begun.len()]).unwrap();
                }
                if resets {
                    will_reset(&server);
                }
                drop(server);
                let error = resets.then_some(ErrorKind::ConnectionReset);
                assert_eq!(
                    rest(&mut client),
                    (vec![], error),
                    "http {http}, answers {answers}, resets {resets}"
                );
            }
        }
    }
}

#[test]
fn who_goes_on_writing_to_a_server_that_ended_is_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut proxy = Proxy::of(listener.local_addr().unwrap());
    let (mut client, server) = (proxy.connect(), accept(&listener));
    drop(server);
    assert_eq!(rest(&mut client), (vec![], None));
    // The first words make the server's kernel say so, and then they fail here.
    until(|| client.write_all(b"is anybody there").is_err());
    proxy.until_connections(0);
    let _ = client.shutdown(Shutdown::Both);
}
