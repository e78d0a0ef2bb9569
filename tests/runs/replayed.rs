//! A run that is played again, and a fault whose target is found when it acts.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::support::{Run, beside_others, written};

const TWO_KILLS: &str = r#"
version = 1
name = "twice"
steady = { share = "50%", over = "1s" }
[fleet.role.server]
replicas = 3
restart = { policy = "always", backoff = "100ms" }
[fleet.role.balancer]
[workload]
clients = 20
protocol = "2025-11-25"
[[workload.operation]]
tool = "echo"
arguments = { text = "x" }
[[phase]]
name = "steady"
duration = "8s"
rate = "50/s"
[[fault]]
name = "one-dies"
kind = "kill"
target = { role = "server", count = 1 }
at = "steady + 3s"
jitter = "500ms"
[[fault]]
name = "owner-dies"
kind = "kill"
target = "owner-of-session"
at = "steady + 6s"
"#;

/// The slots that a fault hit, by the events.
fn hit(run: &Run, fault: &str) -> Vec<String> {
    let slot = |target: &Value| {
        let name = target.as_str().unwrap();
        name.split('#').next().unwrap().to_owned()
    };
    run.events()
        .iter()
        .filter(|event| event["event"] == "fault-began" && event["fault"] == fault)
        .flat_map(|event| event["targets"].as_array().unwrap().iter().map(slot))
        .collect()
}

/// Whether it is one server.
fn is_one_server(slots: &[String]) -> bool {
    matches!(slots, [one] if one.starts_with("server-"))
}

#[test]
fn a_replay_has_the_same_plan_and_hits_the_same_slots() {
    let _room = beside_others();
    let temp = TempDir::new().unwrap();
    // No seed is given: what was drawn is kept with the run.
    let mut first = Run::start(&written(&temp, TWO_KILLS), &["--on-inconclusive", "warn"]);
    assert_eq!(first.exit_code(), Some(0), "{}", first.printed());
    let replay = format!("--replay={}", first.directory().display());
    let mut second = Run::start(Path::new(&replay), &["--on-inconclusive", "warn"]);
    assert_eq!(second.exit_code(), Some(0), "{}", second.printed());
    assert_eq!(first.json("plan.json"), second.json("plan.json"));
    let planned = first.json("plan.json")["faults"][0]["targets"][0].clone();
    assert_eq!(hit(&first, "one-dies"), [planned.as_str().unwrap()]);
    assert_eq!(hit(&first, "one-dies"), hit(&second, "one-dies"));
    for run in [&first, &second] {
        let owner = hit(run, "owner-dies");
        assert!(is_one_server(&owner), "{owner:?}\n{}", run.printed());
    }

    let mut mixed = Run::start(Path::new(&replay), &["--seed", "7"]);
    assert_eq!(mixed.exit_code(), Some(2), "{}", mixed.printed());
}
