//! Framing that is legal and rare (RFC 9112, section 7.1).
//!
//! Pure. Invariant: a client that reads chunked bodies as the standard says gets the body unchanged.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, header};

use super::super::messages::unmeasured;
use super::super::out::Out;
use super::super::part::Head;
use super::{Action, Edit, plain};

/// Sizes of the chunks in turn. Ten and above need letters, 171 two of them.
const SIZES: [usize; 7] = [1, 1, 10, 27, 171, 1, 3000];

/// Cuts the body into odd chunks.
#[derive(Default)]
struct Oddities {
    chunks: usize,
}

impl Edit for Oddities {
    fn head(&mut self, head: Head, out: &mut Out) {
        let mut head = unmeasured(head);
        head.headers
            .insert(header::TRAILER, HeaderValue::from_static("x-odd-trailer"));
        out.head(&head);
    }

    fn body(&mut self, mut bytes: Bytes, out: &mut Out) {
        if !out.is_chunked() {
            return out.data(&bytes);
        }
        let mut framed = BytesMut::with_capacity(bytes.len() * 2);
        while !bytes.is_empty() {
            let size = SIZES.get(self.chunks % SIZES.len()).copied().unwrap_or(1);
            let chunk = bytes.split_to(size.min(bytes.len()));
            framed.put_slice(size_line(self.chunks, chunk.len()).as_bytes());
            framed.put_slice(&chunk);
            framed.put_slice(b"\r\n");
            self.chunks += 1;
        }
        out.raw(framed.freeze());
    }

    fn end(&mut self, out: &mut Out) {
        if out.is_chunked() {
            out.raw(Bytes::from_static(
                b"000;last\r\nx-odd-trailer: yes\r\n\r\n",
            ));
            out.end_unframed();
        } else {
            out.end();
        }
    }
}

/// The line before a chunk, in one of the forms that the grammar allows.
fn size_line(number: usize, length: usize) -> String {
    match number % 5 {
        0 => format!("{length:X}\r\n"),
        1 => format!("{length:x};name=value\r\n"),
        2 => format!("{length:x};quoted=\"a;b \\\" c\";flag\r\n"),
        3 => format!("000{length:x}\r\n"),
        _ => format!("{length:X} ; spaced = x\r\n"),
    }
}

/// `chunked-oddities`.
pub(super) const CHUNKED_ODDITIES: Action = plain(
    "chunked-oddities",
    "sends the right body in odd chunks: of one byte, with extensions, leading zeros, either case, and a trailer",
    |_, _| Box::<Oddities>::default(),
);
