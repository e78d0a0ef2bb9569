//! Profiles in plans: who is there, what can be decided, what is said.

use mcpload::plan::preview::preview;
use mcpload::scenario::Overrides;

use super::support::{file, plan};
use super::{HEAD, good};

/// How many mistakes the scenario has.
fn mistakes(text: &str) -> usize {
    let overrides = Overrides {
        files: &file,
        ..Overrides::none()
    };
    plan("test.toml", text, &overrides).map_or_else(|wrong| wrong.len(), |_| 0)
}

#[test]
fn the_clients_are_as_many_as_a_second_of_the_highest_rate_or_the_people() {
    for (load, clients, held) in [
        (
            "profile = \"ramp\", from = \"10/s\", to = \"300/s\"",
            300,
            0,
        ),
        (
            "profile = \"spike\", base = \"10/s\", peak = \"120/s\", at = \"1s\", hold = \"1s\"",
            120,
            0,
        ),
        ("profile = \"poisson\", rate = \"40/s\"", 40, 0),
        ("profile = \"churn\", rate = \"2/s\", calls = 3", 10, 0),
        ("profile = \"ramping-users\", from = 3, to = 25", 25, 0),
        (
            "profile = \"iterations\", users = 4, iterations = 100",
            4,
            0,
        ),
        ("profile = \"hold\", sessions = 70", 70, 70),
        ("profile = \"hold\"", 10, 10),
        // Two of them in the first second and a half.
        ("profile = \"replay\", file = \"data/arrivals.csv\"", 10, 0),
    ] {
        let plan = good(&format!(
            "{HEAD}[[phase]]\nname = \"a\"\nduration = \"10s\"\nload = {{ {load} }}\n"
        ));
        let workload = &plan.workloads[0];
        assert_eq!((workload.clients, workload.held), (clients, held), "{load}");
        assert_eq!(workload.operations.is_empty(), held > 0, "{load}");
    }
}

#[test]
fn a_workload_that_holds_in_one_phase_and_acts_in_another_has_operations_and_is_held() {
    let plan = good(&format!(
        "{HEAD}[workload]\nclients = 30\n\
         [[phase]]\nname = \"a\"\nduration = \"10s\"\nload = {{ profile = \"hold\", sessions = 20 }}\n\
         [[phase]]\nname = \"b\"\nduration = \"10s\"\nrate = \"5/s\"\n"
    ));
    assert_eq!(
        (plan.workloads[0].clients, plan.workloads[0].held),
        (30, 20)
    );
    assert_eq!(plan.workloads[0].operations.len(), 1);
    let text = preview(&plan, 1000);
    assert!(text.contains("20 sessions held with a stream"), "{text}");
    assert!(text.contains("at 20 idle sessions"), "{text}");
}

#[test]
fn a_recording_becomes_a_part_of_the_plan_and_what_is_later_is_said() {
    let plan = good(&format!(
        "{HEAD}[[phase]]\nname = \"a\"\nduration = \"10s\"\nload = {{ profile = \"replay\", file = \"data/arrivals.csv\" }}\n"
    ));
    let with = &plan.phases[0].loads["main"].with;
    assert_eq!(with["recorded"]["arrivals"], 3);
    let text = preview(&plan, 1000);
    let said = "3 arrivals of data/arrivals.csv (1 later ones are left out)";
    assert!(text.contains(said), "{text}");
}

#[test]
fn what_can_be_decided_depends_on_where_the_arrivals_of_a_profile_are() {
    // 299 good ones show 99 %. A ramp from 10/s to 100/s over 10 s has 550, but only 137 in its first half.
    let ramp = |window: &str| {
        format!(
            "{HEAD}[[phase]]\nname = \"a\"\nduration = \"10s\"\nload = {{ profile = \"ramp\", from = \"10/s\", to = \"100/s\" }}\n\
             [[fault]]\nname = \"x\"\nkind = \"kill\"\ntarget = {{ slot = \"server-1\" }}\nat = \"a + 5s\"\n\
             [[slo]]\nlatency = {{ share = \"99%\", under = \"1s\" }}\nwindows = [\"{window}\"]\n"
        )
    };
    good(&ramp("a"));
    good(&ramp("after x"));
    assert_eq!(mistakes(&ramp("before x")), 1);
    let iterations = |count: u32| {
        format!(
            "{HEAD}[[phase]]\nname = \"a\"\nduration = \"10s\"\nload = {{ profile = \"iterations\", users = 4, iterations = {count} }}\n\
             [[slo]]\nlatency = {{ share = \"99%\", under = \"1s\" }}\n"
        )
    };
    good(&iterations(299));
    assert_eq!(mistakes(&iterations(298)), 1);
    let idle = format!(
        "{HEAD}[[phase]]\nname = \"a\"\nduration = \"10s\"\nload = {{ profile = \"hold\" }}\n\
         [[slo]]\nerrors = {{ under = \"1%\" }}\n"
    );
    assert_eq!(mistakes(&idle), 1);
}
