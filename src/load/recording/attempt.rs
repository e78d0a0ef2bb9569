//! What the hot thread writes down of a Call, of a session and of an arrival: numbers for names, raw stamps for offsets.
//!
//! Pure.

use std::sync::Arc;

use super::second::Label;
use crate::model::outcome::Outcome;
use crate::model::session::Transition;
use crate::model::{Class, ProtocolVersion};

/// What a Call asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A step of the operation.
    Step,
    /// A session.
    Initialize,
    /// The end of the handshake.
    Initialized,
    /// The end of a session.
    Delete,
    /// What the server speaks, before anything else.
    Discover,
    /// The tools that the server has, for what their definitions ask of a caller.
    Learn,
    /// That a request is given up.
    Cancel,
    /// The rest of a stream that ended without its answer.
    Resume,
    /// A stream of the server's messages, legacy era.
    Stream,
    /// The same, modern era.
    Listen,
    /// What an authorization server knows, or a token.
    Token,
}

impl Asked {
    /// The method in the rows: MCP's, or HTTP's for what has none. A step has its own.
    pub(crate) const fn method(self) -> &'static str {
        match self {
            Self::Step => "",
            Self::Initialize => "initialize",
            Self::Initialized => "notifications/initialized",
            Self::Delete => "DELETE",
            Self::Discover => "server/discover",
            Self::Learn => "tools/list",
            Self::Cancel => "notifications/cancelled",
            Self::Resume | Self::Stream => "GET",
            Self::Listen => "subscriptions/listen",
            Self::Token => "token",
        }
    }
}

/// A Call as the hot thread knows it: numbers for names, raw stamps for offsets. Fields as in `model::Call`.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the columns"
)]
pub(crate) struct Attempt {
    pub(crate) done: i64,
    pub(crate) operation_due: i64,
    pub(crate) due: i64,
    pub(crate) taken: Option<i64>,
    pub(crate) sent: Option<i64>,
    pub(crate) first_byte: Option<i64>,
    pub(crate) first_event: Option<i64>,
    pub(crate) connect_ns: Option<u64>,
    pub(crate) tls_ns: Option<u64>,
    pub(crate) workload: u32,
    /// `None`: session upkeep.
    pub(crate) operation: Option<u32>,
    pub(crate) arrival: Option<u64>,
    pub(crate) step: u32,
    pub(crate) attempt: u32,
    pub(crate) client: u32,
    pub(crate) session: Option<u32>,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) asked: Asked,
    /// The phase of its arrival; filled in by the recorder for session upkeep.
    pub(crate) phase: Option<u32>,
    pub(crate) class: Class,
    pub(crate) code: Option<i64>,
    /// Which of the recorder's instances answered.
    pub(crate) instance: Option<Instance>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) ends: Option<Outcome>,
}

impl Attempt {
    /// What is known of its effect.
    pub(crate) fn outcome(&self) -> Outcome {
        self.class.outcome(self.code)
    }

    pub(super) fn label(&self) -> Label {
        Label {
            workload: self.workload,
            operation: self.operation,
            protocol: self.protocol,
            phase: self.phase,
        }
    }
}

/// A name of an instance, kept once.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: Arc<str>,
    pub(super) slot: Option<Arc<str>>,
}

/// A transition of a session, with a raw stamp. Fields as in `model::session::SessionRow`.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) at: i64,
    pub(crate) workload: u32,
    pub(crate) client: u32,
    pub(crate) session: u32,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) transition: Transition,
    pub(crate) instance: Option<Instance>,
    pub(crate) cause: String,
    pub(crate) missed: u64,
    pub(crate) doubled: u64,
}

/// An arrival that was released or shed, for the counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    /// When, raw.
    pub(crate) taken: i64,
    /// When it was due, raw.
    pub(crate) due: i64,
    /// What it is.
    pub(crate) label: Label,
}
