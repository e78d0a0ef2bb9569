//! The worker protocol: frames between the conductor and a load worker.
//!
//! Pure. A frame is a little-endian u32 length of what follows, a u8 type, and a body: JSON for control, the bytes that go to
//! disk for data. The order from a worker: Hello, Ready, then for each second its data frames and one Second, at last End.
//! The stream ending is a message too: for a worker that the conductor is gone, for the conductor that the worker is.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::plan::Plan;

/// The longest body that is accepted, bytes: a second of rows at the highest rates, compressed, stays far below.
pub const MAX_BODY: usize = 256 << 20;

/// What the conductor tells a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "kebab-case")]
pub enum ToWorker {
    /// Everything that the worker needs; the first message.
    Assign(Box<Assignment>),
    /// Start the time line at this raw reading of `CLOCK_MONOTONIC` (nanoseconds); it lies a little ahead.
    Start {
        /// The reading that is offset zero.
        t0: i64,
    },
    /// Stop. Gracefully: no new arrivals, let operations end. Hard: give everything up at once.
    Stop {
        /// Whether to give up what is under way.
        hard: bool,
    },
}

/// What a worker gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The plan.
    pub plan: Plan,
    /// URLs of the endpoint; client c goes to number c mod length.
    pub endpoints: Vec<String>,
    /// The local address that connections are made from, if one is to be used.
    pub source: Option<std::net::IpAddr>,
    /// Which worker this is, from 0.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

/// What a worker tells the conductor.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker {
    /// It lives; the first message.
    Hello(Hello),
    /// Its clients are set up (sessions established, as far as the fleet let them); it waits for Start.
    Ready(Ready),
    /// CSV lines for `counts.csv`, without header.
    Counts(Vec<u8>),
    /// A zstd frame of CSV rows for `calls.csv.zst`, without header.
    Calls(Vec<u8>),
    /// A zstd frame of CSV rows for `sessions.csv.zst`, without header.
    Sessions(Vec<u8>),
    /// Lines for `histograms.hlog`, without header.
    Histograms(Vec<u8>),
    /// A second is complete: all of its data frames have been sent.
    Second(Second),
    /// It is done.
    End(Totals),
    /// It cannot go on.
    Failed(Failed),
}

/// A worker's first words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its process id.
    pub pid: u32,
    /// The version of mcpload that it is.
    pub version: String,
}

/// A worker is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Clients that live on it.
    pub clients: u32,
    /// Legacy sessions that it could establish.
    pub sessions: u32,
    /// Legacy sessions that it could not establish, and why the first of them failed.
    pub failed: u32,
    /// Why the first of them failed; empty if none did.
    pub first_failure: String,
}

/// What happened on a worker in a second, for the live line and the gates. The stored numbers are in the data frames.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// The second, from `t0`.
    pub second: i64,
    /// Arrivals released.
    pub arrivals: u64,
    /// Arrivals shed.
    pub shed: u64,
    /// Rows dropped.
    pub unrecorded: u64,
    /// Operations that ended ok.
    pub ok: u64,
    /// Operations that ended otherwise.
    pub bad: u64,
    /// Greatest lag of an arrival, nanoseconds.
    pub max_lag_ns: u64,
    /// Operations under way or waiting for their client at the end of the second.
    pub in_flight: u64,
    /// How long operations were under way in it, by the phase in which they were due; phases without any are left out.
    #[serde(default)]
    pub under_way: Vec<Level>,
}

/// How long the operations of a phase were under way in a second, from their release to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The place of the phase in the plan.
    pub phase: u32,
    /// Operations times nanoseconds; below zero where an end came to be known late.
    pub area_ns: i64,
}

/// The totals of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Operations that ended.
    pub operations: u64,
    /// Calls.
    pub calls: u64,
    /// Arrivals shed.
    pub shed: u64,
    /// Rows dropped.
    pub unrecorded: u64,
    /// Answers that set a cookie.
    pub cookies: u64,
}

/// A worker cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Why.
    pub reason: String,
}

/// Why a stream of frames cannot be read.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The body would be longer than [`MAX_BODY`].
    #[error("a frame of {0} bytes is longer than any that is sent")]
    TooLong(usize),
    /// There is no such type.
    #[error("there is no frame of type {0}")]
    UnknownType(u8),
    /// The body is not of the type's form.
    #[error("the body of a frame of type {kind} has another form")]
    Form {
        /// The type.
        kind: u8,
        /// What serde says.
        source: serde_json::Error,
    },
}

const TELL: u8 = 1;
const HELLO: u8 = 16;
const READY: u8 = 17;
const COUNTS: u8 = 18;
const CALLS: u8 = 19;
const SESSIONS: u8 = 20;
const HISTOGRAMS: u8 = 21;
const SECOND: u8 = 22;
const END: u8 = 23;
const FAILED: u8 = 24;

