//! The stub, `mcpload serve stub`: the cheapest server that still answers right, to measure the generator and not a server.
//!
//! It does I/O. One thread, one read and one write for each request, answers that are put together from parts. `mcpload calibrate` and
//! the benchmarks load it; faults are not its business, but for two that prove an instrument: a delay that is known, and one pause of
//! the whole process. It keeps a log of its own, so that what a client says can be held against what happened, and gives it away when it ends.
//!
//! | request | answer |
//! |---|---|
//! | `tools/call`, any tool | one text content, `ok` |
//! | `initialize` | the version that was asked for, and a session id |
//! | `tools/list` | the tools `echo` and `add`, without parameters |
//! | `server/discover` | version 2026-07-28 |
//! | a notification, a response | 202 |
//! | `GET /mcp` | an event stream on which nothing comes |
//! | `DELETE /mcp` | 200 |
//! | `GET /log` | its log, as JSON |
//! | `DELETE /log` | 200, and the log begins anew |
//! | `GET /health` | 200 |
//!
//! Invariant: an answer begins with the id of its request, byte by byte as it came. Next: `connection` for the loop, `answers` for the bytes.

mod answers;
mod args;
mod connection;
mod log;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

pub use args::Args;
use connection::Connection;
use log::Log;

/// The pause after an accept that failed, for want of files: others may end meanwhile.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

/// Why the stub does not serve.
#[derive(Debug, Error)]
pub enum StubError {
    /// The runtime or a signal handler could not be made.
    #[error("the stub could not be started")]
    Start(#[source] std::io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// Serves until SIGTERM or SIGINT, and returns its log then, as JSON. Blocks the calling thread, which is the only one that serves.
///
/// # Errors
/// If it cannot listen.
pub fn serve(args: &Args) -> Result<String, StubError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StubError::Start)?;
    LocalSet::new().block_on(&runtime, accept(args))
}

async fn accept(args: &Args) -> Result<String, StubError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(StubError::Start)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StubError::Start)?;
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.map_err(|source| StubError::Listen {
        address: args.listen,
        source,
    })?;
    let log = Rc::new(RefCell::new(Log::new(args)));
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            _ = terminate.recv() => return Ok(log.borrow().json()),
            _ = interrupt.recv() => return Ok(log.borrow().json()),
        };
        match accepted {
            Ok((stream, _)) => {
                // Without it a small answer waits for an acknowledgement.
                let _ = stream.set_nodelay(true);
                let connection = Connection::new(stream, Rc::clone(&log), args);
                tokio::task::spawn_local(connection.serve());
            }
            Err(_no_file_left) => tokio::time::sleep(ACCEPT_AGAIN).await,
        }
    }
}
