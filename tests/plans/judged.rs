//! Checks that are added: every fault that an operator does on purpose is judged as a change, unless the scenario does it.

use futures_util::future::BoxFuture;
use mcpload::catalog::Catalog;
use mcpload::fault::journal::Undo;
use mcpload::fault::{Fault, FaultError, Proof, Scene, Span};
use mcpload::fleet::Capability;
use mcpload::model::SlotId;
use mcpload::plan::Plan;
use mcpload::plan::compile::compile;
use mcpload::registry::{Acts, Kind, KindInfo, no_further_check};
use mcpload::scenario::{Overrides, load};

use super::HEAD;
use super::support::{CATALOG, HOST};

/// Something that is done on purpose, and that does nothing.
struct Deploy;

impl Fault for Deploy {
    fn needs(&self) -> &'static [Capability] {
        &[]
    }

    fn span(&self) -> Span {
        Span::Once
    }

    fn planned(&self) -> bool {
        true
    }

    fn undo(&self, _: &Scene<'_>) -> Undo {
        Undo::Nothing
    }

    fn by_hand(&self, _: &[SlotId]) -> String {
        String::new()
    }

    fn inject<'a>(&'a mut self, _: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async { Ok(()) })
    }

    fn prove<'a>(&'a mut self, _: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async { Ok(Proof::default()) })
    }

    fn heal<'a>(&'a mut self, _: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async { Ok(()) })
    }

    fn prove_healed<'a>(
        &'a mut self,
        _: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async { Ok(Proof::default()) })
    }
}

const FAULTS: &[Kind<dyn Fault>] = &[Kind {
    info: KindInfo {
        name: "deploy",
        summary: "a change on purpose",
        example: "",
        fields: &[],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |_| Ok(Box::new(Deploy)),
}];

fn with(rest: &str) -> Plan {
    let catalog = Catalog {
        faults: FAULTS,
        ..CATALOG
    };
    let phase = "[[phase]]\nname = \"steady\"\nduration = \"3m\"\nrate = \"100/s\"\n";
    let fault = "[[fault]]\nname = \"new-version\"\nkind = \"deploy\"\ntarget = { role = \"server\", count = 1 }\nat = \"steady + 10s\"\nevery = \"20s\"\ntrials = 2\n";
    let text = format!("{HEAD}{phase}{fault}{rest}");
    let loaded = load("judged.toml", &text, &Overrides::none(), &catalog);
    let loaded = loaded.unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    compile(&loaded, &catalog, &HOST).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)))
}

/// The checks of a clean change: fault, whether mcpload added it, how many calls may fail.
fn clean(plan: &Plan) -> Vec<(&str, bool, i64)> {
    let checks = plan.checks.iter();
    checks
        .filter(|check| check.spec.kind == "clean-change")
        .map(|check| {
            let most = check.spec.with["max_failed"].as_i64().unwrap();
            (check.fault.as_deref().unwrap(), check.line == 0, most)
        })
        .collect()
}

#[test]
fn a_change_on_purpose_is_judged_once_whatever_the_number_of_its_trials() {
    let plan = with("");
    assert_eq!(clean(&plan), [("new-version", true, 0)]);
    assert_eq!(plan.checks[0].name, "clean-change new-version");
}

#[test]
fn what_the_scenario_says_of_a_change_stands() {
    let own = "[[check]]\nkind = \"clean-change\"\nfault = \"new-version\"\nmax_failed = 3\n";
    assert_eq!(clean(&with(own)), [("new-version", false, 3)]);
}
