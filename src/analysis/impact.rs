//! The types of what faults did: their stamps, recovery, trials, and what a change did to the Calls around it.
//!
//! Pure. They are filled in `faults`, `recovery`, `trials` and `change`; every time is nanoseconds, every count is of Calls unless
//! it says otherwise. Invariant: what was not seen is `None`, [`Reached::Unknown`] or [`Reached::NotWithin`], never a number.

use serde::{Deserialize, Serialize};

use crate::model::event::Effect;
use crate::model::{Class, InstanceId, Offset, Outcome, SlotId, Window};

/// A fault and what it did to the users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultStats {
    /// Its name.
    pub name: String,
    /// Its name in the scenario, which all its trials share.
    pub of: String,
    /// Which of its trials this is, from 1.
    pub trial: u32,
    /// Its kind.
    pub kind: String,
    /// The instances that it hit; the planned slots if it never began.
    pub targets: Vec<InstanceId>,
    /// When it should have begun.
    pub planned: Offset,
    /// Stamped before the act.
    pub began: Option<Offset>,
    /// Stamped after the act.
    pub applied: Option<Offset>,
    /// When its effect was proven, and how.
    pub effective: Option<(Offset, String)>,
    /// From when on it acted, which is where times count from: the first stop signal of an act that takes its time, else when its
    /// effect was proven.
    #[serde(default)]
    pub acted: Option<Offset>,
    /// How long it should act, nanoseconds; `None` for a fault that is one act.
    pub duration_ns: Option<u64>,
    /// What was asked for and what was measured, where the fault has numbers.
    pub effects: Vec<Effect>,
    /// Stamped before the undo.
    pub healing: Option<Offset>,
    /// Stamped after the undo.
    pub heal_returned: Option<Offset>,
    /// When it was proven healed, and how.
    pub healed: Option<(Offset, String)>,
    /// Why it could not be injected or proven, if so.
    pub failed: Option<String>,
    /// What a person must do, if it could not be undone.
    pub not_healed: Option<String>,
    /// From its begin: the first operation that ended bad at or after it.
    pub first_bad: Option<FirstBad>,
    /// Recovery at its three levels.
    pub recovery: Recovery,
    /// Calls in flight on the target when it took effect that ended bad.
    pub in_flight_lost: u64,
    /// Legacy sessions active when it began.
    pub sessions_active: u64,
    /// Those of them that were lost afterwards (before the next fault).
    pub sessions_lost: u64,
    /// Those of the lost that were re-established.
    pub sessions_re_established: u64,
    /// From the begin of the fault to the last re-establishment.
    pub sessions_settled: Option<Offset>,
    /// Calls on slots that were not targeted that ended bad between begin and recovery.
    pub collateral_bad: u64,
    /// What became of the Calls around the stop signals, if a check asks for a clean change.
    #[serde(default)]
    pub change: Option<ChangeStats>,
}

impl FaultStats {
    /// Whether its effect was proven, and nothing spoke against it later: what stopped acting early, or was undone by others, is no
    /// proof of anything.
    pub fn is_proven(&self) -> bool {
        self.effective.is_some() && self.failed.is_none()
    }
}

/// The first operation that a fault broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstBad {
    /// When its last Call ended.
    pub at: Offset,
    /// How it ended.
    pub outcome: Outcome,
    /// The error class of its last Call.
    pub class: Class,
    /// Who served it, if known.
    pub instance: String,
}

/// Recovery after a fault, as `ARCHITECTURE.md`, "Recovery", defines it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Bad ratio of the baseline.
    pub baseline_bad_ratio: f64,
    /// Operations in the baseline.
    pub baseline_samples: u64,
    /// Good operations a second in the baseline.
    pub baseline_goodput: f64,
    /// The tolerated bad ratio.
    pub tolerance: f64,
    /// The resolution of every time here, nanoseconds.
    pub resolution_ns: u64,
    /// The length of the window that had to hold, nanoseconds.
    pub hold_ns: u64,
    /// First bin whose bad ratio exceeds the baseline significantly; none: no impact was seen.
    pub onset: Option<Offset>,
    /// The users are served again.
    pub service: Reached,
    /// And as fast as before.
    pub performance: Reached,
    /// And every slot is ready and takes its part of the load.
    pub redundancy: Reached,
    /// Why `redundancy` is not reached, naming the slot; empty if it is.
    pub missing: String,
    /// Good operations lost against the baseline.
    pub lost_good: f64,
    /// Depth: one minus the least goodput over the baseline's.
    pub depth: f64,
    /// The same three levels counted from the heal; `None` for a fault that is one act.
    #[serde(default)]
    pub after_heal: Option<AfterHeal>,
}

