//! The life of a server: listen, accept, drain, leave.
//!
//! It owns the listener and all connection tasks. Invariant: it returns at most `--drain` after the shutdown was asked
//! for, with every connection closed. How the stages of the end are meant: the front page, "Drain".

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::args::Args;
use super::listener::{self, Ends, Wire};
use super::metrics::ConnectionGuard;
use super::routes::router;
use super::state::Server;

/// How long it waits after a failed accept, which mostly means that the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// The part of the drain that is kept for closing what had to be cut, at most.
const MOST_FOR_CLOSING: Duration = Duration::from_millis(250);

/// Why a server could not run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address could not be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The ledger could not be opened for appending.
    #[error("cannot open the ledger {path}", path = path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SIGTERM or SIGINT could not be caught.
    #[error("cannot catch signals")]
    Signals {
        /// What the system said.
        source: io::Error,
    },
}

/// Serves until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// If it cannot start; once it serves, it ends well.
pub async fn serve(args: Args) -> Result<(), ServeError> {
    // Before the listener, so that whoever sees the port open can rely on the drain.
    let shutdown = shutdown_signal(args.defects.ignore_sigterm)
        .map_err(|source| ServeError::Signals { source })?;
    let address = args.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })?;
    serve_on(listener, args, shutdown).await
}

/// Serves on a listener that is bound already until `shutdown` completes, then drains. `args.listen` is not used.
///
/// # Errors
/// If the ledger cannot be opened.
pub async fn serve_on(
    listener: TcpListener,
    mut args: Args,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    args.listen = listener.local_addr().unwrap_or(args.listen);
    let ledger = args.ledger.clone().unwrap_or_default();
    let server = Arc::new(Server::new(args).map_err(|source| ServeError::Ledger {
        path: ledger,
        source,
    })?);
    let mut connections = Connections::new(&server);
    connections.accept_until(&listener, shutdown).await;

    let deadline = Instant::now() + server.args.drain;
    server.life.draining.cancel();
    let lame_duck = (Instant::now() + server.args.lame_duck).min(deadline);
    connections
        .accept_until(&listener, sleep_until(lame_duck))
        .await;
    drop(listener);

    server.life.closing.cancel();
    server.life.calls.close();
    let closing = (server.args.drain / 10).min(MOST_FOR_CLOSING);
    // Whether the calls have ended or their time is up, what is left is cut now.
    let _ = timeout_at(deadline - closing, server.life.calls.wait()).await;
    server.life.cut.cancel();
    let _ = timeout_at(deadline, connections.ended()).await;
    connections.tasks.shutdown().await;
    Ok(())
}

/// The open connections, each a task.
struct Connections {
    tasks: JoinSet<()>,
    router: Router,
    server: Arc<Server>,
    wire: Option<Arc<Wire>>,
}

impl Connections {
    fn new(server: &Arc<Server>) -> Self {
        Self {
            tasks: JoinSet::new(),
            router: router(server),
            server: Arc::clone(server),
            wire: Wire::new(&server.args.wire, server.args.defects.defect_seed).map(Arc::new),
        }
    }

    async fn accept_until(&mut self, listener: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.start(stream),
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
                // Taken out when they end, so that the set does not grow.
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    fn start(&mut self, stream: TcpStream) {
        let closing = self.server.life.closing.clone();
        let guard = self.server.metrics.connection();
        let router = self.router.clone();
        let Some(wire) = self.wire.clone() else {
            self.tasks.spawn(connection(stream, router, closing, guard));
            return;
        };
        let cut = self.server.life.cut.clone();
        self.tasks.spawn(async move {
            let _guard = guard;
            listener::connection(stream, router, &wire, Ends { closing, cut }).await;
        });
    }

    async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Serves one connection until the peer leaves, or until its answer has ended when the server is closing.
async fn connection(
    stream: TcpStream,
    router: Router,
    closing: CancellationToken,
    _guard: ConnectionGuard,
) {
    // An event stream is several small writes: with Nagle's algorithm each answer would wait 40 ms for a delayed
    // acknowledgement. If the peer is gone already, serving it fails below.
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut served = pin!(served);
    tokio::select! {
        // An error is a peer that broke off, which is its business.
        _ = served.as_mut() => return,
        () = closing.cancelled() => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = served.await;
}

/// Completes on SIGINT, and on SIGTERM unless that is to be ignored.
fn shutdown_signal(ignore_sigterm: bool) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => if !ignore_sigterm { return },
                _ = interrupt.recv() => return,
            }
        }
    })
}
