//! An ordered stream of 65,535 writes survives the toggling of everything that loses nothing.

use std::io::{BufReader, Read, Write};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use mcpload::fault::link::toxic::{
    Bandwidth, Blackhole, Distribution, Latency, LimitBytes, Reset, Scope, Slicer, SlowClose, Stall,
};
use mcpload::fault::link::{LinkRule, Toxic};
use mcpload::model::Share;

use super::support::{Proxy, echo};

fn lossless() -> Vec<Toxic> {
    let late = |distribution| {
        Toxic::Latency(Latency {
            delay: Duration::from_millis(3),
            jitter: Duration::from_millis(3),
            distribution,
            connect: true,
        })
    };
    vec![
        late(Distribution::Uniform),
        late(Distribution::Normal),
        late(Distribution::Pareto),
        Toxic::Bandwidth(Bandwidth {
            bytes_per_second: NonZeroU64::new(3_000_000).unwrap(),
            scope: Scope::Connection,
        }),
        Toxic::Bandwidth(Bandwidth {
            bytes_per_second: NonZeroU64::new(3_000_000).unwrap(),
            scope: Scope::Link,
        }),
        Toxic::Slicer(Slicer {
            average: NonZeroU64::new(3).unwrap(),
            variation: 2,
            delay: Duration::from_micros(5),
        }),
        Toxic::Stall(Stall {
            probability: "20%".parse().unwrap(),
            pause: Duration::from_millis(1),
        }),
        Toxic::SlowClose(SlowClose {
            delay: Duration::from_millis(5),
        }),
        Toxic::Refuse,
    ]
}

/// Those that lose something; they hit others.
fn lossy() -> Vec<Toxic> {
    vec![
        Toxic::Blackhole(Blackhole::default()),
        Toxic::Reset(Reset::default()),
        Toxic::LimitBytes(LimitBytes {
            bytes: 100,
            then: mcpload::fault::link::toxic::Then::Close,
        }),
    ]
}

/// A share of the connections, and an id, that do not select the first one.
fn id_that_spares_the_first(proxy: &mut Proxy, toxic: &Toxic) -> (String, Share) {
    let share: Share = "50%".parse().unwrap();
    for number in 0.. {
        let id = format!("{}-{number}", toxic.name());
        // A toxic that does nothing to streams tells who is selected.
        let harmless = Toxic::SlowClose(SlowClose {
            delay: Duration::ZERO,
        });
        let selected = proxy.apply(&id, LinkRule::new(harmless).on(share));
        proxy.lift(&id);
        if selected == 0 {
            return (id, share);
        }
    }
    unreachable!()
}

#[test]
fn an_ordered_stream_survives_the_toggling_of_everything() {
    const WRITES: u16 = u16::MAX;
    let mut proxy = Proxy::of(echo());
    let stream = proxy.connect();
    let hit: Vec<_> = lossy()
        .into_iter()
        .map(|toxic| {
            proxy.until_connections(1);
            let (id, share) = id_that_spares_the_first(&mut proxy, &toxic);
            (id, LinkRule::new(toxic).on(share))
        })
        .collect();
    let over = Arc::new(AtomicBool::new(false));
    let mut writer = stream.try_clone().unwrap();
    let writing = thread::spawn(move || {
        for number in 0..WRITES {
            writer.write_all(&number.to_be_bytes()).unwrap();
        }
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let (address, ended) = (proxy.address, Arc::clone(&over));
    // Others come and are hit.
    let others = thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            if let Ok(mut other) = std::net::TcpStream::connect(address) {
                let _ = other.set_read_timeout(Some(Duration::from_millis(5)));
                let _ = other.write_all(&[0; 200]);
                let _ = other.read(&mut [0; 200]);
            }
        }
    });
    let ended = Arc::clone(&over);
    let toggling = thread::spawn(move || {
        let mut toggles = 0;
        while !ended.load(Ordering::Relaxed) {
            for toxic in lossless() {
                proxy.apply(toxic.name(), LinkRule::new(toxic.clone()));
                thread::sleep(Duration::from_millis(3));
                let (id, rule) = &hit[toggles % hit.len()];
                proxy.apply(id, rule.clone());
                thread::sleep(Duration::from_millis(3));
                proxy.lift(id);
                if toggles % 2 == 0 {
                    proxy.lift(toxic.name());
                }
                toggles += 1;
            }
            for toxic in lossless() {
                proxy.lift(toxic.name());
            }
        }
        (proxy, toggles)
    });
    let mut reader = BufReader::new(stream);
    for number in 0..WRITES {
        let mut back = [0; 2];
        reader.read_exact(&mut back).unwrap();
        assert_eq!(u16::from_be_bytes(back), number);
    }
    assert_eq!(
        reader.read(&mut [0; 2]).unwrap(),
        0,
        "something was doubled"
    );
    over.store(true, Ordering::Relaxed);
    writing.join().unwrap();
    others.join().unwrap();
    let (mut proxy, toggles) = toggling.join().unwrap();
    assert!(toggles >= 9, "{toggles}");
    assert!(proxy.status().rules.iter().all(|rule| !rule.acts));
}
