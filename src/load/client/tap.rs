//! [`Tap`]: somebody who looks on while a client works, for people who want to see the wire.
//!
//! Pure.

use crate::load::recording::Attempt;
use crate::mcp::Outgoing;
use crate::mcp::exchange::{Facts, Transcript};
use crate::model::outcome::Outcome;

/// A Call with everything that is known of it.
pub(crate) struct Seen<'a> {
    /// What was sent.
    pub(crate) outgoing: &'a Outgoing,
    /// What came.
    pub(crate) transcript: Option<&'a Transcript>,
    /// What was read out of it.
    pub(crate) facts: &'a Facts,
    /// What it was classified as.
    pub(crate) call: &'a Attempt,
}

/// Is shown each Call of a client when it is done.
pub(crate) trait Tap {
    /// Shows a Call.
    fn see(&self, seen: &Seen<'_>);

    /// Tells how an operation ended.
    fn end(&self, outcome: Outcome);

    /// Tells why a step was not sent.
    fn unsent(&self, why: &str);
}
