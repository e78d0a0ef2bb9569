//! What a fault orders of the fleet for one slot, and what it is told.
//!
//! Pure. Orders go to the slot's supervisor, which alone starts and ends instances: so no fault races with the restart policy.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Proof;
use crate::model::InstanceId;
use crate::model::event::Effect;
use crate::model::time::humane;

/// How an instance is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// SIGKILL to all its processes.
    Kill,
    /// SIGTERM, and SIGKILL to what is left after the grace period.
    Terminate {
        /// How long it may take; `None`: the role's `stop_grace`.
        grace: Option<Duration>,
        /// The fault that asks for it, which the event of the signal names; `None`: the fleet is taken down.
        by: Option<String>,
    },
}

/// What becomes of the slot once its instance is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Its restart policy decides.
    Policy,
    /// The next incarnation is started at once, whatever policy and back-off say.
    Start,
    /// Nothing runs in it until the fault of this name releases it.
    Hold(String),
    /// The same, and a slot in which nothing runs is not refused but held as it is.
    Keep(String),
    /// Nothing runs in it until it is started on purpose, and nothing is missing. A slot in which nothing runs is not refused.
    Standby,
    /// Nothing runs in it any more, for this reason.
    Abandon(String),
}

/// How an instance was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub instance: InstanceId,
    /// `exit 0` or `signal 9`, of its first process.
    pub status: String,
    /// How many processes were reaped.
    pub reaped: u32,
    /// From the first signal until the last process was reaped.
    pub took: Duration,
    /// The grace period; `None` if it was killed outright.
    pub grace: Option<Duration>,
    /// Whether it took SIGKILL.
    pub killed: bool,
}

impl Ended {
    /// What it proves: for a kill that nothing is left, for a termination also how long the instance took.
    pub fn proof(&self) -> Proof {
        let Self {
            instance, status, ..
        } = self;
        let s = if self.reaped == 1 { "" } else { "es" };
        let reaped = format!("{} process{s} reaped", self.reaped);
        let Some(grace) = self.grace else {
            return Proof::of(format!("{instance} ended with {status}; {reaped}"));
        };
        let words = if self.killed {
            format!(
                "{instance} had not ended {} after SIGTERM and was killed ({status}); {reaped}",
                humane(grace.min(self.took))
            )
        } else {
            format!(
                "{instance} ended with {status} {} after SIGTERM; {reaped}",
                humane(self.took)
            )
        };
        Proof {
            words,
            effects: vec![Effect {
                what: format!("{instance} from SIGTERM to its end, grace period as the bound"),
                unit: "ms".to_owned(),
                requested: milliseconds(grace),
                achieved: milliseconds(self.took),
            }],
        }
    }
}

/// From when an incarnation's time to live counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Since {
    /// From its start.
    Started,
    /// From when it is ready.
    Ready,
}

/// That every incarnation of a slot is killed after a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doom {
    /// How long each lives.
    pub after: Duration,
    /// From when that counts.
    pub since: Since,
}

/// A number of milliseconds with their fraction, for effects.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(grace: Option<u64>, took: u64, killed: bool) -> Ended {
        Ended {
            instance: "server-2#1".parse().unwrap(),
            status: if killed { "signal 9" } else { "exit 0" }.to_owned(),
            reaped: if killed { 3 } else { 1 },
            took: Duration::from_millis(took),
            grace: grace.map(Duration::from_millis),
            killed,
        }
    }

    #[test]
    fn a_kill_says_that_nothing_is_left() {
        let proof = ended(None, 4, true).proof();
        assert_eq!(
            proof.words,
            "server-2#1 ended with signal 9; 3 processes reaped"
        );
        assert_eq!(proof.effects, []);
    }

    #[test]
    fn a_termination_measures_the_drain_against_the_grace_period() {
        let proof = ended(Some(2000), 612, false).proof();
        assert!(
            proof.words.contains("exit 0") && proof.words.contains("612"),
            "{}",
            proof.words
        );
        let effect = proof.effects.first().unwrap();
        assert!((effect.requested - 2000.0).abs() < 1e-9 && (effect.achieved - 612.0).abs() < 1e-9);
        let words = ended(Some(500), 503, true).proof().words;
        assert!(words.contains("was killed (signal 9)"), "{words}");
    }
}
