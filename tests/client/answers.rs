//! Answers that are not what they should be, and the class that each of them has.

use std::time::Duration;

use mcpload::model::{Class, Outcome, ProtocolVersion};

use crate::conductor::run;
use crate::support::{LEGACY, MODERN, Server, classes, each, echo, echo_within, steps, times};

type Case = (&'static str, Class, Option<i64>);

/// What a client makes of a body of JSON.
const JSON: &[Case] = &[
    ("wrong-id", Class::Malformed, None),
    ("wrong-id=type", Class::Malformed, None),
    ("wrong-id=null", Class::Malformed, None),
    ("wrong-id=missing", Class::Malformed, None),
    ("no-answer", Class::Malformed, None),
    ("two-answers", Class::None, None),
    ("invalid-json", Class::Malformed, None),
    ("invalid-json=utf8", Class::Malformed, None),
    ("html", Class::Malformed, None),
    ("gzip", Class::Malformed, None),
    ("strip-header=content-type", Class::Malformed, None),
    ("set-header=content-type:text/plain", Class::Malformed, None),
    ("strip-header=content-length", Class::None, None),
    ("chunked-oddities", Class::None, None),
    ("drip=16,every=1ms", Class::None, None),
    ("truncate=10", Class::Truncated, None),
    ("declared-length", Class::Truncated, None),
    ("close-before-head", Class::Transport, None),
    ("close-before-head=reset", Class::Transport, None),
    ("status=406", Class::Http, Some(406)),
    ("status=421", Class::Http, Some(421)),
    ("status=429", Class::Http, Some(429)),
    ("status=503", Class::Http, Some(503)),
    ("deep-json=1000000", Class::WrongAnswer, None),
    ("escapes", Class::WrongAnswer, None),
    ("header-flood", Class::Transport, None),
    ("header-flood=20,size=64KiB", Class::Transport, None),
];

/// What it makes of a stream of events that cannot be resumed.
const EVENTS: &[Case] = &[
    ("wrong-id", Class::Malformed, None),
    ("no-answer", Class::Truncated, None),
    ("two-answers", Class::None, None),
    ("invalid-json", Class::Malformed, None),
    ("invalid-json=utf8", Class::Malformed, None),
    ("cut-stream=0", Class::Truncated, None),
    ("cut-stream=0,inside", Class::Truncated, None),
    ("truncate=10", Class::Truncated, None),
    ("declared-length", Class::None, None),
    ("chunked-oddities", Class::None, None),
    ("buffer", Class::None, None),
    ("gzip", Class::Malformed, None),
    ("deep-json=1000000", Class::WrongAnswer, None),
];

/// Three calls, each with this class; what one answer is must not touch the next.
fn check(words: &[&str], version: ProtocolVersion, (rule, class, code): Case) {
    let server = Server::start(&[&format!("{rule},tool=echo")], words);
    let record = run(&times(3, version, echo()), &server.url);
    let found = classes(&record);
    assert_eq!(found, [(class, code); 3], "{rule} of {version}");
    let outcome = class.outcome(code);
    assert!(
        steps(&record)
            .iter()
            .all(|call| call.outcome == outcome && call.ends == Some(outcome)),
        "{rule} of {version}"
    );
}

#[test]
fn a_wrong_body_of_json_has_its_class() {
    for version in [LEGACY, MODERN] {
        each(JSON, |case| check(&["--json"], version, *case));
    }
}

#[test]
fn a_wrong_stream_of_events_has_its_class() {
    for version in [ProtocolVersion::V2025_03_26, LEGACY, MODERN] {
        let words = &["--event-store", "0"];
        each(EVENTS, |case| check(words, version, *case));
    }
}

#[test]
fn what_does_not_come_in_time_is_a_timeout() {
    let rules = [
        ("one-byte-per-second", "--json"),
        ("never", "--json"),
        ("late=20s", "--json"),
        ("stall-stream=0,inside", "--stateless"),
    ];
    each(&rules, |(rule, word)| {
        let server = Server::start(&[&format!("{rule},tool=echo")], &[*word]);
        let limit = Duration::from_millis(700);
        let record = run(&times(1, LEGACY, echo_within(limit)), &server.url);
        assert_eq!(classes(&record), [(Class::Timeout, None)], "{rule}");
        let call = steps(&record)[0];
        let sent = call.sent.unwrap();
        assert!(call.done.nanos() - sent.nanos() >= 500_000_000, "{rule}");
        assert_eq!(call.outcome, Outcome::Info, "{rule}");
    });
}
