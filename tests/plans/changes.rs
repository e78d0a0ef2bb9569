//! Planned changes: which slots there are when, and what is planned with them.

use mcpload::fault::kinds::FAULTS;
use mcpload::plan::Plan;
use mcpload::plan::preview::preview;
use mcpload::registry::{Family, build};

use super::{HEAD, HOST, good};

const PHASE: &str = "[[phase]]\nname = \"chaos\"\nduration = \"1m\"\nrate = \"100/s\"\n";

/// A scale of the servers at this second.
fn scale(name: &str, at: u32, to: u32) -> String {
    format!(
        "[[fault]]\nname = \"{name}\"\nkind = \"scale\"\ntarget = {{ role = \"server\" }}\nat = \"chaos + {at}s\"\nto = {to}\n"
    )
}

fn with(seed: u64, rest: &str) -> Plan {
    good(&format!("{HEAD}seed = {seed}\n{PHASE}{rest}"))
}

fn targets(plan: &Plan, fault: &str) -> Vec<String> {
    let found = plan.faults.iter().find(|known| known.name == fault);
    let targets = found.unwrap().targets.iter();
    targets.map(ToString::to_string).collect()
}

#[test]
fn a_role_has_a_slot_for_every_number_that_it_ever_gets() {
    let plan = with(1, &(scale("more", 5, 5) + &scale("fewer", 20, 2)));
    let servers = plan.fleet.role("server").unwrap();
    let standby: Vec<bool> = servers.slots.iter().map(|slot| slot.standby).collect();
    assert_eq!(standby, [false, false, false, true, true]);
    assert_eq!(targets(&plan, "more"), ["server-4", "server-5"]);
    assert_eq!(
        targets(&plan, "fewer"),
        ["server-3", "server-4", "server-5"]
    );
    let text = preview(&plan, HOST.open_files);
    assert!(
        text.contains("3 slots: mcpload serve server, 2 on standby"),
        "{text}"
    );
    // Where nothing is scaled the stored plan says nothing of it.
    let text = serde_json::to_string(&with(1, "")).unwrap();
    assert!(!text.contains("standby"));
}

#[test]
fn draws_hit_only_slots_that_are_in_the_fleet_then() {
    let kill = "[[fault]]\nname = \"dies\"\nkind = \"kill\"\ntarget = { role = \"server\", count = 1 }\nevery = \"1s\"\ntrials = 8\n";
    for seed in 0..20 {
        let early = with(
            seed,
            &format!("{kill}at = \"chaos + 1s\"\n{}", scale("more", 30, 8)),
        );
        let early = early.faults.iter().filter(|fault| fault.of == "dies");
        assert!(
            early
                .flat_map(|fault| &fault.targets)
                .all(|slot| slot.as_str() <= "server-3")
        );
    }
    let late: Vec<Plan> = (0..20)
        .map(|seed| {
            with(
                seed,
                &format!("{kill}at = \"chaos + 40s\"\n{}", scale("more", 30, 8)),
            )
        })
        .collect();
    let mut late = late.iter().flat_map(|plan| &plan.faults);
    assert!(late.any(|fault| {
        fault.of == "dies" && fault.targets.iter().any(|slot| slot.as_str() > "server-3")
    }));
}

#[test]
fn a_rollout_means_all_slots_unless_it_says_how_many() {
    let roll = |target: &str, at: u32| {
        format!(
            "[[fault]]\nname = \"roll\"\nkind = \"rolling-restart\"\ntarget = {{ role = \"server\"{target} }}\nat = \"chaos + {at}s\"\n"
        )
    };
    let count = |target, at, more: &str| {
        let plan = with(2, &(roll(target, at) + more));
        targets(&plan, "roll").len()
    };
    assert_eq!(count("", 5, ""), 3);
    assert_eq!(count(", count = 1", 5, ""), 1);
    assert_eq!(count(", share = \"67%\"", 5, ""), 2);
    // Those of that time.
    assert_eq!(count("", 30, &scale("more", 5, 6)), 6);
    assert_eq!(count("", 30, &scale("fewer", 5, 2)), 2);
}

#[test]
fn an_update_is_completed_as_a_role_is_and_a_rollback_takes_its_slots() {
    let rest = "[[fault]]\nname = \"new\"\nkind = \"rolling-update\"\ntarget = { role = \"server\", count = 2 }\nat = \"chaos + 5s\"\ncommand = [\"mcpload\", \"serve\", \"server\", \"--page-size\", \"2\"]\n[[fault]]\nname = \"old\"\nkind = \"rollback\"\nof = \"new\"\nat = \"chaos + 30s\"\n";
    let plan = with(3, rest);
    let command = plan.faults[0].spec.with["command"].as_array().unwrap();
    let has = |word: &str| command.iter().any(|one| one == word);
    assert!(
        has("--listen") && has("{{ slot.name }}") && has("--page-size"),
        "{command:?}"
    );
    assert_eq!(targets(&plan, "new").len(), 2);
    assert_eq!(targets(&plan, "new"), targets(&plan, "old"));
}

#[test]
fn changes_are_planned_and_crashes_are_not() {
    let planned = |kind: &str| {
        let info = FAULTS
            .iter()
            .find(|known| known.info.name == kind)
            .unwrap()
            .info;
        let plan = with(4, &info.example.replace("chaos + 1s", "chaos + 2s"));
        let spec = &plan
            .faults
            .iter()
            .find(|fault| fault.spec.kind == kind)
            .unwrap()
            .spec;
        build(FAULTS, Family::Fault, spec).unwrap().planned()
    };
    let changes = [
        "scale",
        "rolling-restart",
        "rolling-update",
        "rollback",
        "reload",
        "re-create",
    ];
    assert!(changes.into_iter().all(planned));
    assert!(
        !["kill", "terminate", "restart", "stop"]
            .into_iter()
            .any(planned)
    );
}

#[test]
fn a_fault_of_links_that_follows_has_its_proxies_before_slots_that_are_still_to_come() {
    let slow = |new: &str| {
        format!(
            "[[fault]]\nname = \"slow\"\nkind = \"latency\"\ntarget = {{ role = \"server\", count = 1, new_slots = \"{new}\" }}\nat = \"chaos + 1s\"\nduration = \"10s\"\ndelay = \"5ms\"\n"
        )
    };
    let proxied = |new: &str| {
        let plan = with(5, &(slow(new) + &scale("more", 5, 5)));
        let servers = plan.fleet.role("server").unwrap();
        let slots = servers.slots.iter().filter(|slot| slot.wire.is_some());
        let slots: Vec<String> = slots.map(|slot| slot.id.to_string()).collect();
        (slots.len(), slots.contains(&"server-5".to_owned()))
    };
    assert_eq!(proxied("follow"), (3, true));
    assert_eq!(proxied("frozen"), (1, false));
}
