//! The reference fleet: an MCP server and a balancer that behave, and switches that make each of them misbehave; and a stub.
//!
//! All are subcommands of the one binary (`mcpload serve server`, `mcpload serve balancer`, `mcpload serve stub`), so that a scenario without a
//! command of its own has a fleet. They know nothing of the harness and share no code with it beyond the vocabulary and the
//! rules of `fault::wire`, which a proxy applies to answers as the server does.

pub mod balancer;
pub mod server;
pub mod stub;
