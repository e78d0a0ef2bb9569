//! Interning of slot names: folds count by number, and hostile names cannot fill the memory.
//!
//! Pure. Number 0 is "unknown": no name was given, or there are too many of them.

use std::collections::HashMap;

use crate::model::SlotId;

/// How many slots are told apart; what servers beyond them say is "unknown".
const MOST: usize = 4096;

/// Who served: an interned slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotNumber(pub usize);

impl SlotNumber {
    /// Nobody knows who.
    pub const UNKNOWN: Self = Self(0);
}

/// The names of slots and their numbers.
#[derive(Clone, Debug)]
pub struct SlotNames {
    names: Vec<SlotId>,
    numbers: HashMap<String, usize>,
}

impl SlotNames {
    /// Knows these slots from the start, so that they are told apart whatever else is said.
    pub fn of<'a>(planned: impl Iterator<Item = &'a SlotId>) -> Self {
        let mut names = Self {
            names: vec![SlotId(String::new())],
            numbers: HashMap::from([(String::new(), 0)]),
        };
        for slot in planned {
            names.intern(slot.as_str());
        }
        names
    }

    /// The number of the slot of an instance, as a server or an event names it (`server-2#3`).
    pub fn slot_of(&mut self, instance: &str) -> SlotNumber {
        let slot = match instance.rsplit_once('#') {
            Some((slot, number)) if number.parse::<u32>().is_ok() => slot,
            _ => instance,
        };
        self.intern(slot)
    }

    /// The number of a slot.
    pub fn intern(&mut self, slot: &str) -> SlotNumber {
        if let Some(number) = self.numbers.get(slot) {
            return SlotNumber(*number);
        }
        let number = self.names.len();
        if number > MOST {
            return SlotNumber::UNKNOWN;
        }
        self.names.push(SlotId(slot.to_owned()));
        self.numbers.insert(slot.to_owned(), number);
        SlotNumber(number)
    }

    /// The name; empty for unknown.
    pub fn name(&self, slot: SlotNumber) -> SlotId {
        self.names
            .get(slot.0)
            .cloned()
            .unwrap_or_else(|| SlotId(String::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_of_a_slot_have_its_number_and_nobody_is_unknown() {
        let mut names = SlotNames::of([SlotId::new("server", 1)].iter());
        let one = names.slot_of("server-1");
        assert_eq!(names.slot_of("server-1#7"), one);
        assert_eq!(names.name(one), SlotId::new("server", 1));
        assert_eq!(names.slot_of(""), SlotNumber::UNKNOWN);
        assert_ne!(names.slot_of("server#x"), one);
    }

    #[test]
    fn a_server_that_invents_names_is_unknown_in_the_end() {
        let mut names = SlotNames::of([SlotId::new("server", 1)].iter());
        for number in 0..10_000 {
            names.slot_of(&format!("evil-{number}"));
        }
        assert_eq!(names.slot_of("evil-9999"), SlotNumber::UNKNOWN);
        assert_ne!(names.slot_of("server-1#2"), SlotNumber::UNKNOWN);
    }
}
