//! Attempts after refusals and failures: only as the policy says, each a Call of its own.

use std::time::Duration;

use mcpload::model::{Class, Outcome};
use mcpload::plan::{OperationPlan, Plan};
use serde_json::json;

use crate::conductor::run;
use crate::support::{LEGACY, MODERN, Server, classes, echo, executions, steps, times, tool};

/// One operation whose step may be sent again so often.
fn with_attempts(operation: OperationPlan, attempts: u32) -> Plan {
    let mut plan = times(1, LEGACY, operation);
    plan.workloads[0].recovery.retry.attempts = attempts;
    plan
}

#[test]
fn the_wait_that_a_server_asks_for_is_kept_when_the_policy_honours_it() {
    for status in [429, 503] {
        let rule = format!("status={status},retry-after=1,tool=echo,first=1");
        let server = Server::start(&[&rule], &[]);
        let mut plan = with_attempts(echo(), 1);
        plan.workloads[0].recovery.retry.honour_retry_after = true;
        let record = run(&plan, &server.url);
        let refused = (Class::Http, Some(status));
        assert_eq!(classes(&record), [refused, (Class::None, None)]);
        let calls = steps(&record);
        assert_eq!((calls[0].ends, calls[1].ends), (None, Some(Outcome::Ok)));
        assert_eq!((calls[0].attempt, calls[1].attempt), (0, 1));
        let waited = calls[1].sent.unwrap().nanos() - calls[0].done.nanos();
        assert!(waited >= 1_000_000_000, "{waited}");
    }
}

#[test]
fn nothing_is_sent_again_unless_that_is_asked_for() {
    let server = Server::start(&["status=429,retry-after=1,tool=echo"], &[]);
    for (attempts, honours) in [(0, true), (3, false)] {
        let mut plan = with_attempts(echo(), attempts);
        plan.workloads[0].recovery.retry.honour_retry_after = honours;
        let record = run(&plan, &server.url);
        assert_eq!(classes(&record), [(Class::Http, Some(429))]);
    }
}

#[test]
fn a_lost_answer_is_asked_for_again_and_the_tool_runs_twice() {
    for version in [LEGACY, MODERN] {
        let rule = "close-before-head,executed,tool=append,first=1";
        let server = Server::start(&[rule], &[]);
        let arguments = json!({"key": "k", "value": "v"});
        let mut plan = with_attempts(tool("append", arguments), 2);
        plan.workloads[0].protocols[0].0 = mcpload::plan::Dialect::Version(version);
        let retry = &mut plan.workloads[0].recovery.retry;
        retry.classes = vec![Class::Transport];
        retry.backoff = Duration::from_millis(5);
        let record = run(&plan, &server.url);
        let expected = [(Class::Transport, None), (Class::None, None)];
        assert_eq!(classes(&record), expected);
        server.counted(&executions("append", "finished"), 2);
    }
}

#[test]
fn attempts_end() {
    let server = Server::start(&["status=500,tool=echo"], &[]);
    let mut plan = with_attempts(echo(), 3);
    let retry = &mut plan.workloads[0].recovery.retry;
    retry.statuses = vec![500];
    retry.backoff = Duration::from_millis(5);
    let record = run(&plan, &server.url);
    assert_eq!(classes(&record), [(Class::Http, Some(500)); 4]);
    let ends: Vec<_> = steps(&record).iter().map(|call| call.ends).collect();
    assert_eq!(ends, [None, None, None, Some(Outcome::Info)]);
}
