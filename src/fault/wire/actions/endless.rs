//! Event streams without an end, each bounded in bytes and in time all the same.
//!
//! Pure. The bytes of one piece are written again and again, so that a stream of gigabytes costs some kilobytes.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::super::out::Out;
use super::super::part::Head;
use super::instead::{EXECUTED, Replacement, instead};
use super::{Action, Edit, Need, Parameter, Params, Takes, parameter};

const PIECE: usize = 64 << 10;

struct Endless {
    begin: &'static [u8],
    piece: Bytes,
    bytes: u64,
    within: Duration,
}

impl Replacement for Endless {
    fn write(&mut self, out: &mut Out) {
        let mut headers = HeaderMap::new();
        let events = HeaderValue::from_static("text/event-stream");
        headers.insert(header::CONTENT_TYPE, events);
        out.within(self.within);
        out.head(&Head::new(StatusCode::OK, headers, None));
        out.data(&Bytes::from_static(self.begin));
        out.endless(&self.piece, self.bytes);
        out.close();
    }
}

fn endless(params: &Params, begin: &'static [u8], piece: Vec<u8>) -> Box<dyn Edit> {
    instead(
        params,
        Endless {
            begin,
            piece: piece.into(),
            bytes: params.count("SIZE"),
            within: params.time("for"),
        },
    )
}

const SIZE: Parameter = parameter(
    "SIZE",
    Takes::Bytes { max: 1 << 40 },
    Need::Default("64MiB"),
    "when it is closed at the latest",
);
const FOR: Parameter = parameter(
    "for",
    Takes::Time,
    Need::Default("30s"),
    "when it is reset at the latest",
);

/// `endless-event`.
pub(super) const ENDLESS_EVENT: Action = Action {
    name: "endless-event",
    summary: "answers with one event that does not end",
    example: "endless-event=32MiB,for=10s",
    argument: Some(SIZE),
    options: &[FOR, EXECUTED],
    build: |params, _| endless(params, b"data: ", vec![b'x'; PIECE]),
    watch: None,
};

/// `endless-events`.
pub(super) const ENDLESS_EVENTS: Action = Action {
    name: "endless-events",
    summary: "answers with notifications and no response, as fast as the client reads",
    example: "endless-events=32MiB,first=2",
    argument: Some(SIZE),
    options: &[FOR, EXECUTED],
    build: |params, _| {
        let event = b"event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"again\"}}\n\n";
        endless(params, b": endless\n\n", event.repeat(PIECE / event.len()))
    },
    watch: None,
};
