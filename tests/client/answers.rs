//! Answers that are not what they should be, and the class that each of them has.

use std::net::TcpListener;
use std::time::Duration;

use mcpload::model::session::Transition;
use mcpload::model::{Class, Outcome, ProtocolVersion};
use mcpload::plan::Expectation;
use serde_json::json;

use crate::conductor::run;
use crate::support::{
    LEGACY, MODERN, Server, classes, each, echo, echo_within, steps, times, transitions,
};

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
        assert!(call.done.nanos() - sent.nanos() >= 700_000_000, "{rule}");
        assert_eq!(call.outcome, Outcome::Info, "{rule}");
    });
}

#[test]
fn a_redirect_is_not_followed() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    target.set_nonblocking(true).unwrap();
    let location = target.local_addr().unwrap();
    each(&[301_u16, 307, 308], |code| {
        let rule = format!("redirect=http://{location}/mcp,code={code},tool=echo");
        let server = Server::start(&[&rule], &[]);
        let record = run(&times(1, LEGACY, echo()), &server.url);
        let class = (Class::Http, Some(i64::from(*code)));
        assert_eq!(classes(&record), [class]);
        assert_eq!(steps(&record)[0].outcome, Outcome::Fail);
    });
    let came = target.accept().unwrap_err();
    assert_eq!(came.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn the_answer_to_another_session_is_noticed() {
    for (rule, version, words) in [
        ("swap-ids,tool=echo", LEGACY, &["--json"][..]),
        ("swap-ids=foreign,tool=echo", LEGACY, &[]),
        ("swap-ids,tool=echo", MODERN, &[]),
    ] {
        let server = Server::start(&[rule], words);
        let mut plan = times(6, version, echo());
        plan.workloads[0].clients = 3;
        let record = run(&plan, &server.url);
        let wrong = |class| class == Class::WrongAnswer || class == Class::Malformed;
        let found = classes(&record);
        // The first answer has no other to be swapped with.
        assert!(found.iter().any(|(class, _)| wrong(*class)), "{found:?}");
        assert!(
            found
                .iter()
                .all(|(class, _)| *class == Class::None || wrong(*class)),
            "{found:?}"
        );
        let own_id = !rule.contains("foreign");
        let malformed = found.iter().any(|(class, _)| *class == Class::Malformed);
        assert!(!(own_id && malformed), "{found:?}");
    }
}

#[test]
fn a_wrong_text_with_the_right_id_is_a_wrong_answer() {
    let server = Server::start(&[], &["--wrong-answer", "100%"]);
    let record = run(&times(2, LEGACY, echo()), &server.url);
    assert_eq!(classes(&record), [(Class::WrongAnswer, None); 2]);
    assert_eq!(transitions(&record), [Transition::Born, Transition::Closed]);
}

#[test]
fn an_expectation_that_looks_into_a_deep_answer_is_not_met_and_no_more() {
    let path = Expectation::Json {
        path: "$.structuredContent..sum".to_owned(),
        equals: json!(3),
    };
    for expectation in [path, Expectation::Schema] {
        let server = Server::start(&["deep-json=1000000,tool=echo"], &["--json"]);
        let mut operation = echo();
        operation.steps[0].expect = vec![expectation];
        let record = run(&times(2, LEGACY, operation), &server.url);
        assert_eq!(classes(&record), [(Class::WrongAnswer, None); 2]);
    }
}
