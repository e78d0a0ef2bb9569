//! What is aimed at only when a fault acts: the owner of a session.
//!
//! Not pure: it tells the time when nobody is found.

use super::Conductor;
use crate::clock;
use crate::model::EventKind;
use crate::plan::FaultPlan;

impl Conductor<'_> {
    /// The fault with its targets; `None` if there are none, which is recorded.
    pub(super) fn aimed(&mut self, plan: &FaultPlan) -> Option<FaultPlan> {
        let mut plan = plan.clone();
        let Some(asked) = &plan.owner else {
            return Some(plan);
        };
        if let Some(slot) = self.owners.owner(asked) {
            plan.targets = vec![slot.clone()];
            return Some(plan);
        }
        let reason = format!(
            "nobody owns a session of client {} of {}: no instance is known to have served a call of it",
            asked.client, asked.workload
        );
        let fault = plan.name;
        self.fact((clock::now(), EventKind::FaultFailed { fault, reason }));
        None
    }
}
