//! A server that does what a test says, byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};

/// What a client did to its connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It ended it.
    End,
    /// It reset it.
    Reset,
    /// It sent this many bytes.
    Bytes(usize),
    /// Nothing, for a while.
    Nothing,
}

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Accepts a connection and reads the request, body included.
pub(crate) async fn take_request(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream).await;
    stream
}

/// Reads a request to the end of the body that these tests send.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n{}") {
        let mut part = [0; 1024];
        let read = stream.read(&mut part).await.unwrap();
        assert!(read > 0, "the client left before its request was whole");
        request.extend_from_slice(&part[..read]);
    }
}

/// The next sign of the client, for a fifth of a second.
pub(crate) async fn sign(stream: &mut (impl AsyncRead + Unpin)) -> Sign {
    let mut part = [0; 64];
    match tokio::time::timeout(Duration::from_millis(200), stream.read(&mut part)).await {
        Err(_) => Sign::Nothing,
        Ok(Ok(0)) => Sign::End,
        Ok(Ok(read)) => Sign::Bytes(read),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Sign::End,
        Ok(Err(_)) => Sign::Reset,
    }
}
