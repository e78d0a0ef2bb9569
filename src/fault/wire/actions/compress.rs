//! Compressed bodies that nobody asked for.
//!
//! Pure. Invariant: what is compressed is flushed with every part, so that an event still comes when it is there.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderValue, header};

use super::super::messages::unmeasured;
use super::super::out::Out;
use super::super::part::Head;
use super::{Action, Edit, Need, Takes, parameter, plain};

/// Compresses the body, behind so many bytes of padding.
struct Gzip {
    padding: u64,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Gzip {
    fn boxed(padding: u64) -> Box<dyn Edit> {
        Box::new(Self {
            padding,
            encoder: None,
        })
    }

    /// What the encoder has given up to now.
    fn flushed(&mut self) -> io::Result<Bytes> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(Bytes::new());
        };
        encoder.flush()?;
        Ok(std::mem::take(encoder.get_mut()).into())
    }

    /// Writing to memory does not fail; if it did, the body would be cut, which is a defect as well.
    fn write(&mut self, bytes: &[u8], out: &mut Out) {
        if let Some(encoder) = &mut self.encoder
            && encoder.write_all(bytes).is_ok()
            && let Ok(flushed) = self.flushed()
        {
            out.data(&flushed);
        } else {
            out.close();
        }
    }

    /// White space before a JSON text, and a comment before events: the body means what it meant.
    fn pad(&mut self, events: bool, out: &mut Out) {
        const PIECE: usize = 64 << 10;
        let piece = vec![b' '; PIECE];
        if events {
            self.write(b":", out);
        }
        let mut left = self.padding;
        while left > 0 && !out.is_over() {
            // A megabyte between two flushes: each costs some bytes.
            for _ in 0..16 {
                let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
                let (now, _) = piece.split_at(length);
                if let Some(encoder) = &mut self.encoder {
                    let _ = encoder.write_all(now);
                }
                left -= length as u64;
            }
            self.write(b"", out);
        }
        if events {
            self.write(b"\n", out);
        }
    }
}

impl Edit for Gzip {
    fn head(&mut self, head: Head, out: &mut Out) {
        if head.headers.contains_key(header::CONTENT_ENCODING) {
            return out.head(&head);
        }
        let mut head = unmeasured(head);
        let gzip = HeaderValue::from_static("gzip");
        head.headers.insert(header::CONTENT_ENCODING, gzip);
        out.head(&head);
        self.encoder = Some(GzEncoder::new(Vec::new(), Compression::default()));
        if self.padding > 0 {
            self.pad(head.media_type() == "text/event-stream", out);
        }
    }

    fn body(&mut self, bytes: Bytes, out: &mut Out) {
        if self.encoder.is_some() {
            self.write(&bytes, out);
        } else {
            out.data(&bytes);
        }
    }

    fn end(&mut self, out: &mut Out) {
        if let Some(encoder) = self.encoder.take() {
            match encoder.finish() {
                Ok(rest) => out.data(&rest.into()),
                Err(_) => out.close(),
            }
        }
        out.end();
    }
}

/// `gzip`.
pub(super) const GZIP: Action = plain(
    "gzip",
    "compresses the body with Content-Encoding: gzip, though nobody asked",
    |_, _| Gzip::boxed(0),
);

/// `bomb`.
pub(super) const BOMB: Action = Action {
    name: "bomb",
    summary: "compresses the body behind very many spaces: a few kilobytes on the wire, all of it in memory",
    example: "bomb=64MiB,first=1",
    argument: Some(parameter(
        "SIZE",
        // They are compressed at once, which takes about a second.
        Takes::Bytes { max: 256 << 20 },
        Need::Default("64MiB"),
        "how many spaces",
    )),
    options: &[],
    build: |params, _| Gzip::boxed(params.count("SIZE")),
    watch: None,
};
