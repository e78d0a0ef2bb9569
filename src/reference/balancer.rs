//! The reference balancer, `mcpload serve balancer`: an HTTP/1.1 reverse proxy for fleets of MCP servers.
//!
//! Does network I/O. What it promises, so that a test can tell its failures from a server's:
//! - A request reaches at most one member. Another member is tried only while surely nothing was sent; afterwards the client
//!   gets 502, with the member's name in `mcpload-instance`. Without any fit member it gets 503.
//! - Bodies pass frame by frame in both directions; a client that goes away takes its request at the member with it.
//! - A session stays at the member that created it (unless `--no-sticky`), and moves by policy while that one is down.
//! - Members see their own address as `Host`, and the client in `X-Forwarded-For`.
//!
//! Invariant: no lock is held across an await, and nothing is written down per request.
//!
//! Where to look next: `proxy.rs` for the way of a request, `fleet.rs` for what is known of members, `policy.rs` to add a
//! policy, `health.rs` and `sessions.rs` for the two judgements, `routes.rs` for `/health`, `/stats` and the members API.

mod args;
mod checks;
mod fleet;
mod headers;
mod health;
pub mod member;
pub mod policy;
mod proxy;
mod relay;
mod routes;
mod sessions;
mod upstream;

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use self::args::{Args, Switch};
use self::fleet::Fleet;
pub use self::fleet::FleetFull;

/// How long to wait after accepting failed: a process without free file descriptors gets some back as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Why the balancer does not serve.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Two members have one name.
    #[error("there are two members of the name {0:?}")]
    SameName(String),
    /// There are too many members.
    #[error("too many members")]
    Full(#[source] FleetFull),
    /// The file of members cannot be read, or says something else.
    #[error("cannot take the members from {path}: {reason}")]
    MembersFile {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] io::Error),
}

/// Counts since the start that belong to no member.
#[derive(Debug, Default)]
struct Totals {
    connections: AtomicU64,
    requests: AtomicU64,
    retries: AtomicU64,
    bad_gateway: AtomicU64,
    unavailable: AtomicU64,
}

/// What all connections share.
#[derive(Debug)]
struct Balancer {
    fleet: Fleet,
    totals: Totals,
    admin: Switch,
    connect_limit: Duration,
    started: Instant,
}

impl Balancer {
    fn new(args: &Args) -> Result<Self, ServeError> {
        let fleet = Fleet::new(args.settings());
        for spec in args.member.iter().chain(&args.members) {
            match fleet.add(spec.clone()).map_err(ServeError::Full)? {
                fleet::Added::Joined => {}
                fleet::Added::Replaced | fleet::Added::Unchanged => {
                    return Err(ServeError::SameName(spec.name().to_owned()));
                }
            }
        }
        if let Some(path) = &args.members_file {
            read_members(&fleet, path)?;
        }
        Ok(Self {
            fleet,
            totals: Totals::default(),
            admin: args.admin,
            connect_limit: args.upstream_timeout,
            started: Instant::now(),
        })
    }

    /// The time since the start.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Has the members that a file names, and no others.
fn read_members(fleet: &Fleet, path: &Path) -> Result<(), ServeError> {
    let error = |reason: String| ServeError::MembersFile {
        path: path.display().to_string(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
    let specs = member::of_lines(&text).map_err(|cause| error(cause.to_string()))?;
    fleet.replace(specs).map_err(ServeError::Full)
}

/// Serves until SIGTERM or SIGINT, then lets requests in flight end within `--drain`.
///
/// # Errors
/// If it cannot start: the address is taken, or the members contradict each other.
pub async fn serve(args: Args) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let address = args.listen;
    let listen_error = |cause| ServeError::Listen { address, cause };
    let listener = TcpListener::bind(address).await.map_err(listen_error)?;
    let bound = listener.local_addr().map_err(listen_error)?;
    // Whoever started it may have closed stderr, or chosen port 0; serving does not depend on the line.
    let _ = writeln!(io::stderr(), "balancer listens on {bound}");
    serve_on(listener, args, async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await
}

/// Serves the clients of `listener` until `shutdown` ends, then lets requests in flight end within `--drain`.
///
/// From `shutdown` on no connection is accepted, idle ones are closed, and each answer in flight is its connection's last.
///
/// # Errors
/// If the members contradict each other, or their file cannot be read.
pub async fn serve_on(
    listener: TcpListener,
    args: Args,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let balancer = Arc::new(Balancer::new(&args)?);
    let checks = args.check_plan().map(|plan| {
        let balancer = Arc::clone(&balancer);
        AbortOnDropHandle::new(tokio::spawn(
            async move { checks::run(&balancer, plan).await },
        ))
    });
    let members_file = args.members_file.clone();
    // Without a file SIGHUP ends it, as it does any program that knows nothing to read.
    let mut hangup = match members_file {
        Some(_) => Some(signal(SignalKind::hangup()).map_err(ServeError::Signals)?),
        None => None,
    };
    let draining = CancellationToken::new();
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            () = heard(&mut hangup) => {
                let read = members_file.as_deref().map(|path| read_members(&balancer.fleet, path));
                if let Some(Err(error)) = read {
                    // The members stay as they were; whoever sent the signal may look here.
                    let _ = writeln!(io::stderr(), "{error}");
                }
            }
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    balancer.totals.connections.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(connection(Arc::clone(&balancer), stream, client, draining.clone()));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    draining.cancel();
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(args.drain, all_ended).await.is_err() {
        connections.shutdown().await;
    }
    drop(checks);
    Ok(())
}

/// Waits for the signal; for ever, if nobody listens to it.
///
/// # Cancel safety
/// A signal that was not returned is returned by the next call.
async fn heard(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Serves one client connection to its end.
async fn connection(
    balancer: Arc<Balancer>,
    stream: TcpStream,
    client: SocketAddr,
    draining: CancellationToken,
) {
    // Without it a small event waits for the acknowledgement of the one before; a socket that refuses it is dead anyway.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let client: Arc<str> = client.ip().to_string().into();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (balancer, client) = (Arc::clone(&balancer), Arc::clone(&client));
        async move {
            balancer.totals.requests.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(routes::respond(&balancer, request, &client).await)
        }
    });
    // No time limit on idle connections (hyper has none without a timer): one that the balancer closes while a request is on
    // its way would be an error that no server made.
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    // Errors are the client's (it went away, or does not speak HTTP), or a member's body that broke off: counted there.
    tokio::select! {
        _ = serving.as_mut() => return,
        () = draining.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}
