//! How late, how slow, how finely cut: what is requested comes out.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use mcpload::fault::link::toxic::{Bandwidth, Latency, Scope, Slicer, SlowClose, Stall};
use mcpload::fault::link::{Direction, LinkRule, Toxic};

use super::support::{Proxy, echo, rest, round_trip, server};

pub(crate) fn latency(milliseconds: u64) -> LinkRule {
    LinkRule::new(Toxic::Latency(Latency {
        delay: Duration::from_millis(milliseconds),
        jitter: Duration::ZERO,
        distribution: mcpload::fault::link::toxic::Distribution::Uniform,
        connect: false,
    }))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// +5, +50 and +500 ms on the way to the client come out within 1 ms plus 2 % at the median. The undisturbed path through the same
/// proxy is measured in turn with the delayed one; the best of five tries counts, since others use the machine too.
#[test]
fn latency_comes_out_as_requested() {
    let (mut slow, mut quick) = (Proxy::of(echo()), Proxy::of(echo()));
    let (mut delayed, mut undisturbed) = (slow.connect(), quick.connect());
    for (milliseconds, count) in [(5, 41), (50, 21), (500, 5)] {
        slow.apply("late", latency(milliseconds).towards(Direction::ToClient));
        let delay = Duration::from_millis(milliseconds);
        let bound = Duration::from_millis(1) + delay / 50;
        let mut off = Vec::new();
        for _ in 0..5 {
            let (mut with, mut without) = (Vec::new(), Vec::new());
            for _ in 0..count {
                let took = round_trip(&mut delayed, b"some text");
                assert!(took >= delay, "{took:?} is less than {delay:?}");
                with.push(took);
                without.push(round_trip(&mut undisturbed, b"some text"));
            }
            let more = median(&mut with).saturating_sub(median(&mut without));
            off.push(more.saturating_sub(delay));
            if off.last() < Some(&bound) {
                break;
            }
        }
        eprintln!("+{milliseconds} ms came out later by {off:?}");
        assert!(off.iter().any(|off| *off <= bound), "{off:?} > {bound:?}");
        // Only so can it be proven to act on its path, and no more when lifted.
        assert!(slow.rule("late").hits >= count);
        assert_eq!(quick.status().rules, []);
    }
}

#[test]
fn stacked_latencies_add_up_and_both_ways_count() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    proxy.apply("one", latency(20));
    proxy.apply("two", latency(30).towards(Direction::ToServer));
    let took = round_trip(&mut stream, &vec![1; 32 << 10]);
    assert!(took >= Duration::from_millis(70), "{took:?}");
    proxy.apply("one", latency(0));
    let took = round_trip(&mut stream, b"x");
    assert!(took >= Duration::from_millis(30), "{took:?}");
}

#[test]
fn what_is_pipelined_is_late_and_not_slow() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    proxy.apply("late", latency(300).towards(Direction::ToServer));
    let begun = Instant::now();
    for _ in 0..20 {
        stream.write_all(b"a chunk").unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    stream.read_exact(&mut [0; 20 * 7]).unwrap();
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(300), "{took:?}");
    // One after the other it would take 6 s.
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_connection_and_its_end_are_late_too() {
    let mut proxy = Proxy::of(echo());
    let LinkRule { what, .. } = latency(60);
    let Toxic::Latency(late) = what else {
        unreachable!()
    };
    proxy.apply(
        "late",
        LinkRule::new(Toxic::Latency(Latency {
            connect: true,
            ..late
        })),
    );
    let begun = Instant::now();
    let mut stream = proxy.connect();
    round_trip(&mut stream, b"x");
    // Twice for the handshake, twice for the round trip.
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(240), "{took:?}");
    let begun = Instant::now();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut stream), (vec![], None));
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(120), "{took:?}");
}

fn bandwidth(rate: u64, scope: Scope) -> LinkRule {
    LinkRule::new(Toxic::Bandwidth(Bandwidth {
        bytes_per_second: NonZeroU64::new(rate).unwrap(),
        scope,
    }))
    .towards(Direction::ToClient)
}

#[test]
fn a_rate_is_kept_by_each_connection_or_by_all_together() {
    let mut proxy = Proxy::of(echo());
    let body = vec![7; 100_000];
    for (scope, least) in [(Scope::Connection, 200), (Scope::Link, 600)] {
        proxy.apply("narrow", bandwidth(500_000, scope));
        let mut streams: Vec<_> = (0..3).map(|_| proxy.connect()).collect();
        let begun = Instant::now();
        for stream in &mut streams {
            stream.write_all(&body).unwrap();
        }
        for stream in &mut streams {
            let mut back = vec![0; body.len()];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(back, body);
        }
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(least), "{scope:?}: {took:?}");
        if scope == Scope::Connection {
            // All together would take 600 ms; the rest is for a busy machine.
            assert!(took < Duration::from_millis(550), "{took:?}");
        }
    }
}

#[test]
fn a_slow_close_holds_the_end_and_nothing_else() {
    let mut proxy = Proxy::of(server(|mut stream| {
        stream.write_all(b"all").unwrap();
    }));
    let slow = SlowClose {
        delay: Duration::from_millis(200),
    };
    proxy.apply("slow", LinkRule::new(Toxic::SlowClose(slow)));
    let mut stream = proxy.connect();
    stream.read_exact(&mut [0; 3]).unwrap();
    let begun = Instant::now();
    assert_eq!(rest(&mut stream), (vec![], None));
    let took = begun.elapsed();
    // The end came a moment before the text was read here.
    assert!(took >= Duration::from_millis(150), "{took:?}");
}

#[test]
fn slices_arrive_one_by_one() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    let slicer = Slicer {
        average: NonZeroU64::new(10).unwrap(),
        variation: 5,
        delay: Duration::from_millis(10),
    };
    proxy.apply(
        "sliced",
        LinkRule::new(Toxic::Slicer(slicer)).towards(Direction::ToClient),
    );
    let text: Vec<u8> = (0..150).collect();
    let begun = Instant::now();
    stream.write_all(&text).unwrap();
    let (mut back, mut pieces) = (Vec::new(), 0);
    while back.len() < text.len() {
        let mut space = [0; 1024];
        let read = stream.read(&mut space).unwrap();
        assert!(read > 0);
        back.extend_from_slice(&space[..read]);
        pieces += 1;
    }
    assert_eq!(back, text);
    // At least ten slices, so nine waits; a reader that is late may see several at once.
    assert!(begun.elapsed() >= Duration::from_millis(90));
    assert!(pieces >= 2, "{pieces}");
}

#[test]
fn a_stall_is_late_and_lossless() {
    let mut proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    let stall = |share: &str| {
        LinkRule::new(Toxic::Stall(Stall {
            probability: share.parse().unwrap(),
            pause: Duration::from_millis(10),
        }))
        .towards(Direction::ToServer)
    };
    // Lost six times: 10 + 20 + 40 + 80 + 160 + 320.
    proxy.apply("stall", stall("100%"));
    let took = round_trip(&mut stream, b"x");
    assert!(took >= Duration::from_millis(630), "{took:?}");
    assert_eq!(proxy.rule("stall").hits, 1);
    proxy.apply("stall", stall("0%"));
    round_trip(&mut stream, b"x");
    assert_eq!(proxy.rule("stall").hits, 0);
}
