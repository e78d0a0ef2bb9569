//! From an [`Endpoint`] to an open byte stream: name, address, connection, and the times that they took.
//!
//! Impure: sockets and the clock. Every transport that runs over TCP dials here, so that all of them connect from the same
//! addresses and measure the same things. Invariant: a dialled stream has no delay (`TCP_NODELAY`). Next: `mcp::tls`, `mcp::http`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use rustls::ClientConfig;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

use super::endpoint::Endpoint;
use super::exchange::{Exchange, Item};
use super::tls::{self, SecureError, Stream};
use crate::clock;

/// An open stream to an endpoint.
#[derive(Debug)]
pub struct Dialled {
    /// The stream.
    pub stream: TcpStream,
    /// How long resolving and connecting took, nanoseconds.
    pub connect_ns: u64,
}

/// Why there is no stream to an endpoint.
#[derive(Debug, Error)]
pub enum DialError {
    /// No connection could be made.
    #[error("no connection to {host} port {port}")]
    Connect {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Why the last address failed.
        source: io::Error,
    },
    /// It could not be secured.
    #[error(transparent)]
    Secure(#[from] SecureError),
}

impl DialError {
    /// No connection to this endpoint.
    pub(crate) fn connect(endpoint: &Endpoint, source: io::Error) -> Self {
        Self::Connect {
            host: endpoint.host().to_owned(),
            port: endpoint.port(),
            source,
        }
    }
}

/// Connects, secures the stream if the endpoint asks for it, and tells the exchange how long each of both took.
///
/// # Errors
/// If no connection can be made, or the TLS handshake fails; the exchange is not told of that.
///
/// # Cancel safety
/// What is under way is closed with the future; what was told stays told.
pub async fn dial_secured(
    endpoint: &Endpoint,
    source: Option<IpAddr>,
    config: Option<&Arc<ClientConfig>>,
    exchange: &mut Exchange,
) -> Result<Stream<TcpStream>, DialError> {
    let dialled = dial(endpoint, source)
        .await
        .map_err(|source| DialError::connect(endpoint, source))?;
    secured(
        endpoint,
        dialled.stream,
        dialled.connect_ns,
        config,
        exchange,
    )
    .await
}

/// The second half of [`dial_secured`], over a stream that may be wrapped.
pub(crate) async fn secured<S: AsyncRead + AsyncWrite + Unpin>(
    endpoint: &Endpoint,
    stream: S,
    connect_ns: u64,
    config: Option<&Arc<ClientConfig>>,
    exchange: &mut Exchange,
) -> Result<Stream<S>, DialError> {
    let _ = exchange.take(&Item::Connected {
        took_ns: connect_ns,
    });
    let secured = tls::secure(endpoint, stream, config).await?;
    if let Some(took_ns) = secured.tls_ns {
        let _ = exchange.take(&Item::Secured { took_ns });
    }
    Ok(secured.stream)
}

/// Connects to the first address that accepts, from `source` if that is given: a name such as `localhost` may have an address that
/// nobody listens on.
///
/// # Errors
/// Those of the last address that was tried.
pub async fn dial(endpoint: &Endpoint, source: Option<IpAddr>) -> io::Result<Dialled> {
    let began = clock::now();
    let addresses: Vec<SocketAddr> = match endpoint.host().parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, endpoint.port())],
        Err(_) => tokio::net::lookup_host((endpoint.host(), endpoint.port()))
            .await?
            .collect(),
    };
    let mut last = io::Error::other("the name has no address");
    for address in addresses {
        match connect_to(address, source).await {
            Ok(stream) => {
                return Ok(Dialled {
                    stream,
                    connect_ns: clock::now().abs_diff(began),
                });
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn connect_to(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(source) = source.filter(|source| source.is_ipv4() == address.is_ipv4()) {
        // The port is chosen when the connection is made, where one may serve several destinations; chosen here it would be
        // taken from those in TIME-WAIT, of which cold clients leave many, and the search would hold up the hot thread.
        setsockopt(&socket, IpBindAddressNoPort, &true)?;
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
