//! Server-sent events, parsed as they come (WHATWG HTML, "Parsing an event stream").
//!
//! Pure. Lines end in CR, LF or CRLF, in any mixture and across any cut of the stream. Invariant: the events do not depend on how
//! the bytes were cut into chunks, and no more than [`MAX_EVENT`] bytes are ever held.

use thiserror::Error;

/// The longest event that is accepted, bytes of its lines.
pub const MAX_EVENT: usize = 16 << 20;

/// One event that has data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its type; empty for `message`.
    pub name: String,
    /// Its data lines, joined by line feeds.
    pub data: Vec<u8>,
    /// The last id that the stream gave, up to and with this event.
    pub id: String,
}

/// An event is longer than [`MAX_EVENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an event is longer than {MAX_EVENT} bytes")]
pub struct TooLong;

/// Cuts a byte stream into events.
#[derive(Debug, Default)]
pub struct Parser {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// Whether the last byte was a CR, so that an LF belongs to it.
    after_cr: bool,
    /// Whether the first line has been seen; a byte order mark may stand before it.
    started: bool,
    name: String,
    data: Vec<u8>,
    has_data: bool,
    /// Bytes of the event's lines so far.
    size: usize,
    id: String,
    retry_ms: Option<u64>,
}

impl Parser {
    /// The reconnection time that the stream asked for last, milliseconds.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Takes bytes as they came and hands each complete event to `sink`. An event whose data is empty (it only carries an id)
    /// is handed on too: that it came is a fact.
    ///
    /// # Errors
    /// If an event is longer than [`MAX_EVENT`]; the stream cannot be read on then.
    pub fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event)) -> Result<(), TooLong> {
        let mut rest = bytes;
        if self.after_cr
            && let Some((b'\n', after)) = rest.split_first()
        {
            rest = after;
        }
        if !bytes.is_empty() {
            self.after_cr = false;
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let (head, tail) = rest.split_at(end);
            self.hold(head)?;
            rest = match tail {
                [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
                [] => &[],
            };
            self.after_cr = tail == b"\r";
            self.end_line(sink);
        }
        self.hold(rest)
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        self.size += bytes.len();
        if self.size > MAX_EVENT {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, sink: &mut dyn FnMut(Event)) {
        let line = std::mem::take(&mut self.line);
        let mut text = line.as_slice();
        if !self.started {
            self.started = true;
            text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        }
        if text.is_empty() {
            self.dispatch(sink);
        } else {
            self.field(text);
        }
        // The line's buffer is kept, so that a stream of small events allocates once.
        self.line = line;
        self.line.clear();
    }

    fn field(&mut self, line: &[u8]) {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            // A comment: a keep-alive.
            Some(0) => return,
            Some(at) => {
                let (name, value) = line.split_at(at);
                let value = value.strip_prefix(b":").unwrap_or(value);
                (name, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[][..]),
        };
        match name {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            b"id" if !value.contains(&0) => self.id = String::from_utf8_lossy(value).into_owned(),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.retry_ms = String::from_utf8_lossy(value).parse().ok();
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, sink: &mut dyn FnMut(Event)) {
        self.size = 0;
        let name = std::mem::take(&mut self.name);
        if !std::mem::take(&mut self.has_data) {
            return;
        }
        sink(Event {
            name,
            data: std::mem::take(&mut self.data),
            id: self.id.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(chunks: &[&[u8]]) -> Vec<Event> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for chunk in chunks {
            parser.push(chunk, &mut |event| events.push(event)).unwrap();
        }
        events
    }

    fn data(events: &[Event]) -> Vec<&str> {
        events
            .iter()
            .map(|event| std::str::from_utf8(&event.data).unwrap())
            .collect()
    }

    #[test]
    fn every_kind_of_line_end_ends_a_line() {
        for stream in [
            "data: a\n\ndata: b\n\n",
            "data: a\r\rdata: b\r\r",
            "data: a\r\n\r\ndata: b\r\n\r\n",
        ] {
            assert_eq!(data(&parse(&[stream.as_bytes()])), ["a", "b"], "{stream:?}");
        }
    }

    #[test]
    fn fields_come_in_any_order_and_comments_are_no_events() {
        let events = parse(&[b"\xef\xbb\xbfid: 7\n: keep-alive\ndata:one\ndata: two\nevent: x\nretry: 500\nodd\n\n:\n\ndata\n\n"]);
        assert_eq!(data(&events), ["one\ntwo", ""]);
        assert_eq!((events[0].name.as_str(), events[0].id.as_str()), ("x", "7"));
        assert_eq!((events[1].name.as_str(), events[1].id.as_str()), ("", "7"));
    }

    #[test]
    fn the_reconnection_time_is_kept() {
        let mut parser = Parser::default();
        parser
            .push(b"retry: 250\nretry: x\n\n", &mut |_| {})
            .unwrap();
        assert_eq!(parser.retry_ms(), Some(250));
    }

    #[test]
    fn an_event_that_has_not_ended_is_none() {
        assert!(parse(&[b"data: half\n"]).is_empty());
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = Parser::default();
        let chunk = vec![b'x'; 1 << 20];
        let refused = (0..20).any(|_| parser.push(&chunk, &mut |_| {}).is_err());
        assert!(refused);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_panic_and_alike_however_they_were_cut(
            stream in proptest::collection::vec(any::<u8>(), 0..2000), cut in 1_usize..97,
        ) {
            let chunks: Vec<&[u8]> = stream.chunks(cut).collect();
            prop_assert_eq!(parse(&chunks), parse(&[&stream]));
        }

        #[test]
        fn events_do_not_depend_on_how_the_stream_was_cut(
            pieces in proptest::collection::vec(
                prop::sample::select(vec!["data: a", "data:", "id: 1", ":c", "event: e", "\n", "\r", "\r\n", "é", "x: y", "retry: 5"]), 0..60),
            cuts in proptest::collection::vec(1_usize..9, 1..20),
        ) {
            let stream = pieces.concat().into_bytes();
            let whole = parse(&[&stream]);
            let mut rest = stream.as_slice();
            let mut chunks = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (chunk, tail) = rest.split_at((*cut).min(rest.len()));
                chunks.push(chunk);
                rest = tail;
            }
            prop_assert_eq!(parse(&chunks), whole);
        }
    }
}
