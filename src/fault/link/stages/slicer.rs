//! Small pieces.
//!
//! Pure. Each piece leaves by itself; a reader that is fast enough sees each.

use rand_chacha::ChaCha8Rng;

use super::super::item::{Item, What, nanos};
use super::super::queue::Queue;
use super::super::rules::{Armed, unit};
use super::super::toxic::Slicer;
use super::Stage;

#[derive(Debug)]
pub(super) struct Sliced {
    slicer: Slicer,
    random: ChaCha8Rng,
    /// When the next piece may leave.
    free_at: i64,
}

impl Sliced {
    pub(super) fn new(slicer: Slicer, random: ChaCha8Rng) -> Self {
        Self {
            slicer,
            random,
            free_at: 0,
        }
    }

    fn size(&mut self) -> usize {
        let Slicer {
            average, variation, ..
        } = self.slicer;
        let least = average.get().saturating_sub(variation).max(1);
        let most = average.get().saturating_add(variation);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a part of a size that is far below 2^53 bytes, and never negative"
        )]
        let more = (unit(&mut self.random) * (most - least + 1) as f64) as u64;
        usize::try_from(least.saturating_add(more)).unwrap_or(usize::MAX)
    }
}

impl Stage for Sliced {
    fn take(&mut self, item: Item, held: &mut Queue, armed: &Armed) {
        let What::Bytes(mut bytes) = item.what else {
            return held.put(item.at, item.what);
        };
        let delay = nanos(self.slicer.delay);
        while !bytes.is_empty() {
            let piece = bytes.split_to(self.size().min(bytes.len()));
            // What is shorter than a slice passes whole: that is no effect.
            if !bytes.is_empty() {
                armed.tally.hits(item.at);
            }
            let leaves = self.free_at.max(item.at);
            held.put(leaves, What::Bytes(piece));
            self.free_at = leaves.saturating_add(delay);
        }
    }
}
