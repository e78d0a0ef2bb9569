//! What a stage holds, and when each of it leaves.
//!
//! Pure. Invariant: first in, first out; nothing leaves before what came before it.

use std::collections::VecDeque;

use super::item::{Item, What};

/// What a piece takes of memory at least, bytes, however short it is.
const LEAST: usize = 64;

/// What waits, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// When the last of those that know it leaves.
    last: i64,
}

#[derive(Debug)]
struct Waiting {
    /// When it leaves; None if that is decided when it is the first.
    due: Option<i64>,
    item: Item,
}

impl Queue {
    /// Lets `what` leave at `due`, or when all before it have left if that is later.
    pub(super) fn put(&mut self, due: i64, what: What) {
        self.last = self.last.max(due);
        let at = self.last;
        self.add(Some(at), Item { at, what });
    }

    /// Lets an item wait until it is the first; then it is decided when it leaves.
    pub(super) fn put_undecided(&mut self, item: Item) {
        self.add(None, item);
    }

    fn add(&mut self, due: Option<i64>, item: Item) {
        self.bytes += cost(&item);
        self.waiting.push_back(Waiting { due, item });
    }

    /// Asks for the moment at which the first leaves, if that is not decided.
    pub(super) fn decide_first(&mut self, decide: impl FnOnce(&Item) -> i64) {
        let last = self.last;
        if let Some(first) = self.waiting.front_mut()
            && first.due.is_none()
        {
            let due = decide(&first.item).max(last);
            first.due = Some(due);
            first.item.at = due;
            self.last = due;
        }
    }

    /// The first, if it is due; it left when it was due, however late it is asked.
    pub(super) fn pop(&mut self, now: i64) -> Option<Item> {
        let due = self.waiting.front()?.due?;
        if due > now {
            return None;
        }
        let item = self.waiting.pop_front()?.item;
        self.bytes -= cost(&item);
        Some(item)
    }

    /// When the first leaves.
    pub(super) fn due(&self) -> Option<i64> {
        self.waiting.front()?.due
    }

    /// Bytes that wait; of a piece that is shorter than it takes of memory, those.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Everything, in order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = What> {
        self.bytes = 0;
        self.waiting.drain(..).map(|waiting| waiting.item.what)
    }
}

/// What an item counts as.
fn cost(item: &Item) -> usize {
    item.what.len().max(LEAST)
}
