//! Links whose slot is down: they look like a port at which nothing listens, and nobody fails over worse for the proxy.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mcpload::model::Outcome;
use serde_json::Value;

use crate::played::{Played, Story};

/// How long anything here may take, on a machine that does other things besides.
const PATIENCE: Duration = Duration::from_secs(20);

/// Three slow servers, one of which is killed and comes back after two seconds.
fn fleet(proxy: bool) -> String {
    format!(
        r#"
[fleet.role.server]
replicas = 3
args = ["--echo-delay", "100ms"]
restart = {{ policy = "always", backoff = "2s" }}
proxy = {proxy}
[fleet.role.balancer]
[[fault]]
name = "one-dies"
kind = "kill"
target = {{ slot = "server-2" }}
at = "chaos + 1s"
"#
    )
}

/// What a client of the link meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Refused,
    Reset,
    Answered,
}

fn meet(address: SocketAddr) -> Met {
    let mut stream = match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Met::Refused,
        // Let in and reset in one moment.
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            return Met::Reset;
        }
    };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let asked = stream
        .write_all(b"GET /health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .and_then(|()| stream.read_exact(&mut [0; 12]));
    if asked.is_ok() {
        Met::Answered
    } else {
        Met::Reset
    }
}

/// The address of a slot: its link, or where it listens itself.
fn address(played: &Played, slot: &str, key: &str) -> SocketAddr {
    let text = std::fs::read_to_string(played.run.directory().join("bindings.jsonl")).unwrap();
    let row = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|row| row["instance"] == format!("{slot}#1").as_str());
    row.unwrap()[key].as_str().unwrap().parse().unwrap()
}

#[test]
fn the_link_of_a_killed_slot_refuses_until_the_next_instance_listens() {
    let mut played = Played::with(&fleet(true));
    played.run.wait_for_event("phase-began", "chaos");
    let (link, direct) = (
        address(&played, "server-2", "link"),
        address(&played, "server-2", "address"),
    );
    assert_ne!(link, direct);
    let begun = Instant::now();
    let (mut met, mut beside) = (Vec::new(), Vec::new());
    // From before the kill until after the next instance.
    while met.len() < 3 || met.last() != Some(&Met::Answered) {
        for (address, seen) in [(link, &mut met), (direct, &mut beside)] {
            let now = meet(address);
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        }
        assert!(begun.elapsed() < PATIENCE, "{met:?} {beside:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    // Whoever comes in the moment of the death, or of the start, may be reset: by the server itself, or after the kernel let it in.
    met.retain(|now| *now != Met::Reset);
    beside.retain(|now| *now != Met::Reset);
    let expected = [Met::Answered, Met::Refused, Met::Answered];
    assert_eq!((&met[..], &beside[..]), (&expected[..], &expected[..]));
    played.ended();
}

/// How many calls did not end well, and what became of them.
fn losses(story: &Story) -> (usize, BTreeSet<String>) {
    let lost = story
        .calls
        .iter()
        .filter(|call| call.arrival.is_some() && call.outcome != Outcome::Ok);
    let classes: Vec<String> = lost.map(|call| format!("{:?}", call.class)).collect();
    (classes.len(), classes.into_iter().collect())
}

#[test]
fn a_balancer_fails_over_alike_with_and_without_proxies() {
    let mut arms = [false, true].map(|proxy| Played::with(&fleet(proxy)));
    let [(few, direct), (many, proxied)] = arms.each_mut().map(|arm| losses(&arm.ended()));
    println!("direct {few} {direct:?}, proxied {many} {proxied:?}");
    // What was in flight is lost in both, and how much that is is chance; a server that seems to be there for the two seconds in which
    // it is down would cost a third of sixty calls in each.
    assert!(
        many < few + 20,
        "{few} direct {direct:?}, {many} proxied {proxied:?}"
    );
}
