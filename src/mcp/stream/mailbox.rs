//! [`Mailbox`]: between the task that reads a stream and the exchange that waits for an answer on it.
//!
//! Impure: it waits. Everything happens on one thread. Invariant: a message goes to the exchange in flight, or, where there is none,
//! to a listener that answers requests of the server and drops the rest; to exactly one of them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::mcp::Outgoing;
use crate::mcp::exchange::{Exchange, Item, Progress};

/// Letters that may wait to be written. When as many wait, a request waits for its turn, and a reply is dropped: a server that
/// asks and does not read gets no more answers.
const MAX_LETTERS: usize = 16;
/// Messages that may wait for the exchange.
const MAX_WAITING: usize = 256;
/// How many bytes may wait for the exchange, if it is more than one message.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// What goes out beside the exchange, or for it.
pub(crate) enum Letter {
    /// A message.
    Message {
        /// What is sent.
        outgoing: Outgoing,
        /// Told when it has been written whole, raw reading of the clock.
        written: Option<oneshot::Sender<i64>>,
    },
    /// The link is closed.
    Goodbye,
}

/// How a stream of messages ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It broke, or the other side ended it.
    Broken,
    /// What came has not the form of the transport, or is too long.
    Unreadable,
}

impl Ending {
    /// What an exchange in flight is told.
    pub(crate) fn item(self, at: i64) -> Item<'static> {
        match self {
            Self::Broken => Item::Broken { at },
            Self::Unreadable => Item::Unreadable { at },
        }
    }
}

/// A message and when it came, raw.
struct Arrival {
    at: i64,
    bytes: Bytes,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arrival>,
    waiting_bytes: usize,
    ended: Option<(i64, Ending)>,
    attended: bool,
    /// Answers requests of the server while nothing is in flight.
    listener: Option<Exchange>,
}

/// Where the messages of one stream arrive.
pub(crate) struct Mailbox {
    state: RefCell<State>,
    /// Something arrived, or the stream ended.
    arrived: Notify,
    /// There is room again, or nobody waits any more.
    room: Notify,
    letters: mpsc::Sender<Letter>,
}

impl Mailbox {
    /// A mailbox without messages; what is to be sent comes out of the receiver.
    pub(crate) fn new() -> (Rc<Self>, mpsc::Receiver<Letter>) {
        let (letters, outbox) = mpsc::channel(MAX_LETTERS);
        let mailbox = Self {
            state: RefCell::default(),
            arrived: Notify::new(),
            room: Notify::new(),
            letters,
        };
        (Rc::new(mailbox), outbox)
    }

    /// Takes a message that came at `at`; waits while the exchange in flight has enough to do.
    pub(crate) async fn deliver(&self, at: i64, bytes: Bytes) {
        let mut arrival = Arrival { at, bytes };
        while let Some(refused) = self.admit(arrival) {
            arrival = refused;
            self.room.notified().await;
        }
    }

    /// The stream has ended; of several reasons the first counts.
    pub(crate) fn end(&self, at: i64, ending: Ending) {
        self.state.borrow_mut().ended.get_or_insert((at, ending));
        self.arrived.notify_one();
    }

