//! Tags of `histograms.hlog`: what a histogram is of.
//!
//! Pure. A tag is `KIND/WORKLOAD/OPERATION/PROTOCOL/PHASE`, or `slot-service/SLOT/PHASE`. Names hold no comma, space or slash
//! (the scenario reader sees to it), so a tag needs no quoting in the log.

use std::fmt;
use std::str::FromStr;

use crate::model::ProtocolVersion;

/// What the values of a histogram are. All are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Operations that ended ok: from due to the end of the last Call.
    Response,
    /// Operations that did not end ok: the same span, kept apart because they exceed every threshold.
    ResponseBad,
    /// Calls that were answered ok: from `sent` to `done`.
    Service,
    /// First Calls: from `taken` to `sent` (the client was busy or reconnecting).
    ClientWait,
    /// Arrivals: from `due` to `taken` (our own lateness).
    Lag,
    /// Calls: from `sent` to the head of the answer.
    FirstByte,
    /// Calls: from `sent` to the first event or body byte.
    FirstEvent,
    /// Calls that opened a connection: how long that took.
    Connect,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Self; 8] = [
        Self::Response,
        Self::ResponseBad,
        Self::Service,
        Self::ClientWait,
        Self::Lag,
        Self::FirstByte,
        Self::FirstEvent,
        Self::Connect,
    ];

    /// The name in tags and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::ResponseBad => "response-bad",
            Self::Service => "service",
            Self::ClientWait => "client-wait",
            Self::Lag => "lag",
            Self::FirstByte => "first-byte",
            Self::FirstEvent => "first-event",
            Self::Connect => "connect",
        }
    }
}

/// What a histogram is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// A measure of one label set.
    Label {
        /// What the values are.
        measure: Measure,
        /// The workload.
        workload: String,
        /// The operation.
        operation: String,
        /// The protocol version.
        protocol: ProtocolVersion,
        /// The phase in which the operations were due.
        phase: String,
    },
    /// Service time of the Calls that one slot answered ok in one phase.
    SlotService {
        /// The slot.
        slot: String,
        /// The phase.
        phase: String,
    },
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label {
                measure,
                workload,
                operation,
                protocol,
                phase,
            } => {
                write!(
                    f,
                    "{}/{workload}/{operation}/{protocol}/{phase}",
                    measure.name()
                )
            }
            Self::SlotService { slot, phase } => write!(f, "slot-service/{slot}/{phase}"),
        }
    }
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no histogram tag");
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            ["slot-service", slot, phase] => Ok(Self::SlotService {
                slot: (*slot).to_owned(),
                phase: (*phase).to_owned(),
            }),
            [measure, workload, operation, protocol, phase] => Ok(Self::Label {
                measure: Measure::ALL
                    .into_iter()
                    .find(|known| known.name() == *measure)
                    .ok_or_else(wrong)?,
                workload: (*workload).to_owned(),
                operation: (*operation).to_owned(),
                protocol: protocol.parse().map_err(|_| wrong())?,
                phase: (*phase).to_owned(),
            }),
            _ => Err(wrong()),
        }
    }
}

/// A histogram of the log: what one worker measured in one second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The second, from `t0`.
    pub second: i64,
    /// What it is of.
    pub tag: Tag,
    /// Values in nanoseconds (the greatest that the histogram cannot tell from what was recorded), rising, and how often each
    /// was recorded.
    pub counts: Vec<(u64, u64)>,
}

/// Least value that a histogram tells apart, nanoseconds; smaller ones are recorded as it.
pub const LOWEST: u64 = 1_000;
/// Greatest value, nanoseconds (10 minutes); greater ones are recorded as it.
pub const HIGHEST: u64 = 600_000_000_000;
/// Significant decimal digits: values are kept within 0.1 %.
pub const DIGITS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_read_back_as_they_print() {
        for text in [
            "response/main/echo/2025-11-25/chaos",
            "slot-service/server-2/chaos",
        ] {
            assert_eq!(text.parse::<Tag>().unwrap().to_string(), text);
        }
        assert!("response/main".parse::<Tag>().is_err());
        assert!("speed/main/echo/2025-11-25/chaos".parse::<Tag>().is_err());
    }
}
