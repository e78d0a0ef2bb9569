//! The process driver on real processes: slots come up, die, come back by policy, and leave nothing behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mcpload::fault::FleetHands;
use mcpload::fleet::address::Network;
use mcpload::fleet::process::{FleetError, Place, ProcessFleet};
use mcpload::fleet::slot::Fact;
use mcpload::model::Seed;
use mcpload::model::{EventKind, SlotId};
use mcpload::plan::{
    EndpointPlan, FleetPlan, Limits, Members, Probe, ReadyPlan, RestartPlan, RestartPolicy,
    RolePlan, SlotPlan, TextDuration, TlsPlan,
};
use mcpload::registry::Spec;
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(20);

fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_mcpload"))
}

fn plan(
    command: &[&str],
    probe: Probe,
    policy: RestartPolicy,
    ready_within: Duration,
) -> FleetPlan {
    let slot = SlotPlan {
        id: SlotId::new("server", 1),
        command: command.iter().map(ToString::to_string).collect(),
        env: BTreeMap::from([("FLEET_TEST".to_owned(), "{{ slot.name }}".to_owned())]),
        secret_env: BTreeMap::new(),
        directory: None,
        files: Vec::new(),
        wire: None,
        limits: Limits {
            open_files: Some(333),
            memory: None,
        },
        labels: BTreeMap::new(),
    };
    let role = RolePlan {
        name: "server".to_owned(),
        needs: Vec::new(),
        restart: RestartPlan {
            policy,
            backoff: Duration::from_millis(50),
        },
        ready: ReadyPlan {
            probe,
            interval: Duration::from_millis(20),
            timeout: ready_within,
        },
        stop_grace: TextDuration(Duration::from_secs(1)),
        members: Members::None,
        slots: vec![slot],
    };
    FleetPlan {
        driver: Spec {
            kind: "process".to_owned(),
            with: serde_json::json!({}),
        },
        roles: vec![role],
        endpoint: EndpointPlan::Role {
            role: "server".to_owned(),
            path: "/mcp".to_owned(),
        },
        served_by: None,
        tls: TlsPlan::default(),
    }
}

struct Bench {
    fleet: ProcessFleet,
    facts: mpsc::Receiver<Fact>,
    directory: tempfile::TempDir,
}

fn bench(plan: &FleetPlan, network: u16) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let place = Place {
        processors: Vec::new(),
        scenario_dir: directory.path().to_owned(),
        instances: directory.path().join("instances"),
        binary: binary(),
    };
    let (facts, received) = mpsc::channel(256);
    let fleet =
        ProcessFleet::prepare(plan, Network::picked_by(network), &place, &facts, Seed(1)).unwrap();
    Bench {
        fleet,
        facts: received,
        directory,
    }
}

fn log(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join("instances/server-1").join(name)).unwrap_or_default()
}

fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// A shell that leaves an orphan of its own process group behind, as a daemon does, and tells its id.
const ORPHAN: &str = "setsid sh -c 'echo orphan $$; exec sleep 300' & sleep 0.1; echo limit $(ulimit -n) $FLEET_TEST; echo ready; exec sleep 300";

