//! What travels on a lane: bytes, and how they end.
//!
//! Pure. Moments are raw readings of the one clock, nanoseconds.

use bytes::Bytes;

/// Something on its way, and when it came to where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) at: i64,
    pub(crate) what: What,
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Bytes, at least one.
    Bytes(Bytes),
    /// The sender has sent all (FIN): this way ends, the other goes on.
    End,
    /// The connection ends in order, both ways.
    Close,
    /// The connection is reset, both ways.
    Reset,
}

impl What {
    /// How many bytes it is.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::End | Self::Close | Self::Reset => 0,
        }
    }
}

/// How a connection ends by a rule's will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// In order.
    Close,
    /// With RST to both sides.
    Reset,
}

/// Nanoseconds of a duration; 292 years at most.
pub(crate) fn nanos(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
