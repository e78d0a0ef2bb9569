//! From a scenario's text to its plan.

mod support;

use mcpload::plan::{Expectation, Plan};
use mcpload::scenario::Overrides;
use support::{HOST, plan};

const QUICKSTART: &str = include_str!("../scenarios/quickstart.toml");

fn good(text: &str) -> Plan {
    plan("test.toml", text, &Overrides::none()).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn the_quickstart_compiles_and_looks_like_this() {
    let mut plan = good(QUICKSTART);
    insta::assert_snapshot!(
        "quickstart-preview",
        mcpload::plan::preview::preview(&plan, HOST.open_files)
    );
    plan.origins.retain(|_, origin| origin != "default");
    insta::assert_json_snapshot!("quickstart-plan", plan);
}

#[test]
fn a_plan_reads_back_as_it_was_written() {
    let plan = good(QUICKSTART);
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn the_shortest_scenario_is_the_reference_fleet_and_an_echo() {
    let plan = good(
        "version = 1\nname = \"short\"\n[[phase]]\nname = \"only\"\nduration = \"10s\"\nrate = \"50/s\"\n",
    );
    let slots: Vec<String> = plan
        .fleet
        .slots()
        .map(|(_, slot)| slot.id.to_string())
        .collect();
    assert_eq!(slots, ["server-1", "server-2", "server-3", "balancer-1"]);
    assert_eq!(plan.fleet.served_by.as_deref(), Some("mcpload-instance"));
    assert_eq!(plan.workloads[0].clients, 50);
    assert!(matches!(
        plan.workloads[0].operations[0].steps[0].expect,
        Some(Expectation::TextEquals(_))
    ));
    assert_eq!(plan.origins["seed"], "drawn");
    assert_eq!(plan.checks.len(), 1);
    assert_eq!(
        (plan.checks[0].spec.kind.as_str(), plan.checks[0].line),
        ("generator-lag", 0)
    );
}
