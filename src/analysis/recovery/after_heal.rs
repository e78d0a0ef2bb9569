//! Recovery counted from the heal of a fault that lasts, beside that counted from its effect.
//!
//! Pure. Where the impact lasts as long as the fault itself, the time from its effect says mostly how long the fault was; what the
//! fleet needed is the time from the heal. What was reached while the fault still acted took no time after it.

use std::time::Duration;

use crate::analysis::{AfterHeal, Reached, Recovery};
use crate::model::Offset;

impl AfterHeal {
    /// The same recovery from `heal`, when the undo returned; unknown if it did not. Its own times count from `effect`.
    pub fn of(recovery: &Recovery, effect: Offset, heal: Option<Offset>) -> Self {
        let from = |reached| heal.map_or(Reached::Unknown, |heal| since(reached, effect, heal));
        Self {
            service: from(recovery.service),
            performance: from(recovery.performance),
            redundancy: from(recovery.redundancy),
        }
    }
}

fn since(reached: Reached, effect: Offset, heal: Offset) -> Reached {
    let left = |nanos| {
        let at = effect + Duration::from_nanos(nanos);
        u64::try_from(at.since(heal).as_nanos()).unwrap_or(u64::MAX)
    };
    match reached {
        Reached::After(nanos) => Reached::After(left(nanos)),
        // What was refuted only while the fault acted tells nothing of what came after.
        Reached::NotWithin(nanos) => match left(nanos) {
            0 => Reached::Unknown,
            left => Reached::NotWithin(left),
        },
        Reached::NoImpact | Reached::Unknown => reached,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_reached_while_the_fault_acted_took_no_time_after_it() {
        let (effect, heal) = (Offset(1_000), Offset(5_000));
        for (reached, after) in [
            (Reached::After(4_300), Reached::After(300)),
            (Reached::After(4_000), Reached::After(0)),
            (Reached::After(900), Reached::After(0)),
            (Reached::NotWithin(9_000), Reached::NotWithin(5_000)),
            (Reached::NotWithin(2_000), Reached::Unknown),
            (Reached::NoImpact, Reached::NoImpact),
            (Reached::Unknown, Reached::Unknown),
        ] {
            assert_eq!(since(reached, effect, heal), after, "{reached:?}");
        }
    }
}
