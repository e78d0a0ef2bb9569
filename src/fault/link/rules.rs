//! The rules of a link at one moment, and what each has done.
//!
//! Pure. Counters are shared by all connections of the link. Invariant: a [`RuleSet`] never changes; to apply or to lift makes another
//! one, in which a rule that stays is the very same, with its counters.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{LinkRule, Toxic, Way};
use crate::fault::wire::Rules;
use crate::model::Seed;
use crate::model::seed::Purpose;

/// The rules of a link, in the order in which they act.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleSet {
    /// Counts up with every change.
    pub(crate) generation: u64,
    /// The rules that act.
    pub(crate) armed: Vec<Arc<Armed>>,
    /// The name that answers carry.
    pub(crate) instance: Option<Bytes>,
}

/// A rule that acts.
#[derive(Debug)]
pub(crate) struct Armed {
    /// The name of the fault.
    pub(crate) id: String,
    /// What it does.
    pub(crate) rule: LinkRule,
    /// The generation in which it was applied; with the id it says which rule this is.
    pub(crate) revision: u64,
    /// When it was applied.
    pub(crate) at: i64,
    /// The number of the first connection that was accepted after it.
    pub(crate) since: u64,
    /// What it has done.
    pub(crate) tally: Tally,
    /// From when on a shared rate is free, for each way.
    pub(crate) free_at: [AtomicI64; 2],
    /// The rules of `answers`, which count requests over all connections.
    pub(crate) answers: Option<Mutex<Rules>>,
    seed: Seed,
}

/// What a draw is for; stands in the upper bits of the stream's group.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Draw {
    /// Whether a connection is selected.
    Selects = 0,
    /// What happens on the way to the server.
    ToServer = 1,
    /// What happens on the way to the client.
    ToClient = 2,
    /// How long a connection waits for its server.
    Connects = 3,
}

impl From<Way> for Draw {
    fn from(way: Way) -> Self {
        match way {
            Way::ToServer => Self::ToServer,
            Way::ToClient => Self::ToClient,
        }
    }
}

impl Armed {
    pub(crate) fn new(id: String, rule: LinkRule, seed: Seed, revision: u64, since: u64) -> Self {
        let answers = match &rule.what {
            Toxic::Answers(answers) => {
                let seed = Seed(seed.0 ^ fnv(id.as_bytes()));
                Some(Mutex::new(Rules::new(answers.rules.clone(), seed)))
            }
            _ => None,
        };
        Self {
            id,
            rule,
            revision,
            at: 0,
            since,
            tally: Tally::default(),
            free_at: [AtomicI64::new(0), AtomicI64::new(0)],
            answers,
            seed,
        }
    }

    /// The same, applied at a raw reading of the clock.
    pub(crate) fn applied_at(mut self, at: i64) -> Self {
        self.at = at;
        self
    }

    /// Whether connection number `connection` is one of the rule's share.
    pub(crate) fn selects(&self, connection: u64) -> bool {
        let share = self.rule.share.ratio();
        // All and none need no draw.
        share >= 1.0 || (share > 0.0 && unit(&mut self.draws(Draw::Selects, connection)) < share)
    }

    /// The draws of a connection; the same for the same seed, id, number and purpose.
    pub(crate) fn draws(&self, draw: Draw, connection: u64) -> ChaCha8Rng {
        let group = fnv(self.id.as_bytes());
        let group = u32::try_from(group & 0x3fff_ffff).unwrap_or_default() | (draw as u32) << 30;
        self.seed.stream(Purpose::Link, group, connection)
    }
}

/// How often a rule has met something and acted. Readings may be a moment apart.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    chunks: AtomicU64,
    bytes: AtomicU64,
    hits: AtomicU64,
    /// Raw readings of the clock; zero is never.
    first: AtomicI64,
    last: AtomicI64,
}

/// A reading of a [`Tally`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) chunks: u64,
    pub(crate) bytes: u64,
    pub(crate) hits: u64,
    pub(crate) first_hit: Option<i64>,
    pub(crate) last_hit: Option<i64>,
}

impl Tally {
    /// The rule has met a chunk of so many bytes.
    pub(crate) fn meets(&self, bytes: usize) {
        self.chunks.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The rule has acted.
    pub(crate) fn hits(&self, at: i64) {
        self.hits.fetch_add(1, Ordering::Relaxed);
        self.last.store(at, Ordering::Relaxed);
        if self.first.load(Ordering::Relaxed) == 0 {
            self.first.store(at, Ordering::Relaxed);
        }
    }

    /// What was counted.
    pub(crate) fn counted(&self) -> Counted {
        let moment = |at: &AtomicI64| Some(at.load(Ordering::Relaxed)).filter(|at| *at != 0);
        Counted {
            chunks: self.chunks.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            hits: self.hits.load(Ordering::Relaxed),
            first_hit: moment(&self.first),
            last_hit: moment(&self.last),
        }
    }
}

/// A draw from 0 up to, but without, 1: the upper 53 bits.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a f64 exactly")]
pub(crate) fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// FNV-1a (Fowler, Noll, Vo): an id as a number.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
