//! What a change on purpose costs: a server that drains loses nothing, one that drops what it has is found out.

use mcpload::check::kinds::CHECKS;
use serde_json::Value;

use crate::played::{Played, Story};

/// Three servers behind a balancer. `sleep` takes long enough for several calls to be in flight at any moment.
fn scenario(protocol: &str, server: &str, further: &str) -> String {
    format!(
        r#"
version = 1
name = "change"
seed = 11
workers = 1
[fleet]
driver = "process"
[fleet.role.server]
replicas = 3
stop_grace = "2s"
restart = {{ policy = "always", backoff = "300ms" }}
{server}
[fleet.role.balancer]
[workload]
clients = 24
protocol = "{protocol}"
recovery = "spec"
[[workload.operation]]
tool = "sleep"
arguments = {{ ms = 80 }}
timeout = "2s"
[[phase]]
name = "steady"
duration = "3500ms"
rate = "60/s"
[[phase]]
name = "change"
duration = "5s"
rate = "60/s"
{further}
"#
    )
}

fn change(kind: &str) -> String {
    format!(
        "[[fault]]\nname = \"one-leaves\"\nkind = \"{kind}\"\ntarget = {{ role = \"server\", count = 1 }}\nat = \"change + 500ms\"\n\
         {}\n",
        example()
    )
}

/// The example in the documentation of the check.
fn example() -> &'static str {
    let mut kinds = CHECKS.iter();
    let found = kinds.find(|kind| kind.info.name == "clean-change");
    found.unwrap().info.example
}

fn finding<'a>(story: &'a Story, kind: &str) -> &'a Value {
    let findings = story.summary["findings"].as_array().unwrap();
    let mut of_kind = findings.iter().filter(|finding| finding["kind"] == kind);
    of_kind.next().unwrap()
}

/// The failures of this class that the change is blamed for.
fn blamed(story: &Story, class: &str) -> u64 {
    let failures = &story.summary["analysis"]["faults"][0]["change"]["failures"];
    let of_class = failures.as_array().unwrap().iter();
    of_class
        .filter(|failures| failures["class"] == class)
        .filter_map(|failures| failures["blamed"].as_u64())
        .sum()
}

#[test]
fn a_server_that_drains_makes_a_clean_change() {
    let text = scenario("2026-07-28", "", &change("terminate"));
    let story = Played::start(&text).ended_with(&[0]);
    let finding = finding(&story, "clean-change");
    assert_eq!(finding["answer"], "pass", "{}", story.printed);
    // The signal is told before the end, with whom it went to and how long it has.
    let stopping = story
        .events
        .iter()
        .find(|event| event["event"] == "slot-stopping")
        .unwrap();
    assert_eq!(stopping["fault"], "one-leaves");
    assert_eq!(stopping["instance"], story.targets()[0].as_str());
    assert_eq!(stopping["grace"], "2s");
    let (signal, gone) = (story.at("slot-stopping"), story.at("fault-applied"));
    assert!(story.at("fault-began") <= signal && signal < gone);
    // By the rows themselves: what was sent until the change was done, and what the server had at the signal.
    let done = story.at("fault-heal-proven");
    let sent = story
        .calls
        .iter()
        .filter(|call| call.sent.is_some_and(|sent| signal <= sent && sent < done));
    let target = story.targets()[0].clone();
    let held = story.calls.iter().filter(|call| {
        call.instance == target
            && call.done >= signal
            && call.sent.is_some_and(|sent| sent < signal)
    });
    let told = &story.summary["analysis"]["faults"][0]["change"];
    let in_flight = held.count() as u64;
    assert_eq!(told["in_flight"].as_u64(), Some(in_flight), "{told}");
    // Those that it served in the drain and that were sent after the signal are among those of the window.
    assert_eq!(told["calls"].as_u64(), Some(sent.count() as u64), "{told}");
    assert!(finding["samples"].as_u64().unwrap() > 10, "{finding}");
}

#[test]
fn a_server_that_drops_what_it_has_is_found_out() {
    let server = "args = [\"--drain\", \"0s\"]";
    let text = scenario("2026-07-28", server, &change("terminate"));
    let story = Played::start(&text).ended_with(&[6]);
    let finding = finding(&story, "clean-change");
    assert_eq!(finding["answer"], "fail", "{}", story.printed);
    let signal = story.at("slot-stopping");
    let lost = story.calls.iter().filter(|call| {
        call.class != mcpload::model::Class::None
            && call.done >= signal
            && call.sent.is_some_and(|sent| sent < signal)
    });
    let change = &story.summary["analysis"]["faults"][0]["change"];
    let failures = change["failures"].as_array().unwrap().iter();
    let in_flight: u64 = failures
        .map(|failures| failures["in_flight"].as_u64().unwrap())
        .sum();
    // 20 calls a second of 80 ms on each server: one or two are in flight on it.
    assert!(in_flight >= 1, "{change}");
    assert_eq!(in_flight, lost.count() as u64, "{change}");
    let headline = finding["headline"].as_str().unwrap();
    let target = story.targets()[0].replace("#1", "");
    assert!(headline.starts_with(&target), "{headline}");
}

#[test]
fn sessions_that_live_in_one_server_are_lost_by_its_restart() {
    let text = scenario("2025-11-25", "", &change("restart"));
    let story = Played::start(&text).ended_with(&[6]);
    let finding = finding(&story, "clean-change");
    assert_eq!(finding["answer"], "fail", "{}", story.printed);
    let lost = blamed(&story, "session-lost");
    let rows = story
        .calls
        .iter()
        .filter(|call| call.class == mcpload::model::Class::SessionLost);
    assert!(lost >= 1, "{finding}");
    assert_eq!(lost, rows.count() as u64);
    assert!(
        finding["headline"]
            .as_str()
            .unwrap()
            .contains("session-lost"),
        "{finding}"
    );
}

#[test]
fn a_fault_that_lasts_has_two_times_to_recover() {
    // With one bad operation in ten tolerated, half a second shows that users are served.
    let further = "[[fault]]\nname = \"one-hangs\"\nkind = \"pause\"\ntarget = { role = \"balancer\" }\nat = \"change + 500ms\"\nduration = \"2s\"\n\
         [[slo]]\nname = \"answers\"\nerrors = { under = \"10%\" }\nwindows = [\"before one-hangs\"]\n\
         [[check]]\nkind = \"recovery-time\"\nfault = \"one-hangs\"\nof = \"service\"\nfrom = \"heal\"\nmax = \"1500ms\"\nhold = \"500ms\"\n";
    // All that is due while the balancer hangs fails soon, but for the last part.
    let text =
        scenario("2026-07-28", "", further).replace("timeout = \"2s\"", "timeout = \"300ms\"");
    let story = Played::start(&text).ended_with(&[0, 6]);
    let recovery = &story.summary["analysis"]["faults"][0]["recovery"];
    let from_effect = recovery["service"]["after"].as_u64().unwrap();
    let from_heal = recovery["after_heal"]["service"]["after"].as_u64().unwrap();
    let lasted = story.at("fault-healed").since(story.at("fault-effective"));
    let lasted = u64::try_from(lasted.as_nanos()).unwrap();
    assert_eq!(from_heal, from_effect.saturating_sub(lasted), "{recovery}");
    let finding = finding(&story, "recovery-time");
    let answer = if from_heal <= 1_500_000_000 {
        "pass"
    } else {
        "fail"
    };
    assert_eq!(finding["answer"], answer, "{finding}");
    let headline = finding["headline"].as_str().unwrap();
    assert!(headline.contains("its heal"), "{headline}");
}
