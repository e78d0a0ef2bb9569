//! Faults on the time line: trials, moments, targets.

use std::collections::BTreeSet;

use mcpload::model::Offset;
use mcpload::plan::timeline::widest;
use mcpload::plan::{Plan, WindowRef};

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

/// So many seconds after the start.
const fn at(seconds: i64) -> Offset {
    Offset(seconds * 1_000_000_000)
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
    assert_eq!((last.trial, last.at), (20, at(162)));
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
    let late: BTreeSet<i64> = (0_i64..)
        .zip(moments(3))
        .map(|(before, moment)| moment.nanos() - at(10 + 8 * before).nanos())
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
    assert_eq!((during[0].start, during[0].end), (at(10), at(180)));
    let before = spans(&WindowRef::Before("one-dies".to_owned()));
    assert_eq!(before[0].end, at(10));
}

#[test]
fn a_fault_can_count_from_the_heal_of_one_that_has_a_duration() {
    let hangs = "[[fault]]\nname = \"hangs\"\nkind = \"pause\"\ntarget = { slot = \"server-1\" }\nat = \"steady + 10s\"\nduration = \"7s\"\n";
    let plan = with(
        3,
        &format!("{hangs}{}", killed("then", "at = \"hangs heals + 3s\"")),
    );
    let then = plan.trials("then").next().unwrap();
    assert_eq!(then.at, at(20));
    assert_eq!(plan.faults[0].end(), at(17));
}

#[test]
fn labels_select_slots_of_any_role_and_a_slots_own_label_wins() {
    let fleet = "[fleet.role.server]\nreplicas = 3\nlabels = { rack = \"a\" }\n\
         [fleet.role.server.slot.server-2]\nlabels = { rack = \"b\" }\n\
         [fleet.role.balancer]\nlabels = { rack = \"b\" }\n";
    let fault = |target: &str| {
        let fault =
            format!("[[fault]]\nkind = \"kill\"\ntarget = {target}\nat = \"steady + 5s\"\n");
        let plan = with(3, &format!("{fleet}{fault}"));
        let targets = plan.faults[0].targets.iter();
        targets.map(ToString::to_string).collect::<Vec<String>>()
    };
    let share = |target: &str| fault(&format!("{{ {target}, share = \"100%\" }}"));
    assert_eq!(share("label = { rack = \"a\" }"), ["server-1", "server-3"]);
    let mut both = share("label = { rack = \"b\" }");
    both.sort();
    assert_eq!(both, ["balancer-1", "server-2"]);
    assert_eq!(
        fault("{ label = { rack = \"b\" }, role = \"server\" }"),
        ["server-2"]
    );
}

#[test]
fn a_draw_avoids_slots_on_which_another_fault_acts_and_no_others() {
    let hangs = "[[fault]]\nname = \"hangs\"\nkind = \"pause\"\ntarget = { role = \"server\", count = 1 }\nat = \"steady + 10s\"\nduration = \"7s\"\n";
    let dies = killed("dies", "at = \"steady + 12s\"");
    let named = "[[fault]]\nname = \"named\"\nkind = \"kill\"\ntarget = { slot = \"server-2\" }\nat = \"steady + 13s\"\n";
    let later = killed("later", "at = \"steady + 20s\"");
    let mut later_hit = BTreeSet::new();
    for seed in 0..30 {
        let plan = with(seed, &format!("{hangs}{dies}{named}{later}"));
        let target = |name: &str| plan.trials(name).next().unwrap().targets[0].to_string();
        assert_ne!(target("hangs"), target("dies"), "seed {seed}");
        assert_ne!(target("hangs"), "server-2", "seed {seed}");
        later_hit.insert(target("later"));
    }
    assert_eq!(later_hit.len(), 3);
}

