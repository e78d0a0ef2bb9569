//! [`Channel`]: an open stream of messages that carries both directions (WebSocket, stdio).
//!
//! Impure. A task owns the write half, so that a request that is given up in the middle of being written is written to its end.

use std::pin::pin;
use std::rc::Rc;

use http::HeaderMap;
use tokio::sync::oneshot;

use super::mailbox::{Ending, Letter, Mailbox, Until};
use super::{Local, locally};
use crate::clock;
use crate::mcp::Outgoing;
use crate::mcp::exchange::{Exchange, Item, Progress};

/// An open stream of messages.
pub(crate) struct Channel {
    /// Where its messages arrive.
    mailbox: Rc<Mailbox>,
    /// What the server said of itself when the stream was opened.
    headers: HeaderMap,
}

impl Channel {
    /// A stream whose messages arrive in `mailbox`, and whose letters a task writes.
    pub(crate) fn new(mailbox: Rc<Mailbox>) -> Self {
        Self {
            mailbox,
            headers: HeaderMap::new(),
        }
    }

    /// The same stream; the server said this of itself when it was opened.
    #[must_use]
    pub(crate) fn opened_with(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.mailbox.is_over()
    }

    /// Says goodbye, if there is room for it.
    pub(crate) fn say_goodbye(&self) {
        let _ = self.mailbox.letters().try_send(Letter::Goodbye);
    }

    /// Feeds what comes to an exchange that has opened a stream of its own on this one.
    pub(crate) async fn follow(&self, exchange: &mut Exchange) {
        self.mailbox.attend(exchange).carry(exchange).await;
    }

    /// Sends a message and feeds the exchange.
    pub(crate) async fn exchange(&self, outgoing: Outgoing, exchange: &mut Exchange) {
        let attending = self.mailbox.attend(exchange);
        let _ = exchange.take(&Item::Answered {
            headers: &self.headers,
        });
        let Local::Message(outgoing) = locally(outgoing, exchange) else {
            return;
        };
        let turn = pin!(self.mailbox.letters().reserve());
        let permit = match attending.until(exchange, turn).await {
            Until::Done(Ok(permit)) => permit,
            Until::Complete => return,
            Until::Done(Err(_)) | Until::Ended(..) => {
                let _ = exchange.take(&Item::Gone { at: clock::now() });
                return;
            }
        };
        let (told, mut written) = oneshot::channel();
        let _ = exchange.take(&Item::Sent { at: clock::now() });
        permit.send(Letter::Message {
            outgoing,
            written: Some(told),
        });
        let written = attending.until(exchange, &mut written).await;
        let item = match written {
            Until::Done(Ok(at)) => Item::Written { at },
            Until::Done(Err(_)) => Ending::Broken.item(clock::now()),
            Until::Ended(at, ending) => ending.item(at),
            Until::Complete => return,
        };
        if exchange.take(&item) == Progress::More {
            attending.carry(exchange).await;
        }
    }
}
