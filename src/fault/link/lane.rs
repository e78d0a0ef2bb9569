//! One way of one connection: what came goes through the rules that select it, and leaves when they say.
//!
//! Pure. Whoever owns the sockets pushes what it reads, asks [`Lane::next`] for what to write, and asks again at [`Lane::due`].
//! Invariant: what leaves is what came, in order, but for what a hole or a limit has dropped; no more is held than
//! [`MOST_HELD`] and one reading, if [`Lane::takes`] is heeded.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Way;
use super::item::{Item, What};
use super::queue::Queue;
use super::rules::{Armed, RuleSet};
use super::stages::{self, Stage};
use super::toxic::MOST_HELD;

/// The items of one way.
#[derive(Debug)]
pub(crate) struct Lane {
    way: Way,
    connection: u64,
    steps: Vec<Step>,
    out: VecDeque<What>,
    out_bytes: usize,
}

#[derive(Debug)]
struct Step {
    armed: Arc<Armed>,
    stage: Box<dyn Stage>,
    held: Queue,
}

impl Step {
    fn take(&mut self, item: Item) {
        if let What::Bytes(bytes) = &item.what {
            self.armed.tally.meets(bytes.len());
        }
        self.stage.take(item, &mut self.held, &self.armed);
        self.decide();
    }

    fn pop(&mut self, now: i64) -> Option<Item> {
        let item = self.held.pop(now)?;
        self.decide();
        Some(item)
    }

    /// Decides when the first leaves. A shared rate is taken by who asks first.
    fn decide(&mut self) {
        let (stage, armed) = (&mut self.stage, &self.armed);
        self.held.decide_first(|item| stage.first(item, armed));
    }
}

/// Whether a change of rules leaves the stream whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Stream {
    /// It goes on.
    Whole,
    /// Bytes are missing, and nothing drops the rest: the connection must be reset.
    Holed,
}

impl Lane {
    /// A lane without rules.
    pub(crate) fn new(way: Way, connection: u64) -> Self {
        Self {
            way,
            connection,
            steps: Vec::new(),
            out: VecDeque::new(),
            out_bytes: 0,
        }
    }

    /// Takes over other rules. What the rules that are gone held goes to the next that stays, or leaves, at once.
    pub(crate) fn set(&mut self, now: i64, rules: &RuleSet) -> Stream {
        let old = std::mem::take(&mut self.steps);
        let mut old: Vec<Option<Step>> = old.into_iter().map(Some).collect();
        // Where each of the old steps goes: rules keep their order, so those that stay keep theirs.
        let mut stays: Vec<Option<usize>> = vec![None; old.len()];
        let chosen = rules.armed.iter().filter(|armed| {
            armed.rule.direction.covers(self.way) && armed.selects(self.connection)
        });
        for armed in chosen {
            let same = old.iter_mut().enumerate().find(|(_, step)| {
                step.as_ref().is_some_and(|step| {
                    step.armed.id == armed.id && step.armed.revision == armed.revision
                })
            });
            let step = match same {
                Some((place, step)) => {
                    if let Some(stays) = stays.get_mut(place) {
                        *stays = Some(self.steps.len());
                    }
                    step.take()
                }
                None => stages::build(armed, self.way, self.connection).map(|stage| Step {
                    armed: Arc::clone(armed),
                    stage,
                    held: Queue::default(),
                }),
            };
            self.steps.extend(step);
        }
        let mut stream = Stream::Whole;
        // Those nearest to the end first: what they held is older.
        for place in (0..old.len()).rev() {
            let Some(mut gone) = old.get_mut(place).and_then(Option::take) else {
                continue;
            };
            if gone.stage.has_hole() {
                stream = Stream::Holed;
            }
            let next = stays.iter().skip(place).find_map(|stays| *stays);
            for what in gone.held.drain() {
                self.enter(next, Item { at: now, what });
            }
        }
        self.advance(now);
        stream
    }

    /// Whether nothing is held and no rule acts, so that bytes may go straight through.
    pub(crate) fn is_plain(&self) -> bool {
        self.steps.is_empty() && self.out.is_empty()
    }

    /// Whether more may be read.
    pub(crate) fn takes(&self) -> bool {
        let held: usize = self.steps.iter().map(|step| step.held.bytes()).sum();
        held + self.out_bytes < MOST_HELD
    }

    /// Whether all that comes is dropped, so that nobody need be there to take it.
    pub(crate) fn swallows(&self) -> bool {
        self.steps.iter().any(|step| step.stage.swallows())
    }

    /// Takes what came at `now`.
    pub(crate) fn push(&mut self, now: i64, what: What) {
        let first = if self.steps.is_empty() { None } else { Some(0) };
        self.enter(first, Item { at: now, what });
    }

    fn enter(&mut self, step: Option<usize>, item: Item) {
        match step.and_then(|step| self.steps.get_mut(step)) {
            Some(step) => step.take(item),
            None => {
                self.out_bytes += item.what.len();
                self.out.push_back(item.what);
            }
        }
    }

    /// Moves what is due from step to step.
    fn advance(&mut self, now: i64) {
        for place in 0..self.steps.len() {
            while let Some(item) = self.steps.get_mut(place).and_then(|step| step.pop(now)) {
                self.enter(Some(place + 1), item);
            }
        }
    }

    /// What leaves next, if something does by `now`.
    pub(crate) fn next(&mut self, now: i64) -> Option<What> {
        if self.out.is_empty() {
            self.advance(now);
        }
        let what = self.out.pop_front()?;
        self.out_bytes -= what.len();
        Some(what)
    }

    /// When to ask again; None if nothing is held that waits for a moment.
    pub(crate) fn due(&self) -> Option<i64> {
        self.steps.iter().filter_map(|step| step.held.due()).min()
    }
}
