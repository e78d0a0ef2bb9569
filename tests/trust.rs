//! What a run says when it cannot be trusted, or when its target is at its worst, with the real binary.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which clippy takes for production code"
)]

// `cfg(test)` tells clippy that helpers beside the tests may panic like tests.
#[cfg(test)]
#[path = "runs/support.rs"]
#[expect(dead_code, reason = "shared with the tests of scenarios and processes")]
mod support;

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use mcpload::model::Call;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{Run, alone, scenario, written};
use tempfile::TempDir;

/// The process id that an event tells.
fn pid_of(event: &Value) -> Pid {
    Pid::from_raw(i32::try_from(event["pid"].as_i64().unwrap()).unwrap())
}

fn event<'a>(events: &'a [Value], kind: &str, key: &str, value: &Value) -> &'a Value {
    events
        .iter()
        .find(|event| event["event"] == kind && event[key] == *value)
        .unwrap_or_else(|| panic!("no {kind} with {key} {value} in {events:?}"))
}

fn calls(run: &Run) -> Vec<Call> {
    let bytes = std::fs::read(run.directory().join("calls.csv.zst")).unwrap();
    let plain = zstd::decode_all(bytes.as_slice()).unwrap();
    let mut reader = csv::Reader::from_reader(plain.as_slice());
    reader.deserialize().map(Result::unwrap).collect()
}

fn trust_of(summary: &Value, phase: &str) -> Value {
    let grades = summary["analysis"]["trust"].as_array().unwrap();
    let grade = grades.iter().find(|grade| grade["phase"] == phase);
    grade.unwrap().clone()
}

