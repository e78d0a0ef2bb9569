//! Names of the parts of a fleet: [`SlotId`] (`server-2`, stable for the run) and [`InstanceId`] (`server-2#3`, one start of it).
//!
//! Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place in the fleet, named `ROLE-NUMBER`; it keeps its name and its address for the whole run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotId(pub String);

impl SlotId {
    /// The slot number `number`, counted from 1, of `role`.
    pub fn new(role: &str, number: u32) -> Self {
        Self(format!("{role}-{number}"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One start of the program in a slot. Incarnations count from 1; a server that does not say its own is recorded without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId {
    /// The slot that it runs in.
    pub slot: SlotId,
    /// Which start of the slot this is, from 1.
    pub incarnation: Option<u32>,
}

/// Never fails in practice: any text is a slot's name, and `#NUMBER` at its end the incarnation.
impl FromStr for InstanceId {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((slot, number)) = text.rsplit_once('#')
            && let Ok(number) = number.parse()
        {
            return Ok(Self {
                slot: SlotId(slot.to_owned()),
                incarnation: Some(number),
            });
        }
        Ok(Self {
            slot: SlotId(text.to_owned()),
            incarnation: None,
        })
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.incarnation {
            Some(number) => write!(f, "{}#{number}", self.slot),
            None => write!(f, "{}", self.slot),
        }
    }
}

impl Serialize for InstanceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InstanceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_reads_back_as_it_prints() {
        for text in ["server-2#3", "server-2", "a#b", "x#0#7"] {
            let id: InstanceId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
        }
        let id: InstanceId = "server-2#3".parse().unwrap();
        assert_eq!((id.slot.as_str(), id.incarnation), ("server-2", Some(3)));
    }
}
