//! Answers that stop before their end.
//!
//! Pure. Streams are cut by events, bodies by bytes. Events count if they carry a message: comments and the event that only
//! carries an id are passed and not counted.

use std::time::Duration;

use bytes::Bytes;

use super::super::events::{Block, Splitter};
use super::super::out::Out;
use super::super::part::{Framing, Head};
use super::{Action, Edit, Need, Parameter, Params, Takes, parameter};

/// How a stream stops.
#[derive(Clone, Copy)]
enum Stop {
    Close,
    Reset,
    Stall(Duration),
}

/// Stops after so many events.
struct AfterEvents {
    left: u64,
    /// Whether the next event is begun, up to the line that would end it.
    inside: bool,
    stop: Stop,
    splitter: Option<Box<Splitter>>,
}

impl AfterEvents {
    fn stop(&self, out: &mut Out) {
        match self.stop {
            Stop::Close => out.close(),
            Stop::Reset => out.reset(),
            Stop::Stall(time) => {
                out.wait(time);
                out.close();
            }
        }
    }
}

impl Edit for AfterEvents {
    fn head(&mut self, head: Head, out: &mut Out) {
        out.head(&head);
        if head.media_type() == "text/event-stream" {
            self.splitter = Some(Box::default());
            if self.left == 0 && !self.inside {
                self.stop(out);
            }
        }
    }

    fn body(&mut self, bytes: Bytes, out: &mut Out) {
        let Some(splitter) = &mut self.splitter else {
            return out.data(&bytes);
        };
        for block in splitter.push(&bytes) {
            match &block {
                Block::Event { raw, .. } if self.left == 0 => {
                    // Without the empty line at its end it is no event.
                    let end = raw.trim_ascii_end().len();
                    out.data(&raw.slice(..end));
                    out.data(&Bytes::from_static(b"\n"));
                    return self.stop(out);
                }
                Block::Event { raw, .. } => {
                    out.data(raw);
                    self.left -= 1;
                    if self.left == 0 && !self.inside {
                        return self.stop(out);
                    }
                }
                Block::Other(raw) => out.data(raw),
            }
        }
    }

    fn end(&mut self, out: &mut Out) {
        if let Some(splitter) = &mut self.splitter {
            out.data(&splitter.rest());
        }
        out.end();
    }
}

const EVENTS: Parameter = parameter(
    "EVENTS",
    Takes::Count {
        min: 0,
        max: 1_000_000,
    },
    Need::Required,
    "events with a message that pass before; 0 cuts after the head",
);
const INSIDE: Parameter = parameter(
    "inside",
    Takes::Nothing,
    Need::Optional,
    "cuts inside the next event, before the empty line that would end it",
);

fn after_events(params: &Params, stop: Stop) -> Box<dyn Edit> {
    Box::new(AfterEvents {
        left: params.count("EVENTS"),
        inside: params.is_given("inside"),
        stop,
        splitter: None,
    })
}

/// `cut-stream`.
pub(super) const CUT_STREAM: Action = Action {
    name: "cut-stream",
    summary: "closes the connection of an event stream after some events, without the end of its body",
    example: "cut-stream=3,method=tools/call,nth=2",
    argument: Some(EVENTS),
    options: &[INSIDE],
    build: |params, _| after_events(params, Stop::Close),
    watch: None,
};

/// `reset-stream`.
pub(super) const RESET_STREAM: Action = Action {
    name: "reset-stream",
    summary: "resets the connection of an event stream after some events",
    example: "reset-stream=1,inside",
    argument: Some(EVENTS),
    options: &[INSIDE],
    build: |params, _| after_events(params, Stop::Reset),
    watch: None,
};

/// `stall-stream`.
pub(super) const STALL_STREAM: Action = Action {
    name: "stall-stream",
    summary: "goes silent on an event stream after some events, and closes it after a time",
    example: "stall-stream=0,on=get",
    argument: Some(EVENTS),
    options: &[
        INSIDE,
        parameter(
            "for",
            Takes::Time,
            Need::Default("1m"),
            "when the connection is closed",
        ),
    ],
    build: |params, _| after_events(params, Stop::Stall(params.time("for"))),
    watch: None,
};

/// Stops after so many bytes of the body.
struct Truncate(u64);

impl Edit for Truncate {
    fn head(&mut self, head: Head, out: &mut Out) {
        out.head(&head);
        if self.0 == 0 {
            out.close();
        }
    }

    fn body(&mut self, bytes: Bytes, out: &mut Out) {
        let length = usize::try_from(self.0)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        out.data(&bytes.slice(..length));
        self.0 -= length as u64;
        if self.0 == 0 {
            out.close();
        }
    }
}

/// `truncate`.
pub(super) const TRUNCATE: Action = Action {
    name: "truncate",
    summary: "closes after some bytes of the body, though the head promised more, or before the last chunk",
    example: "truncate=20,share=5%",
    argument: Some(parameter(
        "BYTES",
        Takes::Bytes { max: 1 << 30 },
        Need::Required,
        "bytes of the body that pass",
    )),
    options: &[],
    build: |params, _| Box::new(Truncate(params.count("BYTES"))),
    watch: None,
};

/// Promises more than comes.
struct DeclaredLength {
    length: u64,
    hold: Duration,
}

impl Edit for DeclaredLength {
    fn head(&mut self, mut head: Head, out: &mut Out) {
        head.framing = Framing::Length(self.length);
        out.head(&head);
    }

    fn end(&mut self, out: &mut Out) {
        if !self.hold.is_zero() {
            out.wait(self.hold);
        }
        out.end();
    }
}

/// `declared-length`.
pub(super) const DECLARED_LENGTH: Action = Action {
    name: "declared-length",
    summary: "declares this Content-Length, whatever comes; the connection is closed after the body",
    example: "declared-length=1000000000,hold=1s",
    argument: Some(parameter(
        "BYTES",
        Takes::Bytes { max: 1 << 50 },
        Need::Default("1000000000"),
        "the length",
    )),
    options: &[parameter(
        "hold",
        Takes::Time,
        Need::Default("0s"),
        "how long it waits before it closes",
    )],
    build: |params, _| {
        Box::new(DeclaredLength {
            length: params.count("BYTES"),
            hold: params.time("hold"),
        })
    },
    watch: None,
};
