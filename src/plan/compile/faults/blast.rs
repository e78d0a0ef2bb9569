//! Whether the faults stay within the blast radius, as far as that is known before the run.
//!
//! Pure. A fault holds its targets from its begin to its planned end; what is held grows only when a fault begins, so it is enough
//! to look then. How long a slot takes to come back, and who owns a session, is known only later: the conductor asks again.

use super::{Around, Trial};
use crate::diag::codes;
use crate::plan::blast::Excess;
use crate::plan::compile::Context;

/// Refuses faults that go beyond. `trials` are in the order of their begin.
pub(super) fn check(context: &mut Context<'_>, around: &Around<'_>, trials: &[Trial]) {
    let Some(radius) = around.blast_radius else {
        return;
    };
    let mut reported = Vec::new();
    let acts = |trial: &&Trial| trial.is_known && !trial.looks_on();
    for (place, trial) in trials.iter().enumerate() {
        if !acts(&trial) || reported.contains(&trial.number) {
            continue;
        }
        let before = trials.iter().take(place).filter(acts);
        let others: Vec<&Trial> = before
            .filter(|other| other.plan.end() >= trial.plan.at)
            .collect();
        let held = || others.iter().flat_map(|other| &other.plan.targets);
        let targets = &trial.plan.targets;
        let excess = radius.excess(around.fleet, targets, trial.at_once(), held());
        let Some(excess) = excess else {
            continue;
        };
        reported.push(trial.number);
        let name = &trial.plan.name;
        let (key, expected) = match &excess {
            Excess::Spared(_) => ("spare", "expected another target".to_owned()),
            Excess::TooMany { role, most, .. } => {
                let path = format!("max_slots.{role}");
                let is_given = context.spans.given(&format!("blast_radius.{path}"));
                let key = if is_given { "max_slots" } else { "max_share" };
                (key, format!("expected at most {most} at one time"))
            }
        };
        let hint = hint(context, key);
        context.report(
            &codes::BLAST_RADIUS,
            &format!("fault[{}].target", trial.number),
            format!("`{name}` at {}: {excess}", trial.plan.at),
            expected,
            hint,
        );
    }
}

/// Where the limit stands.
pub(super) fn hint(context: &Context<'_>, key: &str) -> String {
    let is_given = context.spans.given(&format!("blast_radius.{key}"));
    let key = match key {
        "spare" if !is_given => "spare_label",
        key => key,
    };
    let path = format!("blast_radius.{key}");
    let line = context.spans.line(&path);
    format!("line {line} says so: `{key}` of [blast_radius]")
}
