//! Loss, as TCP shows it to those who use it.
//!
//! Pure. A chunk that is lost waits for its repetition, and all after it wait with it; each further loss doubles the wait
//! (RFC 6298, section 5.5).

use rand_chacha::ChaCha8Rng;

use super::super::item::{Item, What, nanos};
use super::super::queue::Queue;
use super::super::rules::{Armed, unit};
use super::super::toxic::Stall;
use super::Stage;

/// The most losses of one chunk.
const MOST_LOSSES: u32 = 6;

#[derive(Debug)]
pub(super) struct Lossy {
    stall: Stall,
    random: ChaCha8Rng,
}

impl Lossy {
    pub(super) fn new(stall: Stall, random: ChaCha8Rng) -> Self {
        Self { stall, random }
    }
}

impl Stage for Lossy {
    fn take(&mut self, item: Item, held: &mut Queue, armed: &Armed) {
        let mut due = item.at;
        if matches!(item.what, What::Bytes(_)) {
            let mut pause = nanos(self.stall.pause);
            let mut losses = 0;
            while losses < MOST_LOSSES && unit(&mut self.random) < self.stall.probability.ratio() {
                losses += 1;
                due = due.saturating_add(pause);
                pause = pause.saturating_mul(2);
            }
            if losses > 0 {
                armed.tally.hits(item.at);
            }
        }
        held.put(due, item.what);
    }
}
