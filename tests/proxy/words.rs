//! The channel: what is asked and told, and what happens when its owner is gone.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mcpload::fault::link::toxic::Answers;
use mcpload::fault::link::{LinkRule, Toxic};
use mcpload::proxy::{Ask, LEAVES_WITHIN, Tell};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::support::{Proxy, echo, is_silent, plain, rest, round_trip};
use super::time::latency;

#[test]
fn when_the_owner_is_gone_rules_are_lifted_and_the_proxy_ends_with_its_last_connection() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    proxy.apply("late", latency(600_000));
    stream.write_all(b"held").unwrap();
    assert!(is_silent(&mut stream, Duration::from_millis(30)));
    proxy.let_go();
    stream.read_exact(&mut [0; 4]).unwrap();
    round_trip(&mut stream, b"passes");
    drop(stream);
    assert!(proxy.ends() < LEAVES_WITHIN);
    assert!(TcpStream::connect(proxy.address).is_err());
}

#[test]
fn a_connection_that_does_not_end_keeps_a_proxy_for_some_seconds_only() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    round_trip(&mut stream, b"x");
    proxy.let_go();
    // A tenth less, for the clock of this test began later.
    assert!(proxy.ends() > LEAVES_WITHIN * 9 / 10);
    assert!(stream.read(&mut [0]).is_err() || rest(&mut stream).0.is_empty());
}

#[test]
fn a_signal_is_taken_like_the_end_of_the_channel() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut proxy = Proxy::of(echo());
        let mut stream = proxy.connect();
        proxy.apply("late", latency(600_000));
        stream.write_all(b"held").unwrap();
        proxy.status();
        kill(Pid::from_raw(proxy.pid()), signal).unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        drop(stream);
        assert!(proxy.ends() < LEAVES_WITHIN);
    }
}

#[test]
fn asked_to_stop_it_ends_at_once() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    round_trip(&mut stream, b"x");
    proxy.ask(&Ask::Stop);
    assert!(proxy.ends() < LEAVES_WITHIN);
    assert!(rest(&mut stream).0.is_empty());
}

#[test]
fn what_cannot_be_done_is_told() {
    let mut proxy = Proxy::of(echo());
    let (_other, tell) = Proxy::try_start(mcpload::proxy::Start {
        listen: proxy.address,
        ..plain(proxy.address)
    });
    assert!(matches!(tell, Tell::NotStarted { reason } if reason.contains("in use")));
    let answers = Answers {
        rules: vec!["status=503".parse().unwrap()],
    };
    proxy.ask(&Ask::Apply {
        id: "answers".to_owned(),
        rule: LinkRule::new(Toxic::Answers(answers)),
    });
    assert!(matches!(proxy.hear(), Tell::Refused { id, .. } if id == "answers"));
    round_trip(&mut proxy.connect(), b"x");
}

#[test]
fn an_owner_that_says_nonsense_is_taken_for_gone() {
    for nonsense in [b"no json\n".to_vec(), vec![b'x'; (1 << 20) + 1]] {
        let mut proxy = Proxy::of(echo());
        let mut stream = proxy.connect();
        proxy.apply("late", latency(600_000));
        stream.write_all(b"held").unwrap();
        proxy.status();
        proxy.say(&nonsense);
        stream.read_exact(&mut [0; 4]).unwrap();
        drop(stream);
        assert!(proxy.ends() < LEAVES_WITHIN);
    }
}

#[test]
fn the_port_is_kept_while_it_refuses() {
    let mut proxy = Proxy::of(echo());
    proxy.apply("refuse", LinkRule::new(Toxic::Refuse));
    let taken = std::net::TcpListener::bind(proxy.address).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    proxy.lift("refuse");
    round_trip(&mut proxy.connect(), b"x");
}