/// A message that can travel as a frame.
pub trait Message: Sized {
    /// Type and body.
    ///
    /// # Errors
    /// If the body cannot be written as JSON.
    fn to_body(&self) -> Result<(u8, Vec<u8>), serde_json::Error>;

    /// The message of this type and body.
    ///
    /// # Errors
    /// If there is no such type in this direction, or the body has another form.
    fn from_body(kind: u8, body: Vec<u8>) -> Result<Self, FrameError>;

    /// The whole frame.
    ///
    /// # Errors
    /// If the body cannot be written as JSON.
    fn to_frame(&self) -> Result<Vec<u8>, serde_json::Error> {
        let (kind, body) = self.to_body()?;
        let length = u32::try_from(body.len() + 1).unwrap_or(u32::MAX);
        let mut frame = Vec::with_capacity(body.len() + 5);
        frame.extend_from_slice(&length.to_le_bytes());
        frame.push(kind);
        frame.extend_from_slice(&body);
        Ok(frame)
    }
}

impl Message for ToWorker {
    fn to_body(&self) -> Result<(u8, Vec<u8>), serde_json::Error> {
        Ok((TELL, serde_json::to_vec(self)?))
    }

    fn from_body(kind: u8, body: Vec<u8>) -> Result<Self, FrameError> {
        match kind {
            TELL => json(kind, &body),
            other => Err(FrameError::UnknownType(other)),
        }
    }
}

impl Message for FromWorker {
    fn to_body(&self) -> Result<(u8, Vec<u8>), serde_json::Error> {
        Ok(match self {
            Self::Hello(hello) => (HELLO, serde_json::to_vec(hello)?),
            Self::Ready(ready) => (READY, serde_json::to_vec(ready)?),
            Self::Counts(bytes) => (COUNTS, bytes.clone()),
            Self::Calls(bytes) => (CALLS, bytes.clone()),
            Self::Sessions(bytes) => (SESSIONS, bytes.clone()),
            Self::Histograms(bytes) => (HISTOGRAMS, bytes.clone()),
            Self::Second(second) => (SECOND, serde_json::to_vec(second)?),
            Self::End(totals) => (END, serde_json::to_vec(totals)?),
            Self::Failed(failed) => (FAILED, serde_json::to_vec(failed)?),
        })
    }

    fn from_body(kind: u8, body: Vec<u8>) -> Result<Self, FrameError> {
        Ok(match kind {
            HELLO => Self::Hello(json(kind, &body)?),
            READY => Self::Ready(json(kind, &body)?),
            COUNTS => Self::Counts(body),
            CALLS => Self::Calls(body),
            SESSIONS => Self::Sessions(body),
            HISTOGRAMS => Self::Histograms(body),
            SECOND => Self::Second(json(kind, &body)?),
            END => Self::End(json(kind, &body)?),
            FAILED => Self::Failed(json(kind, &body)?),
            other => return Err(FrameError::UnknownType(other)),
        })
    }
}

fn json<T: for<'de> Deserialize<'de>>(kind: u8, body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(|source| FrameError::Form { kind, source })
}

/// Cuts a byte stream into messages.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one.
    ///
    /// # Errors
    /// If the stream holds what is no message; it cannot be read on then.
    pub fn next_message<M: Message>(&mut self) -> Result<Option<M>, FrameError> {
        let Some((head, rest)) = self.buffer.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX);
        if length > MAX_BODY {
            return Err(FrameError::TooLong(length));
        }
        let Some((kind, body)) = rest.get(..length).and_then(<[u8]>::split_first) else {
            // A frame of length zero has no type: it is refused as one of type zero.
            return if length == 0 {
                Err(FrameError::UnknownType(0))
            } else {
                Ok(None)
            };
        };
        let message = M::from_body(*kind, body.to_vec());
        self.buffer.drain(..4 + length);
        message.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in [
            &[0, 0, 0, 0][..],
            &[1, 0, 0, 0, 99],
            &[255, 255, 255, 255],
            &[3, 0, 0, 0, HELLO, b'{', b'x'],
        ] {
            let mut decoder = Decoder::default();
            decoder.push(bytes);
            assert!(decoder.next_message::<FromWorker>().is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn messages_survive_any_cut_of_the_stream(body in proptest::collection::vec(any::<u8>(), 0..200), cut in 1_usize..64) {
            let messages = [
                FromWorker::Hello(Hello { pid: 7, version: "1".to_owned() }),
                FromWorker::Calls(body),
                FromWorker::Second(Second { second: -1, ok: 3, ..Second::default() }),
            ];
            let bytes: Vec<u8> = messages.iter().flat_map(|message| message.to_frame().unwrap()).collect();
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for chunk in bytes.chunks(cut) {
                decoder.push(chunk);
                while let Some(message) = decoder.next_message::<FromWorker>().unwrap() {
                    seen.push(message);
                }
            }
            prop_assert_eq!(seen, messages);
        }
    }
}
