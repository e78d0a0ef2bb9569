//! An event stream cut into its events, with every byte kept.
//!
//! Pure. `mcp::sse` says what an event means; here it is a piece of the stream that can be passed on, dropped or changed.
//! Invariant: the pieces in their order are the stream, whatever its line ends and however it was cut into chunks, and no more
//! than [`MOST_HELD`] bytes are held back.

use bytes::{Bytes, BytesMut};

use crate::mcp::sse;

/// The longest event that is held until its end, bytes; of a longer one the bytes pass as they come, unseen.
pub(super) const MOST_HELD: usize = 16 << 20;

/// A piece of an event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// An event that carries a message.
    Event {
        /// All its lines, and the empty one that ends it.
        raw: Bytes,
        /// Its data, joined.
        data: Bytes,
    },
    /// Comments, events without data, or what cannot be looked into.
    Other(Bytes),
}

impl Block {
    /// Its bytes in the stream.
    pub(super) fn raw(&self) -> &Bytes {
        match self {
            Self::Event { raw, .. } | Self::Other(raw) => raw,
        }
    }
}

/// Cuts a stream into blocks.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    held: BytesMut,
    /// How many bytes of `held` were looked at.
    seen: usize,
    /// Whether a line begins here.
    at_line: LineState,
    /// Whether the block under way is too long to be held.
    passes: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LineState {
    /// At the begin of a line.
    #[default]
    Begin,
    /// At the begin of a line, after a CR that an LF may belong to.
    AfterCr,
    /// Within a line.
    Within,
}

impl Splitter {
    /// Takes bytes of the stream and gives the blocks that they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Block> {
        self.held.extend_from_slice(bytes);
        let mut blocks = Vec::new();
        while let Some(byte) = self.held.get(self.seen).copied() {
            self.seen += 1;
            let ends = self.ends_block(byte);
            if ends {
                // An LF that belongs to the CR goes with it, if it is here already.
                if self.at_line == LineState::AfterCr && self.held.get(self.seen) == Some(&b'\n') {
                    self.seen += 1;
                    self.at_line = LineState::Begin;
                }
                blocks.push(self.cut());
            }
        }
        if self.held.len() > MOST_HELD || (self.passes && !self.held.is_empty()) {
            self.passes = true;
            self.seen = 0;
            blocks.push(Block::Other(self.held.split().freeze()));
        }
        blocks
    }

    /// Whether the block under way ends with this byte: with the first byte of the end of an empty line.
    fn ends_block(&mut self, byte: u8) -> bool {
        let before = self.at_line;
        self.at_line = match byte {
            b'\r' => LineState::AfterCr,
            b'\n' => LineState::Begin,
            _ => LineState::Within,
        };
        match byte {
            // It belongs to the CR before it.
            b'\n' => before == LineState::Begin,
            b'\r' => before != LineState::Within,
            _ => false,
        }
    }

    /// What has come of the block under way.
    pub(super) fn rest(&mut self) -> Bytes {
        self.seen = 0;
        self.held.split().freeze()
    }

    fn cut(&mut self) -> Block {
        let raw = self.held.split_to(self.seen).freeze();
        self.seen = 0;
        if std::mem::take(&mut self.passes) {
            return Block::Other(raw);
        }
        let mut data = None;
        let parsed = sse::Parser::default().push(&raw, &mut |event| data = Some(event.data));
        match data {
            Some(data) if parsed.is_ok() && !data.is_empty() => Block::Event {
                raw,
                data: data.into(),
            },
            _ => Block::Other(raw),
        }
    }
}

/// The event `raw` with other data: its other lines stay, in their order.
pub(super) fn with_data(raw: &[u8], data: &[u8]) -> Bytes {
    let mut event = BytesMut::with_capacity(raw.len() + data.len());
    let mut placed = false;
    for line in lines(raw) {
        let is_data = line == b"data" || line.starts_with(b"data:");
        if is_data && placed {
            continue;
        }
        if is_data {
            placed = true;
            for part in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
                event.extend_from_slice(b"data: ");
                event.extend_from_slice(part);
                event.extend_from_slice(b"\n");
            }
        } else {
            event.extend_from_slice(line);
            event.extend_from_slice(b"\n");
        }
    }
    event.extend_from_slice(b"\n");
    event.freeze()
}

/// The lines of an event that are not empty, without their ends.
fn lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    raw.split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn datas(blocks: &[Block]) -> Vec<&[u8]> {
        blocks
            .iter()
            .filter_map(|block| match block {
                Block::Event { data, .. } => Some(&data[..]),
                Block::Other(_) => None,
            })
            .collect()
    }

    #[test]
    fn events_with_data_are_told_from_comments_and_priming_ones() {
        let stream =
            b": hello\n\nid: 1\ndata: \n\nevent: message\ndata: a\ndata: b\n\ndata: c\r\n\r\nrest";
        let mut splitter = Splitter::default();
        let blocks = splitter.push(stream);
        assert_eq!(datas(&blocks), [&b"a\nb"[..], b"c"]);
        assert_eq!(blocks.len(), 4);
        assert_eq!(&splitter.rest()[..], b"rest");
    }

    #[test]
    fn an_event_longer_than_can_be_held_passes() {
        let mut splitter = Splitter::default();
        let chunk = vec![b'x'; MOST_HELD / 4];
        let mut passed = 0;
        for _ in 0..8 {
            for block in splitter.push(&chunk) {
                assert!(matches!(block, Block::Other(_)));
                passed += block.raw().len();
            }
        }
        assert_eq!(passed, 8 * chunk.len());
        let blocks = splitter.push(b"\n\ndata: a\n\n");
        assert_eq!(datas(&blocks), [b"a"]);
    }

    #[test]
    fn other_data_leaves_the_other_lines() {
        let event = with_data(b"id: 7\r\ndata: a\r\ndata: b\r\nretry: 5\r\n\r\n", b"{}");
        assert_eq!(&event[..], b"id: 7\ndata: {}\nretry: 5\n\n");
    }

    proptest! {
        #[test]
        fn blocks_are_the_stream_however_it_was_cut(
            pieces in proptest::collection::vec(
                prop::sample::select(vec!["data: a", "data:", "id: 1", ":c", "\n", "\r", "\r\n", "é"]), 0..60),
            cuts in proptest::collection::vec(1_usize..9, 1..20),
        ) {
            let stream = pieces.concat().into_bytes();
            let mut whole = Splitter::default();
            let expected: Vec<Vec<u8>> = datas(&whole.push(&stream)).iter().map(|data| data.to_vec()).collect();
            let mut splitter = Splitter::default();
            let (mut blocks, mut rest) = (Vec::new(), stream.as_slice());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (chunk, tail) = rest.split_at((*cut).min(rest.len()));
                blocks.extend(splitter.push(chunk));
                rest = tail;
            }
            let found: Vec<Vec<u8>> = datas(&blocks).iter().map(|data| data.to_vec()).collect();
            prop_assert_eq!(found, expected);
            let mut together: Vec<u8> = blocks.iter().flat_map(|block| block.raw().to_vec()).collect();
            together.extend_from_slice(&splitter.rest());
            prop_assert_eq!(together, stream);
        }
    }
}