#[test]
fn a_wrong_answer_fails_a_run_whose_generator_cannot_keep_up() {
    let _room = alone();
    let directory = TempDir::new().unwrap();
    let text = std::fs::read_to_string(scenario("beyond-the-machine")).unwrap();
    let path = written(
        &directory,
        &format!(
            "{text}\n[fleet.role.server]\nreplicas = 3\n\
             slot.server-1 = {{ args = [\"--wire\", \"swap-ids,tool=echo,nth=50,first=1\"] }}\n\
             [fleet.role.balancer]\n\n[[check]]\nkind = \"wrong-answers\"\n"
        ),
    );
    let mut run = Run::start(&path, &["--set", "seed=6"]);
    assert_eq!(run.exit_code(), Some(6), "{}", run.printed());
    run.assert_nothing_left();
    let summary = run.json("report/summary.json");
    let failing: Vec<&Value> = summary["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["answer"] == "fail" && finding["category"] != "validity")
        .collect();
    assert_eq!(failing.len(), 1, "{failing:?}");
    let headline = failing[0]["headline"].as_str().unwrap();
    assert!(headline.starts_with("server-1: 1 of "), "{headline}");
    assert_eq!(trust_of(&summary, "flood")["trust"], "invalid");
}

/// A scenario of the reference fleet with two workers.
const STEADY: &str = r#"
version = 1
name = "steady"
workers = 2

[fleet]
driver = "process"

[fleet.role.server]
replicas = 3

[fleet.role.balancer]

[workload]
clients = 60

[[workload.operation]]
tool = "echo"
arguments = { text = "{{ random.hex(16) }}" }

[[phase]]
name = "first"
duration = "2s"
rate = "100/s"

[[phase]]
name = "second"
duration = "4s"
rate = "100/s"

[[slo]]
name = "answers"
errors = { under = "5%" }
"#;

#[test]
fn a_worker_that_is_killed_makes_the_run_invalid_and_never_silently_smaller() {
    let _room = alone();
    let directory = TempDir::new().unwrap();
    let mut run = Run::start(&written(&directory, STEADY), &["--set", "seed=21"]);
    run.wait_for_event("phase-began", "\"second\"");
    let events = run.events();
    let worker = pid_of(event(&events, "worker-ready", "worker", &1.into()));
    kill(worker, Signal::SIGKILL).unwrap();
    assert_eq!(run.exit_code(), Some(7), "{}", run.printed());
    run.assert_nothing_left();
    let summary = run.json("report/summary.json");
    assert_eq!(summary["analysis"]["lost_workers"][0][0], 1);
    let headline = summary["verdict"]["headline"].as_str().unwrap();
    assert!(headline.starts_with("worker 1 was lost"), "{headline}");
    let grade = trust_of(&summary, "second");
    assert_eq!(grade["trust"], "invalid");
    assert!(
        grade["reasons"].to_string().contains("worker 1 was lost"),
        "{grade}"
    );
    // What the other worker did is there, and so is how much was meant to be.
    let second = &summary["analysis"]["phases"][1];
    assert_eq!(second["intended"], 400);
    let ok = second["tally"]["ok"].as_u64().unwrap();
    assert!(ok > 100 && ok < 400, "{second}");
    assert_eq!(run.report(), Some(7));
}

#[test]
fn load_and_fleet_have_processors_of_their_own_and_the_run_says_which() {
    let _room = alone();
    let directory = TempDir::new().unwrap();
    let path = written(&directory, STEADY);
    let mut run = Run::start(&path, &["--set", "seed=22", "--set", "phase.1.duration=1s"]);
    run.wait_for_event("phase-began", "\"first\"");
    let events = run.events();
    let server = pid_of(event(
        &events,
        "slot-started",
        "instance",
        &"server-1#1".into(),
    ));
    let worker = pid_of(event(&events, "worker-ready", "worker", &0.into()));
    let allowed = |pid: Pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        line.unwrap().trim().to_owned()
    };
    let (of_fleet, of_generator) = (allowed(server), allowed(worker));
    assert_eq!(run.exit_code(), Some(0), "{}", run.printed());
    let pinning = run.json("run.json")["host"]["pinning"].clone();
    assert_eq!(run.json("plan.json")["pinning"], pinning);
    let text = std::fs::read_to_string(run.directory().join("report/report.txt")).unwrap();
    if mcpload::fleet::affinity::allowed().len() < 2 {
        assert!(pinning.is_null());
        assert_eq!(of_fleet, of_generator);
        return;
    }
    let numbers = |side: &str| {
        let side = pinning[side].as_array().unwrap();
        side.iter()
            .filter_map(Value::as_u64)
            .collect::<BTreeSet<u64>>()
    };
    assert!(numbers("generator").is_disjoint(&numbers("fleet")));
    let listed = |list: &str| {
        let spans = list.split(',').flat_map(|span| {
            let (first, last) = span.split_once('-').unwrap_or((span, span));
            first.parse::<u64>().unwrap()..=last.parse().unwrap()
        });
        spans.collect::<BTreeSet<u64>>()
    };
    assert_eq!(listed(&of_fleet), numbers("fleet"));
    assert_eq!(listed(&of_generator), numbers("generator"));
    assert!(
        text.contains("mcpload and its workers had processor"),
        "{text}"
    );
    assert!(text.contains("Little's law in first: on average"), "{text}");
    let law = &trust_of(&run.json("report/summary.json"), "first")["little"];
    let gap = law["under_way"].as_f64().unwrap() - law["expected"].as_f64().unwrap();
    assert!(gap.abs() <= law["tolerance"].as_f64().unwrap(), "{law}");
}

/// Clients of three servers without a balancer: client c lives on server c mod 3.
const DIRECT: &str = r#"
version = 1
name = "direct"
workers = 1

[fleet]
driver = "process"
endpoint = { role = "server" }

[fleet.role.server]
replicas = 3

[workload]
clients = 99
max_lag = "1m"
protocol = "2025-11-25"

[[workload.operation]]
tool = "echo"
arguments = { text = "{{ random.hex(16) }}" }
timeout = "1s"

[[phase]]
name = "steady"
duration = "1s"
rate = "500/s"

[[phase]]
name = "paused"
duration = "12s"
rate = "500/s"
"#;

