//! A [`Call`]: one request attempt of an Operation; a row of `calls.csv.zst`.
//!
//! Pure. The field order is the column order of the file. Times are nanoseconds since `t0`; an empty field means "did not
//! happen". Units and meanings for people: `model::metric`.

use serde::{Deserialize, Serialize};

use super::outcome::{Class, Outcome};
use super::protocol::ProtocolVersion;
use super::time::Offset;

/// One request attempt. Also the record of an arrival that was never sent (`sent` is empty, class `unsent`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// When the answer was complete, or the attempt given up. Rows are ordered by it within a worker.
    pub done: Offset,
    /// When the Operation was due (all its Calls share it); for session upkeep outside an operation, `due`.
    pub operation_due: Offset,
    /// When this Call was due: the operation's due time for the first, the moment of decision for later steps and attempts.
    pub due: Offset,
    /// When the pacer released it; `taken - due` of the first Call is the generator's own lag.
    pub taken: Option<Offset>,
    /// When the request began to be written; `sent - taken` is client wait.
    pub sent: Option<Offset>,
    /// When the head of the answer was there.
    pub first_byte: Option<Offset>,
    /// When the first SSE event or the first byte of a JSON body was there.
    pub first_event: Option<Offset>,
    /// How long connecting took, in nanoseconds, if this Call opened a connection.
    pub connect_ns: Option<u64>,
    /// How long the TLS handshake took, in nanoseconds, if there was one.
    pub tls_ns: Option<u64>,
    /// The worker that made it, from 0.
    pub worker: u32,
    /// The workload's name.
    pub workload: String,
    /// The operation's name; `session` for what keeps sessions (initialize, DELETE) outside any operation.
    pub operation: String,
    /// The number of the arrival in its workload, from 0; empty for session upkeep outside an operation.
    pub arrival: Option<u64>,
    /// The step of a journey, from 0.
    pub step: u32,
    /// Which attempt of the step this is, from 0. Re-initialisation inside an operation has its own Calls.
    pub attempt: u32,
    /// The simulated client, from 0 within its workload.
    pub client: u32,
    /// Number of the client's session, from 1; empty where there is none (modern era, or not yet).
    pub session: Option<u32>,
    /// The protocol version spoken.
    pub protocol: ProtocolVersion,
    /// The MCP method (`tools/call`), or the HTTP method for what has none (`DELETE`).
    pub method: String,
    /// Tool, prompt or resource; empty where the method has none.
    pub target: String,
    /// The phase in which the operation was due; `set-up` before the first.
    pub phase: String,
    /// What is known of the effect of this Call.
    pub outcome: Outcome,
    /// The class of its error.
    pub class: Class,
    /// HTTP status or JSON-RPC code, where the class has one.
    pub code: Option<i64>,
    /// The instance that answered, as the `served_by` header says; empty if unknown.
    pub instance: String,
    /// Bytes of the answer's body as received.
    pub bytes_in: u64,
    /// Bytes of the request's body.
    pub bytes_out: u64,
    /// On the last Call of an Operation: how the Operation ended; else empty.
    pub ends: Option<Outcome>,
}

impl Call {
    /// Whether this Call ends an Operation of the workload (as against session upkeep outside one).
    pub fn ends_operation(&self) -> bool {
        self.arrival.is_some() && self.ends.is_some()
    }

    /// Whether the attempt was really sent.
    pub fn was_sent(&self) -> bool {
        self.sent.is_some()
    }
}
