//! The events of one stream of a session: what was sent, what a connection has taken, what a resumption gets again.
//!
//! Pure. Invariant: an event keeps its number for ever, numbers have no holes, and a connection takes them in order. What is
//! kept is bounded: an event that no connection has taken is dropped for the bound alone, oldest first. Next: `session`,
//! which routes messages to streams.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rmcp::model::ServerJsonRpcMessage;

/// Events that may wait for a slow connection before whoever sends has to wait too.
const MOST_WAITING: u64 = 1024;

/// One event of a stream.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// An id and a time to wait before coming back, and no message: it makes the stream resumable from its start.
    Priming {
        /// What `retry` says.
        retry: Duration,
    },
    /// A JSON-RPC message.
    Message(Arc<ServerJsonRpcMessage>),
}

/// What a connection finds when it asks for more.
#[derive(Debug)]
pub(super) enum Next {
    /// The event with this number, from 0.
    Event(u64, Event),
    /// The stream is at its end, or another connection has taken it over.
    End,
}

/// The name of a connection's hold on a stream: the newest holder is served, older ones have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hold(u64);

/// How a resumption misbehaves on purpose.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ResumeDefects {
    /// So many stored events are left out, the last of an ended stream excepted.
    pub(super) gap: u64,
    /// The event that the client has already is sent again.
    pub(super) double: bool,
}

/// The events of a stream.
#[derive(Debug)]
pub(super) struct Log {
    events: VecDeque<Event>,
    /// The number of the first event that is kept.
    first: u64,
    /// The number of the next event that a connection takes.
    position: u64,
    /// How many events that were taken are kept for resumption.
    keep: usize,
    ended: bool,
    holds: u64,
    held: bool,
    reader: Option<Waker>,
    senders: Vec<Waker>,
}

impl Log {
    /// An empty stream that keeps `keep` events for resumption.
    pub(super) fn new(keep: usize) -> Self {
        Self {
            events: VecDeque::new(),
            first: 0,
            position: 0,
            keep,
            ended: false,
            holds: 0,
            held: false,
            reader: None,
            senders: Vec::new(),
        }
    }

    /// Whether a connection reads it now.
    pub(super) fn held(&self) -> bool {
        self.held
    }

