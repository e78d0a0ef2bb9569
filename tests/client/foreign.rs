//! Answers from elsewhere, of others, and to something else: what looks right and is not.

use std::net::TcpListener;

use mcpload::model::session::Transition;
use mcpload::model::{Class, Outcome};
use mcpload::plan::Expectation;
use serde_json::json;

use crate::conductor::run;
use crate::support::{LEGACY, MODERN, Server, classes, each, echo, steps, times, transitions};

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
