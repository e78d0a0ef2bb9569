//! The listener, which can be shut: then the kernel refuses who comes, and nobody else can take the port.
//!
//! Impure. Invariant: the port stays ours but for the moment in which a listener becomes a bound socket.

use std::future::pending;
use std::io;
use std::net::SocketAddr;

use futures_util::FutureExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// How many connections the kernel accepts before we do.
const BACKLOG: u32 = 4096;

/// A listener that can be shut.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(TcpListener),
    /// Bound, but not listening. None if the port could not be kept.
    Shut(Option<TcpSocket>),
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Door {
    /// Opens.
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = bind(address)?.listen(BACKLOG)?;
        Ok(Self {
            address: listener.local_addr()?,
            state: State::Open(listener),
        })
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection; never, as long as it is shut.
    ///
    /// # Cancel safety
    /// No connection is lost.
    pub(super) async fn accept(&self) -> io::Result<TcpStream> {
        match &self.state {
            State::Open(listener) => listener.accept().await.map(|(stream, _)| stream),
            State::Shut(_) => pending().await,
        }
    }

    /// A connection that the kernel has accepted already, if there is one.
    pub(super) fn waiting(&self) -> Option<TcpStream> {
        self.accept().now_or_never()?.ok()
    }

    /// Shuts it. Connections that nobody has taken are reset, so take them first.
    pub(super) fn shut(&mut self) {
        if matches!(self.state, State::Open(_)) {
            // A socket cannot be bound beside one that listens.
            self.state = State::Shut(None);
            self.state = State::Shut(bind(self.address).ok());
        }
    }

    /// Opens it again.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let State::Shut(socket) = &mut self.state {
            let socket = match socket.take() {
                Some(socket) => socket,
                None => bind(self.address)?,
            };
            self.state = State::Open(socket.listen(BACKLOG)?);
        }
        Ok(())
    }
}