    /// Ready when a message may be pushed: with a slow connection at the other end its reading sets the pace. Without a
    /// connection it is ready at once, since work must not stop because a client is away.
    pub(super) fn poll_room(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.held && self.next().saturating_sub(self.position) >= MOST_WAITING {
            self.senders.push(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Appends an event, unless the stream has ended.
    pub(super) fn push(&mut self, event: Event) {
        if self.ended {
            return;
        }
        // Only messages that nobody can be made to wait for come to this: their connection is too slow, and is let go.
        if self.held && self.next().saturating_sub(self.position) >= 2 * MOST_WAITING {
            self.let_go();
        }
        self.events.push_back(event);
        self.trim();
        self.wake_reader();
    }

    /// Says that nothing follows.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.wake_reader();
        self.wake_senders();
    }

    /// Lets a new connection read from where the last one stopped; that one ends.
    pub(super) fn hold(&mut self) -> Hold {
        self.wake_reader();
        self.wake_senders();
        self.held = true;
        self.holds += 1;
        Hold(self.holds)
    }

    /// Lets a new connection read what follows the event `after`; `None` if that is not kept any more or never was.
    pub(super) fn resume(&mut self, after: u64, defects: ResumeDefects) -> Option<Hold> {
        let next = after.checked_add(1)?;
        if next < self.first || next > self.next() {
            return None;
        }
        let skipped = next.saturating_add(defects.gap);
        // The answer is not an event that this defect loses.
        let last = self.next().saturating_sub(u64::from(self.ended));
        self.position = if defects.double && defects.gap == 0 {
            after.max(self.first)
        } else {
            skipped.min(last).max(next)
        };
        Some(self.hold())
    }

    /// The connection `hold` has gone, or is told to go.
    pub(super) fn release(&mut self, hold: Hold) {
        if self.is_current(hold) {
            self.let_go();
        }
    }

    /// Ends the connection that reads, if there is one, but not the stream: the client may come back.
    pub(super) fn let_go(&mut self) {
        self.held = false;
        // The holder finds a newer hold than its own, and ends.
        self.holds += 1;
        self.wake_reader();
        self.wake_senders();
    }

    /// The next event for the connection `hold`.
    pub(super) fn poll_next(&mut self, hold: Hold, context: &Context<'_>) -> Poll<Next> {
        if !self.is_current(hold) {
            return Poll::Ready(Next::End);
        }
        // What was dropped for the bound is passed over: the numbers show it.
        self.position = self.position.max(self.first);
        let number = self.position;
        let index = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        if let Some(event) = self.events.get(index).cloned() {
            self.position += 1;
            self.trim();
            self.wake_senders();
            return Poll::Ready(Next::Event(number, event));
        }
        if self.ended {
            self.held = false;
            return Poll::Ready(Next::End);
        }
        self.reader = Some(context.waker().clone());
        Poll::Pending
    }

    /// How many events no connection has taken.
    pub(super) fn waiting(&self) -> usize {
        usize::try_from(self.next().saturating_sub(self.position)).unwrap_or(usize::MAX)
    }

    /// All messages that no connection has taken, which are then taken.
    pub(super) fn take_waiting(&mut self) -> Vec<Event> {
        let index = usize::try_from(self.position.saturating_sub(self.first)).unwrap_or(0);
        let waiting = self.events.drain(index.min(self.events.len())..).collect();
        self.position = self.next();
        waiting
    }

    /// The number of the event that comes next.
    fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    fn is_current(&self, hold: Hold) -> bool {
        self.held && hold.0 == self.holds
    }

    /// Drops what exceeds the bounds: taken events beyond `keep`, and whatever exceeds both bounds together.
    fn trim(&mut self) {
        let most_waiting = usize::try_from(MOST_WAITING).unwrap_or(usize::MAX);
        while let Some(length) = self.events.len().checked_sub(1) {
            let first_is_taken = self.first < self.position;
            let taken = usize::try_from(self.position.saturating_sub(self.first)).unwrap_or(0);
            let too_many = length >= self.keep.saturating_add(most_waiting) && !self.held;
            if !(too_many || first_is_taken && taken > self.keep) {
                return;
            }
            self.events.pop_front();
            self.first += 1;
        }
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn wake_senders(&mut self) {
        self.senders.drain(..).for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: ResumeDefects = ResumeDefects {
        gap: 0,
        double: false,
    };

    fn retry(number: u64) -> Event {
        Event::Priming {
            retry: Duration::from_millis(number),
        }
    }

    fn filled(keep: usize, count: u64) -> Log {
        let mut log = Log::new(keep);
        (0..count).for_each(|number| log.push(retry(number)));
        log
    }

    /// The numbers that the connection gets until it has to wait or ends; the content has to fit.
    fn read(log: &mut Log, hold: Hold) -> Vec<u64> {
        let mut numbers = Vec::new();
        let context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Next::Event(number, event)) = log.poll_next(hold, &context) {
            let Event::Priming { retry } = event else {
                panic!("another event")
            };
            assert_eq!(retry, Duration::from_millis(number));
            numbers.push(number);
        }
        numbers
    }

    fn is_at_end(log: &mut Log, hold: Hold) -> bool {
        let context = Context::from_waker(Waker::noop());
        matches!(log.poll_next(hold, &context), Poll::Ready(Next::End))
    }

    #[test]
    fn a_resumption_has_no_gap_and_no_double() {
        for cut in 0..5 {
            let mut log = filled(100, 5);
            let first = log.hold();
            assert_eq!(read(&mut log, first), [0, 1, 2, 3, 4]);
            log.release(first);
            log.push(retry(5));
            log.end();
            let second = log.resume(cut, CLEAN).unwrap();
            assert_eq!(
                read(&mut log, second),
                (cut + 1..=5).collect::<Vec<_>>(),
                "after {cut}"
            );
            assert!(is_at_end(&mut log, second));
        }
    }

    #[test]
    fn a_resumption_ends_the_connection_before() {
        let mut log = filled(100, 2);
        let first = log.hold();
        let second = log.resume(0, CLEAN).unwrap();
        assert!(is_at_end(&mut log, first));
        log.release(first);
        assert!(log.held());
        assert_eq!(read(&mut log, second), [1]);
    }

    #[test]
    fn what_is_not_kept_or_never_was_cannot_be_resumed() {
        let mut log = filled(2, 5);
        let hold = log.hold();
        assert_eq!(read(&mut log, hold).len(), 5);
        assert!(log.resume(0, CLEAN).is_none());
        assert!(log.resume(5, CLEAN).is_none());
        assert!(log.resume(u64::MAX, CLEAN).is_none());
        let hold = log.resume(3, CLEAN).unwrap();
        assert_eq!(read(&mut log, hold), [4]);
    }

    #[test]
    fn defects_leave_out_or_repeat_but_spare_the_answer() {
        let double = ResumeDefects {
            gap: 0,
            double: true,
        };
        let gap = |gap| ResumeDefects { gap, double: false };
        for (defects, expected) in [
            (double, vec![1, 2, 3, 4]),
            (gap(2), vec![4]),
            (gap(100), vec![4]),
        ] {
            let mut log = filled(100, 5);
            log.end();
            let hold = log.resume(1, defects).unwrap();
            assert_eq!(read(&mut log, hold), expected, "{defects:?}");
        }
    }

    #[test]
    fn a_slow_connection_slows_the_sender_and_an_absent_one_does_not() {
        let context = Context::from_waker(Waker::noop());
        let mut log = filled(10, MOST_WAITING);
        assert!(log.poll_room(&context).is_ready());
        let hold = log.hold();
        assert!(log.poll_room(&context).is_pending());
        assert!(matches!(
            log.poll_next(hold, &context),
            Poll::Ready(Next::Event(0, _))
        ));
        assert!(log.poll_room(&context).is_ready());
        log.push(retry(MOST_WAITING));
        assert!(log.poll_room(&context).is_pending());
        log.let_go();
        assert!(log.poll_room(&context).is_ready());
    }

    #[test]
    fn memory_is_bounded_without_a_connection() {
        let mut log = filled(10, 100_000);
        assert!(log.events.len() <= 10 + usize::try_from(MOST_WAITING).unwrap());
        assert_eq!(log.next(), 100_000);
        let hold = log.hold();
        assert_eq!(read(&mut log, hold).last(), Some(&99_999));
    }

    #[test]
    fn a_connection_that_never_reads_is_let_go() {
        let mut log = Log::new(10);
        let hold = log.hold();
        (0..100_000).for_each(|number| log.push(retry(number)));
        assert!(!log.held());
        assert!(is_at_end(&mut log, hold));
        assert!(log.events.len() <= 10 + usize::try_from(MOST_WAITING).unwrap());
    }

    #[test]
    fn nothing_is_kept_for_resumption_unless_asked_for() {
        let mut log = filled(0, 3);
        let hold = log.hold();
        assert_eq!(read(&mut log, hold), [0, 1, 2]);
        assert!(log.events.is_empty());
    }

    #[test]
    fn waiting_events_can_be_moved_to_another_stream() {
        let mut log = filled(5, 3);
        let hold = log.hold();
        let context = Context::from_waker(Waker::noop());
        assert!(log.poll_next(hold, &context).is_ready());
        assert_eq!(log.take_waiting().len(), 2);
        assert!(log.take_waiting().is_empty());
    }
}
