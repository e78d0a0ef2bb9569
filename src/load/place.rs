//! [`Place`]: where a Call belongs: which operation, step and attempt, and since when it was due.
//!
//! Pure, but for [`Place::upkeep`] and [`Place::later`], which read the clock: they are decided now.

use super::client::Job;
use super::recording::{Asked, Attempt};
use crate::clock;
use crate::model::outcome::Outcome;
use crate::model::{Class, ProtocolVersion};

/// Where a Call belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) operation: Option<u32>,
    pub(crate) arrival: Option<u64>,
    phase: Option<u32>,
    operation_due: i64,
    due: i64,
    taken: Option<i64>,
    pub(crate) step: u32,
    pub(crate) attempt: u32,
    /// Whether an earlier Call of the operation may have had an effect.
    is_unsure: bool,
}

/// Whose Call it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub(crate) workload: u32,
    pub(crate) client: u32,
    /// The session whose header it carries, or that it belongs to.
    pub(crate) session: Option<u32>,
    pub(crate) protocol: ProtocolVersion,
}

impl Place {
    /// How the operation ends whose last Call, here, ended with `outcome`: after earlier steps that were answered, or an earlier
    /// attempt that may have been executed, it cannot be said that it had no effect.
    pub(crate) fn ended(&self, outcome: Outcome) -> Outcome {
        if (self.step > 0 || self.is_unsure) && outcome == Outcome::Fail {
            Outcome::Info
        } else {
            outcome
        }
    }

    /// The same, after a Call here that ended with `outcome`.
    pub(crate) fn after(self, outcome: Outcome) -> Self {
        Self {
            is_unsure: self.is_unsure || outcome == Outcome::Info,
            ..self
        }
    }

    /// The first Call of an operation.
    pub(crate) fn first_of(job: &Job) -> Self {
        Self {
            operation: Some(job.operation),
            arrival: Some(job.arrival),
            phase: job.phase,
            operation_due: job.due,
            due: job.due,
            taken: Some(job.taken),
            step: 0,
            attempt: 0,
            is_unsure: false,
        }
    }

    /// Session upkeep outside any operation, decided now.
    pub(crate) fn upkeep() -> Self {
        let now = clock::now();
        Self {
            operation: None,
            arrival: None,
            phase: None,
            operation_due: now,
            due: now,
            taken: None,
            step: 0,
            attempt: 0,
            is_unsure: false,
        }
    }

    /// A later Call of the same operation, decided now.
    pub(crate) fn later(self, step: u32, attempt: u32) -> Self {
        Self {
            due: clock::now(),
            taken: None,
            step,
            attempt,
            ..self
        }
    }

    /// Upkeep that was begun at `at` for the sake of a Call here; it is no part of the operation, which has its own Calls.
    pub(crate) fn fetched(self, at: i64) -> Self {
        Self {
            operation: None,
            arrival: None,
            operation_due: at,
            due: at,
            taken: None,
            step: 0,
            attempt: 0,
            ..self
        }
    }

    /// The next attempt of the same step, decided now.
    pub(crate) fn again(self) -> Self {
        self.later(self.step, self.attempt + 1)
    }

    /// A Call here of which nothing happened.
    pub(crate) fn blank(self, who: Who, done: i64) -> Attempt {
        Attempt {
            done,
            operation_due: self.operation_due,
            due: self.due,
            taken: self.taken,
            sent: None,
            first_byte: None,
            first_event: None,
            connect_ns: None,
            tls_ns: None,
            workload: who.workload,
            operation: self.operation,
            arrival: self.arrival,
            step: self.step,
            attempt: self.attempt,
            client: who.client,
            session: who.session,
            protocol: who.protocol,
            asked: Asked::Step,
            phase: self.phase,
            class: Class::Unsent,
            code: None,
            instance: None,
            bytes_in: 0,
            bytes_out: 0,
            ends: None,
        }
    }
}
