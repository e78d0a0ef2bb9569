//! How connections end: as they would without a proxy, or as a rule says.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mcpload::fault::link::toxic::{Blackhole, HalfOpen, LimitBytes, Reset, Side, Then};
use mcpload::fault::link::{Direction, LinkRule, Toxic};

use super::support::{PATIENCE, Proxy, bounded, echo, is_silent, rest, round_trip, server};

const MOMENT: Duration = Duration::from_millis(150);

fn reset(reset: Reset) -> LinkRule {
    LinkRule::new(Toxic::Reset(reset))
}

fn blackhole() -> LinkRule {
    LinkRule::new(Toxic::Blackhole(Blackhole::default()))
}

/// A server whose connections the test holds itself.
fn accepting() -> (std::net::SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap(), listener)
}

fn accept(listener: &TcpListener) -> TcpStream {
    bounded(listener.accept().unwrap().0)
}

#[test]
fn a_half_closed_connection_stays_half_open_both_ways() {
    // The client ends first and still hears; then the server does.
    let (address, listener) = accepting();
    let proxy = Proxy::of(address);
    for client_first in [true, false] {
        let client = proxy.connect();
        let server = accept(&listener);
        let (mut first, mut second) = if client_first {
            (client, server)
        } else {
            (server, client)
        };
        first.write_all(b"the last words").unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&mut second), (b"the last words".to_vec(), None));
        for _ in 0..3 {
            second.write_all(b"still here").unwrap();
            first.read_exact(&mut [0; 10]).unwrap();
        }
        second.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&mut first), (vec![], None));
    }
}

#[test]
fn an_end_with_bytes_behind_it_loses_none_of_them() {
    let mut proxy = Proxy::of(server(|mut stream| {
        stream.write_all(&vec![9; 3 << 20]).unwrap();
    }));
    let mut stream = proxy.connect();
    let (bytes, error) = rest(&mut stream);
    assert_eq!((bytes.len(), error), (3 << 20, None));
    drop(stream);
    proxy.until_connections(0);
}

#[test]
fn a_reset_of_a_peer_is_passed_on_as_a_reset() {
    let (address, listener) = accepting();
    let mut proxy = Proxy::of(address);
    let (mut client, server) = (proxy.connect(), accept(&listener));
    nix::sys::socket::setsockopt(
        &server,
        nix::sys::socket::sockopt::Linger,
        &nix::libc::linger {
            l_onoff: 1,
            l_linger: 0,
        },
    )
    .unwrap();
    drop(server);
    assert_eq!(
        rest(&mut client),
        (vec![], Some(ErrorKind::ConnectionReset))
    );
    proxy.until_connections(0);
}

#[test]
fn a_server_that_is_not_there_shows_as_a_reset() {
    let (address, listener) = accepting();
    drop(listener);
    let mut proxy = Proxy::of(address);
    let mut stream = proxy.connect();
    assert_eq!(
        rest(&mut stream),
        (vec![], Some(ErrorKind::ConnectionReset))
    );
    assert_eq!(proxy.status().unreached, 1);
}

#[test]
fn a_reset_hits_live_connections_at_once_and_both_sides() {
    let (address, listener) = accepting();
    let mut proxy = Proxy::of(address);
    let (mut client, mut server) = (proxy.connect(), accept(&listener));
    client.write_all(b"x").unwrap();
    server.read_exact(&mut [0]).unwrap();
    assert_eq!(proxy.apply("reset", reset(Reset::default())), 0);
    assert_eq!(rest(&mut client).1, Some(ErrorKind::ConnectionReset));
    assert_eq!(rest(&mut server).1, Some(ErrorKind::ConnectionReset));
    // New ones too.
    let mut late = proxy.connect();
    assert_eq!(rest(&mut late).1, Some(ErrorKind::ConnectionReset));
    assert_eq!(proxy.rule("reset").hits, 2);
    proxy.lift("reset");
    let mut after = proxy.connect();
    let mut server = accept(&listener);
    after.write_all(b"x").unwrap();
    server.read_exact(&mut [0]).unwrap();
}

#[test]
fn new_connections_can_live_for_a_time_or_some_bytes_before_a_reset() {
    let mut proxy = Proxy::of(echo());
    let by_time = Reset {
        after: Some(Duration::from_millis(100)),
        after_bytes: None,
    };
    proxy.apply("reset", reset(by_time));
    let begun = Instant::now();
    let mut stream = proxy.connect();
    round_trip(&mut stream, b"in time");
    assert_eq!(rest(&mut stream).1, Some(ErrorKind::ConnectionReset));
    assert!(begun.elapsed() >= Duration::from_millis(100));
    let by_bytes = Reset {
        after: None,
        after_bytes: Some(10),
    };
    proxy.apply("reset", reset(by_bytes).towards(Direction::ToClient));
    let mut stream = proxy.connect();
    round_trip(&mut stream, b"five.");
    stream.write_all(b"five more, and others").unwrap();
    let (bytes, error) = rest(&mut stream);
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
    assert!(b"five ".starts_with(&bytes), "{bytes:?}");
}

#[test]
fn a_limit_lets_exactly_so_many_bytes_pass() {
    let mut proxy = Proxy::of(echo());
    for (then, error) in [
        (Then::Close, None),
        (Then::Reset, Some(ErrorKind::ConnectionReset)),
    ] {
        let limit = LimitBytes { bytes: 100, then };
        let rule = LinkRule::new(Toxic::LimitBytes(limit)).towards(Direction::ToClient);
        proxy.apply("limit", rule);
        let mut stream = proxy.connect();
        round_trip(&mut stream, &[1; 60]);
        stream.write_all(&[2; 60]).unwrap();
        let mut end = [0; 40];
        stream.read_exact(&mut end).unwrap();
        assert_eq!(end, [2; 40]);
        assert_eq!(rest(&mut stream), (vec![], error));
    }
}

