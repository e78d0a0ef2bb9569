//! Signals that ask a run to stop, and `mcpload halt`, which does the same from another process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Listens for SIGINT, SIGTERM and SIGHUP, and for a request to halt.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    halt: mpsc::Receiver<()>,
}

impl Signals {
    pub(super) fn listen(halt: mpsc::Receiver<()>) -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            halt,
        })
    }

    /// The next signal: its name and the exit code that goes with it.
    ///
    /// # Cancel safety
    /// Yes: a signal that came is not lost.
    pub(super) async fn next(&mut self) -> (&'static str, u8) {
        tokio::select! {
            _ = self.interrupt.recv() => ("SIGINT", 130),
            _ = self.terminate.recv() => ("SIGTERM", 143),
            _ = self.hang_up.recv() => ("SIGHUP", 143),
            Some(()) = self.halt.recv() => ("halt", 130),
        }
    }
}
