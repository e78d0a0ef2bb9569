//! An ordered stream of 65,535 writes survives the toggling of everything: as bytes, and as the body of an answer of HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mcpload::fault::link::toxic::{
    Answers, Bandwidth, Blackhole, Distribution, HalfOpen, Latency, LimitBytes, Reset, Scope, Side,
    Slicer, SlowClose, Stall, Then,
};
use mcpload::fault::link::{LinkRule, Toxic};
use mcpload::model::Share;
use mcpload::proxy::Start;

use super::support::{Proxy, echo, plain, server};

/// How many writes a stream has.
const WRITES: u16 = u16::MAX;

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
            then: Then::Close,
        }),
        Toxic::HalfOpen(HalfOpen { gone: Side::Server }),
        Toxic::HalfOpen(HalfOpen { gone: Side::Client }),
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

/// A proxy whose rules come and go while a stream passes it.
struct Toggled {
    over: Arc<AtomicBool>,
    others: JoinHandle<()>,
    toggling: JoinHandle<(Proxy, usize)>,
}

impl Toggled {
    /// Toggles what loses nothing on all connections, and the rest on others than the first, the only one that lives. Others come,
    /// say this, and are hit.
    fn begin(mut proxy: Proxy, harmless: Vec<Toxic>, others_say: &'static [u8]) -> Self {
        let hit: Vec<_> = lossy()
            .into_iter()
            .map(|toxic| {
                proxy.until_connections(1);
                let (id, share) = id_that_spares_the_first(&mut proxy, &toxic);
                (id, LinkRule::new(toxic).on(share))
            })
            .collect();
        let over = Arc::new(AtomicBool::new(false));
        let (address, ended) = (proxy.address, Arc::clone(&over));
        let others = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                say(address, others_say);
            }
        });
        let ended = Arc::clone(&over);
        let toggling = thread::spawn(move || {
            let mut toggles = 0;
            while !ended.load(Ordering::Relaxed) {
                for (number, toxic) in harmless.iter().enumerate() {
                    let name = format!("{}-{number}", toxic.name());
                    proxy.apply(&name, LinkRule::new(toxic.clone()));
                    thread::sleep(Duration::from_millis(3));
                    let (id, rule) = &hit[toggles % hit.len()];
                    proxy.apply(id, rule.clone());
                    thread::sleep(Duration::from_millis(3));
                    proxy.lift(id);
                    if toggles % 2 == 0 {
                        proxy.lift(&name);
                    }
                    toggles += 1;
                }
                for (number, toxic) in harmless.iter().enumerate() {
                    proxy.lift(&format!("{}-{number}", toxic.name()));
                }
            }
            (proxy, toggles)
        });
        Self {
            over,
            others,
            toggling,
        }
    }

    /// Ends it; every rule was toggled, and none acts any more.
    fn end(self, rules: usize) -> Proxy {
        self.over.store(true, Ordering::Relaxed);
        self.others.join().unwrap();
        let (mut proxy, toggles) = self.toggling.join().unwrap();
        assert!(toggles >= rules, "{toggles}");
        assert!(proxy.status().rules.iter().all(|rule| !rule.acts));
        proxy
    }
}

fn say(address: SocketAddr, text: &[u8]) {
    if let Ok(mut other) = TcpStream::connect(address) {
        let _ = other.set_read_timeout(Some(Duration::from_millis(5)));
        let _ = other.write_all(text);
        let _ = other.read(&mut [0; 200]);
    }
}

/// Reads the numbers, each between these bytes, and then the end of the stream.
fn assert_in_order(reader: &mut impl Read, before: &[u8], after: &[u8], end: &[u8]) {
    for number in 0..WRITES {
        let expected = [before, &number.to_be_bytes(), after].concat();
        let mut back = vec![0; expected.len()];
        reader.read_exact(&mut back).unwrap();
        assert_eq!(back, expected, "number {number}");
    }
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, end, "something was doubled");
}

#[test]
fn an_ordered_stream_survives_the_toggling_of_everything() {
    let proxy = Proxy::of(echo());
    let mut stream = proxy.connect();
    let toggled = Toggled::begin(proxy, lossless(), &[0; 200]);
    let mut writer = stream.try_clone().unwrap();
    let writing = thread::spawn(move || {
        for number in 0..WRITES {
            writer.write_all(&number.to_be_bytes()).unwrap();
        }
        writer.shutdown(Shutdown::Write).unwrap();
    });
    assert_in_order(&mut BufReader::new(&mut stream), b"", b"", b"");
    writing.join().unwrap();
    toggled.end(lossless().len());
}

/// Answers each request: one for `/stream` with the numbers, each a chunk of the body, and every other with a word.
fn streams() -> SocketAddr {
    server(|mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while reader.read_line(&mut head).is_ok_and(|read| read > 0) {
            if !head.ends_with("\r\n\r\n") {
                continue;
            }
            if head.starts_with("GET /stream ") {
                let head =
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
                stream.write_all(head).unwrap();
                for number in 0..WRITES {
                    let chunk = [b"2\r\n", &number.to_be_bytes()[..], b"\r\n"].concat();
                    stream.write_all(&chunk).unwrap();
                }
                stream.write_all(b"0\r\n\r\n").unwrap();
                return;
            }
            head.clear();
            if stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nword")
                .is_err()
            {
                return;
            }
        }
    })
}

#[test]
fn an_ordered_answer_survives_the_toggling_of_everything_answers_included() {
    let mut proxy = Proxy::start(Start {
        http: true,
        instance: Some("server-1#1".to_owned()),
        ..plain(streams())
    });
    let mut stream = proxy.connect();
    stream
        .write_all(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    let mut reader = BufReader::new(&mut stream);
    // The answer has begun before the first rule: those that come later hit the requests that come later.
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    assert!(head.contains("mcpload-instance: server-1#1\r\n"), "{head}");
    let mut harmless = lossless();
    for rule in ["status=503,on=any", "html,on=any", "drip,on=any"] {
        let rules = vec![
            rule.parse()
                .unwrap_or_else(|error| panic!("{rule}: {error}")),
        ];
        harmless.push(Toxic::Answers(Answers { rules }));
    }
    proxy.until_connections(1);
    let rules = harmless.len();
    let toggled = Toggled::begin(proxy, harmless, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_in_order(&mut reader, b"2\r\n", b"\r\n", b"0\r\n\r\n");
    let mut proxy = toggled.end(rules);
    let status = proxy.status();
    let answers = |name: &str| {
        status
            .rules
            .iter()
            .any(|rule| rule.id.starts_with(name) && rule.hits > 0)
    };
    assert!(
        answers("answers-"),
        "no answer of the others was changed: {:?}",
        status.rules
    );
}