#[test]
fn a_blackhole_is_silent_and_a_connection_with_a_hole_is_reset_afterwards() {
    let mut proxy = Proxy::of(echo());
    let (mut speaks, mut waits) = (proxy.connect(), proxy.connect());
    round_trip(&mut speaks, b"x");
    round_trip(&mut waits, b"x");
    assert_eq!(proxy.apply("hole", blackhole()), 2);
    speaks.write_all(b"nobody hears this").unwrap();
    let mut new = proxy.connect();
    new.write_all(b"nor this").unwrap();
    let mut quiet = proxy.connect();
    assert!(is_silent(&mut speaks, MOMENT));
    assert!(is_silent(&mut new, Duration::from_millis(20)));
    let hole = proxy.rule("hole");
    assert_eq!((hole.connections, hole.hits, hole.bytes), (4, 2, 25));
    proxy.lift("hole");
    for mut lost in [speaks, new] {
        assert_eq!(rest(&mut lost).1, Some(ErrorKind::ConnectionReset));
    }
    // Nothing of theirs was lost.
    round_trip(&mut waits, b"still here");
    round_trip(&mut quiet, b"here at last");
}

#[test]
fn a_blackhole_can_close_after_a_time_however_chatty_the_peer_is() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    round_trip(&mut stream, b"x");
    let hole = Blackhole {
        close_after: Some(Duration::from_millis(100)),
    };
    let begun = Instant::now();
    proxy.apply("hole", LinkRule::new(Toxic::Blackhole(hole)));
    let mut other = stream.try_clone().unwrap();
    let chatter = std::thread::spawn(move || {
        while other.write_all(b"chat").is_ok() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let (bytes, _) = rest(&mut stream);
    assert!(bytes.is_empty(), "{bytes:?}");
    assert!(begun.elapsed() >= Duration::from_millis(100));
    drop(stream);
    chatter.join().unwrap();
}

#[test]
fn a_blackhole_of_one_way_lets_the_other_pass() {
    let (address, listener) = accepting();
    let mut proxy = Proxy::of(address);
    let (mut client, mut server) = (proxy.connect(), accept(&listener));
    proxy.apply("hole", blackhole().towards(Direction::ToServer));
    client.write_all(b"lost").unwrap();
    server.write_all(b"found").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    assert!(is_silent(&mut server, MOMENT));
}

#[test]
fn refused_connections_are_refused_and_live_ones_go_on() {
    let mut proxy = Proxy::of(echo());
    let mut live = proxy.connect();
    round_trip(&mut live, b"x");
    proxy.apply("refuse", LinkRule::new(Toxic::Refuse));
    for _ in 0..3 {
        let refused = TcpStream::connect(proxy.address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    round_trip(&mut live, b"still here");
    proxy.lift("refuse");
    round_trip(&mut proxy.connect(), b"x");
    // A share of them is accepted by the kernel and reset.
    let share = LinkRule::new(Toxic::Refuse).on("50%".parse().unwrap());
    proxy.apply("refuse", share);
    let results: Vec<bool> = (0..60)
        .map(|_| {
            let mut stream = proxy.connect();
            stream.write_all(b"x").is_ok() && stream.read_exact(&mut [0]).is_ok()
        })
        .collect();
    let served = results.iter().filter(|served| **served).count();
    assert!((10..=50).contains(&served), "{served}");
    round_trip(&mut live, b"still here");
}

#[test]
fn half_open_connections_lose_one_side_and_the_other_is_not_told() {
    for gone in [Side::Server, Side::Client] {
        let (address, listener) = accepting();
        let mut proxy = Proxy::of(address);
        let (mut client, mut server) = (proxy.connect(), accept(&listener));
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
        proxy.apply("half", LinkRule::new(Toxic::HalfOpen(HalfOpen { gone })));
        let (mut stays, mut leaves) = match gone {
            Side::Server => (client, server),
            Side::Client => (server, client),
        };
        assert_eq!(rest(&mut leaves).1, Some(ErrorKind::ConnectionReset));
        stays.write_all(b"into the void").unwrap();
        assert!(is_silent(&mut stays, MOMENT), "{gone:?}");
        assert_eq!(proxy.rule("half").hits, 1);
        // New ones pass.
        let (mut client, mut server) = (proxy.connect(), accept(&listener));
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
        proxy.lift("half");
        assert_eq!(rest(&mut stays).1, Some(ErrorKind::ConnectionReset));
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
    }
}

#[test]
fn connections_that_come_and_go_at_once_leave_nothing_behind() {
    let mut proxy = Proxy::of(echo());
    let (done, all) = mpsc::channel();
    for number in 0..8 {
        let (address, done) = (proxy.address, done.clone());
        std::thread::spawn(move || {
            for turn in 0..40 {
                let mut stream = bounded(TcpStream::connect(address).unwrap());
                let _ = stream.write_all(b"and gone");
                if (number + turn) % 3 == 0 {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
            done.send(()).unwrap();
        });
    }
    for _ in 0..8 {
        all.recv_timeout(PATIENCE).unwrap();
    }
    proxy.until_connections(0);
    assert_eq!(proxy.status().accepted, 320);
}
