//! From a scenario's text to its plan.

#![expect(
    clippy::panic,
    reason = "helpers of tests, which clippy takes for production code"
)]

mod support;

#[cfg(test)]
#[path = "plans/changes.rs"]
mod changes;
#[cfg(test)]
#[path = "plans/clients.rs"]
mod clients;
#[cfg(test)]
#[path = "plans/judged.rs"]
mod judged;
#[cfg(test)]
#[path = "plans/profiles.rs"]
mod profiles;
#[cfg(test)]
#[path = "plans/time_line.rs"]
mod time_line;

use mcpload::plan::{AuthPlan, Expectation, Plan, Secret};
use mcpload::scenario::Overrides;
use support::{HOST, file, plan};

const QUICKSTART: &str = include_str!("../scenarios/quickstart.toml");

fn good(text: &str) -> Plan {
    changed(text, &[], &[])
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
        plan.workloads[0].operations[0].steps[0].expect.as_slice(),
        [Expectation::TextEquals(_)]
    ));
    assert_eq!(plan.origins["seed"], "drawn");
    assert_eq!(plan.checks.len(), 1);
    assert_eq!(
        (plan.checks[0].spec.kind.as_str(), plan.checks[0].line),
        ("generator-lag", 0)
    );
}

const HEAD: &str = "version = 1\nname = \"test\"\n";
const PHASE: &str = "[[phase]]\nname = \"steady\"\nduration = \"10s\"\nrate = \"100/s\"\n";

fn with(rest: &str) -> Plan {
    good(&format!("{HEAD}{PHASE}{rest}"))
}

