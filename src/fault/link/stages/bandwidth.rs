//! Rates.
//!
//! Pure. A pipe that is free from a moment on: a piece of n bytes leaves n / rate after that, and the pipe is then free again; so
//! no error adds up. Chunks are cut so that the pipe is not taken for longer than 20 ms at a time where others share it.

use std::sync::atomic::Ordering;

use super::super::Way;
use super::super::item::{Item, What};
use super::super::queue::Queue;
use super::super::rules::Armed;
use super::super::toxic::{Bandwidth, Scope};
use super::Stage;

/// Pieces for each second.
const PIECES: u64 = 50;
/// The largest piece, bytes.
const MOST: u64 = 16 << 10;
/// What waits for less than this, nanoseconds, would not have gone sooner without the rule.
const NOTICEABLE: i64 = 100_000;

#[derive(Debug)]
pub(super) struct Narrow {
    bandwidth: Bandwidth,
    way: Way,
    free_at: i64,
}

impl Narrow {
    pub(super) fn new(bandwidth: Bandwidth, way: Way) -> Self {
        Self {
            bandwidth,
            way,
            free_at: 0,
        }
    }

    fn piece(&self) -> usize {
        let piece = self.bandwidth.bytes_per_second.get() / PIECES;
        usize::try_from(piece.clamp(1, MOST)).unwrap_or(1)
    }

    /// How long so many bytes take, nanoseconds.
    fn length(&self, bytes: usize) -> i64 {
        let rate = u128::from(self.bandwidth.bytes_per_second.get());
        let length = (bytes as u128 * 1_000_000_000).div_ceil(rate);
        i64::try_from(length).unwrap_or(i64::MAX)
    }
}

impl Stage for Narrow {
    fn take(&mut self, item: Item, held: &mut Queue, _armed: &Armed) {
        let What::Bytes(mut bytes) = item.what else {
            return held.put_undecided(item);
        };
        let piece = self.piece();
        while !bytes.is_empty() {
            let first = bytes.split_to(piece.min(bytes.len()));
            held.put_undecided(Item {
                at: item.at,
                what: What::Bytes(first),
            });
        }
    }

    fn first(&mut self, item: &Item, armed: &Armed) -> i64 {
        let length = self.length(item.what.len());
        if length == 0 {
            return item.at;
        }
        let [to_server, to_client] = &armed.free_at;
        let shared = match self.way {
            Way::ToServer => to_server,
            Way::ToClient => to_client,
        };
        let free_at = match self.bandwidth.scope {
            Scope::Connection => self.free_at,
            Scope::Link => shared.load(Ordering::Relaxed),
        };
        let leaves = free_at.max(item.at).saturating_add(length);
        // A pipe that is wide enough makes nobody wait: that is no effect.
        if leaves - item.at >= NOTICEABLE {
            armed.tally.hits(item.at);
        }
        match self.bandwidth.scope {
            Scope::Connection => self.free_at = leaves,
            // The connections of a link take turns on one thread, so nothing comes in between.
            Scope::Link => shared.store(leaves, Ordering::Relaxed),
        }
        leaves
    }
}
