//! An [`Event`]: one fact of a run; a line of `events.jsonl`.
//!
//! Pure. One owned type, live and stored. Low rate: nothing per Call is an Event.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{InstanceId, SlotId};
use super::quantity::duration_text;
use super::time::Offset;

/// One fact and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, in nanoseconds since `t0`.
    pub at: Offset,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Everything that can be said about a run, besides its Calls, sessions and samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "each variant is documented; its fields are the nouns of its sentence"
)]
pub enum EventKind {
    /// An instance was started by its shim.
    SlotStarted {
        instance: InstanceId,
        pid: u32,
        address: String,
    },
    /// An instance answered its readiness probe for the first time.
    SlotReady { instance: InstanceId },
    /// An instance did not become ready in time, or could not be started at all.
    SlotNotReady {
        instance: InstanceId,
        reason: String,
    },
    /// A fault asked an instance to end: SIGTERM was sent, and after `grace` whatever is left is killed.
    SlotStopping {
        instance: InstanceId,
        fault: String,
        #[serde(with = "duration_text")]
        grace: Duration,
    },
    /// All processes of an instance are gone. `expected` if mcpload ended it (a fault, or tear-down).
    SlotExited {
        instance: InstanceId,
        status: String,
        expected: bool,
    },
    /// The restart policy says that the slot stays down.
    SlotAbandoned { slot: SlotId, reason: String },
    /// Nothing runs in the slot because its role has fewer slots now: it is not missing.
    SlotOnStandby { slot: SlotId },
    /// The instance in `slot`, which balances load, was told that `role` has these members now.
    MembersTold {
        slot: SlotId,
        role: String,
        members: Vec<SlotId>,
    },
    /// Every slot is ready; the workers are told to start at `t0`.
    FleetReady { slots: u32 },
    /// A phase began. Edges are static: the event confirms them.
    PhaseBegan { phase: String },
    /// A phase ended.
    PhaseEnded { phase: String },
    /// The steady-state gate was asked before the first fault.
    SteadyState {
        steady: bool,
        good: u64,
        total: u64,
        needed_ratio: f64,
    },
    /// A fault is about to act (stamped before the act).
    FaultBegan {
        fault: String,
        kind: String,
        targets: Vec<InstanceId>,
    },
    /// The act returned (stamped after it).
    FaultApplied { fault: String },
    /// The act was proven on its path, by `proof`.
    FaultEffective {
        fault: String,
        proof: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        effects: Vec<Effect>,
    },
    /// The act could not be done or proven.
    FaultFailed { fault: String, reason: String },
    /// The undo is about to begin, or for a kill: the slot is being started again.
    FaultHealing { fault: String },
    /// The undo returned.
    FaultHealed { fault: String },
    /// The undo was proven: the target works again, or the policy says that nothing brings it back.
    FaultHealProven {
        fault: String,
        proof: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        effects: Vec<Effect>,
    },
    /// The undo failed; `by_hand` says what a person can do.
    FaultNotHealed { fault: String, by_hand: String },
    /// A worker process answered Ready.
    WorkerReady { worker: u32, pid: u32, clients: u32 },
    /// A worker sent its totals and ended.
    WorkerEnded {
        worker: u32,
        operations: u64,
        calls: u64,
        shed: u64,
        unrecorded: u64,
        /// Answers that set a cookie.
        cookies: u64,
    },
    /// A worker was silent for too long or died.
    WorkerLost { worker: u32, reason: String },
    /// The proxy before a slot ended by itself: what follows on that link says nothing about the fleet.
    LinkLost { slot: SlotId, reason: String },
    /// The guard undid a fault, or tried to, although the run went on: `because` the conductor had not.
    GuardActed {
        fault: String,
        because: String,
        outcome: String,
        /// How long before this was heard.
        #[serde(default, with = "duration_text")]
        ago: Duration,
    },
    /// The guard ended. `again`: another one was started in its place.
    GuardLost { reason: String, again: bool },
    /// Somebody asked the run to stop.
    Interrupted { signal: String },
    /// The run stopped itself.
    Aborted { reason: String },
    /// More operations ended bad than the scenario lets happen.
    ErrorsExceeded { bad: u64, total: u64 },
    /// The last event: everything is recorded, the fleet is down.
    RunEnded { how: Ending },
}

/// What a fault was asked for and what was measured on its path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// What was measured, and where.
    pub what: String,
    /// The unit of both numbers.
    pub unit: String,
    /// What was asked for.
    pub requested: f64,
    /// What was measured.
    pub achieved: f64,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The time line was played to its end.
    Completed,
    /// The fleet did not become ready, or was not steady before the first fault.
    NotReady,
    /// A signal.
    Interrupted,
    /// An error of mcpload itself.
    Failed,
    /// What the scenario says must end it early.
    Aborted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_json_line() {
        let event = Event {
            at: Offset(1_500_000_000),
            kind: EventKind::SlotReady {
                instance: "server-2#3".parse().unwrap(),
            },
        };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(
            line,
            r#"{"at":1500000000,"event":"slot-ready","instance":"server-2#3"}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn a_grace_period_is_told_with_its_unit() {
        let event = Event {
            at: Offset(7),
            kind: EventKind::SlotStopping {
                instance: "server-2#3".parse().unwrap(),
                fault: "one-leaves".to_owned(),
                grace: Duration::from_millis(2_500),
            },
        };
        let line = serde_json::to_string(&event).unwrap();
        assert!(line.contains(r#""grace":"2s 500ms""#), "{line}");
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
