//! HTTP/1.1 followed on its way: requests are told apart, answers are named, and those that a rule hits become other bytes.
//!
//! Pure. Every connection of a link that carries HTTP is followed from its first byte, so that rules can come and go while it
//! lives. A head is held until it is whole, and a request only as long as a rule must look into it; what no rule hits passes as it
//! came, each piece at once, but for the header that names the instance. What is not HTTP/1.1 as it is understood here (an upgrade,
//! HTTP/2, garbage, a head beyond measure) passes unchanged from there on.
//!
//! What a rule puts in the place of an answer that the server gives all the same is followed by the next answer once the server's has
//! ended. Invariants: no more is held of a request than [`MOST_HEAD`] and [`MOST_BODY`]; what was not changed on purpose is the same.
//! Next: `requests`, `answers`.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Toxic;
use super::item::What;
use super::rules::{Armed, RuleSet};
use crate::fault::wire::Transformer;

mod answers;
mod body;
mod head;
mod requests;

/// The longest head that is understood, bytes.
const MOST_HEAD: usize = 64 << 10;
/// The longest body of a request that is held for a rule, bytes; of a longer one only the head is looked at.
const MOST_BODY: usize = 1 << 20;
/// How many requests may wait for their answers; then no more are read.
const MOST_PENDING: usize = 64;

/// The requests and answers of one connection.
#[derive(Debug, Default)]
pub(crate) struct Http {
    /// Rules of `answers` that select the connection.
    rules: Vec<Arc<Armed>>,
    instance: Option<Bytes>,
    requests: requests::Requests,
    answers: answers::Answers,
    /// What was asked and is not answered yet.
    pending: VecDeque<Pending>,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Pending {
    kind: Kind,
    /// What changes the answer.
    change: Option<Change>,
}

/// What a request lets its answer be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It has a body, if it says so.
    Usual,
    /// HEAD: it has none.
    Head,
    /// CONNECT: what follows is no HTTP.
    Connect,
}

/// An answer in the making.
#[derive(Debug)]
struct Change {
    transformer: Transformer,
    /// Whose it is.
    armed: Arc<Armed>,
    /// The rule waits until then.
    resumes: Option<i64>,
    /// The connection is reset if it is not done by then.
    deadline: Option<i64>,
    /// The rule is gone: nothing is waited for any more.
    hurries: bool,
    /// Whether the rule has written all that it writes.
    done: bool,
}

impl Http {
    /// Takes over rules. Answers that a rule which is gone has begun to change are ended without its waits.
    pub(crate) fn set(&mut self, rules: &RuleSet, connection: u64) {
        self.instance.clone_from(&rules.instance);
        self.rules = rules
            .armed
            .iter()
            .filter(|armed| matches!(armed.rule.what, Toxic::Answers(_)))
            .filter(|armed| armed.selects(connection))
            .cloned()
            .collect();
        for change in self
            .pending
            .iter_mut()
            .filter_map(|one| one.change.as_mut())
        {
            let acts = |armed: &Arc<Armed>| Arc::ptr_eq(armed, &change.armed);
            if !self.rules.iter().any(acts) {
                change.hurries = true;
            }
        }
    }

    /// Whether more of the client is taken.
    pub(crate) fn takes_requests(&self) -> bool {
        self.pending.len() < MOST_PENDING
    }

    /// Whether more of the server is taken.
    pub(crate) fn takes_answers(&self) -> bool {
        self.answers.is_hungry()
    }

    /// Takes what the client sent; what goes on to the server is given in pieces.
    pub(crate) fn client_said(&mut self, now: i64, bytes: &[u8], pass: &mut dyn FnMut(Bytes)) {
        let Self {
            rules,
            requests,
            pending,
            ..
        } = self;
        let mut ask = requests::Ask {
            rules,
            pending,
            now,
        };
        requests.take(bytes, &mut ask, pass);
    }

    /// The client has ended; what was held of a request that is not whole.
    pub(crate) fn client_ended(&mut self) -> Bytes {
        self.requests.rest()
    }

    /// Takes what the server sent.
    pub(crate) fn server_said(&mut self, bytes: &[u8]) {
        self.answers.add(bytes);
    }

    /// The server has ended, or broken off.
    pub(crate) fn server_ended(&mut self, how: What) {
        self.answers.ends(how);
    }

    /// What goes on to the client next, if there is something by `now`.
    pub(crate) fn next(&mut self, now: i64) -> Option<What> {
        let what = self
            .answers
            .next(now, &mut self.pending, self.instance.as_ref());
        if self.answers.is_raw() {
            self.requests.stop();
        }
        what
    }

    /// Whether an answer has taken longer than its rule lets it: the connection is to be reset, whoever waits for whom.
    pub(crate) fn is_overdue(&self, now: i64) -> bool {
        let change = self.pending.front().and_then(|one| one.change.as_ref());
        let deadline = change.and_then(|change| change.deadline);
        deadline.is_some_and(|deadline| deadline <= now)
    }

    /// When to ask again; `takes` if what is then given would be taken.
    pub(crate) fn due(&self, takes: bool) -> Option<i64> {
        let change = self.pending.front()?.change.as_ref()?;
        let resumes = change.resumes.filter(|_| takes && !change.hurries);
        [resumes, change.deadline].into_iter().flatten().min()
    }
}

/// The first bytes of a buffer.
fn cut(buffer: &mut BytesMut, length: usize) -> Bytes {
    buffer.split_to(length.min(buffer.len())).freeze()
}

#[cfg(test)]
mod tests;
