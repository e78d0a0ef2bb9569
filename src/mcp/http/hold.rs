//! [`Hold`]: a grip on the TCP connection below HTTP and TLS, for clients that may vanish.
//!
//! Impure: sockets. When a request is given up, hyper and rustls close the connection in good order; a client that vanishes must not.
//! So a link that can vanish keeps a second descriptor of the socket, and the wire below cuts the layers above off once they may
//! not say anything more: what is left of the connection is then the link's alone. Invariant: while a hold is not severed, the wire
//! behaves like the socket, and the second descriptor goes when the wire goes. Next: [`super::graveyard`].

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A grip on a TCP connection.
#[derive(Debug)]
pub(super) struct Hold {
    socket: RefCell<Option<OwnedFd>>,
    severed: Cell<bool>,
    /// Who waits for the wire, to be told that it was severed.
    reader: RefCell<Option<Waker>>,
}

impl Hold {
    /// A grip on this connection.
    ///
    /// # Errors
    /// If there is no descriptor left.
    pub(super) fn of(stream: &TcpStream) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            socket: RefCell::new(Some(stream.as_fd().try_clone_to_owned()?)),
            severed: Cell::new(false),
            reader: RefCell::new(None),
        }))
    }

    /// Cuts the layers above off; whatever they do from now on does not reach the connection.
    pub(super) fn sever(&self) {
        self.severed.set(true);
        if let Some(waker) = self.reader.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Whether the layers above are cut off.
    pub(super) fn is_severed(&self) -> bool {
        self.severed.get()
    }

    /// The connection, for whoever decides what becomes of it.
    pub(super) fn take(&self) -> Option<OwnedFd> {
        self.socket.borrow_mut().take()
    }
}

/// Severs a connection unless the exchange on it came to its end: dropped with the future of an exchange that was given up.
#[derive(Debug)]
pub(super) struct Flight(Option<Rc<Hold>>);

impl Flight {
    /// An exchange begins.
    pub(super) fn begin(hold: Option<Rc<Hold>>) -> Self {
        Self(hold)
    }

    /// It came to its end.
    pub(super) fn land(mut self) {
        self.0 = None;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(hold) = &self.0 {
            hold.sever();
        }
    }
}

/// A TCP stream that can be severed from what is above it.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    hold: Option<Rc<Hold>>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, hold: Option<Rc<Hold>>) -> Self {
        Self { stream, hold }
    }

    fn is_severed(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.severed.get())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // A connection that ended in good order must not be kept open by the second descriptor.
        if let Some(hold) = self.hold.as_ref().filter(|hold| !hold.severed.get()) {
            drop(hold.take());
        }
    }
}

fn severed<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_severed() {
            return severed();
        }
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let (Some(hold), Poll::Pending) = (&self.hold, &polled) {
            *hold.reader.borrow_mut() = Some(context.waker().clone());
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_severed() {
            return severed();
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_severed() {
            return severed();
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_severed() {
            // The end that is said here would be said to the server.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
