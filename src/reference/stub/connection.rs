//! [`Connection`]: one client of the stub.
//!
//! Impure: a socket and the clock. Invariants: requests are answered in their order; all that came with one read is answered with one
//! write, unless there is a delay; a request that does not fit into [`MAX_REQUEST`], or is none, ends the connection.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Args;
use super::answers::{self, Kind};
use super::log::Log;
use crate::clock;
use crate::timer::Timer;

/// The longest request, bytes.
const MAX_REQUEST: usize = 1 << 20;
/// How much is read at a time, bytes.
const CHUNK: usize = 4 << 10;
/// The most header fields of a request.
const MAX_HEADERS: usize = 64;

/// One client of the stub.
pub(super) struct Connection {
    stream: TcpStream,
    log: Rc<RefCell<Log>>,
    events: bool,
    delay: Option<Duration>,
    read: Vec<u8>,
    out: Vec<u8>,
}

/// What came, as far as the stub looks at it.
struct Request {
    verb: Verb,
    is_log: bool,
    is_health: bool,
    /// Where its body begins and ends in the buffer.
    body: std::ops::Range<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Post,
    Get,
    Delete,
    Other,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, log: Rc<RefCell<Log>>, args: &Args) -> Self {
        Self {
            stream,
            log,
            events: args.events,
            delay: args.delay,
            read: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Answers until the client goes, or says what is no request.
    pub(super) async fn serve(mut self) {
        // Whatever ends it, the client sees it.
        let _ = self.converse().await;
    }

    async fn converse(&mut self) -> std::io::Result<()> {
        let timer = self.delay.map(|_| Timer::new()).transpose()?;
        loop {
            self.read.reserve(CHUNK);
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Ok(());
            }
            let at = clock::now();
            let mut calls = 0;
            loop {
                let Ok(request) = parse(&self.read) else {
                    return Ok(());
                };
                let Some(request) = request else { break };
                let is_call = self.answer(&request);
                self.read.drain(..request.body.end);
                calls += u32::from(is_call);
                if let (Some(delay), Some(timer), true) = (self.delay, &timer, is_call) {
                    let delay = i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX);
                    timer.until(at.saturating_add(delay)).await?;
                }
            }
            if !self.out.is_empty() {
                self.stream.write_all(&self.out).await?;
                self.out.clear();
            }
            let took = clock::now() - at;
            let mut log = self.log.borrow_mut();
            for _ in 0..calls {
                log.answered(took);
            }
        }
    }

    /// Appends the answer; whether it is one to a call.
    fn answer(&mut self, request: &Request) -> bool {
        let mut log = self.log.borrow_mut();
        match request.verb {
            Verb::Post => {
                let body = self.read.get(request.body.clone()).unwrap_or_default();
                if answers::answer(&mut self.out, body, self.events) == Kind::Call {
                    log.call();
                    return true;
                }
                log.other();
            }
            Verb::Get if request.is_log => answers::document(&mut self.out, &log.json()),
            Verb::Get if request.is_health => answers::plain(&mut self.out, "200 OK"),
            Verb::Get => {
                log.other();
                answers::stream(&mut self.out);
            }
            Verb::Delete if request.is_log => {
                log.clear();
                answers::plain(&mut self.out, "200 OK");
            }
            Verb::Delete | Verb::Other => {
                log.other();
                answers::plain(&mut self.out, "200 OK");
            }
        }
        false
    }
}

/// The first request in the buffer, if it is whole.
///
/// # Errors
/// If it is none, or too long.
fn parse(buffer: &[u8]) -> Result<Option<Request>, ()> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let too_long = buffer.len() > MAX_REQUEST;
    let head = match request.parse(buffer).map_err(|_no_request| ())? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial if too_long => return Err(()),
        httparse::Status::Partial => return Ok(None),
    };
    let length = request
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = match length {
        None => 0,
        Some(header) => {
            let text = std::str::from_utf8(header.value).map_err(|_no_text| ())?;
            text.trim().parse::<usize>().map_err(|_no_number| ())?
        }
    };
    if length > MAX_REQUEST {
        return Err(());
    }
    let verb = match request.method {
        Some("POST") => Verb::Post,
        Some("GET") => Verb::Get,
        Some("DELETE") => Verb::Delete,
        _ => Verb::Other,
    };
    let whole = Request {
        verb,
        is_log: request.path == Some("/log"),
        is_health: request.path == Some("/health"),
        body: head..head + length,
    };
    Ok((buffer.len() >= whole.body.end).then_some(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_once_it_is_whole_and_what_is_none_is_refused() {
        let text = b"POST /mcp HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /log HTTP/1.1\r\n\r\n";
        for cut in 0..42 {
            assert!(parse(&text[..cut]).unwrap().is_none(), "{cut}");
        }
        let first = parse(text).unwrap().unwrap();
        assert_eq!(&text[first.body.clone()], b"abc");
        let rest = &text[first.body.end..];
        assert!(parse(rest).unwrap().unwrap().is_log);
        assert!(parse(b"\0\0\0\0").is_err());
        assert!(parse(b"POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n").is_err());
    }
}
