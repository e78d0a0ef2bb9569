//! What becomes of the connections of clients that vanished.
//!
//! Impure: sockets, and a store of this thread. Connections that stay open after their client (half-open, slowly read) are kept until
//! the thread of the worker ends. Invariant: at most [`MAX_GRAVES`] of them; beyond that the oldest is closed, so that vanishing
//! clients cannot use up the descriptors of a worker.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Linger, RcvBuf};
use tokio::io::AsyncReadExt;
use tokio::task::AbortHandle;

use crate::plan::VanishHow;

/// The most connections that stay open after their clients.
const MAX_GRAVES: usize = 1_000;
/// How long a slow reader takes for a byte.
const PACE: Duration = Duration::from_secs(1);
/// The receive buffer that a slow reader asks for, bytes; the kernel takes the least that it allows. With a larger one the server
/// would not see for long that nobody reads.
const SLOW_BUFFER: usize = 1;

/// A connection that stays open for as long as this is kept.
#[derive(Debug)]
enum Grave {
    /// Nobody reads from it.
    HalfOpen { _socket: OwnedFd },
    /// A task reads from it.
    Slow(AbortHandle),
}

impl Drop for Grave {
    fn drop(&mut self) {
        if let Self::Slow(task) = self {
            task.abort();
        }
    }
}

thread_local! {
    static GRAVES: RefCell<VecDeque<Grave>> = const { RefCell::new(VecDeque::new()) };
}

/// Leaves a connection that nothing else uses any more in this way. What the kernel refuses is left undone: the connection is then
/// closed.
pub(super) fn leave(socket: OwnedFd, how: VanishHow) {
    match how {
        VanishHow::Close => drop(socket),
        VanishHow::Reset => {
            let at_once = nix::libc::linger {
                l_onoff: 1,
                l_linger: 0,
            };
            let _ = setsockopt(&socket, Linger, &at_once);
        }
        VanishHow::HalfOpen => bury(Grave::HalfOpen { _socket: socket }),
        VanishHow::SlowReader => {
            let _ = setsockopt(&socket, RcvBuf, &SLOW_BUFFER);
            let task = tokio::task::spawn_local(async move {
                let _ = read_slowly(socket, PACE).await;
            });
            bury(Grave::Slow(task.abort_handle()));
        }
    }
}

fn bury(grave: Grave) {
    GRAVES.with_borrow_mut(|graves| add(graves, grave, MAX_GRAVES));
}

fn add(graves: &mut VecDeque<Grave>, grave: Grave, room: usize) {
    while graves.len() >= room {
        graves.pop_front();
    }
    graves.push_back(grave);
}

/// Reads a byte at a time until the server ends the connection.
async fn read_slowly(socket: OwnedFd, pace: Duration) -> io::Result<()> {
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    let mut stream = tokio::net::TcpStream::from_std(stream)?;
    let mut byte = [0];
    while stream.read(&mut byte).await? > 0 {
        tokio::time::sleep(pace).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[tokio::test]
    async fn a_slow_reader_reads_on_until_the_server_ends() {
        let (client, mut server) = connected();
        server.write_all(b"slowly").unwrap();
        let reader = read_slowly(client.into(), Duration::from_millis(1));
        drop(server);
        let read = tokio::time::timeout(Duration::from_secs(10), reader).await;
        assert!(read.unwrap().is_ok());
    }

    #[test]
    fn the_oldest_connection_makes_room() {
        let mut graves = VecDeque::new();
        let mut servers = Vec::new();
        for _ in 0..3 {
            let (client, server) = connected();
            servers.push(server);
            let grave = Grave::HalfOpen {
                _socket: client.into(),
            };
            add(&mut graves, grave, 2);
        }
        for (server, is_open) in servers.iter_mut().zip([false, true, true]) {
            // The end of a connection over loopback is there when closing returns.
            server.set_nonblocking(true).unwrap();
            let read = server.read(&mut [0]);
            assert_eq!(read.is_err(), is_open, "{read:?}");
        }
    }
}
