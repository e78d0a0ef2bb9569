//! The right bytes at the wrong time: late, slow, or all at once.
//!
//! Pure. Nothing is changed but when bytes are written.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rand::Rng;

use super::super::events::{Block, MOST_HELD, Splitter};
use super::super::out::{Out, Pace};
use super::super::part::Head;
use super::{Action, Edit, Need, Takes, parameter};

/// Holds the whole answer.
struct Delay(Duration);

impl Edit for Delay {
    fn head(&mut self, head: Head, out: &mut Out) {
        out.wait(self.0);
        out.head(&head);
    }
}

/// `delay`.
pub(super) const DELAY: Action = Action {
    name: "delay",
    summary: "holds the whole answer for a time",
    example: "delay=200ms,jitter=50ms",
    argument: Some(parameter("TIME", Takes::Time, Need::Required, "how long")),
    options: &[parameter(
        "jitter",
        Takes::Time,
        Need::Default("0s"),
        "up to so much more, drawn for each answer",
    )],
    build: |params, mut context| {
        let jitter = u64::try_from(params.time("jitter").as_nanos()).unwrap_or(u64::MAX);
        let drawn = context.random.next_u64() % jitter.saturating_add(1);
        Box::new(Delay(params.time("TIME") + Duration::from_nanos(drawn)))
    },
    watch: None,
};

/// Holds the answer to the call, and nothing before it.
struct Late {
    time: Duration,
    reading: Option<Box<Splitter>>,
    done: bool,
}

impl Late {
    fn hold(&mut self, out: &mut Out) {
        if !self.done {
            self.done = true;
            out.wait(self.time);
        }
    }
}

impl Edit for Late {
    fn head(&mut self, head: Head, out: &mut Out) {
        if head.media_type() == "text/event-stream" {
            self.reading = Some(Box::default());
        }
        out.head(&head);
    }

    fn body(&mut self, bytes: Bytes, out: &mut Out) {
        let Some(splitter) = &mut self.reading else {
            self.hold(out);
            return out.data(&bytes);
        };
        for block in splitter.push(&bytes) {
            if let Block::Event { data, .. } = &block
                && is_answer(data)
            {
                self.hold(out);
            }
            out.data(block.raw());
        }
    }

    fn end(&mut self, out: &mut Out) {
        if let Some(splitter) = &mut self.reading {
            out.data(&splitter.rest());
        }
        out.end();
    }
}

/// Whether this is a JSON-RPC response: it has a result or an error, and no method.
fn is_answer(data: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Members {
        method: Option<serde::de::IgnoredAny>,
        result: Option<serde::de::IgnoredAny>,
        error: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Members>(data).is_ok_and(|members| {
        members.method.is_none() && (members.result.is_some() || members.error.is_some())
    })
}

/// `late`.
pub(super) const LATE: Action = Action {
    name: "late",
    summary: "sends the head and what comes before the response at once, and the response after a time",
    example: "late=2s,method=tools/call",
    argument: Some(parameter(
        "TIME",
        Takes::Time,
        Need::Required,
        "how long the response is held",
    )),
    options: &[],
    build: |params, _| {
        Box::new(Late {
            time: params.time("TIME"),
            reading: None,
            done: false,
        })
    },
    watch: None,
};

/// Writes slowly.
struct Drip {
    pace: Pace,
    head_too: bool,
    within: Duration,
}

impl Edit for Drip {
    fn head(&mut self, head: Head, out: &mut Out) {
        out.within(self.within);
        if self.head_too {
            out.pace(self.pace);
        }
        out.head(&head);
        out.pace(self.pace);
    }
}

/// `drip`.
pub(super) const DRIP: Action = Action {
    name: "drip",
    summary: "writes the body a few bytes at a time",
    example: "drip=16,every=50ms",
    argument: Some(parameter(
        "COUNT",
        Takes::Count {
            min: 1,
            max: 1 << 20,
        },
        Need::Default("1"),
        "bytes written at once",
    )),
    options: &[
        parameter(
            "every",
            Takes::Time,
            Need::Default("100ms"),
            "the wait after them",
        ),
        parameter("head", Takes::Nothing, Need::Optional, "the head too"),
        parameter(
            "for",
            Takes::Time,
            Need::Default("10m"),
            "what is not written after this time is cut by a reset",
        ),
    ],
    build: |params, _| {
        Box::new(Drip {
            pace: Pace {
                bytes: params.length("COUNT"),
                every: params.time("every"),
            },
            head_too: params.is_given("head"),
            within: params.time("for"),
        })
    },
    watch: None,
};

/// `one-byte-per-second`.
pub(super) const ONE_BYTE_PER_SECOND: Action = Action {
    name: "one-byte-per-second",
    summary: "writes the body one byte a second: drip=1,every=1s",
    example: "one-byte-per-second,first=1",
    argument: None,
    options: &[],
    build: |_, _| {
        Box::new(Drip {
            pace: Pace {
                bytes: 1,
                every: Duration::from_secs(1),
            },
            head_too: false,
            within: Duration::from_mins(10),
        })
    },
    watch: None,
};

/// Holds everything until the end.
#[derive(Default)]
struct Buffer {
    head: Option<Head>,
    held: BytesMut,
}

impl Buffer {
    fn release(&mut self, out: &mut Out) {
        if let Some(head) = self.head.take() {
            out.head(&head);
        }
        out.data(&self.held.split().freeze());
    }
}

impl Edit for Buffer {
    fn head(&mut self, head: Head, _out: &mut Out) {
        self.head = Some(head);
    }

    fn body(&mut self, bytes: Bytes, out: &mut Out) {
        self.held.extend_from_slice(&bytes);
        if self.held.len() > MOST_HELD {
            self.release(out);
        }
    }

    fn end(&mut self, out: &mut Out) {
        self.release(out);
        out.end();
    }

    fn broken(&mut self, out: &mut Out) {
        self.release(out);
        out.close();
    }
}

/// `buffer`.
pub(super) const BUFFER: Action = super::plain(
    "buffer",
    "holds head and body back until the answer has ended, as a proxy that buffers does; at most 16 MiB at a time",
    |_, _| Box::<Buffer>::default(),
);
