//! The answer to somebody else's request.
//!
//! Pure. A rule keeps the last results of the requests that meet its conditions, and gives one of another session to a request
//! of the same method. In the modern era there are no sessions: there it is a result of an earlier request that says something
//! else. Invariant: as long as there is none, the right answer passes; no more than [`MOST_KEPT`] results are kept.

use std::sync::PoisonError;

use bytes::Bytes;

use super::super::messages::{EditMessage, Message, PerMessage};
use super::{Action, Context, Edit, Kept, Need, Params, Takes, parameter};

/// How many results a rule keeps.
const MOST_KEPT: usize = 16;
/// The longest result that is kept, bytes.
const LONGEST: usize = 1 << 20;

/// A result, and whose it was.
#[derive(Debug)]
pub(in super::super) struct KeptAnswer {
    method: String,
    session: Option<String>,
    /// Its id, as raw JSON.
    id: String,
    /// The result, as raw JSON.
    result: String,
}

struct Swap {
    /// Whether this answer is swapped, or only kept for others.
    hits: bool,
    foreign_id: bool,
    method: String,
    session: Option<String>,
    kept: Kept,
}

impl Swap {
    fn boxed(params: &Params, context: Context, hits: bool) -> Box<dyn Edit> {
        Box::new(PerMessage::new(Self {
            hits,
            foreign_id: params.text("ID") == "foreign",
            method: context.method,
            session: context.session,
            kept: context.kept,
        }))
    }
}

impl EditMessage for Swap {
    fn message(&mut self, mut message: Message) -> Option<Bytes> {
        let (true, Some(result)) = (message.is_answer(), message.member("result")) else {
            return Some(message.raw());
        };
        let own = KeptAnswer {
            method: self.method.clone(),
            session: self.session.clone(),
            id: message.member("id").unwrap_or("null").to_owned(),
            result: result.to_owned(),
        };
        // What another answer left half done cannot be: each only adds or takes whole entries.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_foreign = |other: &&KeptAnswer| {
            other.method == own.method
                && other.result != own.result
                && (own.session.is_none() || other.session != own.session)
        };
        let foreign = kept.iter().rev().find(is_foreign).filter(|_| self.hits);
        if let Some(foreign) = foreign {
            message.set("result", foreign.result.clone());
            if self.foreign_id {
                message.set("id", foreign.id.clone());
            }
        }
        let written = if foreign.is_some() {
            message.bytes()
        } else {
            message.raw()
        };
        if own.result.len() <= LONGEST {
            if kept.len() >= MOST_KEPT {
                kept.pop_front();
            }
            kept.push_back(own);
        }
        Some(written)
    }
}

/// `swap-ids`.
pub(super) const SWAP_IDS: Action = Action {
    name: "swap-ids",
    summary: "gives the result of another session's request of the same method; of an earlier request where there are no sessions",
    example: "swap-ids,method=tools/call,share=5%",
    argument: Some(parameter(
        "ID",
        Takes::Word(&["own", "foreign"]),
        Need::Default("own"),
        "which id it has: the request's own, so that only the content is foreign, or that of the other request",
    )),
    options: &[],
    build: |params, context| Swap::boxed(params, context, true),
    watch: Some(|params, context| Swap::boxed(params, context, false)),
};