#[test]
fn a_fault_follows_the_targets_of_another_trial_by_trial() {
    let first = killed(
        "one-dies",
        "at = \"steady + 10s\"\nevery = \"20s\"\ntrials = 6",
    );
    let again = "[[fault]]\nname = \"again\"\nkind = \"kill\"\ntarget = { follow = \"one-dies\" }\nat = \"one-dies begins + 5s\"\nevery = \"20s\"\ntrials = 7\n";
    let plan = with(5, &format!("{first}{again}"));
    let targets = |name: &str| -> Vec<_> {
        plan.trials(name)
            .map(|trial| trial.targets.clone())
            .collect()
    };
    let (led, followed) = (targets("one-dies"), targets("again"));
    assert_eq!(led[..], followed[..6]);
    assert_eq!(followed[6], led[0]);
    assert!(led.iter().any(|targets| *targets != led[0]));
}

#[test]
fn the_owner_of_a_session_is_asked_of_a_client_that_has_one() {
    let fault = "[[fault]]\nkind = \"kill\"\ntarget = \"owner-of-session\"\nat = \"steady + 10s\"\nevery = \"8s\"\ntrials = 20\n";
    let mixed = "[[workload]]\nname = \"new\"\nclients = 50\nprotocol = \"2026-07-28\"\n\
         [[workload.operation]]\ntool = \"echo\"\narguments = { text = \"a\" }\n\
         [[workload]]\nname = \"old\"\nclients = 50\nprotocol = \"2025-11-25\"\n\
         [[workload.operation]]\ntool = \"echo\"\narguments = { text = \"a\" }\n";
    let phase = "[[phase]]\nname = \"steady\"\nduration = \"3m\"\nloads = { new = { profile = \"constant\", rate = \"10/s\" }, old = { profile = \"constant\", rate = \"10/s\" } }\n";
    let plan = good(&format!("{HEAD}seed = 4\n{phase}{mixed}{fault}"));
    let owners: BTreeSet<_> = plan
        .faults
        .iter()
        .map(|fault| fault.owner.clone().unwrap())
        .collect();
    assert!(owners.len() > 10, "{owners:?}");
    assert!(
        owners
            .iter()
            .all(|owner| owner.workload == "old" && owner.client < 50)
    );
    assert!(plan.faults.iter().all(|fault| fault.targets.is_empty()));
}

#[test]
fn what_others_do_needs_no_target_and_no_moment_and_meets_no_other_fault() {
    let observed = "[[fault]]\nname = \"by-hand\"\nkind = \"observed\"\n\
         [[fault]]\nname = \"by-itself\"\nkind = \"observed\"\ntarget = { slot = \"server-1\" }\nat = \"steady\"\n";
    let dies = "[[fault]]\nname = \"dies\"\nkind = \"kill\"\ntarget = { slot = \"server-1\" }\nat = \"steady + 10s\"\n";
    let window = "[[slo]]\nerrors = { under = \"1%\" }\nwindows = [\"before by-hand\", \"during by-hand\"]\n";
    let plan = with(3, &format!("{observed}{dies}{window}"));
    let fault = |name: &'static str| plan.trials(name).next().unwrap();
    let by_hand = fault("by-hand");
    assert!(by_hand.is_observed() && by_hand.targets.is_empty());
    assert_eq!(by_hand.at, Offset::ZERO);
    assert_eq!(fault("by-itself").targets[0].as_str(), "server-1");
    // It may come at any time, so what is before it and during it may be all.
    let spans = |window: &WindowRef| widest(window, &plan.phases, &plan.faults);
    for window in [
        WindowRef::Before("by-hand".to_owned()),
        WindowRef::During("by-hand".to_owned()),
    ] {
        assert_eq!(spans(&window)[0].end, at(180), "{window}");
    }
}

#[test]
fn no_draw_meets_what_is_spared_and_the_limits_are_of_each_role() {
    let spared = "[blast_radius]\nmax_share = \"50%\"\nmax_slots = { balancer = 1 }\nspare = [\"server-2\"]\n";
    for seed in 0..20 {
        let plan = with(
            seed,
            &format!("{spared}{}", killed("dies", "at = \"steady + 10s\"")),
        );
        assert_ne!(
            plan.faults[0].targets[0].as_str(),
            "server-2",
            "seed {seed}"
        );
        let radius = plan.blast_radius.unwrap();
        assert_eq!((radius.most["server"], radius.most["balancer"]), (1, 1));
    }
}
