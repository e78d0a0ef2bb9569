//! From an [`Endpoint`] to an open byte stream: name, address, connection, and the times that they took.
//!
//! Impure: sockets and the clock. Every transport that runs over TCP dials here, so that all of them connect from the same
//! addresses and measure the same things. Invariant: a dialled stream has no delay (`TCP_NODELAY`). Next: `mcp::http`.

use std::io;
use std::net::{IpAddr, SocketAddr};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use tokio::net::{TcpSocket, TcpStream};

use super::endpoint::Endpoint;
use crate::clock;

/// An open stream to an endpoint.
#[derive(Debug)]
pub struct Dialled {
    /// The stream.
    pub stream: TcpStream,
    /// How long resolving and connecting took, nanoseconds.
    pub connect_ns: u64,
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
