//! The process driver on real processes: slots come up, die, come back by policy, and leave nothing behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mcpload::fault::FleetHands;
use mcpload::fault::hands::{Doom, Manner, Since, Then};
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
        standby: false,
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

/// A program that ends on SIGTERM, `busy` seconds later; for ever if that is none.
fn drains(busy: Option<&str>) -> String {
    let answer = busy.map_or(String::new(), |busy| format!("sleep {busy}; exit 0"));
    format!("trap '{answer}' TERM; echo ready; while :; do sleep 0.01; done")
}

async fn up(program: &str, policy: RestartPolicy, network: u16) -> Bench {
    let probe = Probe::LogLine("ready".to_owned());
    let bench = bench(
        &plan(&["sh", "-c", program], probe, policy, PATIENCE),
        network,
    );
    bench.fleet.bring_up().await.unwrap();
    bench
}

const fn terminate(grace: Option<Duration>) -> Manner {
    Manner::Terminate { grace, by: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_termination_waits_for_the_drain_and_measures_it() {
    let bench = up(&drains(Some("0.3")), RestartPolicy::OnFailure, 0x2006).await;
    let slot = SlotId::new("server", 1);
    let order = terminate(Some(PATIENCE));
    let ended = bench.fleet.end(&slot, order, Then::Policy).await.unwrap();
    assert_eq!((ended.status.as_str(), ended.killed), ("exit 0", false));
    assert!(ended.took >= Duration::from_millis(300), "{ended:?}");
    // It ended well, so its policy leaves it.
    let proof = bench.fleet.up_again(&slot, None, PATIENCE).await.unwrap();
    assert!(proof.words.contains("on-failure"), "{}", proof.words);
    bench.fleet.take_down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ignores_sigterm_is_killed_when_its_grace_period_is_over_and_not_before() {
    let bench = up(&drains(None), RestartPolicy::None, 0x2007).await;
    let slot = SlotId::new("server", 1);
    let grace = Duration::from_millis(250);
    let order = terminate(Some(grace));
    let ended = bench.fleet.end(&slot, order, Then::Start).await.unwrap();
    assert_eq!((ended.status.as_str(), ended.killed), ("signal 9", true));
    assert!(ended.took >= grace, "{ended:?}");
    // Its policy would have left it down.
    let proof = bench
        .fleet
        .up_again(&slot, Some(1), PATIENCE)
        .await
        .unwrap();
    assert!(proof.words.contains("server-1#2"), "{}", proof.words);
    bench.fleet.take_down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_cuts_a_drain_short_and_another_termination_is_refused() {
    let bench = up(&drains(None), RestartPolicy::Always, 0x2008).await;
    let slot = SlotId::new("server", 1);
    let fleet = &bench.fleet;
    let order = terminate(Some(Duration::from_mins(10)));
    let draining = fleet.end(&slot, order.clone(), Then::Hold("one".to_owned()));
    let others = async {
        // Sent after the first, as the futures are polled in their order.
        let refused = fleet.end(&slot, order, Then::Policy).await;
        assert!(refused.unwrap_err().to_string().contains("already"));
        fleet.end(&slot, Manner::Kill, Then::Policy).await
    };
    let bounded = tokio::time::timeout(PATIENCE, futures_util::future::join(draining, others));
    let (drained, killed) = bounded.await.unwrap();
    assert_eq!(drained.unwrap(), killed.unwrap());
    bench.fleet.take_down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_starts_when_the_fault_that_holds_it_lets_go_and_for_no_other() {
    let bench = up(&drains(Some("0")), RestartPolicy::Always, 0x2009).await;
    let slot = SlotId::new("server", 1);
    let hold = Then::Hold("down".to_owned());
    bench.fleet.end(&slot, terminate(None), hold).await.unwrap();
    bench.fleet.release(&slot, "another").await.unwrap();
    let refused = bench.fleet.end(&slot, Manner::Kill, Then::Start).await;
    assert!(refused.unwrap_err().to_string().contains("nothing runs"));
    // Its policy would have started it after 50 ms.
    let brief = Duration::from_millis(500);
    assert!(bench.fleet.up_again(&slot, Some(1), brief).await.is_err());
    bench.fleet.release(&slot, "down").await.unwrap();
    let proof = bench
        .fleet
        .up_again(&slot, Some(1), PATIENCE)
        .await
        .unwrap();
    assert!(proof.words.contains("server-1#2"), "{}", proof.words);
    bench.fleet.take_down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doomed_slot_dies_in_its_time_again_and_again_until_it_is_spared() {
    let mut bench = up(&drains(Some("0")), RestartPolicy::Always, 0x200a).await;
    let slot = SlotId::new("server", 1);
    let doom = Doom {
        after: Duration::from_millis(120),
        since: Since::Ready,
    };
    bench.fleet.doom(&slot, doom).await.unwrap();
    let third = bench.fleet.up_again(&slot, Some(2), PATIENCE).await;
    assert!(third.unwrap().words.contains("server-1#3"));
    let lives = bench.fleet.spare(&slot).await.unwrap();
    assert!(lives.len() >= 2, "{lives:?}");
    assert!(lives.iter().all(|life| *life >= doom.after), "{lives:?}");
    bench.fleet.up_again(&slot, None, PATIENCE).await.unwrap();
    // Longer than it would have lived.
    tokio::time::sleep(doom.after * 3).await;
    let told: Vec<Fact> = std::iter::from_fn(|| bench.facts.try_recv().ok()).collect();
    let exits = told
        .iter()
        .filter(|(_, kind)| matches!(kind, EventKind::SlotExited { .. }));
    assert_eq!(exits.count(), lives.len());
    bench.fleet.take_down(true).await;
}
