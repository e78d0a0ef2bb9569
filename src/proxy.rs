//! The wire: a proxy for one link, in place from before the baseline to the end, in which faults of connections are toggled.
//!
//! This page is pure: the words between the conductor and a proxy, one JSON object a line over the proxy's standard input, which
//! is a socket. What a rule does stands in [`crate::fault::link`]; `process` is the proxy itself. Without rules every byte passes
//! at once, half-closed connections stay so, and where nothing listens behind it connections are refused. When the socket closes, or
//! SIGTERM or SIGINT comes, every rule is lifted at once and the process ends with its last connection, at the latest [`LEAVES_WITHIN`]
//! later; so a dead conductor leaves no fault behind.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::link::LinkRule;

pub mod process;

/// How long a proxy that is no longer held lets its connections go on.
pub const LEAVES_WITHIN: Duration = Duration::from_secs(5);

/// The longest line that is read, bytes.
pub const MOST_LINE: usize = 1 << 20;

/// What the conductor asks of a proxy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// Listen; the first request, and the only one of its kind.
    Start(Start),
    /// Let this rule act. Absolute and idempotent: another rule of the same id is replaced, the same rule stays as it is.
    Apply {
        /// The name of the fault.
        id: String,
        /// What happens to which connections.
        rule: LinkRule,
    },
    /// Let no rule of this id act. Idempotent.
    Lift {
        /// The name of the fault.
        id: String,
    },
    /// Tell what was counted.
    Status,
    /// Answers are named after this instance from now on.
    Instance {
        /// `server-2#3`; none, or what cannot stand in a header, ends the naming.
        name: Option<String>,
    },
    /// Look anew whether anything listens at the upstream's address, and tell: what runs behind the link has changed.
    Look,
    /// Lift everything, close all connections and end at once.
    Stop,
}

/// What a proxy is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// Where each connection leads.
    pub upstream: SocketAddr,
    /// The seed of all draws.
    pub seed: u64,
    /// Whether connections carry HTTP/1.1, so that answers can be named and changed. What turns out to be something else passes
    /// unchanged.
    pub http: bool,
    /// The name of the instance behind it, for the header `mcpload-instance` of its answers; only with `http`.
    pub instance: Option<String>,
    /// Whether connections are refused as long as nothing listens at the upstream's address, as if the proxy were not there. Asked of
    /// this machine's kernel, so only for an upstream on this machine.
    #[serde(default)]
    pub follows: bool,
}

/// What a proxy answers. Moments are raw readings of `CLOCK_MONOTONIC`, nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "kebab-case")]
pub enum Tell {
    /// It listens.
    Listening {
        /// Where.
        address: SocketAddr,
    },
    /// It cannot listen, and ends.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// The rule acts: every live connection has taken it over.
    Applied {
        /// The name of the fault.
        id: String,
        /// When the last connection had it.
        at: i64,
        /// How many live connections its share selects.
        connections: u64,
    },
    /// The rule acts no more: every live connection is rid of it.
    Lifted {
        /// The name of the fault.
        id: String,
        /// When the last connection was rid of it.
        at: i64,
    },
    /// What was asked could not be done.
    Refused {
        /// The name of the fault.
        id: String,
        /// Why.
        reason: String,
    },
    /// Whether anything listens at the upstream's address; the link accepts or refuses accordingly.
    Upstream {
        /// It does.
        listens: bool,
    },
    /// What was counted.
    Status(Status),
}

/// What a proxy has counted since its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Live connections.
    pub connections: u64,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections whose server could not be reached.
    pub unreached: u64,
    /// Bytes that were written to the server.
    pub bytes_to_server: u64,
    /// Bytes that were written to clients.
    pub bytes_to_client: u64,
    /// Every rule that acts, in the order in which they do, and then those that were lifted, the last one first, so that their counts
    /// can be seen to stand still; at most 64 of those.
    pub rules: Vec<RuleStatus>,
}

/// What a rule has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStatus {
    /// The name of the fault.
    pub id: String,
    /// Whether it acts.
    pub acts: bool,
    /// How many live connections its share selects.
    pub connections: u64,
    /// Chunks that it met.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How often it acted: chunks delayed, cut or dropped, ends held, connections reset, answers changed.
    pub hits: u64,
    /// When it acted first.
    pub first_hit: Option<i64>,
    /// When it acted last.
    pub last_hit: Option<i64>,
}
