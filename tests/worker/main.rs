//! A load worker, driven over a socket pair against a stub of an MCP server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is all test code: what fails here fails the test"
)]

mod answers;
mod closed;
mod conductor;
mod interop;
mod plan;
mod profiles;
mod schedule;
mod sessions;
mod stopping;
mod stub;
mod trust;
