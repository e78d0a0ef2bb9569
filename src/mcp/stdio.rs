//! [`StdioLink`]: a server that is a child process of its client; a line of UTF-8 for each message.
//!
//! Impure: processes, pipes and the clock. The child has a process group of its own, and so takes none of our signals. Invariants:
//! each link has at most one child that is not about to end; nothing of a child's group goes on when its link is dropped. Next:
//! `child` keeps the process, `mcp::stream` the messages.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::exchange::{Exchange, Item};
use super::stream::{Channel, Ending, Letter, Mailbox};
use super::{Link, LocalFuture, Outgoing};
use crate::clock;

mod child;
mod lines;

pub use child::Traces;
use child::{Reader, Running};
use lines::Lines;

/// How long the child's status is waited for when its output has ended, so that it is known when the exchange is told.
const STATUS: Duration = Duration::from_millis(500);
/// How much is read at once, at least, bytes.
const READ: usize = 8 << 10;

/// A link to a child process, which is started when it is needed.
pub struct StdioLink {
    command: Vec<String>,
    env: BTreeMap<String, String>,
    open: Option<Open>,
    traces: Traces,
}

/// A child and the tasks on its pipes.
struct Open {
    channel: Channel,
    reader: Reader,
    _writer: AbortOnDropHandle<()>,
    running: Running,
}

impl StdioLink {
    /// A link without a child; `command` is the program and its arguments, `env` is added to the few variables that every child
    /// gets.
    pub fn new(command: Vec<String>, env: BTreeMap<String, String>) -> Self {
        Self {
            command,
            env,
            open: None,
            traces: Traces::default(),
        }
    }

    /// What is known of the last child: how it ended, and what it wrote to standard error.
    pub fn traces(&self) -> Traces {
        self.traces.clone()
    }

    /// Starts the child.
    fn start(&self) -> io::Result<Open> {
        self.traces.begin();
        let (mailbox, outbox) = Mailbox::new();
        let over = Rc::clone(&mailbox);
        let on_end = move || over.end(clock::now(), Ending::Broken);
        let (running, pipes) = Running::start(&self.command, &self.env, &self.traces, on_end)
            .inspect_err(|error| self.traces.failed(error))?;
        let writer = spawn_local(write(pipes.stdin, outbox, Rc::clone(&mailbox)));
        let ended = Rc::clone(&running.ended);
        let reader = spawn_local(read(pipes.stdout, Rc::clone(&mailbox), ended));
        Ok(Open {
            channel: Channel::new(mailbox),
            reader: AbortOnDropHandle::new(reader),
            _writer: AbortOnDropHandle::new(writer),
            running,
        })
    }

    async fn run(&mut self, outgoing: Outgoing, exchange: &mut Exchange) {
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.channel.is_over())
        {
            self.close();
            let _ = exchange.take(&Item::Gone { at: clock::now() });
            return;
        }
        if self.open.is_none() {
            let began = clock::now();
            let open = match self.start() {
                Ok(open) => open,
                Err(error) => {
                    exchange.failed(&error);
                    let _ = exchange.take(&Item::Refused { at: clock::now() });
                    return;
                }
            };
            let _ = exchange.take(&Item::Connected {
                took_ns: clock::now().abs_diff(began),
            });
            self.open = Some(open);
        }
        if let Some(open) = &self.open {
            open.channel.exchange(outgoing, exchange).await;
        }
    }
}

impl Link for StdioLink {
    fn exchange<'a>(
        &'a mut self,
        outgoing: Outgoing,
        exchange: &'a mut Exchange,
    ) -> LocalFuture<'a, ()> {
        Box::pin(self.run(outgoing, exchange))
    }

    fn follow<'a>(&'a mut self, exchange: &'a mut Exchange) -> LocalFuture<'a, ()> {
        Box::pin(async {
            match &self.open {
                Some(open) => open.channel.follow(exchange).await,
                None => {
                    let _ = exchange.take(&Item::Gone { at: clock::now() });
                }
            }
        })
    }

    fn settle(&mut self) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Closes the child's input; after 2 s it gets SIGTERM, after 2 more SIGKILL. Returns at once.
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let Open {
                reader, running, ..
            } = open;
            // The writer, and with it the input, goes with `open`.
            running.end(reader);
        }
    }

    fn beside(&self) -> Option<Box<dyn Link>> {
        None
    }
}

/// Writes messages, a line each, until there are no more.
async fn write(mut stdin: ChildStdin, mut outbox: mpsc::Receiver<Letter>, mailbox: Rc<Mailbox>) {
    while let Some(Letter::Message { outgoing, written }) = outbox.recv().await {
        let line = line(&outgoing.body);
        let sent = async {
            stdin.write_all(&line).await?;
            stdin.flush().await
        };
        if sent.await.is_err() {
            return mailbox.end(clock::now(), Ending::Broken);
        }
        if let Some(written) = written {
            // Nobody waits for it if the request was given up.
            let _ = written.send(clock::now());
        }
    }
}

/// A message as a line: a line feed in JSON is white space, and may as well be a space.
fn line(message: &Bytes) -> Vec<u8> {
    let mut line: Vec<u8> = message
        .iter()
        .map(|byte| match byte {
            b'\n' | b'\r' => b' ',
            other => *other,
        })
        .collect();
    line.push(b'\n');
    line
}

/// Delivers each line until the output ends or cannot be read.
async fn read(mut stdout: ChildStdout, mailbox: Rc<Mailbox>, ended: Rc<Notify>) {
    let mut lines = Lines::default();
    loop {
        lines.buffer().reserve(READ);
        let count = stdout.read_buf(lines.buffer()).await;
        let at = clock::now();
        if !matches!(count, Ok(1..)) {
            let _ = timeout(STATUS, ended.notified()).await;
            return mailbox.end(at, Ending::Broken);
        }
        loop {
            match lines.next() {
                Ok(Some(line)) => mailbox.deliver(at, line).await,
                Ok(None) => break,
                Err(_) => return mailbox.end(at, Ending::Unreadable),
            }
        }
    }
}