fn orphan_of(text: &str) -> u32 {
    text.lines()
        .find_map(|line| line.strip_prefix("orphan "))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_instance_takes_its_orphans_with_it_and_comes_back() {
    let plan = plan(
        &["sh", "-c", ORPHAN],
        Probe::LogLine("ready".to_owned()),
        RestartPolicy::Always,
        PATIENCE,
    );
    let mut bench = bench(&plan, 0x2001);
    bench.fleet.bring_up().await.unwrap();
    let first = log(bench.directory.path(), "stdout-1.log");
    assert!(first.contains("limit 333 server-1"), "{first}");
    let orphan = orphan_of(&first);
    assert!(alive(orphan));

    let slot = SlotId::new("server", 1);
    let proof = bench.fleet.kill(&slot).await.unwrap();
    assert!(!alive(orphan), "the orphan outlived its instance");
    assert!(proof.words.contains("signal 9"), "{}", proof.words);
    let back = bench
        .fleet
        .up_again(&slot, Some(1), PATIENCE)
        .await
        .unwrap();
    assert!(back.words.contains("server-1#2"), "{}", back.words);

    let second = orphan_of(&log(bench.directory.path(), "stdout-2.log"));
    bench.fleet.take_down(false).await;
    assert!(!alive(second));
    let mut names = Vec::new();
    while let Ok((_, kind)) = bench.facts.try_recv() {
        names.push(match kind {
            EventKind::SlotStarted { .. } => "started",
            EventKind::SlotReady { .. } => "ready",
            EventKind::SlotExited { .. } => "exited",
            _ => "other",
        });
    }
    assert_eq!(
        names,
        ["started", "ready", "exited", "started", "ready", "exited"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_restart_policy_none_the_slot_stays_down_and_that_is_said() {
    let plan = plan(
        &["sh", "-c", ORPHAN],
        Probe::LogLine("ready".to_owned()),
        RestartPolicy::None,
        PATIENCE,
    );
    let bench = bench(&plan, 0x2002);
    bench.fleet.bring_up().await.unwrap();
    let slot = SlotId::new("server", 1);
    bench.fleet.kill(&slot).await.unwrap();
    let proof = bench.fleet.up_again(&slot, None, PATIENCE).await.unwrap();
    assert!(
        proof.words.contains("restart policy none"),
        "{}",
        proof.words
    );
    bench.fleet.take_down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_never_ready_is_told_with_what_it_said() {
    let plan = plan(
        &["sh", "-c", "echo it does not listen >&2; exec sleep 300"],
        Probe::Tcp,
        RestartPolicy::Always,
        Duration::from_millis(400),
    );
    let bench = bench(&plan, 0x2003);
    let Err(FleetError::NotReady { slot, log, .. }) = bench.fleet.bring_up().await else {
        panic!("it is not ready")
    };
    assert_eq!(slot.as_str(), "server-1");
    assert_eq!(log, ["it does not listen"]);
    bench.fleet.take_down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_exist_is_named() {
    let plan = plan(
        &["no-such-program-here"],
        Probe::Tcp,
        RestartPolicy::None,
        PATIENCE,
    );
    let mut bench = bench(&plan, 0x2004);
    assert!(bench.fleet.bring_up().await.is_err());
    let told: Vec<Fact> = std::iter::from_fn(|| bench.facts.try_recv().ok()).collect();
    let named = |kind: &EventKind| matches!(kind, EventKind::SlotNotReady { reason, .. } if reason.contains("no-such-program-here"));
    assert!(told.iter().any(|(_, kind)| named(kind)), "{told:?}");
    bench.fleet.take_down(true).await;
}

#[test]
fn when_its_socket_closes_a_shim_ends_everything_and_leaves() {
    use std::io::{BufRead, BufReader, Write};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    let directory = tempfile::tempdir().unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut shim = std::process::Command::new(binary())
        .arg("shim")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .unwrap();
    let stdout = directory.path().join("out");
    let start = serde_json::json!({
        "ask": "start", "command": ["sh", "-c", ORPHAN], "environment": {}, "directory": directory.path(),
        "stdout": stdout, "stderr": directory.path().join("err"), "limits": {}, "processors": [],
    });
    writeln!(ours, "{start}").unwrap();
    let mut line = String::new();
    BufReader::new(ours.try_clone().unwrap())
        .read_line(&mut line)
        .unwrap();
    let pid = serde_json::from_str::<serde_json::Value>(&line).unwrap()["pid"]
        .as_u64()
        .unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while !std::fs::read_to_string(&stdout)
        .unwrap_or_default()
        .contains("ready")
    {
        assert!(
            std::time::Instant::now() < deadline,
            "the instance did not start"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let orphan = orphan_of(&std::fs::read_to_string(&stdout).unwrap());

    drop(ours);
    // wait() returns when the shim has left, and it leaves only after everything below it is reaped.
    assert!(shim.wait().unwrap().success());
    assert!(!alive(orphan) && !alive(u32::try_from(pid).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_hears_sigterm_and_may_end_by_itself() {
    let program = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let plan = plan(
        &["sh", "-c", program],
        Probe::LogLine("ready".to_owned()),
        RestartPolicy::Always,
        PATIENCE,
    );
    let mut bench = bench(&plan, 0x2005);
    bench.fleet.bring_up().await.unwrap();
    bench.fleet.take_down(false).await;
    let told: Vec<Fact> = std::iter::from_fn(|| bench.facts.try_recv().ok()).collect();
    let last = told.iter().rev().find_map(|(_, kind)| match kind {
        EventKind::SlotExited { status, .. } => Some(status.as_str()),
        _ => None,
    });
    assert_eq!(last, Some("exit 7"));
}
