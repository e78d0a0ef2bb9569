//! What a plan refuses, one mistake at a time: its code, its words and the line that it points to.
//!
//! `tests/bad_scenarios.rs` shows how whole files of mistakes are told; here each rule stands alone.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, which clippy takes for production code"
)]

mod support;

use mcpload::scenario::Overrides;
use support::{file, plan};

#[cfg(test)]
#[path = "mistakes/clients.rs"]
mod clients;
#[cfg(test)]
#[path = "mistakes/operations.rs"]
mod operations;

const HEAD: &str = "version = 1\nname = \"test\"\n";
const PHASE: &str = "[[phase]]\nname = \"steady\"\nduration = \"10s\"\nrate = \"100/s\"\n";
const ECHO: &str = "[[workload.operation]]\ntool = \"echo\"\narguments = { text = \"a\" }\n";

/// A mistake: the scenario, then the code, a part of the message, and a part of the line that is blamed.
type Mistake = (String, &'static str, &'static str, &'static str);

/// Each mistake is found, and nothing else is.
fn refuse(mistakes: &[Mistake]) {
    for (rest, code, words, blamed) in mistakes {
        let text = format!("{HEAD}{rest}");
        let overrides = Overrides {
            files: &file,
            ..Overrides::none()
        };
        let Err(wrong) = plan("test.toml", &text, &overrides) else {
            panic!("nothing is wrong with\n{text}");
        };
        assert_eq!(wrong.len(), 1, "{wrong}");
        let one = wrong.iter().next().unwrap();
        assert_eq!(one.code.name, *code, "{wrong}");
        assert!(one.message.contains(words), "{words}: {wrong}");
        let before = text.get(..one.place.span.start).unwrap();
        let line = before.matches('\n').count();
        let line = text.lines().nth(line).unwrap();
        assert!(line.contains(blamed), "{blamed}: {line}: {wrong}");
    }
}

fn with_phase(rest: &str) -> String {
    format!("{PHASE}{rest}")
}

#[test]
fn a_phase_says_once_what_load_each_workload_has() {
    let phase = |rest: &str| format!("[[phase]]\nname = \"steady\"\nduration = \"10s\"\n{rest}");
    let two = "[[workload]]\nname = \"a\"\n[[workload]]\nname = \"b\"\n";
    refuse(&[
        (
            phase("rate = \"1/s\"\nload = { profile = \"constant\", rate = \"2/s\" }\n"),
            "conflict",
            "has rate and load",
            "load =",
        ),
        (
            "[[phase]]\nname = \"after\"\nduration = \"10s\"\nrate = \"1/s\"\n".to_owned(),
            "bad-value",
            "cannot be called `after`",
            "name = \"after\"",
        ),
        (
            format!(
                "{two}{}",
                phase(
                    "rate = \"1/s\"\n[[phase]]\nname = \"b\"\nduration = \"1s\"\nloads = { a = \"1/s\", b = \"1/s\" }\n"
                )
            ),
            "conflict",
            "which of 2 workloads",
            "rate = \"1/s\"",
        ),
    ]);
}

#[test]
fn too_many_phases_are_refused_before_they_are_planned() {
    let phases: Vec<String> = (0..1001)
        .map(|number| {
            format!("[[phase]]\nname = \"p{number}\"\nduration = \"1s\"\nrate = \"1/s\"\n")
        })
        .collect();
    let text = format!("{HEAD}{}", phases.concat());
    let wrong = plan("test.toml", &text, &Overrides::none()).unwrap_err();
    assert!(
        wrong
            .iter()
            .any(|one| one.code.name == "no-load" && one.message.contains("1001 phases")),
        "{wrong}"
    );
}

#[test]
fn the_endpoint_of_a_fleet_that_runs_is_its_urls_and_that_of_ours_a_role() {
    let external = |rest: &str| {
        with_phase(&format!(
            "[workload]\n{ECHO}[fleet]\ndriver = \"external\"\n{rest}\n"
        ))
    };
    refuse(&[
        (
            external("endpoint = { url = \"http://a:1/mcp\", urls = [\"http://b:1/mcp\"] }"),
            "conflict",
            "has `url` and `urls`",
            "urls = ",
        ),
        (
            external(""),
            "missing-key",
            "needs to know where the fleet is",
            "",
        ),
        (
            external("endpoint = { url = \"http://a/mcp\", insecure = true }"),
            "conflict",
            "`insecure` is about TLS",
            "insecure",
        ),
        (
            with_phase("[fleet]\nendpoint = { insecure = true }\n"),
            "conflict",
            "the driver `process` has no `insecure`",
            "insecure",
        ),
        (
            external("endpoint = { urls = [\"http://a:1/mcp\", \"a:1\"] }"),
            "bad-value",
            "no URL of an endpoint",
            "\"a:1\"",
        ),
        (
            external("endpoint = { url = \"http://a:1/mcp\", path = \"/mcp\" }"),
            "conflict",
            "the driver `external` has no `path`",
            "path = ",
        ),
        (
            external("endpoint = { url = \"http://a:1/mcp\" }\n[fleet.role.server]\nreplicas = 2"),
            "conflict",
            "starts nothing",
            "fleet",
        ),
        (
            with_phase("[fleet]\nendpoint = { url = \"http://a:1/mcp\" }\n"),
            "conflict",
            "the driver `process` has no `url`",
            "url = ",
        ),
        (
            with_phase("[fleet]\nendpoint = { path = \"mcp\" }\n"),
            "bad-value",
            "no path",
            "path = \"mcp\"",
        ),
        (
            with_phase(&format!(
                "[workload]\n{ECHO}[fleet.role.a]\ncommand = [\"x\"]\n[fleet.role.b]\ncommand = [\"x\"]\n"
            )),
            "missing-key",
            "not clear which role",
            "",
        ),
    ]);
}

#[test]
fn an_operation_has_what_its_call_takes_and_nothing_else() {
    let operation =
        |rest: &str| with_phase(&format!("[workload]\n[[workload.operation]]\n{rest}\n"));
    refuse(&[
        (
            operation("call = \"resources/read\"\nuri = \"mem://1\"\narguments = { a = 1 }"),
            "conflict",
            "takes no arguments",
            "arguments =",
        ),
        (
            operation("call = \"prompts/get\""),
            "missing-key",
            "has no `prompt`",
            "",
        ),
        (
            operation("tool = \"echo\"\nuri = \"mem://1\"\narguments = { text = \"a\" }"),
            "conflict",
            "takes no `uri`",
            "uri =",
        ),
        (
            operation("tool = \"echo\"\narguments = { text = \"a\" }\nexpect = { schema = false }"),
            "conflict",
            "expects nothing",
            "expect =",
        ),
        (
            operation(
                "tool = \"echo\"\narguments = { text = \"a\", list = [1, { b = \"{{ nonsense }}\" }] }",
            ),
            "bad-template",
            "`{{ nonsense }}` means nothing here",
            "nonsense",
        ),
    ]);
}

#[test]
fn a_journey_is_made_of_plain_operations_of_its_workload() {
    let journey = |rest: &str| {
        with_phase(&format!(
            "[workload]\n{ECHO}[[workload.operation]]\nname = \"visit\"\n{rest}\n"
        ))
    };
    refuse(&[
        (
            journey("steps = [\"echo\"]\ntool = \"echo\""),
            "conflict",
            "a journey has no `tool` of its own",
            "tool = \"echo\"",
        ),
        (
            journey("steps = []"),
            "bad-value",
            "the journey has 0 steps",
            "steps = []",
        ),
        (
            journey("steps = [\"echo\", \"visit\"]"),
            "conflict",
            "`visit` is a journey itself",
            "steps =",
        ),
    ]);
}

#[test]
fn a_workload_has_a_name_of_its_own_clients_enough_and_a_version_to_speak() {
    refuse(&[
        (
            "[[phase]]\nname = \"a\"\nduration = \"10s\"\nload = { profile = \"users\", users = 12 }\n[workload]\nclients = 3\n"
                .to_owned(),
            "conflict",
            "12 users need 12 clients",
            "clients = 3",
        ),
        (
            with_phase("[workload]\nprotocol = { 2025-11-25 = 0 }\n"),
            "bad-value",
            "no protocol version has a weight",
            "protocol =",
        ),
    ]);
}

#[test]
fn a_fleet_has_a_size_for_a_machine() {
    let roles: Vec<String> = (0..5)
        .map(|number| format!("[fleet.role.r{number}]\ncommand = [\"x\"]\nreplicas = 500\n"))
        .collect();
    let text = format!("{HEAD}{PHASE}[workload]\n{ECHO}{}", roles.concat());
    let wrong = plan("test.toml", &text, &Overrides::none()).unwrap_err();
    assert!(
        wrong.iter().any(|one| {
            one.code.name == "out-of-range" && one.message == "the fleet has 2500 slots"
        }),
        "{wrong}"
    );
}
