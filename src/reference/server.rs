//! The reference MCP server, `mcpload serve server`: a fleet member that is exact when it behaves and bad only on request.
//!
//! It does I/O. The official SDK speaks the protocol, so that the load path meets an implementation that is not its own;
//! both eras live on `/mcp`: sessions from 2024-11-05 to 2025-11-25, stateless requests from 2026-07-28. What a client may
//! rely on, so that it can validate every answer (text means one text content and nothing else beside it):
//!
//! | tool | arguments | text | `structuredContent` |
//! |---|---|---|---|
//! | `echo` | `text` | the text, unchanged | none |
//! | `add` | `a`, `b`: 64-bit integers | the sum in decimal | `{"sum": n}` |
//! | `sleep` | `ms`, at most 600000 | `ms` in decimal, after that time | none |
//! | `payload` | `bytes`, at most 16777216 | `x`, so many times | none |
//! | `burn` | `ms`, at most 60000 | `ms` in decimal, after that much CPU time | none |
//! | `stream` | `n` up to 100000, `interval_ms` up to 600000 (default 0) | `n` in decimal | none |
//! | `append` | `key`, `value` | the length of the list afterwards | `{"length": n}` |
//! | `read` | `key` | the list as JSON | `{"values": [...]}` |
//! | `effect` | `op`, 1 to 256 bytes | `executed` or `duplicate` | `{"op", "executed", "server", "incarnation"}` |
//! | `fail` | `message` | the message, with `isError: true` | none |
//! | `whoami` | none | the structured content as JSON | `{"name", "incarnation", "pid", "session"}` |
//!
//! `stream` sends progress 1 to `n` (total `n`), one every `interval_ms`, if the request has a progress token. `session` is
//! null in the modern era. Arguments that do not fit give the JSON-RPC error -32602, and so does an unknown tool. Resources
//! are `mem://resource/001` to `mem://resource/250`, whose text is `This is resource NUMBER of 250.`; prompts are
//! `greeting` (argument `name`: one user message `Hello, NAME!`) and `note-01` to `note-60` (`This is note NUMBER of 60.`).
//! Lists come in pages of `--page-size`. Lists by key are shared by all sessions of a process and are lost with it.
//!
//! **Drain.** After SIGTERM or SIGINT `/health/ready` answers 503 and every answer carries `connection: close`. For
//! `--lame-duck` connections are still accepted and served, so that balancers can take notice; then the listener is
//! closed, so that a new connection is refused, which a client may safely retry elsewhere. Calls in flight finish;
//! subscriptions end with their result; standing streams end cleanly after the last call. What is left when `--drain` has
//! passed since the signal is cut.
//!
//! Invariant: no label, log or answer holds anything of unbounded size that a client sent, `echo` excepted, whose bound is
//! the SDK's limit of 4 MiB for a request. Next: `serve` for a connection's life, `handler` for a request's, `tools`.

mod args;
mod burn;
mod catalog;
mod changes;
mod defects;
mod handler;
mod json;
mod layers;
mod ledger;
mod lists;
mod metrics;
mod page;
mod routes;
mod serve;
mod sessions;
mod state;
mod tools;

pub use args::{Args, SessionArgs};
pub use defects::{DefectArgs, UnknownSession};
pub use serve::{ServeError, serve, serve_on};
