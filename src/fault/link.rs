//! What a rule does to the connections of a link: late, slow, cut, silent, or with other answers.
//!
//! Pure. A [`LinkRule`] is data; a proxy (`crate::proxy`) owns the sockets. `Lane` decides for one direction of one connection
//! what leaves when; `fate` decides what becomes of a connection as a whole; `http` follows requests and answers. Rules act in
//! the order in which they were first applied, each on what the one before it lets through. Toggling a rule never resets by
//! itself: what a lifted rule held leaves at once and in order; only a connection that lost bytes is reset, since it has a hole.
//!
//! Which connections a rule selects is drawn from (seed, id of the rule, number of the connection) alone, and so never drawn
//! anew. Invariant: a rule that loses nothing neither loses, doubles nor reorders a byte, whenever it is applied or lifted. Next:
//! [`toxic`] for what there is.

use serde::{Deserialize, Serialize};

use crate::model::Share;

pub(crate) mod fate;
pub(crate) mod http;
pub(crate) mod item;
pub(crate) mod lane;
mod queue;
pub(crate) mod rules;
mod stages;
pub mod toxic;

pub use toxic::Toxic;

/// What happens to which connections of a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkRule {
    /// On which way; what acts on a connection as a whole (`reset`, `refuse`, `half-open`, `answers`) does not ask.
    #[serde(default)]
    pub direction: Direction,
    /// The share of the connections.
    #[serde(default = "all")]
    pub share: Share,
    /// What happens.
    pub what: Toxic,
}

const fn all() -> Share {
    Share::ONE
}

impl LinkRule {
    /// This on both ways of every connection.
    pub const fn new(what: Toxic) -> Self {
        Self {
            direction: Direction::Both,
            share: Share::ONE,
            what,
        }
    }

    /// The same in one direction.
    #[must_use]
    pub fn towards(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// The same on a share of the connections.
    #[must_use]
    pub fn on(mut self, share: Share) -> Self {
        self.share = share;
        self
    }

    /// Whether the listener itself is closed: every new connection is to be refused.
    pub(crate) fn closes_the_listener(&self) -> bool {
        self.share == Share::ONE && self.what == Toxic::Refuse
    }

    /// Whether nobody finds out that nothing listens behind the link: no client's word gets there.
    pub(crate) fn hides_the_upstream(&self) -> bool {
        let is_silent = matches!(self.what, Toxic::Blackhole(_));
        is_silent && self.share == Share::ONE && self.direction.covers(Way::ToServer)
    }
}

/// The ways that a rule acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// What clients send.
    ToServer,
    /// What servers send.
    ToClient,
    /// Either.
    #[default]
    Both,
}

/// One way of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// Whether this way is meant.
    pub(crate) fn covers(self, way: Way) -> bool {
        match self {
            Self::ToServer => way == Way::ToServer,
            Self::ToClient => way == Way::ToClient,
            Self::Both => true,
        }
    }
}

#[cfg(test)]
mod tests;
