//! What is known only when a fault is about to act: who owns a session, and what other faults hold by then.
//!
//! Not pure: it reads what the conductor has seen so far.

use super::Conductor;
use crate::fault::Fault;
use crate::model::EventKind;
use crate::plan::FaultPlan;

impl Conductor<'_> {
    /// The fault with its targets.
    ///
    /// # Errors
    /// Why it must not act: it has no target, or goes beyond the blast radius.
    pub(super) fn aimed(&self, plan: &FaultPlan, fault: &dyn Fault) -> Result<FaultPlan, String> {
        let mut plan = plan.clone();
        if let Some(asked) = &plan.owner {
            let owner = self.owners.owner(asked).cloned().ok_or_else(|| {
                format!(
                    "nobody owns a session of client {} of {}: no instance is known to have served a call of it",
                    asked.client, asked.workload
                )
            })?;
            plan.targets = vec![owner];
        }
        let excess = self.job.plan.blast_radius.as_ref().and_then(|radius| {
            let held = self.held.values().flatten();
            let at_once = fault.at_once(plan.targets.len());
            radius.excess(&self.job.plan.fleet, &plan.targets, at_once, held)
        });
        match excess {
            Some(excess) => Err(format!("nothing was done, for the blast radius: {excess}")),
            None => Ok(plan),
        }
    }

    /// What is proven to be healed holds nothing any more; what could not be undone does until the end.
    pub(super) fn release(&mut self, kind: &EventKind) {
        if let EventKind::FaultHealProven { fault, .. } = kind {
            self.held.remove(fault);
        }
    }
}
