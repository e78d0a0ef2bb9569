//! Faults of links: the test uses the link itself, beside the load, and looks at what becomes of its own bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::played::{Played, Story};

/// How long something is waited for that should not come.
const IN_VAIN: Duration = Duration::from_millis(600);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// A run whose fault acts on one link.
struct Linked {
    played: Played,
    /// Where others reach the target.
    link: SocketAddr,
    /// Where it listens itself.
    direct: SocketAddr,
}

impl Linked {
    /// Plays the example of this kind until its effect is proven.
    fn effective(kind: &str) -> Self {
        let mut linked = Self::begun(kind);
        linked.wait_until_effective();
        linked
    }

    /// Plays the example of this kind until the phase begins in which it acts.
    fn begun(kind: &str) -> Self {
        let mut played = Played::example(kind);
        played.run.wait_for_event("phase-began", "chaos");
        let plan = played.run.json("plan.json");
        let target = plan["faults"][0]["targets"][0].as_str().unwrap().to_owned();
        let text = std::fs::read_to_string(played.run.directory().join("bindings.jsonl")).unwrap();
        let bindings = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut of_target =
            bindings.filter(|row| row["instance"] == format!("{target}#1").as_str());
        let binding = of_target.next().unwrap();
        let address = |key: &str| binding[key].as_str().unwrap().parse().unwrap();
        let (link, direct) = (address("link"), address("address"));
        assert_ne!(link, direct, "there is no proxy before {target}");
        Self {
            played,
            link,
            direct,
        }
    }

    fn wait_until_effective(&mut self) {
        self.played.run.wait_for_event("fault-effective", "");
    }

