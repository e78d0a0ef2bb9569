//! A canary: one request of our own over a link, which shows what the link does to those who use it.
//!
//! Does I/O. It opens a connection, asks the slot's readiness probe where that is HTTP, and measures from before the connection
//! to the first byte of the answer. Its requests are few and stand in no record of load.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::plan::Probe;

/// How long a server is watched for closing the connection: one that is not asked anything, and one that has answered.
const WATCHED: Duration = Duration::from_millis(50);

/// What became of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// The first byte of an answer came (where nothing can be asked: the connection stayed open) after so long.
    Answered(Duration),
    /// No connection was accepted.
    Refused,
    /// The connection ended without an answer.
    Ended,
    /// Nothing came in time.
    Silent,
}

/// Sends one.
pub(super) async fn ask(address: SocketAddr, probe: &Probe, within: Duration) -> Canary {
    let answered = timeout(within, exchange(address, probe));
    let Ok((canary, stream)) = answered.await else {
        return Canary::Silent;
    };
    if let Some(mut stream) = stream {
        // Read to its end, so that what acts on the end of a connection meets one in order; but some servers keep it open.
        let mut rest = [0; 4096];
        let end = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
        let _ = timeout(WATCHED, end).await;
    }
    canary
}

/// What became of it, and the connection if it was answered.
async fn exchange(address: SocketAddr, probe: &Probe) -> (Canary, Option<TcpStream>) {
    let begin = Instant::now();
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return (Canary::Refused, None);
    };
    let connected = begin.elapsed();
    let mut byte = [0];
    let Probe::Http(path) = probe else {
        let canary = match timeout(WATCHED, stream.read(&mut byte)).await {
            Ok(Ok(0) | Err(_)) => Canary::Ended,
            Ok(Ok(_)) | Err(_) => Canary::Answered(connected),
        };
        return (canary, None);
    };
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return (Canary::Ended, None);
    }
    match stream.read(&mut byte).await {
        Ok(0) | Err(_) => (Canary::Ended, None),
        Ok(_) => (Canary::Answered(begin.elapsed()), Some(stream)),
    }
}
