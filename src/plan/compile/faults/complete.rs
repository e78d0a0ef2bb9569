//! What a fault must say beside its kind: what it acts on, and when; and that it may, where that is not the run's own.
//!
//! Pure. Most faults act on slots at a moment. A command may act on something outside of the fleet, and what others do is awaited.

use super::kind_of;
use crate::diag::codes;
use crate::fault::change::Change;
use crate::plan::FleetPlan;
use crate::plan::compile::Context;
use crate::scenario::written::Fault;

/// Refuses a fault that says too little, or does what it may not.
pub(super) fn check(context: &mut Context<'_>, fault: &Fault, number: usize, fleet: &FleetPlan) {
    let Some(kind) = kind_of(context, fault) else {
        return;
    };
    let path = format!("fault[{number}]");
    let name = &fault.spec.kind;
    // A rollback acts on the slots of its update.
    let is_aimed = matches!(kind.change(), Some(Change::RollBack { .. }));
    if fault.target.is_none() && kind.aims() && !is_aimed {
        context.report(
            &codes::MISSING_KEY,
            &path,
            format!("`{name}` has no `target`"),
            "expected `target`: the slots that it acts on",
            "for example `target = { role = \"server\", count = 1 }`".to_owned(),
        );
    }
    let repeated = [
        ("every", fault.every.is_some()),
        ("trials", fault.trials.is_some()),
        ("jitter", fault.jitter.is_some()),
    ];
    let repeated = repeated.iter().find(|(_, given)| *given);
    if fault.at.is_none() && kind.acts() {
        context.report(
            &codes::MISSING_KEY,
            &path,
            format!("`{name}` has no `at`"),
            "expected `at`: when it acts",
            "for example `at = \"chaos + 3s\"`".to_owned(),
        );
    } else if let (None, Some((key, _))) = (&fault.at, repeated) {
        context.report(
            &codes::MISSING_KEY,
            &format!("{path}.{key}"),
            format!("`{key}` counts from a moment, and this fault names none"),
            "expected `at`",
            None,
        );
    }
    // What acts on no slot of the run acts on something else.
    let is_outside = fleet.roles.is_empty() || fault.target.is_none();
    if is_outside && !kind.aims() && kind.acts() && !context.scenario.fleet.allow_external {
        context.report(
            &codes::NOT_ALLOWED,
            &format!("{path}.kind"),
            format!("this `{name}` acts on what the run did not deploy"),
            if fleet.roles.is_empty() {
                "expected `allow_external = true` in [fleet]"
            } else {
                "expected a `target`, or `allow_external = true` in [fleet]"
            },
            None,
        );
    }
}
