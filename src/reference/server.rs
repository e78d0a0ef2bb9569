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
//! | `stream` | `n` up to 100000, `interval_ms` up to 600000 (default 0), `close_after` (optional) | `n` in decimal | none |
//! | `append` | `key`, `value` | the length of the list afterwards | `{"length": n}` |
//! | `read` | `key` | the list as JSON | `{"values": [...]}` |
//! | `effect` | `op`, 1 to 256 bytes; `after_ms` up to 600000 (default 0) | `executed` or `duplicate` | `{"op", "executed", "server", "incarnation"}` |
//! | `fail` | `message` | the message, with `isError: true` | none |
//! | `whoami` | none | the structured content as JSON | `{"name", "incarnation", "pid", "session"}` |
//! | `touch` | `name`, 1 to 64 letters, digits, `-`, `_` | how often it was touched | `{"uri", "number"}` |
//! | `route` | `region`, `priority`, `urgent`, all optional | the structured content as JSON | `{"region", "priority", "urgent"}` |
//! | `confirm` | `question` | `confirmed`, `refused`, `declined` or `cancelled` | `{"action", "confirmed"}` |
//! | `postpone` | `rounds`, at most 100 | `rounds` in decimal | none |
//!
//! `stream` sends progress 1 to `n` (total `n`), one every `interval_ms`, if the request has a progress token; after
//! `close_after` of them it ends the connection of its stream, if that can be resumed. `session` is null in the modern era.
//! The arguments of `route` travel in headers, too, from 2026-07-28 on. `confirm` and `postpone` take several rounds and
//! are for that era alone: `confirm` asks the user (`inputRequests` has the key `answer`), `postpone` answers with nothing
//! but a `requestState`, so many times. Arguments that do not fit give the JSON-RPC error -32602, and so does an unknown
//! tool.
//!
//! Resources are `mem://resource/001` to `mem://resource/250`, whose text is `This is resource NUMBER of 250.`, and the
//! counters `mem://counter/NAME`, whose text says how often `touch` touched the name. Who subscribed to a counter gets
//! `notifications/resources/updated` for each touch, with the number in `_meta` under `mcpload/number`, so that what is
//! missed or doubled can be told. Prompts are `greeting` (argument `name`: one user message `Hello, NAME!`) and `note-01`
//! to `note-60` (`This is note NUMBER of 60.`). Lists come in pages of `--page-size`; the cursor of each second page is
//! the empty string. Counters, and lists by key, are shared by all sessions of a process and are lost with it.
//!
//! **Sessions** of the legacy era: `sessions`. A call goes on when its client goes, and stops when it is cancelled; from
//! 2026-07-28 on it stops in both cases. `/metrics` counts executions by how they ended (`mcp_executions_total`), pings by
//! their answers (`mcp_pings_total`) and living sessions.
//!
//! **Drain.** After SIGTERM or SIGINT `/health/ready` answers 503 and every answer carries `connection: close`. For
//! `--lame-duck` connections are still accepted and served, so that balancers can take notice; then the listener is
//! closed, so that a new connection is refused, which a client may safely retry elsewhere. Calls in flight finish;
//! subscriptions end with their result; standing streams end cleanly after the last call. What is left when `--drain` has
//! passed since the signal is cut.
//!
//! Invariant: no label, log or answer holds anything of unbounded size that a client sent, `echo` excepted, whose bound is
//! the SDK's limit of 4 MiB for a request. Next: `serve` for a connection's life, `sessions` for a session's, `handler` for
//! a request's, `tools`, `defects`.

mod args;
mod burn;
mod catalog;
mod changes;
mod defects;
mod handler;
mod json;
mod layers;
mod ledger;
mod listener;
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