    /// Whether the stream has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.state.borrow().ended.is_some()
    }

    /// Where letters go.
    pub(crate) fn letters(&self) -> &mpsc::Sender<Letter> {
        &self.letters
    }

    /// From now on messages wait for this exchange; afterwards, what the server asks is answered as this exchange would.
    pub(crate) fn attend(self: &Rc<Self>, exchange: &mut Exchange) -> Attending {
        let _ = exchange.take(&Item::Streamed);
        let mut state = self.state.borrow_mut();
        state.attended = true;
        state.listener = Some(exchange.listener());
        Attending {
            mailbox: Rc::clone(self),
        }
    }

    /// Takes the message, or gives it back if there is no room.
    fn admit(&self, arrival: Arrival) -> Option<Arrival> {
        let mut state = self.state.borrow_mut();
        if !state.attended {
            self.overhear(&mut state, &arrival);
            return None;
        }
        let bytes = state.waiting_bytes.saturating_add(arrival.bytes.len());
        let has_room = state.waiting.len() < MAX_WAITING && bytes <= MAX_WAITING_BYTES;
        if !(state.waiting.is_empty() || has_room) {
            return Some(arrival);
        }
        state.waiting_bytes = bytes;
        state.waiting.push_back(arrival);
        self.arrived.notify_one();
        None
    }

    /// Answers what the server asks while nothing is in flight.
    fn overhear(&self, state: &mut State, arrival: &Arrival) {
        let Some(listener) = &mut state.listener else {
            return;
        };
        let progress = listener.take(&Item::Message {
            at: arrival.at,
            bytes: &arrival.bytes,
        });
        for outgoing in listener.take_replies() {
            self.reply(outgoing);
        }
        // Nonsense while nothing is in flight is nobody's answer; the next message is listened to again.
        if progress == Progress::Complete {
            let fresh = listener.listener();
            *listener = fresh;
        }
    }

    fn reply(&self, outgoing: Outgoing) {
        let letter = Letter::Message {
            outgoing,
            written: None,
        };
        // When the letters are full, or the stream is over, the server gets no reply.
        let _ = self.letters.try_send(letter);
    }

    fn next(&self) -> Option<Came> {
        let mut state = self.state.borrow_mut();
        if let Some(arrival) = state.waiting.pop_front() {
            state.waiting_bytes = state.waiting_bytes.saturating_sub(arrival.bytes.len());
            self.room.notify_one();
            return Some(Came::Message(arrival));
        }
        let (at, ending) = state.ended?;
        Some(Came::Ended(at, ending))
    }
}

enum Came {
    Message(Arrival),
    Ended(i64, Ending),
}

/// What came first.
pub(crate) enum Until<T> {
    /// What was waited for.
    Done(T),
    /// The verdict of the exchange.
    Complete,
    /// The end of the stream, at this time.
    Ended(i64, Ending),
}

/// An exchange's claim to the messages of a stream. When it is dropped, what still waits is answered where it wants an answer.
pub(crate) struct Attending {
    mailbox: Rc<Mailbox>,
}

impl Attending {
    /// Feeds messages to the exchange until something else has happened.
    pub(crate) async fn until<T>(
        &self,
        exchange: &mut Exchange,
        mut wanted: impl Future<Output = T> + Unpin,
    ) -> Until<T> {
        loop {
            let came = tokio::select! {
                // What is waited for comes first where both are there: the head of an answer says who gave it.
                biased;
                done = &mut wanted => return Until::Done(done),
                came = self.came() => came,
            };
            let arrival = match came {
                Came::Message(arrival) => arrival,
                Came::Ended(at, ending) => return Until::Ended(at, ending),
            };
            let progress = exchange.take(&Item::Message {
                at: arrival.at,
                bytes: &arrival.bytes,
            });
            for outgoing in exchange.take_replies() {
                self.mailbox.reply(outgoing);
            }
            if progress == Progress::Complete {
                return Until::Complete;
            }
        }
    }

    /// Feeds messages to the exchange until it is complete; the end of the stream completes it.
    pub(crate) async fn carry(&self, exchange: &mut Exchange) {
        if let Until::Ended(at, ending) = self.until(exchange, std::future::pending::<()>()).await {
            let _ = exchange.take(&ending.item(at));
        }
    }

