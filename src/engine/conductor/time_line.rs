//! The time line: what is due when.
//!
//! Pure.

use crate::model::Offset;
use crate::plan::{FaultPlan, Plan};

/// Something that is due at an offset.
#[derive(Clone, Copy)]
pub(super) struct Action<'a> {
    pub(super) at: Offset,
    pub(super) what: What<'a>,
}

/// What is due.
#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    PhaseEnds(&'a str),
    PhaseBegins(&'a str),
    /// The steady-state gate, right before the first fault of ours.
    Gate,
    Fault(&'a FaultPlan),
}

/// Everything on the time line in order; what is due at the same moment in the order of the arms above.
pub(super) fn time_line(plan: &Plan) -> Vec<Action<'_>> {
    let mut actions = Vec::new();
    for phase in &plan.phases {
        actions.push(Action {
            at: phase.window.end,
            what: What::PhaseEnds(&phase.name),
        });
        actions.push(Action {
            at: phase.window.start,
            what: What::PhaseBegins(&phase.name),
        });
    }
    // What others do needs no leave of ours.
    let ours = plan.faults.iter().filter(|fault| !fault.is_observed());
    if let Some(first) = ours.map(|fault| fault.at).min() {
        actions.push(Action {
            at: first,
            what: What::Gate,
        });
    }
    actions.extend(plan.faults.iter().map(|fault| Action {
        at: fault.at,
        what: What::Fault(fault),
    }));
    let rank = |what: &What<'_>| match what {
        What::PhaseEnds(_) => 0,
        What::PhaseBegins(_) => 1,
        What::Gate => 2,
        What::Fault(_) => 3,
    };
    actions.sort_by_key(|action| (action.at, rank(&action.what)));
    actions
}
