//! How a Call or an Operation ended: the three-valued [`Outcome`] and, apart from it, the error [`Class`].
//!
//! Pure. The mapping follows the rule of histories under faults: `fail` is said only of what surely had no effect.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is known about the effect of a Call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was answered as it should be.
    Ok,
    /// It surely had no effect: it was never sent, or refused before it was executed.
    Fail,
    /// Unknown: it may have had an effect (timeout, broken connection, 5xx, tool error).
    Info,
}

impl Outcome {
    /// The name in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What kind of error ended a Call; [`Class::None`] for one that ended ok. The number beside it (HTTP status, JSON-RPC
/// code) is a column of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// No error.
    None,
    /// No connection: refused, unreachable, TLS failure, or not made in time.
    Connect,
    /// No connection, because the generator itself had no file, port or memory left for one: no fault of the fleet.
    Local,
    /// The connection broke before the head of the answer was complete.
    Transport,
    /// The connection or the stream ended in the middle of an answer, or without one.
    Truncated,
    /// No complete answer within the timeout.
    Timeout,
    /// An HTTP status that is no answer (the code says which).
    Http,
    /// The server no longer knows the session: 404, or 400 to a request with a session header.
    SessionLost,
    /// A JSON-RPC error (the code says which).
    JsonRpc,
    /// The tool answered `isError: true`.
    Tool,
    /// An answer that is no valid MCP message, or that belongs to another request.
    Malformed,
    /// A well-formed answer whose content is not what the operation must give.
    WrongAnswer,
    /// Given up by its client on purpose, as the scenario wants it.
    Cancelled,
    /// Never sent: its client was busy or without a session until its time was over, or the run stopped.
    Unsent,
}

impl Class {
    /// Every class, in the order of reports.
    pub const ALL: [Self; 14] = [
        Self::None,
        Self::Connect,
        Self::Local,
        Self::Transport,
        Self::Truncated,
        Self::Timeout,
        Self::Http,
        Self::SessionLost,
        Self::JsonRpc,
        Self::Tool,
        Self::Malformed,
        Self::WrongAnswer,
        Self::Cancelled,
        Self::Unsent,
    ];

    /// The name in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Connect => "connect",
            Self::Local => "local",
            Self::Transport => "transport",
            Self::Truncated => "truncated",
            Self::Timeout => "timeout",
            Self::Http => "http",
            Self::SessionLost => "session-lost",
            Self::JsonRpc => "json-rpc",
            Self::Tool => "tool",
            Self::Malformed => "malformed",
            Self::WrongAnswer => "wrong-answer",
            Self::Cancelled => "cancelled",
            Self::Unsent => "unsent",
        }
    }

    /// The outcome of a Call that ended with this class and, where there is one, this code.
    ///
    /// HTTP 3xx and 4xx and the JSON-RPC errors -32700, -32600 to -32602 and -32020 to -32022 are refusals before execution
    /// (`fail`); everything else that came after the request was written is `info`. A call that its client cancels on purpose
    /// ends as it was meant to: `ok`.
    pub fn outcome(self, code: Option<i64>) -> Outcome {
        match (self, code) {
            (Self::None | Self::Cancelled, _) => Outcome::Ok,
            (Self::Connect | Self::Local | Self::SessionLost | Self::Unsent, _)
            | (Self::Http, Some(300..=499))
            | (Self::JsonRpc, Some(-32700 | -32602..=-32600 | -32022..=-32020)) => Outcome::Fail,
            _ => Outcome::Info,
        }
    }

    /// Whether load alone can cause it. A wrong or foreign answer it cannot: such a finding stands in an invalid run.
    pub const fn load_can_cause(self) -> bool {
        !matches!(self, Self::WrongAnswer | Self::Malformed)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Class {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|class| class.name() == text)
            .ok_or_else(|| format!("{text:?} is no error class"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_had_no_effect_fails() {
        let cases = [
            (Class::None, None, Outcome::Ok),
            (Class::Connect, None, Outcome::Fail),
            (Class::Local, None, Outcome::Fail),
            (Class::Http, Some(429), Outcome::Fail),
            (Class::Http, Some(502), Outcome::Info),
            (Class::SessionLost, Some(404), Outcome::Fail),
            (Class::JsonRpc, Some(-32602), Outcome::Fail),
            (Class::JsonRpc, Some(-32603), Outcome::Info),
            (Class::Tool, None, Outcome::Info),
            (Class::Timeout, None, Outcome::Info),
            (Class::Unsent, None, Outcome::Fail),
        ];
        for (class, code, outcome) in cases {
            assert_eq!(class.outcome(code), outcome, "{class} {code:?}");
        }
    }

    #[test]
    fn names_read_back_and_agree_with_serde() {
        for class in Class::ALL {
            assert_eq!(class.name().parse(), Ok(class));
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
        }
    }
}