    async fn came(&self) -> Came {
        loop {
            if let Some(came) = self.mailbox.next() {
                return came;
            }
            self.mailbox.arrived.notified().await;
        }
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        let mut state = self.mailbox.state.borrow_mut();
        state.attended = false;
        state.waiting_bytes = 0;
        for arrival in std::mem::take(&mut state.waiting) {
            self.mailbox.overhear(&mut state, &arrival);
        }
        self.mailbox.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;

    use futures_util::FutureExt as _;
    use tokio::sync::mpsc::error::TryRecvError;

    use super::*;
    use crate::mcp::exchange::Awaited;
    use crate::mcp::message::RequestKind;
    use crate::model::Class;
    use crate::model::protocol::Era;
    use crate::plan::Method;

    const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

    fn request(id: u64) -> Exchange {
        let kind = RequestKind::Method(Method::Ping);
        let awaited = Awaited::Response {
            id,
            kind,
            expected: Vec::new(),
        };
        Exchange::new(awaited, Era::Legacy, false, None)
    }

    fn replies(outbox: &mut mpsc::Receiver<Letter>) -> usize {
        let mut count = 0;
        while outbox.try_recv().is_ok() {
            count += 1;
        }
        count
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_in_bytes() {
        let huge = vec![b' '; MAX_WAITING_BYTES + 1];
        for (message, wanted) in [(PING, MAX_WAITING), (&huge, 1)] {
            let (mailbox, _outbox) = Mailbox::new();
            let _attending = mailbox.attend(&mut request(1));
            let taken = (0..1000)
                .take_while(|_| {
                    let message = Bytes::copy_from_slice(message);
                    mailbox.deliver(0, message).now_or_never().is_some()
                })
                .count();
            assert_eq!(taken, wanted);
        }
    }

    #[test]
    fn a_reader_that_waits_goes_on_when_there_is_room_or_nobody_attends() {
        let (mailbox, mut outbox) = Mailbox::new();
        let mut exchange = request(1);
        let attending = mailbox.attend(&mut exchange);
        for _ in 0..MAX_WAITING {
            mailbox
                .deliver(0, Bytes::from_static(PING))
                .now_or_never()
                .unwrap();
        }
        let mut next = pin!(mailbox.deliver(0, Bytes::from_static(PING)));
        assert!((&mut next).now_or_never().is_none());
        // The exchange takes up what waits, and answers a bounded number of it.
        let waiting = pin!(pending::<()>());
        assert!(
            attending
                .until(&mut exchange, waiting)
                .now_or_never()
                .is_none()
        );
        assert_eq!(replies(&mut outbox), MAX_LETTERS);
        assert!((&mut next).now_or_never().is_some());

        drop(attending);
        assert_eq!(replies(&mut outbox), 1);
        assert!(
            mailbox
                .deliver(0, Bytes::from_static(PING))
                .now_or_never()
                .is_some()
        );
        assert_eq!(replies(&mut outbox), 1);
    }

    #[test]
    fn before_the_first_exchange_nothing_is_answered() {
        let (mailbox, mut outbox) = Mailbox::new();
        let delivered = mailbox.deliver(0, Bytes::from_static(PING));
        assert!(delivered.now_or_never().is_some());
        assert_eq!(outbox.try_recv().err(), Some(TryRecvError::Empty));
    }

    #[test]
    fn what_came_before_the_end_is_read_first() {
        let (mailbox, _outbox) = Mailbox::new();
        let mut exchange = request(1);
        let attending = mailbox.attend(&mut exchange);
        let answer = Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        assert!(mailbox.deliver(5, answer).now_or_never().is_some());
        mailbox.end(6, Ending::Broken);
        mailbox.end(7, Ending::Unreadable);
        assert!(attending.carry(&mut exchange).now_or_never().is_some());
        assert_eq!(
            exchange
                .verdict()
                .map(|verdict| (verdict.class, verdict.done)),
            Some((Class::None, 5))
        );
        drop(attending);
        // The first reason is what a later exchange hears.
        let mut later = Exchange::new(Awaited::Status, Era::Legacy, false, None);
        let attending = mailbox.attend(&mut later);
        assert!(attending.carry(&mut later).now_or_never().is_some());
        assert_eq!(
            later.verdict().map(|verdict| (verdict.class, verdict.done)),
            Some((Class::Transport, 6))
        );
    }
}
