//! The HTTP link from outside: servers on loopback that count connections, hold answers back, and look at what arrives.
//!
//! Servers run on the test's own thread. Every wait is bounded.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "this is all test code: what fails here fails the test"
)]

mod hostile;
mod raw;
mod server;
mod sharing;
mod support;
mod tls;
mod vanishing;
