//! Rules that come, change and go while connections live.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use mcpload::fault::link::toxic::{Bandwidth, Blackhole, Scope};
use mcpload::fault::link::{Direction, LinkRule, Toxic};
use mcpload::model::Share;

use super::support::{PATIENCE, Proxy, echo, is_silent, round_trip, server};
use super::time::latency;

#[test]
fn a_connection_lives_through_every_change() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    for milliseconds in [1, 2, 3] {
        round_trip(&mut stream, b"x");
        assert_eq!(proxy.apply("late", latency(milliseconds)), 1);
        round_trip(&mut stream, b"y");
    }
    proxy.lift("late");
    proxy.lift("late");
    proxy.lift("never was");
    round_trip(&mut stream, b"z");
    assert_eq!(proxy.status().accepted, 1);
}

#[test]
fn lifting_releases_what_is_held_at_once_and_in_order() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    proxy.apply("late", latency(600_000));
    for number in 0..50_u8 {
        stream.write_all(&[number; 100]).unwrap();
    }
    assert!(is_silent(&mut stream, Duration::from_millis(50)));
    let begun = Instant::now();
    proxy.lift("late");
    for number in 0..50_u8 {
        let mut back = [0; 100];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, [number; 100]);
    }
    // Not the ten minutes that were asked for.
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn the_same_rule_again_changes_nothing() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    proxy.apply("late", latency(1));
    round_trip(&mut stream, b"x");
    let before = proxy.rule("late");
    proxy.apply("late", latency(1));
    assert_eq!(proxy.rule("late"), before);
    assert!(before.hits >= 2 && before.first_hit < before.last_hit);
}

#[test]
fn counts_stand_still_after_lifting() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    proxy.apply("late", latency(1));
    round_trip(&mut stream, b"x");
    proxy.lift("late");
    let before = proxy.rule("late");
    assert!(!before.acts);
    assert_eq!(before.bytes, 2);
    for _ in 0..10 {
        round_trip(&mut stream, b"x");
    }
    assert_eq!(proxy.rule("late"), before);
    let status = proxy.status();
    assert_eq!((status.bytes_to_server, status.bytes_to_client), (11, 11));
}

#[test]
fn a_share_selects_connections_once_and_for_all() {
    let mut proxy = Proxy::of(echo());
    let mut streams: Vec<_> = (0..60).map(|_| proxy.connect()).collect();
    for stream in &mut streams {
        round_trip(stream, b"x");
    }
    let hole = || LinkRule::new(Toxic::Blackhole(Blackhole::default()));
    assert_eq!(proxy.apply("none", hole().on(Share::ZERO)), 0);
    assert_eq!(proxy.apply("all", latency(0).on(Share::ONE)), 60);
    let third: Share = "33%".parse().unwrap();
    let selected = proxy.apply("some", latency(60).on(third));
    assert!((8..=32).contains(&selected), "{selected}");
    let mut slow = || -> Vec<bool> {
        let is_slow = |stream| round_trip(stream, b"x") >= Duration::from_millis(120);
        streams.iter_mut().map(is_slow).collect()
    };
    let first = slow();
    assert!(first.iter().filter(|slow| **slow).count() as u64 >= selected);
    // Other rules come and go, and this one is lifted and applied anew.
    proxy.lift("all");
    proxy.lift("some");
    proxy.apply("all", latency(0));
    assert_eq!(proxy.apply("some", latency(60).on(third)), selected);
    let again = slow();
    let both = first.iter().zip(&again).filter(|(one, two)| **one && **two);
    assert_eq!(both.count() as u64, selected);
}

#[test]
fn lifting_does_not_hang_on_a_reader_or_writer_that_is_blocked() {
    // A client that sends and never reads, to a server that never reads: every buffer on the way is full.
    let mut proxy = Proxy::of(server(|mut stream| {
        let _ = stream.write_all(&vec![1; 64 << 20]);
        thread::sleep(PATIENCE);
    }));
    let mut stream = proxy.connect();
    stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    proxy.apply("late", latency(5));
    let narrow = Bandwidth {
        bytes_per_second: std::num::NonZeroU64::new(1).unwrap(),
        scope: Scope::Connection,
    };
    proxy.apply("narrow", LinkRule::new(Toxic::Bandwidth(narrow)));
    let text = vec![0; 64 << 10];
    while stream.write(&text).is_ok() {}
    let begun = Instant::now();
    for id in ["narrow", "late"] {
        proxy.lift(id);
    }
    for _ in 0..20 {
        proxy.apply("late", latency(5).towards(Direction::ToServer));
        proxy.lift("late");
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    // Others are not held up.
    let mut other = proxy.connect();
    other.read_exact(&mut [0; 100]).unwrap();
}