fn changed(text: &str, set: &[&str], variants: &[&str]) -> Plan {
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let overrides = Overrides {
        set: own(set),
        variants: own(variants),
        env: &|name| (name == "WHO").then(|| "me".to_owned()),
        files: &file,
    };
    plan("test.toml", text, &overrides).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn the_seed_draws_the_target_and_nothing_else_does() {
    let drawn = |seed: &str| {
        let set = format!("seed={seed}");
        changed(QUICKSTART, &[&set], &[]).faults[0].targets[0].to_string()
    };
    assert_eq!(drawn("3"), drawn("3"));
    let all: std::collections::BTreeSet<String> =
        (0..20).map(|seed| drawn(&seed.to_string())).collect();
    assert_eq!(all.len(), 3);
    let more = changed(
        QUICKSTART,
        &["seed=3", "workers=7", "workload.clients=99"],
        &[],
    );
    assert_eq!(more.faults[0].targets[0].to_string(), drawn("3"));
    assert_eq!((more.workers, more.workloads[0].clients), (7, 99));
}

#[test]
fn overrides_change_values_by_path_and_leave_their_origin() {
    let plan = changed(
        QUICKSTART,
        &[
            "fleet.role.server.replicas=5",
            "phase.chaos.duration=20s",
            "phase.0.measure=true",
            "slo.fast.windows=[\"steady\"]",
            "fleet.role.server.restart.policy=none",
        ],
        &[],
    );
    assert_eq!(plan.fleet.roles[0].slots.len(), 5);
    assert_eq!(plan.end().nanos(), 27_000_000_000);
    assert!(plan.phases[0].measure);
    assert_eq!(plan.objectives[0].windows.len(), 1);
    assert_eq!(plan.origins["fleet.role.server.replicas"], "--set");
    assert_eq!(plan.origins["phase[2].duration"], "--set");
}

#[test]
fn variants_are_merged_by_name_in_their_order_and_overrides_come_last() {
    let text = format!(
        "{HEAD}{PHASE}[[workload]]\n\
         [variant.a.fleet.role.server]\nreplicas = 5\n\
         [[variant.a.phase]]\nname = \"steady\"\nrate = \"10/s\"\n\
         [[variant.a.phase]]\nname = \"more\"\nduration = \"1s\"\nrate = \"1/s\"\n\
         [variant.b]\nworkload = {{ clients = 3 }}\nfleet.role.server.replicas = 6\n"
    );
    let base = changed(&text, &[], &[]);
    assert_eq!(
        (base.phases.len(), base.fleet.roles[0].name.as_str()),
        (1, "server")
    );
    let both = changed(&text, &["workload.clients=4"], &["a", "b"]);
    assert_eq!(both.phases.len(), 2);
    assert_eq!(both.phases[0].loads["main"].with["rate"], "10/s");
    assert_eq!(both.fleet.roles[0].slots.len(), 6);
    assert_eq!(both.workloads[0].clients, 4);
    assert_eq!(both.origins["phase[1].name"], "variant a");
}

#[test]
fn the_environment_fills_texts_and_other_templates_stay() {
    let plan = changed(
        &format!(
            "{HEAD}{PHASE}[fleet.role.server]\nargs = [\"--name\", \"{{{{ env.WHO }}}}-{{{{ slot.name }}}}\"]\n"
        ),
        &[],
        &[],
    );
    let command = &plan.fleet.roles[0].slots[0].command;
    assert_eq!(command.last().unwrap(), "me-{{ slot.name }}");
    assert_eq!(plan.origins["fleet.role.server.args[1]"], "env.WHO");
}

#[test]
fn roles_start_after_those_whose_links_they_use() {
    let plan = with(
        "[fleet.role.a]\ncommand = [\"nginx\", \"{{ links.server }}\", \"{{ link.cache-1 }}\"]\n\
         [fleet.role.server]\nreplicas = 2\nenv = { CACHE = \"{{ link.cache-1 }}\", KEY = { env = \"KEY\" } }\n\
         limits = { memory = \"1GiB\", open_files = 512 }\nslot.server-2 = { args = [\"--json\"], env = { KEY = \"plain\" } }\n\
         [fleet.role.cache]\ncommand = [\"redis\"]\nready = { log = \"ready\" }\nmembers = { reload = [\"x\"] }\n\
         [fleet]\nendpoint = { role = \"a\", path = \"/x\" }\nserved_by = \"x-served-by\"\n\
         [workload]\n[[workload.operation]]\ntool = \"echo\"\narguments = { text = \"a\" }\n",
    );
    let order: Vec<&str> = plan
        .fleet
        .roles
        .iter()
        .map(|role| role.name.as_str())
        .collect();
    assert_eq!(order, ["cache", "server", "a"]);
    assert_eq!(plan.fleet.served_by.as_deref(), Some("x-served-by"));
    let slots = &plan.fleet.role("server").unwrap().slots;
    assert_eq!(slots[0].secret_env.len(), 1);
    assert_eq!(
        (slots[1].secret_env.len(), slots[1].env["KEY"].as_str()),
        (0, "plain")
    );
    assert_eq!(slots[1].command.last().unwrap(), "--json");
    assert_eq!(slots[0].limits.memory, Some(1 << 30));
    // The fleet is not ours alone, so nothing is known of what `echo` answers.
    assert_eq!(plan.workloads[0].operations[0].steps[0].expect, []);
}

#[test]
fn journeys_are_made_of_the_operations_that_they_name() {
    let plan = with(
        "[workload]\nauth = { bearer = { file = \"t\" } }\nheaders = { X-Tenant = \"a\" }\n\
         [[workload.operation]]\ntool = \"payload\"\narguments = { bytes = 10 }\nweight = 0\nthink = \"1s\"\n\
         [[workload.operation]]\ncall = \"resources/read\"\nuri = \"mem://1\"\nexpect = { contains = \"x\" }\n\
         [[workload.operation]]\ncall = \"prompts/get\"\nprompt = \"greeting\"\narguments = { name = \"you\" }\n\
         [[workload.operation]]\nname = \"visit\"\nsteps = [\"payload\", \"resources-read\", \"payload\"]\nthink = \"2s\"\n",
    );
    let operations = &plan.workloads[0].operations;
    let visit = operations.iter().find(|one| one.name == "visit").unwrap();
    let targets: Vec<&str> = visit
        .steps
        .iter()
        .map(|step| step.target.as_str())
        .collect();
    assert_eq!(targets, ["payload", "mem://1", "payload"]);
    assert_eq!(visit.think_total().as_secs(), 4);
    assert_eq!(visit.steps[0].expect, [Expectation::TextLength(10)]);
    assert_eq!(
        visit.steps[1].expect,
        [Expectation::TextContains("x".to_owned())]
    );
    assert_eq!(plan.workloads[0].headers.len(), 1);
    let token = Secret::File("t".to_owned());
    assert_eq!(plan.workloads[0].auth, AuthPlan::Bearers(vec![token]));
}

#[test]
fn closed_users_and_several_workloads_have_their_clients() {
    let plan = good(&format!(
        "{HEAD}[[workload]]\nname = \"people\"\n[[workload]]\nname = \"agents\"\nrecovery = \"rmcp\"\n\
         [[phase]]\nname = \"a\"\nduration = \"10s\"\nloads = {{ people = {{ profile = \"users\", users = 12 }}, agents = \"3.5/s\" }}\n\
         [[phase]]\nname = \"b\"\nduration = \"10s\"\nloads = {{}}\n\
         [[slo]]\nlatency = {{ share = \"99.9%\", under = \"1s\" }}\n"
    ));
    assert_eq!(plan.workloads[0].clients, 12);
    assert_eq!(plan.workloads[1].clients, 10);
    assert_eq!(plan.workloads[1].recovery.retries, 1);
    assert!(plan.phases[1].loads.is_empty());
    let text = mcpload::plan::preview::preview(&plan, 1000);
    assert!(
        text.contains("12 users") && text.contains("no load"),
        "{text}"
    );
}

#[test]
fn a_fleet_that_already_runs_needs_only_its_url() {
    let plan = good(&format!(
        "{HEAD}{PHASE}[fleet]\ndriver = \"external\"\nendpoint = {{ urls = [\"http://a:1/mcp\", \"http://b:1/mcp\"] }}\n\
         [workload]\n[[workload.operation]]\ntool = \"echo\"\narguments = {{ text = \"a\" }}\n"
    ));
    assert!(plan.fleet.roles.is_empty());
    assert_eq!(plan.fleet.served_by, None);
    assert_eq!(plan.fleet.driver.with["max_rate"], "100/s");
    assert_eq!(plan.workloads[0].operations[0].steps[0].expect, []);
}

#[test]
fn a_fault_can_count_from_another_and_faults_are_in_the_order_of_their_begin() {
    let plan = with(
        "[[fault]]\nname = \"second\"\nkind = \"kill\"\ntarget = { slot = [\"server-2\", \"server-3\"] }\nat = \"first begins + 2s\"\n\
         [[fault]]\nname = \"first\"\nkind = \"kill\"\ntarget = { role = \"server\", share = \"67%\" }\nat = \"steady + 1s\"\n",
    );
    let begins: Vec<(&str, i64, usize)> = plan
        .faults
        .iter()
        .map(|fault| {
            (
                fault.name.as_str(),
                fault.at.nanos() / 1_000_000,
                fault.targets.len(),
            )
        })
        .collect();
    assert_eq!(begins, [("first", 1000, 2), ("second", 3000, 2)]);
}

#[test]
fn what_is_decided_is_all_known_and_only_what_does_not_act_is_refused() {
    let refused = |text: &str| -> Vec<String> {
        match plan("test.toml", text, &Overrides::none()) {
            Ok(_) => Vec::new(),
            Err(wrong) => {
                assert!(
                    wrong.iter().all(|one| one.code.name == "not-yet"),
                    "{wrong}"
                );
                wrong.iter().map(|one| one.message.clone()).collect()
            }
        }
    };
    let deployed = r#"
        version = 1
        name = "failover"
        [fleet]
        driver = "process"
        [fleet.role.server]
        replicas = 3
        restart = { policy = "always", backoff = "1s" }
        for_each = [{ name = "a", port = 1 }]
        [fleet.role.balancer]
        command = ["mcpload", "serve", "balancer", "--policy", "least-connections"]
        members = "api"
        [workload]
        clients = 100
        protocol = { "2025-11-25" = 7, "2026-07-28" = 3 }
        transport = "streamable-http"
        recovery = "spec"
        [[workload.operation]]
        tool = "echo"
        arguments = { text = "{{ random.hex(64) }}" }
        weight = 9
        timeout = "2s"
        [[workload.operation]]
        steps = ["echo"]
        weight = 1
        [[phase]]
        name = "chaos"
        duration = "15s"
        load = { profile = "ramp", from = "100/s", to = "300/s" }
        [[fault]]
        name = "one-dies"
        kind = "kill"
        target = { role = "server", new_slots = "frozen" }
        at = "chaos + 3s"
        [[slo]]
        errors = { under = "0.1%" }
        windows = ["after one-dies"]
        [[check]]
        kind = "recovery-time"
        fault = "one-dies"
        max = "5s"
    "#;
    assert_eq!(refused(deployed).len(), 1);
    let attached = r#"
        version = 1
        name = "staging"
        [fleet]
        driver = "compose"
        attach = "staging"
        allow_external = true
        roles = { server = "mcp-server", balancer = "nginx", redis = "redis" }
        endpoint = { url = "https://127.0.0.1:8443/mcp", ca = "ca.pem" }
        served_by = "x-served-by"
        deploy = { batches = [10, 50, 100], retry = 3 }
        [[workload]]
        name = "agents"
        weight = 8
        auth = { bearer = { env = "TOKEN" } }
        [[phase]]
        name = "steady"
        duration = "10s"
        rate = "10/s"
    "#;
    assert_eq!(refused(attached).len(), 5);
}
