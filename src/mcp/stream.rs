//! Streams of messages: what the transports share on which answers come beside everything else that a server says.
//!
//! Impure: tasks on the thread of their link. A task of the link owns the read half and delivers each message to a [`Mailbox`]; the
//! exchange in flight attends to it, and while there is none the mailbox itself answers what the server asks (`ping`). So a
//! request that is given up leaves the stream as it was: its answer comes late and is dropped. Invariants: what waits in a mailbox
//! is bounded in number and in bytes, after which the reader waits; no task outlives its link, but for a bounded goodbye.
//! Next: [`Channel`] for streams that carry both directions; `mcp::http_sse`, `mcp::websocket`, `mcp::stdio` open them.

mod channel;
mod mailbox;

pub(super) use channel::Channel;
pub(super) use mailbox::{Attending, Ending, Letter, Mailbox, Until};

use super::exchange::{Exchange, Item};
use super::{Outgoing, Verb};
use crate::clock;

/// What was sent of a request that needs no sending on a stream of messages.
pub(super) enum Local {
    /// It is a message, which must be sent.
    Message(Outgoing),
    /// It was dealt with here.
    Done,
}

/// Deals with what is a message only over Streamable HTTP: GET asks for the server's messages, which come on the stream anyway, and
/// DELETE ends a session, which ends with its stream.
pub(super) fn locally(outgoing: Outgoing, exchange: &mut Exchange) -> Local {
    match outgoing.verb {
        Verb::Post => return Local::Message(outgoing),
        Verb::Get | Verb::Delete => {
            let at = clock::now();
            let _ = exchange.take(&Item::Sent { at });
            let _ = exchange.take(&Item::Written { at });
        }
    }
    Local::Done
}
