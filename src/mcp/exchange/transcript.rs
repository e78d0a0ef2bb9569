//! [`Transcript`]: what came of an exchange, for a person who looks into one.
//!
//! Pure. Bounded: of a body no more than `MAX_KEPT` bytes are kept.

use http::{HeaderMap, StatusCode};

use super::Item;

/// How much of a body is kept, bytes.
pub(super) const MAX_KEPT: usize = 256 << 10;

/// The head and the body of an answer, as they came.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// The status, if there was a head.
    pub status: Option<StatusCode>,
    /// The headers.
    pub headers: HeaderMap,
    /// The parts of the body, or the messages of a stream, with the raw readings of the clock.
    pub parts: Vec<(i64, Vec<u8>)>,
    /// Whether more came than was kept.
    pub is_cut: bool,
    kept: usize,
}

impl Transcript {
    pub(super) fn take(&mut self, item: &Item<'_>) {
        match *item {
            Item::Head {
                status, headers, ..
            } => {
                self.status = Some(status);
                self.headers = headers.clone();
            }
            Item::Body { at, bytes } | Item::Message { at, bytes } => self.keep(at, bytes),
            _ => {}
        }
    }

    fn keep(&mut self, at: i64, bytes: &[u8]) {
        let room = MAX_KEPT - self.kept;
        let part = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.is_cut |= part.len() < bytes.len();
        self.kept += part.len();
        if !part.is_empty() {
            self.parts.push((at, part.to_vec()));
        }
    }
}
