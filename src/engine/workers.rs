//! The load workers as the conductor sees them: child processes that talk in frames over their standard input.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::fleet::proc::marks;
use crate::load::frames::{Assignment, Decoder, FromWorker, Message, ToWorker};
use crate::record::layout;

/// What comes from a worker: its number, and a message or the reason why there will be none any more.
pub(super) type Heard = (u32, Result<FromWorker, String>);

/// The worker processes of a run.
pub(super) struct Workers {
    children: Vec<Child>,
    writers: Vec<OwnedWriteHalf>,
    readers: JoinSet<()>,
}

impl Workers {
    /// Starts a worker for each assignment and hands it over. Their output goes to the run directory, which is absolute.
    pub(super) async fn start(
        binary: &Path,
        run: &Path,
        assignments: Vec<Assignment>,
        heard: &mpsc::Sender<Heard>,
    ) -> io::Result<Self> {
        let mut workers = Self {
            children: Vec::new(),
            writers: Vec::new(),
            readers: JoinSet::new(),
        };
        let logs = run.join(layout::WORKERS);
        for assignment in assignments {
            let index = assignment.index;
            let (ours, theirs) = StdStream::pair()?;
            ours.set_nonblocking(true)?;
            let log =
                |name: &str| std::fs::File::create(logs.join(format!("worker-{index}.{name}.log")));
            let child = Command::new(binary)
                .arg("worker")
                .env(marks::RUN, run)
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .stdout(log("stdout")?)
                .stderr(log("stderr")?)
                .process_group(0)
                .kill_on_drop(true)
                .spawn()?;
            let (read, write) = UnixStream::from_std(ours)?.into_split();
            workers.children.push(child);
            workers.writers.push(write);
            workers.readers.spawn(listen(index, read, heard.clone()));
            workers
                .tell(index, &ToWorker::Assign(Box::new(assignment)))
                .await;
        }
        Ok(workers)
    }

    /// Tells one worker; one that is gone is heard of by its reader.
    pub(super) async fn tell(&mut self, index: u32, message: &ToWorker) {
        let writer = usize::try_from(index)
            .ok()
            .and_then(|index| self.writers.get_mut(index));
        if let (Some(writer), Ok(frame)) = (writer, message.to_frame()) {
            let _ = writer.write_all(&frame).await;
        }
    }

    /// Tells every worker.
    pub(super) async fn tell_all(&mut self, message: &ToWorker) {
        for index in 0..u32::try_from(self.writers.len()).unwrap_or(u32::MAX) {
            self.tell(index, message).await;
        }
    }

    /// The process ids of the workers that run.
    pub(super) fn pids(&self) -> Vec<(usize, u32)> {
        self.children
            .iter()
            .enumerate()
            .filter_map(|(index, child)| Some((index, child.id()?)))
            .collect()
    }

    /// Ends a worker that does not answer.
    pub(super) async fn kill(&mut self, index: u32) {
        if let Some(child) = usize::try_from(index)
            .ok()
            .and_then(|index| self.children.get_mut(index))
        {
            // It may have ended by itself; either way it is gone.
            let _ = child.kill().await;
        }
    }

    /// Ends and reaps all of them.
    pub(super) async fn end(mut self) {
        self.writers.clear();
        for child in &mut self.children {
            let patience = std::time::Duration::from_secs(2);
            if tokio::time::timeout(patience, child.wait()).await.is_err() {
                let _ = child.kill().await;
            }
        }
        self.readers.shutdown().await;
    }
}

/// Reads frames until the stream ends. The queue is bounded: a conductor that is behind makes the worker's own queue grow,
/// which drops rows and says so.
async fn listen(index: u32, mut stream: OwnedReadHalf, heard: mpsc::Sender<Heard>) {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; 256 << 10];
    let reason = loop {
        match decoder.next_message::<FromWorker>() {
            Ok(Some(message)) => {
                if heard.send((index, Ok(message))).await.is_err() {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => break error.to_string(),
        }
        match stream.read(&mut buffer).await {
            Ok(0) => break "its stream ended".to_owned(),
            Ok(count) => decoder.push(buffer.get(..count).unwrap_or_default()),
            Err(error) => break error.to_string(),
        }
    };
    let _ = heard.send((index, Err(reason))).await;
}
