//! stdio: the server is a child of its client. The children here are lines of shell.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use mcpload::mcp::Link as _;
use mcpload::mcp::stdio::{StdioLink, Traces};
use mcpload::model::Class;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp};

use crate::support::{CLIENT_PONG, SERVER_PING, call, class, notify, request, run, until};

/// Shell functions: `take` reads a message and sets `id`, `answer` answers that.
const PRELUDE: &str = r#"
take() { IFS= read -r line || exit 0; rest=${line#*'"id":'}; id=${rest%%,*}; }
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":{}}\n' "${1:-$id}"; }
serve() { while take; do case $line in *'"id"'*) answer;; esac; done; }
"#;

fn child(script: &str) -> StdioLink {
    let script = format!("{PRELUDE}\n{script}");
    let command = ["/bin/sh", "-c", &script].map(str::to_owned);
    StdioLink::new(command.to_vec(), BTreeMap::new())
}

/// The numbers that the child wrote to standard error, each on a line of its own.
async fn pids(traces: &Traces, count: usize) -> Vec<Pid> {
    until("the child tells its numbers", || {
        traces.stderr().lines().count() >= count
    })
    .await;
    let text = traces.stderr();
    text.lines()
        .map(|line| Pid::from_raw(line.parse().unwrap()))
        .collect()
}

/// Whether there is such a process; one that is dead and not reaped is none.
fn runs(pid: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}

async fn gone(pids: &[Pid]) {
    until("no process is left", || !pids.iter().any(|pid| runs(*pid))).await;
}

#[test]
fn a_child_answers_line_by_line() {
    run(async {
        let mut link = child("serve");
        for id in 1..=3 {
            let answered = call(&mut link, id).await;
            assert_eq!(class(&answered), (Class::None, None));
            assert_eq!(answered.facts().connect_ns.is_some(), id == 1);
            let sent = notify(&mut link).await;
            assert_eq!(class(&sent), (Class::None, None));
        }
        assert_eq!(link.traces().status(), None);
    });
}

#[test]
fn a_message_with_line_feeds_is_one_line() {
    run(async {
        let mut link = child("serve");
        let mut exchange = request(1);
        let pretty = "{\"jsonrpc\":\"2.0\",\r\n\"id\":1,\n\"method\":\"ping\"}";
        link.exchange(crate::support::outgoing(pretty), &mut exchange)
            .await;
        assert_eq!(class(&exchange), (Class::None, None));
    });
}

#[test]
fn a_child_has_a_group_of_its_own_and_little_of_our_environment() {
    run(async {
        let script = "echo $$ >&2; take; env | sed 's/=.*//' >&2; answer; serve";
        let command = ["/bin/sh", "-c", &format!("{PRELUDE}\n{script}")].map(str::to_owned);
        let env = BTreeMap::from([("GIVEN".to_owned(), "x".to_owned())]);
        let mut link = StdioLink::new(command.to_vec(), env);
        let answered = call(&mut link, 1).await;
        assert_eq!(class(&answered), (Class::None, None));
        let text = link.traces().stderr();
        let mut lines = text.lines();
        let pid: i32 = lines.next().unwrap().parse().unwrap();
        let group = nix::unistd::getpgid(Some(Pid::from_raw(pid))).unwrap();
        assert_eq!(group.as_raw(), pid);
        assert_ne!(group, getpgrp());
        let known: BTreeSet<&str> = [
            "GIVEN", "HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER",
            // What a shell sets by itself.
            "PWD", "OLDPWD", "SHLVL", "_",
        ]
        .into();
        let names: BTreeSet<&str> = lines.collect();
        assert!(names.contains("GIVEN"), "{names:?}");
        assert!(names.is_subset(&known), "{names:?}");
    });
}

#[test]
fn a_child_that_exits_in_a_call_leaves_its_status_and_its_last_words() {
    run(async {
        let mut link = child("take; echo 'out of tea' >&2; exit 3");
        let broken = call(&mut link, 1).await;
        assert_eq!(class(&broken), (Class::Transport, None));
        let traces = link.traces();
        assert_eq!(traces.status().and_then(|status| status.code()), Some(3));
        assert_eq!(traces.stderr(), "out of tea\n");
        assert_eq!(class(&call(&mut link, 2).await), (Class::SessionLost, None));
        // The next one is started anew.
        assert_eq!(class(&call(&mut link, 3).await), (Class::Transport, None));
    });
}

#[test]
fn a_child_that_answers_and_exits_has_answered() {
    run(async {
        let mut link = child("take; answer; exit 0");
        assert_eq!(class(&call(&mut link, 1).await), (Class::None, None));
        let traces = link.traces();
        until("it has exited", || traces.status().is_some()).await;
        // Its end is known at the latest when its output had time to be read.
        let lost = loop {
            let lost = call(&mut link, 2).await;
            if class(&lost).0 != Class::Transport {
                break lost;
            }
        };
        assert_eq!(class(&lost), (Class::SessionLost, None));
        assert_eq!(lost.facts().sent, None);
    });
}

#[test]
fn a_killed_child_breaks_the_call() {
    run(async {
        let mut link = child("echo $$ >&2; sleep 600 & echo $! >&2; take; wait");
        let traces = link.traces();
        let killer = async {
            let pids = pids(&traces, 2).await;
            kill(pids[0], Signal::SIGKILL).unwrap();
            pids
        };
        let (broken, pids) = futures_util::future::join(call(&mut link, 1), killer).await;
        assert_eq!(class(&broken), (Class::Transport, None));
        // What it left in its group holds its output open, and is ended.
        gone(&pids).await;
        assert_eq!(traces.status().and_then(|status| status.signal()), Some(9));
    });
}

#[test]
fn a_program_that_is_not_there_is_no_connection() {
    run(async {
        for command in [vec!["/no/such/program".to_owned()], Vec::new()] {
            let mut link = StdioLink::new(command, BTreeMap::new());
            assert_eq!(class(&call(&mut link, 1).await), (Class::Connect, None));
            assert!(link.traces().failure().is_some());
        }
    });
}

#[test]
fn a_closed_link_lets_its_child_end_by_itself() {
    run(async {
        let mut link = child("echo $$ >&2; serve; echo bye >&2; exit 4");
        call(&mut link, 1).await;
        let traces = link.traces();
        link.close();
        until("it has ended", || traces.status().is_some()).await;
        // `take` exits as soon as its input is closed.
        assert_eq!(traces.status().and_then(|status| status.code()), Some(0));
    });
}

#[test]
fn a_child_that_stays_is_asked_and_then_forced() {
    run(async {
        let stays = "echo $$ >&2; sleep 600 & echo $! >&2; take; answer;";
        let mut polite = child(&format!(
            "trap 'exit 5' TERM; {stays} while :; do wait; done"
        ));
        let mut stubborn = child(&format!("trap '' TERM; {stays} while :; do wait; done"));
        let mut left = Vec::new();
        for link in [&mut polite, &mut stubborn] {
            assert_eq!(class(&call(link, 1).await), (Class::None, None));
            left.extend(pids(&link.traces(), 2).await);
        }
        let began = Instant::now();
        polite.close();
        stubborn.close();
        let (first, second) = (polite.traces(), stubborn.traces());
        until("the polite one has ended", || first.status().is_some()).await;
        assert!(began.elapsed() >= Duration::from_secs(2));
        assert_eq!(first.status().and_then(|status| status.code()), Some(5));
        until("the stubborn one has ended", || second.status().is_some()).await;
        assert!(began.elapsed() >= Duration::from_secs(4));
        gone(&left).await;
    });
}

#[test]
fn a_dropped_link_leaves_nothing() {
    let left = run(async {
        let mut link = child("trap '' TERM HUP; echo $$ >&2; sleep 600 & echo $! >&2; serve");
        call(&mut link, 1).await;
        let pids = pids(&link.traces(), 2).await;
        assert!(pids.iter().all(|pid| runs(*pid)));
        drop(link);
        gone(&pids).await;

        // Nor does one whose thread ends while its child is given time.
        let mut link = child(
            "trap '' TERM HUP; echo $$ >&2; sleep 600 & echo $! >&2; take; answer; wait; wait",
        );
        call(&mut link, 1).await;
        let pids = self::pids(&link.traces(), 2).await;
        link.close();
        pids
    });
    let began = Instant::now();
    while left.iter().any(|pid| runs(*pid)) {
        assert!(began.elapsed() < Duration::from_secs(10), "{left:?} run");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_a_child_says_beside_is_read_and_bounded() {
    run(async {
        let mut link = child("take; yes tea | head -c 1000000 >&2; echo end >&2; answer; serve");
        assert_eq!(class(&call(&mut link, 1).await), (Class::None, None));
        let traces = link.traces();
        until("the last words are there", || {
            traces.stderr().ends_with("end\n")
        })
        .await;
        assert_eq!(traces.stderr().len(), 16 << 10);
    });
}

#[test]
fn a_line_that_is_too_long_or_no_text_is_malformed() {
    for script in [
        "take; head -c 80000000 /dev/zero | tr '\\0' x; serve",
        "take; printf '\\377\\n'; serve",
    ] {
        run(async {
            let mut link = child(script);
            assert_eq!(class(&call(&mut link, 1).await), (Class::Malformed, None));
            assert_eq!(class(&call(&mut link, 2).await), (Class::SessionLost, None));
        });
    }
}

#[test]
fn chatter_on_the_output_is_malformed_but_the_child_goes_on() {
    run(async {
        let mut link = child("take; echo 'Server started'; answer; serve");
        assert_eq!(class(&call(&mut link, 1).await), (Class::Malformed, None));
        assert_eq!(class(&call(&mut link, 2).await), (Class::None, None));
    });
}

#[test]
fn a_request_that_is_given_up_leaves_the_child_usable() {
    run(async {
        let mut link = child("take; late=$id; echo got >&2; take; answer $late; answer; serve");
        let traces = link.traces();
        tokio::select! {
            _ = call(&mut link, 1) => panic!("nobody answers"),
            () = until("it has the request", || traces.stderr() == "got\n") => {}
        }
        assert_eq!(class(&call(&mut link, 2).await), (Class::None, None));
        assert_eq!(class(&call(&mut link, 3).await), (Class::None, None));
    });
}

#[test]
fn what_the_child_asks_while_nothing_is_in_flight_is_answered() {
    run(async {
        let ask = format!("echo '{SERVER_PING}'; IFS= read -r line; echo \"$line\" >&2");
        let mut link = child(&format!("take; {ask}; answer; {ask}; {ask}; serve"));
        assert_eq!(class(&call(&mut link, 1).await), (Class::None, None));
        let traces = link.traces();
        let wanted = format!("{CLIENT_PONG}\n").repeat(3);
        until("all are answered", || traces.stderr() == wanted).await;
    });
}
