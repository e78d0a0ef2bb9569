//! Sessions that are lost, replaced, ended, and left.

use std::time::Duration;

use mcpload::model::session::Transition::{Abandoned, Born, Closed, Lost, ReEstablished};
use mcpload::model::{Class, Outcome, Share};
use mcpload::plan::{RecoveryPlan, VanishHow, VanishPlan};

use crate::conductor::run;
use crate::support::{LEGACY, Server, classes, each, echo, steps, times, transitions};

#[test]
fn each_policy_does_about_a_lost_session_what_it_says() {
    let replaced = &[Born, Lost, ReEstablished, Closed][..];
    let cases = [
        ("spec", 404, replaced),
        ("spec", 400, &[Born, Closed]),
        ("lenient", 404, replaced),
        ("lenient", 400, replaced),
        ("lenient", 410, replaced),
        ("never", 404, &[Born, Lost]),
        ("never", 400, &[Born, Closed]),
        ("sdk-python", 404, &[Born, Lost]),
        ("rmcp", 404, replaced),
    ];
    each(&cases, |(policy, status, moves)| {
        let rule = format!("status={status},tool=echo,first=1");
        let server = Server::start(&[&rule], &["--json"]);
        let mut plan = times(2, LEGACY, echo());
        plan.workloads[0].recovery = RecoveryPlan::preset(policy);
        let record = run(&plan, &server.url);
        let class = if *status == 410 {
            Class::Http
        } else {
            Class::SessionLost
        };
        let lost = (class, Some(i64::from(*status)));
        let mut expected = vec![lost, (Class::None, None)];
        if *policy == "rmcp" {
            // The call was sent again, in the new session.
            expected.push((Class::None, None));
        }
        assert_eq!(classes(&record), expected, "{policy} {status}");
        assert_eq!(transitions(&record), *moves, "{policy} {status}");
        let first = steps(&record)[0];
        let ends = (*policy != "rmcp").then_some(Outcome::Fail);
        assert_eq!((first.outcome, first.ends), (Outcome::Fail, ends));
        let row = record.sessions.iter().find(|row| row.transition == Lost);
        if let Some(row) = row {
            assert_eq!(row.cause, format!("http {status}"));
        }
    });
}

#[test]
fn a_session_that_the_server_forgets_is_replaced_whatever_it_says_then() {
    each(&["404", "400"], |status| {
        let words = ["--session-lifetime", "300ms", "--unknown-session", status];
        let server = Server::start(&[], &words);
        let mut plan = times(12, LEGACY, echo());
        plan.workloads[0].recovery = RecoveryPlan::preset("lenient");
        let record = run(&plan, &server.url);
        let code = Some(status.parse().unwrap());
        let found = classes(&record);
        assert!(found.contains(&(Class::SessionLost, code)), "{found:?}");
        assert!(found.contains(&(Class::None, None)), "{found:?}");
        let moves = transitions(&record);
        let count = |wanted| moves.iter().filter(|found| **found == wanted).count();
        assert!(count(ReEstablished) >= 1, "{moves:?}");
        // The last may be found lost when it is to be ended.
        assert!(count(Lost) >= count(ReEstablished), "{moves:?}");
        assert_eq!(count(Born), 1);
    });
}

#[test]
fn a_client_that_ends_its_session_ends_it_on_the_server() {
    let server = Server::start(&[], &[]);
    let record = run(&times(1, LEGACY, echo()), &server.url);
    assert_eq!(transitions(&record), [Born, Closed]);
    let ends = record.calls.iter().filter(|call| call.method == "DELETE");
    assert_eq!(
        ends.map(|call| call.class).collect::<Vec<_>>(),
        [Class::None]
    );
    server.counted("mcp_sessions", 0);
}

#[test]
fn a_client_that_vanishes_leaves_its_session_to_the_server() {
    let ways = [
        VanishHow::Close,
        VanishHow::Reset,
        VanishHow::HalfOpen,
        VanishHow::SlowReader,
    ];
    each(&ways, |how| {
        let server = Server::start(&[], &["--echo-delay", "30s"]);
        let mut plan = times(2, LEGACY, echo());
        plan.workloads[0].vanish = Some(VanishPlan {
            share: Share::ONE,
            after: Duration::from_millis(50),
            how: *how,
        });
        let record = run(&plan, &server.url);
        assert_eq!(classes(&record), [(Class::Cancelled, None); 2], "{how:?}");
        assert_eq!(transitions(&record), [Born, Abandoned, Born, Abandoned]);
        assert!(record.calls.iter().all(|call| call.method != "DELETE"));
        server.counted("mcp_sessions", 2);
    });
}