/// Recovery from a fault that lasts, counted from the moment at which its undo returned. What was reached while it still acted
/// took no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterHeal {
    /// The users are served again.
    pub service: Reached,
    /// And as fast as before.
    pub performance: Reached,
    /// And every slot is ready and takes its part of the load.
    pub redundancy: Reached,
}

/// When a state was reached, counted from the moment at which the fault took effect (in [`AfterHeal`]: was undone).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// No impact was seen: zero by definition.
    NoImpact,
    /// After so many nanoseconds.
    After(u64),
    /// Not within so many nanoseconds, after which nothing was seen any more (censored).
    NotWithin(u64),
    /// There is nothing to tell it from: no baseline, no fault, no data.
    Unknown,
}

/// The trials of a fault as one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialStats {
    /// The fault's name in the scenario.
    pub fault: String,
    /// Trials that were planned.
    pub planned: u64,
    /// Trials that were proven effective; the others tell nothing, and are left out below.
    pub proven: u64,
    /// Until users were served again.
    pub service: RecoveryTimes,
    /// Until they were served as fast as before.
    pub performance: RecoveryTimes,
    /// Until every slot was ready and at work too.
    pub redundancy: RecoveryTimes,
}

/// How long recovery took in several trials. A trial without an impact took no time; one that did not recover while it was
/// observed (`not_recovered`) took longer than every other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryTimes {
    /// Trials that recovered, or had no impact.
    pub recovered: u64,
    /// Those of them that had no impact.
    pub no_impact: u64,
    /// Trials that did not recover while they were observed (censored).
    pub not_recovered: u64,
    /// Trials of which it cannot be told.
    pub unknown: u64,
    /// Median over all trials but the unknown, nanoseconds; `None` if it falls on one that did not recover.
    pub median_ns: Option<u64>,
    /// Greatest, nanoseconds; `None` if one did not recover.
    pub max_ns: Option<u64>,
    /// Mean time to recover of those that did, nanoseconds.
    pub mean_ns: Option<u64>,
    /// 95 % bootstrap interval of that mean, nanoseconds; `None` below five that recovered.
    pub mean_interval_ns: Option<(u64, u64)>,
}

/// What became of the Calls around a change: those that were in flight at a stop signal, and those that were sent from the first
/// signal until the change was proven done. A change that stops nothing counts from its begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeStats {
    /// The stop signals, in the order of time.
    pub signals: Vec<StopSignal>,
    /// Instances that were ended although no signal is known; then nothing tells when the change began.
    pub unasked: u64,
    /// From the first signal to the proof that the change is done; to the next fault or the end of the load if that came first.
    pub window: Window,
    /// Whether it was proven done in the window.
    pub finished: bool,
    /// Calls of the baseline before it.
    pub baseline_calls: u64,
    /// Calls that were sent in the window.
    pub calls: u64,
    /// Calls in flight at the signal of the instance that served them.
    pub in_flight: u64,
    /// Calls in flight at a signal of which nobody knows who served them.
    pub in_flight_unknown: u64,
    /// Calls in flight that failed when the grace period was over: they lasted too long, and do not count.
    pub overlong: u64,
    /// Failures that the change is blamed for.
    pub failed: u64,
    /// The failures by class, those with the greatest blame first.
    pub failures: Vec<ChangeFailures>,
}

/// A stop signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopSignal {
    /// When it was sent.
    pub at: Offset,
    /// To whom.
    pub instance: InstanceId,
    /// How long the instance had before it was killed, nanoseconds.
    pub grace_ns: u64,
}

/// The failures of one class around a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeFailures {
    /// The error class.
    pub class: Class,
    /// The HTTP status, for class `http`.
    pub code: Option<i64>,
    /// How many of the baseline's Calls failed so.
    pub baseline: u64,
    /// Of the Calls that were sent in the window.
    pub sent_after: u64,
    /// Of those that were sent later: a session that the change cost shows with its client's next Call.
    pub later: u64,
    /// Of those in flight, before the grace period was over.
    pub in_flight: u64,
    /// How many of both the change is blamed for: what is more than the baseline had.
    pub blamed: u64,
    /// By the slot that served, most first; the empty name is unknown.
    pub by_slot: Vec<(SlotId, u64)>,
    /// The first few.
    pub examples: Vec<ChangeExample>,
}

/// A Call that failed around a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChangeExample {
    /// When it was sent; when it should have been, if it never was.
    pub at: Offset,
    /// When it failed.
    pub done: Offset,
    /// From the stop signal that it is held against (else the begin of the change) to `at`, nanoseconds; negative if it was in
    /// flight then.
    pub after_signal_ns: i64,
    /// To whom that signal went; empty without one.
    pub signal: String,
    /// The operation.
    pub operation: String,
    /// The error class.
    pub class: Class,
    /// HTTP status or JSON-RPC code, where the class has one.
    pub code: Option<i64>,
    /// Who served it; empty if unknown.
    pub instance: String,
}
