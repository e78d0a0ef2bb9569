//! Faults on the time line: trials, moments, targets.

use std::collections::BTreeSet;

use mcpload::model::Offset;
use mcpload::plan::timeline::widest;
use mcpload::plan::{FaultPlan, Plan, WindowRef};

use super::{HEAD, good};

const MINUTES: &str = "[[phase]]\nname = \"steady\"\nduration = \"3m\"\nrate = \"100/s\"\n";

fn with(seed: u64, rest: &str) -> Plan {
    good(&format!("{HEAD}seed = {seed}\n{MINUTES}{rest}"))
}

fn killed(name: &str, more: &str) -> String {
    format!(
        "[[fault]]\nname = \"{name}\"\nkind = \"kill\"\ntarget = {{ role = \"server\", count = 1 }}\n{more}\n"
    )
}

fn seconds(fault: &FaultPlan) -> f64 {
    fault.at.seconds()
}

#[test]
fn each_trial_is_a_fault_of_its_own_with_targets_of_its_own() {
    let fault = killed(
        "one-dies",
        "at = \"steady + 10s\"\nevery = \"8s\"\ntrials = 20",
    );
    let plan = with(3, &fault);
    let first = &plan.faults[0];
    assert_eq!((first.name.as_str(), first.trial), ("one-dies", 1));
    let last = &plan.faults[19];
    assert_eq!(
        (last.name.as_str(), last.of.as_str()),
        ("one-dies#20", "one-dies")
    );
    assert_eq!((last.trial, seconds(last)), (20, 162.0));
    let hit: BTreeSet<String> = plan
        .faults
        .iter()
        .map(|fault| fault.targets[0].to_string())
        .collect();
    assert_eq!(hit.len(), 3, "20 draws of 3 slots");
    // What is repeated draws the first time what it drew when it was played once.
    let once = with(3, &killed("one-dies", "at = \"steady + 10s\""));
    assert_eq!(once.faults[0].targets, first.targets);
}

#[test]
fn the_same_seed_draws_the_same_targets_and_moments() {
    let fault = killed(
        "one-dies",
        "at = \"steady + 10s\"\nevery = \"8s\"\ntrials = 20\njitter = \"2s\"",
    );
    assert_eq!(with(3, &fault).faults, with(3, &fault).faults);
    let moments = |seed| -> Vec<Offset> {
        let plan = with(seed, &fault);
        plan.faults.iter().map(|fault| fault.at).collect()
    };
    assert_ne!(moments(3), moments(4));
    // Each in its own two seconds, and not all at the same place in them.
    let late: BTreeSet<i64> = moments(3)
        .iter()
        .enumerate()
        .map(|(before, at)| at.nanos() - (10 + 8 * before as i64) * 1_000_000_000)
        .inspect(|late| assert!((0..2_000_000_000).contains(late), "{late}"))
        .collect();
    assert_eq!(late.len(), 20);
}

#[test]
fn windows_and_checks_mean_all_trials() {
    let fault = killed(
        "one-dies",
        "at = \"steady + 10s\"\nevery = \"60s\"\ntrials = 3",
    );
    let plan = with(
        3,
        &format!(
            "{fault}[[slo]]\nerrors = {{ under = \"1%\" }}\nwindows = [\"during one-dies\", \"before one-dies\"]\n\
             [[check]]\nkind = \"recovery-time\"\nfault = \"one-dies\"\nmax = \"5s\"\n"
        ),
    );
    assert_eq!(plan.trials("one-dies").count(), 3);
    let spans = |window: &WindowRef| widest(window, &plan.phases, &plan.faults);
    let during = spans(&WindowRef::During("one-dies".to_owned()));
    assert_eq!(
        (during[0].start.seconds(), during[0].end.seconds()),
        (10.0, 180.0)
    );
    let before = spans(&WindowRef::Before("one-dies".to_owned()));
    assert_eq!(before[0].end.seconds(), 10.0);
}
