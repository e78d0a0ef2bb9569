//! [`Reading`]: how the body of an answer is read, and how far that is.
//!
//! Pure.

use bytes::BytesMut;

use crate::mcp::sse::{Event, Parser};
use crate::model::Class;

/// How much of the body of a refusal is kept, bytes.
const MAX_REFUSAL: usize = 64 << 10;

/// How the body of the answer is read.
#[derive(Debug)]
pub(super) enum Reading {
    /// There is no head yet.
    Nothing,
    /// A JSON body.
    Json(BytesMut),
    /// Events.
    Events(Box<Parser>),
    /// Messages, each whole, of a stream that carries more than this exchange.
    Messages,
    /// A refusal that says why in JSON.
    Refused {
        /// The status.
        code: i64,
        /// What there is of the body, cut.
        body: BytesMut,
    },
    /// The status decided; the body is read over, and this stands at its end.
    Over(Class, Option<i64>),
}

/// What a part of an event stream held.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) events: Vec<Event>,
    pub(super) retry_ms: Option<u64>,
    /// Whether an event is too long; the stream cannot be read on.
    pub(super) too_long: bool,
}

impl Reading {
    pub(super) fn json() -> Self {
        Self::Json(BytesMut::new())
    }

    pub(super) fn events() -> Self {
        Self::Events(Box::default())
    }

    pub(super) fn refused(code: i64) -> Self {
        Self::Refused {
            code,
            body: BytesMut::new(),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    /// What the status has decided already, if it was a refusal.
    pub(super) fn refusal(&self) -> Option<(Class, Option<i64>)> {
        match self {
            Self::Over(class, code) if *class != Class::None => Some((*class, *code)),
            Self::Refused { code, .. } => Some((Class::Http, Some(*code))),
            _ => None,
        }
    }

    /// Takes a part of the body; what it held, where it is a stream of events.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Option<Read> {
        match self {
            Self::Nothing | Self::Messages | Self::Over(..) => None,
            Self::Json(buffer) => {
                buffer.extend_from_slice(bytes);
                None
            }
            Self::Refused { body, .. } => {
                let room = MAX_REFUSAL.saturating_sub(body.len());
                body.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
                None
            }
            Self::Events(parser) => {
                let mut events = Vec::new();
                let pushed = parser.push(bytes, &mut |event| events.push(event));
                Some(Read {
                    events,
                    retry_ms: parser.retry_ms(),
                    too_long: pushed.is_err(),
                })
            }
        }
    }
}