    /// Waits for the end of the run; the link is as before the fault when it is healed.
    fn healed(mut self) -> Story {
        self.played.run.wait_for_event("fault-heal-proven", "");
        let answer = get(self.link, "").expect("the healed link carries a request");
        assert!(answer.bytes.starts_with(b"HTTP/1.1 200"), "{answer:?}");
        self.played.ended()
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    bytes: Vec<u8>,
    /// From before the connection to the first byte.
    first: Duration,
    /// To the last.
    last: Duration,
    /// To the end of the connection.
    end: Duration,
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn request(further: &str) -> String {
    format!("GET /health/ready HTTP/1.1\r\nhost: x\r\n{further}\r\n")
}

/// One request on a connection of its own, up to the end of the connection.
fn get(address: SocketAddr, further: &str) -> std::io::Result<Answer> {
    let begin = Instant::now();
    let mut stream = connect(address)?;
    stream.write_all(request(&format!("connection: close\r\n{further}")).as_bytes())?;
    let mut answer = Answer {
        bytes: Vec::new(),
        first: Duration::ZERO,
        last: Duration::ZERO,
        end: Duration::ZERO,
    };
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        let now = begin.elapsed();
        if read == 0 {
            answer.end = now;
            return Ok(answer);
        }
        if answer.bytes.is_empty() {
            answer.first = now;
        }
        answer.last = now;
        answer.bytes.extend_from_slice(&buffer[..read]);
    }
}

/// Whether nothing comes on the connection for a while, and it does not end.
fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(IN_VAIN)).unwrap();
    match stream.read_exact(&mut [0; 1]) {
        Ok(()) => false,
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn latency_delays_both_ways_and_says_by_how_much() {
    let linked = Linked::effective("latency");
    let over = get(linked.link, "").unwrap();
    // 50 ms there and 50 ms back; the bytes may be late for other reasons, but not early.
    assert!(over.first >= Duration::from_millis(100), "{over:?}");
    // The end of the connection is delayed like the bytes before it.
    assert!(over.end >= Duration::from_millis(100));
    let story = linked.healed();
    let effect = &story.summary["analysis"]["faults"][0]["effects"][0];
    assert_eq!(effect["requested"], 100.0, "{effect}");
    // The kernel's and our own time vary on both ways that are compared; by less than a fifth of the delay.
    assert!(effect["achieved"].as_f64().unwrap() >= 80.0, "{effect}");
}

#[test]
fn bandwidth_holds_the_rate() {
    let linked = Linked::effective("bandwidth");
    // At 16 KiB/s, 16 KiB take a second; a quarter is left for what passes at once.
    let padding = format!("x-padding: {}\r\n", "x".repeat(16 << 10));
    let over = get(linked.link, &padding).unwrap();
    assert!(over.first >= Duration::from_millis(750), "{over:?}");
    let beside = get(linked.direct, &padding).unwrap();
    assert_eq!(beside.bytes[..12], over.bytes[..12]);
    linked.healed();
}

#[test]
fn stall_makes_some_wait_and_loses_nothing() {
    let linked = Linked::effective("stall");
    let mut waited = 0;
    // With 20 % a way, twelve requests without a single loss are rarer than one in a hundred runs of 2^7.
    for _ in 0..12 {
        let over = get(linked.link, "").unwrap();
        assert!(over.bytes.starts_with(b"HTTP/1.1 200"), "{over:?}");
        waited += u32::from(over.end >= Duration::from_millis(200));
        if waited > 0 {
            break;
        }
    }
    assert!(waited > 0);
    linked.healed();
}

#[test]
fn slicer_passes_small_pieces_one_after_the_other() {
    let linked = Linked::effective("slicer");
    let over = get(linked.link, "").unwrap();
    assert!(over.bytes.starts_with(b"HTTP/1.1 200"), "{over:?}");
    // Pieces of 16 bytes, each a millisecond after the one before.
    let pieces = u64::try_from(over.bytes.len() / 16 - 1).unwrap();
    assert!(
        over.last >= over.first + Duration::from_millis(pieces),
        "{over:?}"
    );
    linked.healed();
}

#[test]
fn slow_close_holds_the_end_alone() {
    let linked = Linked::effective("slow-close");
    let over = get(linked.link, "").unwrap();
    assert!(
        over.end >= over.last + Duration::from_millis(195),
        "{over:?}"
    );
    linked.healed();
}

#[test]
fn blackhole_answers_nothing_while_the_server_does() {
    let linked = Linked::effective("blackhole");
    let mut stream = connect(linked.link).unwrap();
    stream.write_all(request("").as_bytes()).unwrap();
    assert!(is_silent(&mut stream));
    assert!(
        get(linked.direct, "")
            .unwrap()
            .bytes
            .starts_with(b"HTTP/1.1 200")
    );
    linked.healed();
}

#[test]
fn half_open_silences_old_connections_and_leaves_new_ones() {
    let mut linked = Linked::begun("half-open");
    let mut old = connect(linked.link).unwrap();
    old.write_all(request("").as_bytes()).unwrap();
    let mut answer = [0; 12];
    old.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    // The rest of that answer.
    while !is_silent(&mut old) {}
    linked.wait_until_effective();
    // It may take this or not: nobody answers.
    let _ = old.write_all(request("").as_bytes());
    assert!(is_silent(&mut old));
    assert!(
        get(linked.link, "")
            .unwrap()
            .bytes
            .starts_with(b"HTTP/1.1 200")
    );
    linked.healed();
}

#[test]
fn reset_resets_new_connections() {
    let linked = Linked::effective("reset");
    let kind = get(linked.link, "")
        .map(|answer| answer.bytes)
        .unwrap_err()
        .kind();
    assert!(
        matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{kind:?}"
    );
    assert!(get(linked.direct, "").is_ok());
    linked.healed();
}

#[test]
fn refuse_refuses_new_connections() {
    let linked = Linked::effective("refuse");
    let kind = get(linked.link, "").unwrap_err().kind();
    assert_eq!(kind, ErrorKind::ConnectionRefused);
    assert!(get(linked.direct, "").is_ok());
    linked.healed();
}

#[test]
fn limit_bytes_passes_so_many_and_ends() {
    let linked = Linked::effective("limit-bytes");
    let over = get(linked.link, "").unwrap();
    let beside = get(linked.direct, "").unwrap();
    assert_eq!(over.bytes, beside.bytes[..64]);
    linked.healed();
}

#[test]
fn answers_become_others_over_the_link_alone() {
    let linked = Linked::effective("answers");
    // The rule draws by request: of forty, some are hit and some are not (each way, once in 2^40).
    let status = |address| {
        let answer = post(address);
        String::from_utf8_lossy(&answer[9..12]).into_owned()
    };
    let over: Vec<String> = (0..40).map(|_| status(linked.link)).collect();
    let hit = over.iter().filter(|status| *status == "503").count();
    assert!((1..40).contains(&hit), "{over:?}");
    assert!((0..5).all(|_| status(linked.direct) != "503"));
    linked.healed();
}

/// Posts a request of the protocol; the answer, whatever it is.
fn post(address: SocketAddr) -> Vec<u8> {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let mut stream = connect(address).unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_proxy_that_dies_makes_the_run_invalid_and_nothing_is_left() {
    let mut linked = Linked::effective("latency");
    let is_proxy = |pid: u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"wire")
    };
    let below = linked.played.run.descendants();
    let proxy = below.iter().find(|process| is_proxy(process.pid)).unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(proxy.pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    linked.played.run.wait_for_event("link-lost", "signal: 9");
    let code = linked.played.run.exit_code();
    linked.played.run.assert_nothing_left();
    // The fault could not be lifted by its proxy, and is gone with it.
    assert!(
        matches!(code, Some(7 | 8)),
        "{code:?} {}",
        linked.played.run.printed()
    );
    let summary = linked.played.run.json("report/summary.json");
    let trust = summary["analysis"]["trust"].as_array().unwrap();
    let chaos = trust
        .iter()
        .find(|grade| grade["phase"] == "chaos")
        .unwrap();
    assert_eq!(chaos["trust"], "invalid");
}

#[test]
fn a_proxy_names_the_instance_behind_it() {
    let mut played =
        Played::with("[fleet.role.server]\nproxy = true\nreplicas = 2\n[fleet.role.balancer]\n");
    played.run.wait_for_event("phase-began", "chaos");
    let text = std::fs::read_to_string(played.run.directory().join("bindings.jsonl")).unwrap();
    let mut bindings = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let server = bindings
        .find(|row| row["instance"] == "server-2#1")
        .unwrap();
    let link = server["link"].as_str().unwrap().parse().unwrap();
    let answer = get(link, "").unwrap();
    let head = String::from_utf8_lossy(&answer.bytes).to_ascii_lowercase();
    assert!(head.contains("mcpload-instance: server-2#1\r\n"), "{head}");
    assert_eq!(played.run.exit_code(), Some(0), "{}", played.run.printed());
    played.run.assert_nothing_left();
}
