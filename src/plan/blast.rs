//! The blast radius: what faults may hold at the most at one time.
//!
//! Pure. A fault holds its targets from its begin until it is healed. The plan asks with what it knows (`compile::faults`), and
//! the conductor asks again when a fault is about to act, with what is really held and with targets that are found only then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::FleetPlan;
use crate::model::SlotId;

/// What faults may hold at the most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastRadius {
    /// How many slots of a role; no limit for a role that is not here.
    pub most: BTreeMap<String, usize>,
    /// Slots that no fault touches.
    pub spared: BTreeSet<SlotId>,
}

/// How a fault would go beyond the blast radius.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excess {
    /// It would touch a slot that is spared.
    Spared(SlotId),
    /// Faults would hold too much of a role.
    TooMany {
        /// The role.
        role: String,
        /// The slots that would be held.
        held: BTreeSet<SlotId>,
        /// How many may be.
        most: usize,
    },
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spared(slot) => write!(f, "{slot} is spared"),
            Self::TooMany { role, held, most } => {
                let names: Vec<&str> = held.iter().map(SlotId::as_str).collect();
                write!(
                    f,
                    "faults would hold {} of the slots of `{role}` ({}), and may hold {most}",
                    held.len(),
                    names.join(", ")
                )
            }
        }
    }
}

impl BlastRadius {
    /// What speaks against a fault on `targets`, `at_once` of them at the same time, while others hold `held`; if anything does.
    pub fn excess<'a>(
        &self,
        fleet: &FleetPlan,
        targets: &'a [SlotId],
        at_once: usize,
        held: impl Iterator<Item = &'a SlotId>,
    ) -> Option<Excess> {
        if let Some(slot) = targets.iter().find(|slot| self.spared.contains(*slot)) {
            return Some(Excess::Spared(slot.clone()));
        }
        let targets = targets.get(..at_once).unwrap_or(targets);
        let all: BTreeSet<&SlotId> = held.chain(targets).collect();
        fleet.roles.iter().find_map(|role| {
            let most = *self.most.get(&role.name)?;
            let slots = || role.slots.iter().map(|slot| &slot.id);
            // What others hold of a role that this one leaves alone is not its doing.
            if !slots().any(|slot| targets.contains(slot)) {
                return None;
            }
            let held: BTreeSet<SlotId> =
                slots().filter(|slot| all.contains(slot)).cloned().collect();
            (held.len() > most).then(|| Excess::TooMany {
                role: role.name.clone(),
                held,
                most,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::built::plan;

    fn slot(name: &str) -> SlotId {
        serde_json::from_value(name.into()).unwrap()
    }

    #[test]
    fn what_is_held_together_counts_once_and_each_role_for_itself() {
        let fleet = plan().fleet;
        let radius = BlastRadius {
            most: BTreeMap::from([("server".to_owned(), 1)]),
            spared: BTreeSet::new(),
        };
        let asked = |target: &str, held: &[&str]| {
            let held: Vec<SlotId> = held.iter().map(|name| slot(name)).collect();
            let targets = [slot(target)];
            radius.excess(&fleet, &targets, targets.len(), held.iter())
        };
        assert_eq!(asked("server-1", &[]), None);
        assert_eq!(asked("server-1", &["server-1", "balancer-1"]), None);
        assert_eq!(asked("balancer-1", &["server-1", "server-2"]), None);
        let excess = asked("server-1", &["server-2"]).unwrap();
        assert_eq!(
            excess.to_string(),
            "faults would hold 2 of the slots of `server` (server-1, server-2), and may hold 1"
        );
    }

    #[test]
    fn a_spared_slot_is_never_touched_whatever_else_is_allowed() {
        let radius = BlastRadius {
            most: BTreeMap::new(),
            spared: BTreeSet::from([slot("server-2")]),
        };
        let targets = [slot("server-1"), slot("server-2")];
        let excess = radius.excess(&plan().fleet, &targets, targets.len(), std::iter::empty());
        assert_eq!(excess, Some(Excess::Spared(slot("server-2"))));
        let excess = radius.excess(&plan().fleet, &targets[..1], 1, targets[1..].iter());
        assert_eq!(excess, None);
    }
}
