//! Faults that take from an instance what it needs: processor time, memory, files.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mcpload::model::{Call, Offset};

use crate::played::{Played, Story, pid_of};

/// The numbers and the arguments of the hogs of this run that live.
fn hogs(played: &Played) -> Vec<(u32, String)> {
    let marked = played.run.marked().into_iter();
    marked
        .filter_map(|process| {
            let line = std::fs::read(format!("/proc/{}/cmdline", process.pid)).ok()?;
            let words = String::from_utf8_lossy(&line).replace('\0', " ");
            words.contains(" hog ").then_some((process.pid, words))
        })
        .collect()
}

fn environment(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    String::from_utf8_lossy(&bytes).replace('\0', "\n")
}

/// The value below which so many percent of `values` are, nanoseconds.
fn percentile(mut values: Vec<i64>, percent: usize) -> i64 {
    values.sort_unstable();
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

/// The median service time of the burns that this instance served of those sent from `from` to `to`.
fn median_burn(story: &Story, instance: &str, from: Offset, to: Offset) -> i64 {
    let burns = story.served_by(instance).into_iter();
    let times: Vec<i64> = burns
        .filter(|call| call.target == "burn")
        .filter_map(|call| Some((call.sent?, call.done)))
        .filter(|(sent, _)| *sent >= from && *sent < to)
        .map(|(sent, done)| done.0 - sent.0)
        .collect();
    assert!(times.len() >= 10, "{} burns", times.len());
    percentile(times, 50)
}

/// The 99th percentile of our own lateness for what was due from `from` to `to`.
fn lag(calls: &[Call], from: Offset, to: Offset) -> i64 {
    let due = calls
        .iter()
        .filter(|call| call.arrival.is_some() && call.step <= 1 && call.attempt <= 1)
        .filter(|call| call.operation_due >= from && call.operation_due < to);
    let lags: Vec<i64> = due
        .filter_map(|call| Some(call.taken?.0 - call.due.0))
        .collect();
    assert!(lags.len() >= 50, "{} arrivals", lags.len());
    percentile(lags, 99)
}

#[test]
fn a_cpu_hog_slows_its_target_and_leaves_the_load_as_it_was_or_the_window_is_invalid() {
    let burns =
        "[[workload.operation]]\ntool = \"burn\"\narguments = { ms = 5 }\ntimeout = \"2s\"\n";
    let fragment = format!("{burns}{}", crate::played::example("cpu-hog"));
    let mut played = Played::fragment(&fragment);
    played.run.wait_for_event("fault-effective", "starved");
    let seen = hogs(&played);
    assert_eq!(seen.len(), 1, "{seen:?}");
    let environment = environment(seen[0].0);
    assert!(
        environment.contains("MCPLOAD_FAULT=one-is-starved\n"),
        "{environment}"
    );
    let story = played.ended();
    let target = story.targets()[0].clone();
    let (began, effective) = (story.at("fault-began"), story.at("fault-applied"));
    let healing = story.at("fault-healing");
    let before = median_burn(&story, &target, Offset::ZERO, began);
    let during = median_burn(&story, &target, effective, healing);
    // Two threads that spin leave it a third of a processor; half as much again is far below that and far above chance.
    assert!(during * 2 > before * 3, "{before} ns, then {during} ns");
    let effects = &story.summary["analysis"]["faults"][0]["effects"];
    assert!(
        effects[0]["achieved"].as_f64().unwrap() > 100.0,
        "{effects}"
    );

    let usual = lag(&story.calls, Offset::ZERO, began);
    let now = lag(&story.calls, effective, healing);
    let trust = story.summary["analysis"]["trust"].as_array().unwrap();
    let chaos = trust.iter().find(|grade| grade["phase"] == "chaos");
    let invalid = chaos.unwrap()["trust"] == "invalid";
    // 10 ms are what the instrument allows itself before it calls its numbers degraded.
    let as_usual = now <= usual * 2 + 10_000_000;
    assert!(as_usual || invalid, "lag {usual} ns, then {now} ns");
}

#[test]
fn a_memory_hog_holds_what_was_asked_for_and_gives_it_back() {
    let mut played = Played::example("memory-hog");
    played.run.wait_for_event("fault-effective", "short");
    let seen = hogs(&played);
    assert_eq!(seen.len(), 1, "{seen:?}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", seen[0].0)).unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kibibytes: u64 = resident.split_whitespace().next().unwrap().parse().unwrap();
    assert!(kibibytes >= 64 << 10, "{resident}");
    played.run.wait_for_event("fault-heal-proven", "short");
    assert_eq!(hogs(&played), []);
    played.ended();
}

#[test]
fn a_hog_that_dies_before_its_time_counts_as_unproven() {
    let check = "[[check]]\nkind = \"recovery-time\"\nfault = \"memory-is-short\"\nmax = \"3s\"\nhold = \"1s\"\n";
    let example = crate::played::example("memory-hog");
    assert!(example.contains("name = \"memory-is-short\""), "{example}");
    let mut played = Played::fragment(&format!("{example}\n{check}"));
    played.run.wait_for_event("fault-effective", "short");
    let pid = i32::try_from(hogs(&played)[0].0).unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    played.run.wait_for_event("fault-failed", "stopped acting");
    // What was proven at first was not so to the end: nothing that names the fault can pass.
    assert_eq!(played.run.exit_code(), Some(7), "{}", played.run.printed());
    played.run.assert_nothing_left();
}

/// The limit of open files that `/proc` shows.
fn limit(pid: i64) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let soft = line.split_whitespace().nth(3).unwrap();
    soft.parse().unwrap_or(u64::MAX)
}

/// Whether the server at this address says anything on a new connection, which stays open.
fn answers(address: &str, held: &mut Vec<TcpStream>) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: server\r\n\r\n")
        .unwrap();
    let answered = stream.read(&mut [0; 1]).is_ok_and(|count| count > 0);
    held.push(stream);
    answered
}

#[test]
fn open_files_lets_no_new_connection_in_until_it_is_healed() {
    let mut played = Played::example("open-files");
    played.run.wait_for_event("fault-effective", "full");
    let events = played.run.events();
    let began = events
        .iter()
        .find(|event| event["event"] == "fault-began")
        .unwrap();
    let target = began["targets"][0].as_str().unwrap();
    let started = events
        .iter()
        .find(|event| event["event"] == "slot-started" && event["instance"] == target)
        .unwrap();
    let address = started["address"].as_str().unwrap();
    let pid = pid_of(&events, target);
    let other = events.iter().find(|event| {
        event["event"] == "slot-started"
            && event["instance"]
                .as_str()
                .is_some_and(|instance| instance.starts_with("server-") && instance != target)
    });
    let usual = limit(other.unwrap()["pid"].as_i64().unwrap());
    let low = limit(pid);
    assert!(low < usual, "{low} {usual}");
    // What it closes it may open again; so the connections that it takes are held until it takes none.
    let mut held = Vec::new();
    assert!((0..200).any(|_| !answers(address, &mut held)));
    drop(held);

    played.run.wait_for_event("fault-heal-proven", "full");
    assert_eq!(limit(pid), usual);
    assert!(answers(address, &mut Vec::new()));
    let story = played.ended();
    let exits = story
        .events
        .iter()
        .filter(|event| event["event"] == "slot-exited" && event["instance"] == target);
    // Only when the fleet was taken down.
    assert_eq!(exits.count(), 1);
}
