//! Runs that end early because the scenario wants it: healed, reported, inconclusive.

use tempfile::TempDir;

use super::support::{Run, beside_others, written};

/// A minute of load on three servers, of which one hangs; `abort` is what ends it.
fn scenario(abort: &str, hang: &str) -> String {
    format!(
        r#"
version = 1
name = "early"
abort = {abort}
steady = {{ share = "50%", over = "1s" }}
[fleet.role.server]
replicas = 3
[fleet.role.balancer]
[workload]
clients = 60
[[workload.operation]]
tool = "echo"
arguments = {{ text = "x" }}
timeout = "500ms"
[[phase]]
name = "steady"
duration = "60s"
rate = "50/s"
[[fault]]
name = "hangs"
kind = "pause"
target = {{ role = "{hang}", share = "100%" }}
at = "steady + 4s"
duration = "50s"
[[slo]]
errors = {{ under = "60%" }}
windows = ["after hangs"]
"#
    )
}

fn aborted(run: &Run, reason: &str) {
    let line = run
        .events()
        .into_iter()
        .find(|event| event["event"] == "aborted")
        .unwrap_or_else(|| panic!("no abort\n{}", run.printed()));
    let said = line["reason"].as_str().unwrap();
    assert!(said.contains(reason), "{said}");
    let kinds: Vec<String> = run
        .events()
        .iter()
        .map(|event| event["event"].as_str().unwrap().to_owned())
        .collect();
    assert!(kinds.contains(&"fault-healed".to_owned()), "{kinds:?}");
    let last = run.events().pop().unwrap();
    assert_eq!(
        (&last["event"], &last["how"]),
        (&"run-ended".into(), &"aborted".into())
    );
    let summary = run.json("report/summary.json");
    assert_eq!(summary["verdict"]["exit"], 7, "{}", run.printed());
    let damage = summary["analysis"]["damage"].as_array().unwrap();
    assert!(damage.is_empty(), "{damage:?}");
}

#[test]
fn a_run_whose_errors_exceed_what_may_be_is_aborted_and_healed() {
    let _room = beside_others();
    let temp = TempDir::new().unwrap();
    let text = scenario(r#"{ errors = "50%", over = "2s" }"#, "server");
    let mut run = Run::start(&written(&temp, &text), &[]);
    assert_eq!(run.exit_code(), Some(7), "{}", run.printed());
    aborted(&run, "operations did not end ok, more than 50%");
    let kinds = run.events();
    assert!(
        kinds
            .iter()
            .any(|event| event["event"] == "errors-exceeded")
    );
}

#[test]
fn a_run_is_aborted_when_a_file_appears_or_a_url_does_not_answer() {
    let _room = beside_others();
    let temp = TempDir::new().unwrap();
    let text = scenario(r#"{ file = "stop" }"#, "server");
    let mut run = Run::start(&written(&temp, &text), &[]);
    run.wait_for_event("fault-effective", "hangs");
    std::fs::write(temp.path().join("stop"), "").unwrap();
    assert_eq!(run.exit_code(), Some(7), "{}", run.printed());
    aborted(&run, "stop exists");
    // Nothing listens there.
    let text = scenario(r#"{ url = "http://127.0.0.1:9/go" }"#, "server");
    let mut run = Run::start(&written(&temp, &text), &[]);
    std::fs::remove_file(temp.path().join("stop")).unwrap();
    assert_eq!(run.exit_code(), Some(7), "{}", run.printed());
    let said = run.printed();
    assert!(said.contains("did not answer"), "{said}");
}
