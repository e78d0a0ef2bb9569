//! What may not happen at the same time.
//!
//! Pure.

use super::Trial;
use crate::diag::codes;
use crate::plan::compile::Context;

/// Refuses two faults that act on the same slot at the same moment. `trials` are in the order of their begin.
pub(super) fn check(context: &mut Context<'_>, trials: &[Trial]) {
    let mut reported = Vec::new();
    for (place, later) in trials.iter().enumerate() {
        let earlier = trials.iter().take(place).filter(|earlier| {
            later.is_known && earlier.is_known && earlier.plan.at == later.plan.at
        });
        let found = earlier
            .filter_map(|earlier| {
                let slot = later
                    .plan
                    .targets
                    .iter()
                    .find(|slot| earlier.plan.targets.contains(slot))?;
                Some((earlier, slot))
            })
            .next();
        let Some((earlier, slot)) = found else {
            continue;
        };
        if reported.contains(&later.number) {
            continue;
        }
        reported.push(later.number);
        context.report(
            &codes::CONFLICT,
            &format!("fault[{}].at", later.number),
            format!(
                "`{}` and `{}` act on {slot} at the same moment",
                later.plan.name, earlier.plan.name
            ),
            "expected another moment or target",
            None,
        );
    }
}
