//! Load: what arrives when ([`Profile`]), who does what ([`draw`]), and the workers that make it happen.
//!
//! This page and everything below `profiles/`, `draw`, `data` and `template` are pure; `worker`, `pacer`, `client`, `closed` and
//! `keeper` are not.

use std::time::Duration;

use crate::model::{Offset, Seed};
use crate::plan::Plan;
use crate::registry::Problem;

pub(crate) mod client;
mod closed;
mod crew;
pub mod data;
pub mod draw;
pub mod frames;
mod keeper;
mod links;
mod pacer;
mod place;
pub mod profiles;
pub(crate) mod recording;
pub(crate) mod single;
mod table;
pub mod template;
pub mod worker;

/// How load is produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Operations arrive at due times, whatever the fleet does.
    Open,
    /// Users act, wait for the answer, pause, and act again.
    Closed(Users),
    /// Nothing arrives: sessions and streams are only kept.
    Idle {
        /// How many clients keep a stream of the server's messages open; `None`: all.
        sessions: Option<u32>,
    },
}

/// The users of a closed model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Users {
    /// How many there are at most at the same time.
    pub most: u32,
    /// When each of them acts again.
    pub pause: Pause,
    /// How often all of them act together, if that is bounded.
    pub iterations: Option<u64>,
}

impl Users {
    /// The most operations a second: if each were answered at once. Infinite without any pause.
    pub fn fastest(&self) -> f64 {
        let pause = match self.pause {
            Pause::Think { least, .. } => least,
            Pause::Pacing(pacing) => pacing,
        };
        f64::from(self.most) / pause.as_secs_f64()
    }
}

/// When a user acts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// So long after the answer, drawn evenly between both.
    Think {
        /// The shortest pause.
        least: Duration,
        /// The longest.
        most: Duration,
    },
    /// So long after the user last began to act; at once after an answer that took longer. What is late counts from then.
    Pacing(Duration),
}

/// The part of a user in a phase, as offsets from its begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When the user begins to act.
    pub from: Offset,
    /// When the user begins nothing more.
    pub until: Offset,
    /// How often the user acts at most.
    pub acts: Option<u64>,
}

/// What a profile is played in: one workload in one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// How long the phase is.
    pub length: Duration,
    /// The seed of the run.
    pub seed: Seed,
    /// The number of the workload.
    pub workload: u32,
    /// The number of the phase.
    pub phase: u32,
}

impl Span {
    /// The workload of this name in phase number `phase`, from 0; `None` if there is no such phase or workload.
    pub fn of(plan: &Plan, phase: usize, workload: &str) -> Option<Self> {
        Some(Self {
            length: plan.phases.get(phase)?.window.length(),
            seed: plan.seed,
            workload: plan.workload(workload)?.number,
            phase: u32::try_from(phase).ok()?,
        })
    }
}

/// The shape of the load of a workload in a phase.
///
/// An open one has arrivals, a closed one has turns; both are the same for every number of workers.
pub trait Profile: Send + Sync {
    /// Whether it is open or closed.
    fn model(&self) -> Model;

    /// A few words for plans and reports: `100/s`, `20 users`.
    fn describe(&self) -> String;

    /// The due times in a phase, from its begin: they never go back, and lie within it. Empty unless the model is open.
    fn arrivals(&self, _span: &Span) -> Box<dyn Iterator<Item = Offset> + Send + '_> {
        Box::new(std::iter::empty())
    }

    /// How many of them are due before `at`, an offset from the begin of the phase. One that walks them all can do better.
    fn count_before(&self, span: &Span, at: Offset) -> u64 {
        let before = self.arrivals(span).take_while(|due| *due < at).count();
        u64::try_from(before).unwrap_or(u64::MAX)
    }

    /// How many there are in the phase.
    fn count(&self, span: &Span) -> u64 {
        self.count_before(span, Offset::from_duration(span.length))
    }

    /// The highest rate of an open profile, operations a second; 0 for others.
    fn peak(&self) -> f64 {
        0.0
    }

    /// What user number `user` (from 0) does in a phase of this length; `None`: nothing.
    fn turn(&self, _user: u32, _length: Duration) -> Option<Turn> {
        None
    }

    /// After how many operations a client ends its session and its connection; `None`: it keeps them.
    fn churn(&self) -> Option<u32> {
        None
    }

    /// Whether it makes sense in a phase of this length.
    ///
    /// # Errors
    /// What does not fit, at which key.
    fn fits(&self, _length: Duration) -> Result<(), Problem> {
        Ok(())
    }
}
