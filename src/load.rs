//! Load: what arrives when ([`Profile`]), who does what ([`draw`]), and the workers that make it happen.
//!
//! This page and everything below `profiles/`, `draw`, `data` and `template` are pure; `worker`, `pacer`, `client` and `closed` are not.

use std::time::Duration;

use crate::model::Offset;

pub(crate) mod client;
mod closed;
mod crew;
pub mod data;
pub mod draw;
pub mod frames;
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
    /// Users act, wait for the answer, think, and act again.
    Closed {
        /// How many there are.
        users: u32,
        /// The pause between an answer and the next operation.
        think: Duration,
    },
}

/// The shape of the load in one phase.
pub trait Profile: Send + Sync {
    /// Whether it is open or closed.
    fn model(&self) -> Model;

    /// How many operations arrive in a phase of this length; `None` for a closed model, which has no schedule.
    fn count(&self, length: Duration) -> Option<u64>;

    /// The due times in a phase of this length, from the begin of the phase; they never go back. Empty for a closed model.
    fn arrivals(&self, length: Duration) -> Box<dyn Iterator<Item = Offset> + Send + '_>;

    /// The highest rate that it reaches, operations a second; `None` for a closed model.
    fn peak(&self) -> Option<f64>;

    /// A few words for plans and reports: `100/s`, `20 users`.
    fn describe(&self) -> String;
}
