//! A fleet that the run did not deploy: the test starts it, kills a part of it and says so; or lets commands act on it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::played::state_of;
use crate::runs::{Run, within, written};

const PATIENCE: Duration = Duration::from_secs(20);

/// Two servers behind a balancer, none of them the run's. Dropped, they are gone.
struct Outside {
    servers: Vec<Child>,
    balancer: Child,
    ports: Vec<u16>,
    url: String,
}

impl Drop for Outside {
    fn drop(&mut self) {
        for child in self.servers.iter_mut().chain([&mut self.balancer]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn serve(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mcpload"))
        .arg("serve")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn server(number: usize, port: u16) -> Child {
    let (listen, name) = (format!("127.0.0.1:{port}"), format!("server-{number}"));
    serve(&["server", "--listen", &listen, "--name", &name])
}

/// Whether a balancer has somebody who answers.
fn is_served(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let question = "GET /health HTTP/1.1\r\nhost: outside\r\nconnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(question.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

impl Outside {
    fn start() -> Self {
        // Held together, so that no two are the same.
        let held: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports: Vec<u16> = held
            .iter()
            .map(|listener| listener.local_addr().unwrap().port())
            .collect();
        drop(held);
        let servers = vec![server(1, ports[0]), server(2, ports[1])];
        let members = format!(
            "server-1=127.0.0.1:{},server-2=127.0.0.1:{}",
            ports[0], ports[1]
        );
        let accepts = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
        assert!(within(PATIENCE, || ports.iter().take(2).all(accepts)));
        let listen = format!("127.0.0.1:{}", ports[2]);
        let balancer = serve(&["balancer", "--listen", &listen, "--members", &members]);
        // It passes requests on to both: a member that it has not seen healthy yet would be an answer with 503.
        assert!(within(PATIENCE, || (0..4).all(|_| is_served(ports[2]))));
        Self {
            servers,
            balancer,
            url: format!("http://{listen}/mcp"),
            ports,
        }
    }

    /// Kills the second server.
    fn kill(&mut self) {
        let child = &mut self.servers[1];
        kill(
            Pid::from_raw(i32::try_from(child.id()).unwrap()),
            Signal::SIGKILL,
        )
        .unwrap();
        child.wait().unwrap();
    }

    /// Starts it again.
    fn revive(&mut self) {
        self.servers[1] = server(2, self.ports[1]);
    }

    fn scenario(&self, fleet: &str, rest: &str) -> (PathBuf, TempDir) {
        let directory = TempDir::new().unwrap();
        let text = format!(
            r#"
version = 1
name = "outside"
seed = 3
workers = 1
[fleet]
driver = "external"
endpoint = {{ url = "{}" }}
served_by = "mcpload-instance"
allow_tools = ["echo"]
{fleet}
[workload]
clients = 12
recovery = "spec"
[[workload.operation]]
tool = "echo"
arguments = {{ text = "{{{{ random.hex(16) }}}}" }}
timeout = "2s"
[[phase]]
name = "steady"
duration = "4s"
rate = "80/s"
[[phase]]
name = "chaos"
duration = "10s"
rate = "80/s"
{rest}
"#,
            self.url
        );
        (written(&directory, &text), directory)
    }
}

fn finding<'a>(summary: &'a Value, name: &str) -> &'a Value {
    let findings = summary["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {findings:?}"))
}

/// The kinds of the events that name this fault, in order.
fn story(run: &Run, fault: &str) -> Vec<String> {
    let events = run.events();
    let of = events.iter().filter(|event| event["fault"] == fault);
    of.map(|event| event["event"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn marks_make_a_fault_of_what_others_do_to_a_fleet_outside() {
    let mut fleet = Outside::start();
    // Awaited from the first moment, long before anything could be seen to be steady.
    let (path, _directory) = fleet.scenario(
        "",
        r#"
[[fault]]
name = "one-dies"
kind = "observed"
[[fault]]
name = "never"
kind = "observed"
at = "steady"
[[check]]
kind = "recovery-time"
fault = "one-dies"
of = "service"
max = "5s"
hold = "1s"
[[check]]
kind = "recovery-time"
fault = "never"
max = "3s"
hold = "1s"
[[slo]]
name = "after-it"
errors = { under = "20%" }
windows = ["after one-dies"]
[[slo]]
name = "without-it"
errors = { under = "20%" }
windows = ["during never"]
"#,
    );
    let mut run = Run::start(&path, &[]);
    run.wait_for_event("phase-began", "chaos");
    let mark = |edge: &str| {
        let (code, said) = run.about(&["mark"], &[edge, "one-dies"]);
        assert_eq!(code, Some(0), "{said}");
    };
    mark("begin");
    fleet.kill();
    std::thread::sleep(Duration::from_secs(1));
    fleet.revive();
    std::thread::sleep(Duration::from_secs(1));
    mark("end");
    // One of the faults was not seen, and two promises are about it.
    assert_eq!(run.exit_code(), Some(7), "{}", run.printed());
    run.assert_nothing_left();

    let summary = run.json("report/summary.json");
    let judged = finding(&summary, "recovery-time one-dies");
    assert_eq!(judged["answer"], "pass", "{}", run.printed());
    assert_eq!(finding(&summary, "after-it")["answer"], "pass");
    for name in ["recovery-time never", "without-it"] {
        let open = finding(&summary, name);
        assert_eq!(open["answer"], "inconclusive", "{open}");
        assert!(
            open["evidence"][0].as_str().unwrap().contains("not seen"),
            "{open}"
        );
    }
    assert_eq!(story(&run, "never"), ["fault-failed"]);
    assert_eq!(story(&run, "one-dies").len(), 6);
    // Nothing of ours acts, so nobody asks whether the fleet is steady, and nothing is guarded.
    let events = run.events();
    assert!(events.iter().all(|event| event["event"] != "steady-state"));
    assert!(!run.directory().join("workers/guard.log").exists());
    // It is measured as any other: against what was before the mark.
    let mut faults = summary["analysis"]["faults"].as_array().unwrap().iter();
    let fault = faults.find(|fault| fault["name"] == "one-dies").unwrap();
    assert_ne!(fault["recovery"]["baseline_samples"], 0, "{fault}");
}

#[test]
fn commands_act_on_what_the_run_did_not_deploy_if_that_is_allowed() {
    let fleet = Outside::start();
    let pid = fleet.servers[1].id();
    let (path, directory) = fleet.scenario(
        "allow_external = true",
        &format!(
            r#"
[[fault]]
name = "own"
kind = "command"
at = "chaos + 1s"
duration = "2s"
inject = ["./stop", "{pid}"]
probe = ["grep", "^State:.T", "/proc/{pid}/status"]
heal = ["kill", "-CONT", "{pid}"]
"#
        ),
    );
    let script = directory.path().join("stop");
    std::fs::write(&script, "#!/bin/sh\nkill -STOP $1\nenv | sort\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, executable).unwrap();
    let mut run = Run::start(&path, &[]);
    run.wait_for_event("fault-effective", "own");
    assert_eq!(state_of(i64::from(pid)), Some('T'));
    run.wait_for_event("fault-heal-proven", "own");
    assert_ne!(state_of(i64::from(pid)), Some('T'));
    let code = run.exit_code();
    assert!(matches!(code, Some(0 | 7)), "{}", run.printed());
    run.assert_nothing_left();
    // What it was told stands in its log: no target, and where it belongs.
    let said = std::fs::read_to_string(run.directory().join("faults/own-inject.log")).unwrap();
    for line in [
        "MCPLOAD_FAULT=own",
        "MCPLOAD_SEED=3",
        "MCPLOAD_STEP=inject",
        "MCPLOAD_TARGETS=",
    ] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
}
