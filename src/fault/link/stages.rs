//! The toxics that act on bytes on their way, one file each for those that are more than a few lines.
//!
//! Pure. A stage decides about an item as it comes: when it leaves, in which pieces, or that it never does. Invariant: a stage
//! that is not a hole puts every byte that it takes into its queue, in order.

use std::fmt::Debug;
use std::sync::Arc;

use super::item::{Item, What, nanos};
use super::queue::Queue;
use super::rules::Armed;
use super::toxic::{LimitBytes, SlowClose, Then};
use super::{Toxic, Way};

mod bandwidth;
mod latency;
mod slicer;
mod stall;

pub(super) use latency::delay;

/// A rule's work on one way of one connection.
pub(super) trait Stage: Send + Debug {
    /// Takes the next item; what is to leave goes to `held`.
    fn take(&mut self, item: Item, held: &mut Queue, armed: &Armed);

    /// When an item that was put undecided leaves, now that it is the first.
    fn first(&mut self, item: &Item, _armed: &Armed) -> i64 {
        item.at
    }

    /// Whether all that comes is dropped.
    fn swallows(&self) -> bool {
        false
    }

    /// Whether something was dropped, so that what comes after it would not fit what came before.
    fn has_hole(&self) -> bool {
        false
    }
}

/// The stage of a rule on one way of a connection; None if it does not act on bytes there.
pub(super) fn build(armed: &Arc<Armed>, way: Way, connection: u64) -> Option<Box<dyn Stage>> {
    let draws = || armed.draws(way.into(), connection);
    Some(match &armed.rule.what {
        Toxic::Latency(latency) => Box::new(latency::Late::new(*latency, draws())),
        Toxic::Bandwidth(bandwidth) => Box::new(bandwidth::Narrow::new(*bandwidth, way)),
        Toxic::SlowClose(slow) => Box::new(*slow),
        Toxic::Blackhole(_) => Box::new(Hole::default()),
        Toxic::Slicer(slicer) => Box::new(slicer::Sliced::new(*slicer, draws())),
        Toxic::LimitBytes(limit) => Box::new(Limit::new(*limit)),
        Toxic::Stall(stall) => Box::new(stall::Lossy::new(*stall, draws())),
        Toxic::Reset(reset) if connection >= armed.since => Box::new(Limit::new(LimitBytes {
            bytes: reset.after_bytes?,
            then: Then::Reset,
        })),
        Toxic::Reset(_) | Toxic::Refuse | Toxic::HalfOpen(_) | Toxic::Answers(_) => return None,
    })
}

impl Stage for SlowClose {
    fn take(&mut self, item: Item, held: &mut Queue, armed: &Armed) {
        let due = if matches!(item.what, What::Bytes(_)) {
            item.at
        } else {
            armed.tally.hits(item.at);
            item.at.saturating_add(nanos(self.delay))
        };
        held.put(due, item.what);
    }
}

/// A blackhole.
#[derive(Debug, Default)]
struct Hole {
    lost: bool,
}

impl Stage for Hole {
    fn take(&mut self, item: Item, _held: &mut Queue, armed: &Armed) {
        self.lost = true;
        armed.tally.hits(item.at);
    }

    fn swallows(&self) -> bool {
        true
    }

    fn has_hole(&self) -> bool {
        self.lost
    }
}

/// An end after so many bytes.
#[derive(Debug)]
struct Limit {
    left: u64,
    then: Then,
    over: bool,
}

impl Limit {
    fn new(limit: LimitBytes) -> Self {
        Self {
            left: limit.bytes,
            then: limit.then,
            over: false,
        }
    }
}

impl Stage for Limit {
    fn take(&mut self, item: Item, held: &mut Queue, armed: &Armed) {
        if self.over {
            return;
        }
        let What::Bytes(mut bytes) = item.what else {
            return held.put(item.at, item.what);
        };
        bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= bytes.len() as u64;
        if !bytes.is_empty() {
            held.put(item.at, What::Bytes(bytes));
        }
        if self.left == 0 {
            self.over = true;
            armed.tally.hits(item.at);
            held.put(
                item.at,
                match self.then {
                    Then::Close => What::Close,
                    Then::Reset => What::Reset,
                },
            );
        }
    }

    fn swallows(&self) -> bool {
        self.over
    }
}
