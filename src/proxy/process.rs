//! The proxy process: one thread, one task for each connection, and the desk that owns the listener and the rules.
//!
//! Impure. The desk swaps rules as a whole; a connection takes them over between two chunks. Invariant: `applied` and `lifted` are
//! told when every live connection has done so. Next: `desk`, `connection`, `flow`; `upstream` for what is behind.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream as Channel;
use tokio::net::unix::OwnedWriteHalf;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use super::{Ask, LEAVES_WITHIN, MOST_LINE, Start, Tell};

mod connection;
mod desk;
mod door;
mod flow;
mod pair;
mod upstream;

use desk::Desk;
use door::Door;

/// Runs a proxy over the socket that is its standard input, until it is asked to stop or no longer held.
///
/// # Errors
/// If the channel cannot be set up, or somebody writes to it what is no request.
pub fn run() -> io::Result<()> {
    let channel = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    channel.set_nonblocking(true)?;
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Each connection takes two or three files. Where it cannot be raised, fewer connections are accepted at a time.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        serve(Channel::from_std(channel)?, signals).await
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// # Cancel safety
    /// Safe.
    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn serve(channel: Channel, mut signals: Signals) -> io::Result<()> {
    let (reader, mut writer) = channel.into_split();
    let mut asks = Asks {
        reader: BufReader::new(reader),
        line: Vec::new(),
    };
    let start = match asks.next().await? {
        Some(Ask::Start(start)) => start,
        Some(_) => return Err(io::Error::other("the first request must be start")),
        None => return Ok(()),
    };
    let mut desk = match open(start) {
        Ok(desk) => desk,
        Err(reason) => return tell(&mut writer, &Tell::NotStarted { reason }).await,
    };
    let address = desk.address();
    tell(&mut writer, &Tell::Listening { address }).await?;
    loop {
        tokio::select! {
            ask = asks.next() => match ask {
                Ok(Some(Ask::Stop)) => return Ok(()),
                Ok(Some(ask)) => {
                    if let Some(answer) = desk.answer(ask).await
                        && tell(&mut writer, &answer).await.is_err()
                    {
                        break;
                    }
                }
                Ok(None) => break,
                // Whoever holds it does not speak our words: it is as good as gone, and no fault may stay.
                Err(error) => {
                    leave(desk).await;
                    return Err(error);
                }
            },
            () = desk.work() => {}
            () = signals.any() => break,
        }
    }
    leave(desk).await;
    Ok(())
}

fn open(start: Start) -> Result<Desk, String> {
    let door = Door::open(start.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", start.listen))?;
    Desk::new(start, door)
}

/// Lifts everything, and goes on for as long as connections do.
async fn leave(mut desk: Desk) {
    let deadline = Instant::now() + LEAVES_WITHIN;
    desk.lift_all().await;
    while !desk.is_idle() && timeout_at(deadline, desk.work()).await.is_ok() {}
}

async fn tell(writer: &mut OwnedWriteHalf, tell: &Tell) -> io::Result<()> {
    let mut line = serde_json::to_vec(tell)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// Requests, line by line.
struct Asks<R> {
    reader: R,
    line: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> Asks<R> {
    /// The next request; None if the channel is closed.
    ///
    /// # Cancel safety
    /// What was read of a line stays.
    async fn next(&mut self) -> io::Result<Option<Ask>> {
        loop {
            let read = match self.reader.fill_buf().await {
                Ok(read) => read,
                // The conductor died with something of ours unread.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            };
            if read.is_empty() {
                return Ok(None);
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(read.len(), |end| end + 1);
            self.line
                .extend_from_slice(read.get(..length).unwrap_or_default());
            self.reader.consume(length);
            if self.line.len() > MOST_LINE {
                return Err(io::Error::other("a request has at most 1 MiB"));
            }
            if end.is_some() {
                let ask = serde_json::from_slice(&self.line)?;
                self.line.clear();
                return Ok(Some(ask));
            }
        }
    }
}