#[test]
fn a_server_that_is_paused_keeps_its_share_of_the_arrivals() {
    let _room = alone();
    let directory = TempDir::new().unwrap();
    let mut run = Run::start(&written(&directory, DIRECT), &["--set", "seed=23"]);
    run.wait_for_event("phase-began", "\"paused\"");
    let events = run.events();
    let server = pid_of(event(
        &events,
        "slot-started",
        "instance",
        &"server-2#1".into(),
    ));
    kill(server, Signal::SIGSTOP).unwrap();
    // The pause itself: its length is the test.
    std::thread::sleep(Duration::from_secs(10));
    kill(server, Signal::SIGCONT).unwrap();
    // Nothing was promised, and whether the machine had room is not asked here.
    assert!(matches!(run.exit_code(), Some(0 | 7)), "{}", run.printed());
    run.assert_nothing_left();
    // The pause holds this span whatever the speed of the machine: it begins with the phase.
    let span = 2_000_000_000_i64..10_000_000_000;
    let rows = calls(&run);
    let due: Vec<&Call> = rows
        .iter()
        .filter(|call| call.ends_operation() && span.contains(&call.operation_due.nanos()))
        .collect();
    // Each arrival has an end, also those at clients that were busy with the paused server.
    assert_eq!(due.len(), 4_000);
    let of_paused: Vec<&&Call> = due.iter().filter(|call| call.client % 3 == 1).collect();
    let share = of_paused.len() * 1_000 / due.len();
    assert!((313..=353).contains(&share), "{share} in a thousand");
    let bad = |calls: &[&&Call]| {
        let bad = calls
            .iter()
            .filter(|call| call.ends != Some(mcpload::model::Outcome::Ok));
        bad.count()
    };
    assert!(
        bad(&of_paused) * 2 > of_paused.len(),
        "{} of {}",
        bad(&of_paused),
        of_paused.len()
    );
}

/// Takes connections until the test ends, and does this to each.
fn target(act: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || act(stream));
        }
    });
    url
}

/// Takes one connection and listens no more.
fn gone_after_one() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.accept());
    url
}

#[test]
fn a_target_at_its_worst_is_judged_in_bounded_time() {
    let _room = alone();
    let silent = target(|mut stream| {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
    });
    let resetting = target(|mut stream| {
        let mut buffer = [0; 1];
        let _ = stream.read(&mut buffer);
    });
    for (url, class) in [
        (silent, "timeout"),
        (resetting, "transport"),
        (gone_after_one(), "connect"),
    ] {
        let directory = TempDir::new().unwrap();
        let text = format!(
            r#"
version = 1
name = "worst"
workers = 1

[fleet]
driver = "external"
endpoint = {{ url = "{url}" }}

[workload]
clients = 200
protocol = "2026-07-28"

[[workload.operation]]
call = "tools/list"
timeout = "500ms"

[[phase]]
name = "only"
duration = "2s"
rate = "50/s"

[[slo]]
name = "answers"
errors = {{ under = "50%" }}
"#
        );
        let mut run = Run::start(&written(&directory, &text), &["--set", "seed=24"]);
        assert_eq!(run.exit_code(), Some(4), "{class}\n{}", run.printed());
        assert!(run.age() < Duration::from_mins(1), "{:?}", run.age());
        run.assert_nothing_left();
        let summary = run.json("report/summary.json");
        let errors = summary["analysis"]["errors"].as_array().unwrap();
        assert_eq!(errors[0]["class"], class, "{errors:?}");
        assert!(
            errors
                .iter()
                .all(|error| error["class"] == class || error["class"] == "unsent"),
            "{errors:?}"
        );
        let text = std::fs::read_to_string(run.directory().join("report/report.txt")).unwrap();
        assert!(text.starts_with("FAIL (exit code 4): answers"), "{text}");
        assert_eq!(run.report(), Some(4));
    }
}

#[test]
fn more_connections_than_a_process_may_have_are_refused_before_anything_starts() {
    let _room = alone();
    let directory = TempDir::new().unwrap();
    let path = written(&directory, STEADY);
    let mut run = Run::start(
        &path,
        &["--set", "workers=1", "--set", "workload.clients=1000000"],
    );
    assert_eq!(run.exit_code(), Some(2), "{}", run.printed());
    let printed = run.printed();
    for words in [
        "would need",
        "open files",
        "its limit",
        "workers = ",
        "ulimit -n ",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    assert!(!run.directory().exists());
}
