//! What happens to sessions: a row of `sessions.csv.zst`.
//!
//! Pure. Only legacy sessions have transitions; the modern era has none to lose.

use serde::{Deserialize, Serialize};

use super::protocol::ProtocolVersion;
use super::time::Offset;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// The first session of a client was established.
    Born,
    /// The server no longer knew the session.
    Lost,
    /// A session that replaces a lost one was established.
    ReEstablished,
    /// A session could not be established; the client tries again with its next operation.
    Failed,
    /// The client ended the session with DELETE.
    Closed,
    /// The client left without a word, as the scenario wants it; the server is not told.
    Abandoned,
    /// A stream of the session's messages was opened.
    StreamOpened,
    /// That stream, or one that carried an answer, ended before its time.
    StreamCut,
    /// Messages on that stream were missed or came twice; `missed` and `doubled` say how many.
    Uneven,
    /// It was resumed where it had ended; `missed` and `doubled` say how well.
    Resumed,
}

/// One transition of one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// When it happened (for a loss: when the client learned of it).
    pub at: Offset,
    /// The worker, from 0.
    pub worker: u32,
    /// The workload's name.
    pub workload: String,
    /// The client, from 0 within its workload.
    pub client: u32,
    /// Number of the client's session, from 1.
    pub session: u32,
    /// The protocol version that the session speaks.
    pub protocol: ProtocolVersion,
    /// What happened.
    pub transition: Transition,
    /// The instance that said so (for `born`: that owns it), if known.
    pub instance: String,
    /// How it showed: `http 404`, `http 400`, `connect`, …; empty where nothing is to be said.
    pub cause: String,
    /// For `resumed` and `uneven`: messages that did not come although later ones did, as far as their numbers tell.
    pub missed: u64,
    /// For `resumed` and `uneven`: messages that came twice.
    pub doubled: u64,
}
