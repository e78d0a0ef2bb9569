//! The threads beside the hot one: the reader of the conductor's words, and the sender of frames.
//!
//! Impure. Both end by themselves: the reader with its input, the sender when the hot thread lets go of the queue or when the
//! conductor no longer reads.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};

use hdrhistogram::Histogram;
use tokio::sync::mpsc as async_mpsc;

use crate::clock::Clock;
use crate::load::frames::{Decoder, Failed, FromWorker, Message, ToWorker};
use crate::load::recording::Parcel;
use crate::load::recording::encode::Encoder;
use crate::load::table::Table;

/// What the sender thread needs to encode seconds; known from Start on.
pub(super) type Settings = (Arc<Table>, Clock);

/// Messages of the conductor that may wait; there are few, and the reader waits when it is full.
const INBOX: usize = 16;
/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;

/// Starts the reader. The channel closes when the input ends, or holds what is no message.
pub(super) fn read(
    mut input: impl Read + Send + 'static,
) -> std::io::Result<async_mpsc::Receiver<ToWorker>> {
    let (inbox, messages) = async_mpsc::channel(INBOX);
    let work = move || {
        let mut decoder = Decoder::default();
        let mut chunk = vec![0; CHUNK];
        while let Ok(length) = input.read(&mut chunk) {
            if length == 0 {
                return;
            }
            decoder.push(chunk.get(..length).unwrap_or_default());
            loop {
                match decoder.next_message::<ToWorker>() {
                    Ok(Some(message)) => {
                        if inbox.blocking_send(message).is_err() {
                            return;
                        }
                    }
                    Ok(None) => break,
                    Err(_no_message) => return,
                }
            }
        }
    };
    std::thread::Builder::new()
        .name("reader".to_owned())
        .spawn(work)?;
    Ok(messages)
}

/// The sender thread, from outside.
pub(super) struct Sender {
    /// What goes out.
    pub(super) outbox: SyncSender<Parcel>,
    /// Histograms that were sent and emptied. At most as many as the hot thread made.
    pub(super) returned: Receiver<Histogram<u64>>,
    /// Takes what is needed to encode.
    pub(super) settings: mpsc::Sender<Settings>,
    /// Closed when the thread has ended.
    pub(super) finished: Receiver<()>,
}

/// Starts the sender, whose queue holds `queue` parcels.
pub(super) fn send(
    mut output: impl Write + Send + 'static,
    queue: usize,
) -> std::io::Result<Sender> {
    let (outbox, parcels) = mpsc::sync_channel(queue);
    let (recycle, returned) = mpsc::channel();
    let (settings, setting) = mpsc::channel::<Settings>();
    let (alive, finished) = mpsc::channel::<()>();
    let work = move || {
        // Held until the thread ends.
        let _alive = alive;
        let mut known: Option<Settings> = None;
        let mut encoder = Encoder::default();
        while let Ok(parcel) = parcels.recv() {
            let frames = match parcel {
                Parcel::Message(message) => vec![message],
                Parcel::Second(second) => {
                    let settings = known.take().or_else(|| setting.recv().ok());
                    let Some((table, clock)) = settings else {
                        return;
                    };
                    let mut give_back = |histogram| {
                        // Nobody takes it when the run is over.
                        let _ = recycle.send(histogram);
                    };
                    let frames = encoder.frames(&table, clock, *second, &mut give_back);
                    known = Some((table, clock));
                    frames.unwrap_or_else(|error| {
                        let reason = error.to_string();
                        vec![FromWorker::Failed(Failed { reason })]
                    })
                }
            };
            for frame in frames {
                let Ok(bytes) = frame.to_frame() else { return };
                if output.write_all(&bytes).is_err() {
                    return;
                }
            }
            if output.flush().is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("sender".to_owned())
        .spawn(work)?;
    Ok(Sender {
        outbox,
        returned,
        settings,
        finished,
    })
}
