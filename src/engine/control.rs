//! Control of a run from another process: a socket in the run directory takes requests, one JSON object a line each way.
//!
//! Impure. The conductor's side (`Control`) hands on what is asked; [`ask`] is the other side, of `mcpload halt` and `mcpload
//! mark`. Who may write to the run directory may ask. Invariant: a request is answered, or its sender is told that it was not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader as AsyncBufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::record::layout;

/// The longest line, bytes.
const LONGEST: u64 = 4096;
/// How long a request may take to be sent and answered.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is asked of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// Heal, stop, report: as after Ctrl-C.
    Halt,
    /// The window of an observed fault begins or ends now.
    Mark {
        /// The fault's name.
        fault: String,
        /// Which end of the window.
        edge: Edge,
    },
}

/// An end of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// It begins.
    Begin,
    /// It ends.
    End,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// It is done, or will be.
    Accepted {
        /// What.
        words: String,
    },
    /// It is not done.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Why a run gave no answer.
#[derive(Debug, Error)]
#[error("the run in {run} does not answer")]
pub struct NoAnswer {
    /// The run directory.
    run: PathBuf,
    /// What happened.
    #[source]
    source: io::Error,
}

/// A request to mark, and where its answer goes.
pub(super) struct Marked {
    pub(super) fault: String,
    pub(super) edge: Edge,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// The conductor's side. Dropped, it takes no requests any more.
#[derive(Default)]
pub(super) struct Control {
    socket: Option<PathBuf>,
    marks: Option<mpsc::Receiver<Marked>>,
    /// Ends the task that listens when this is dropped.
    _tasks: JoinSet<()>,
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            // Left behind, it would only be a name that nobody answers to.
            let _ = std::fs::remove_file(socket);
        }
    }
}

impl Control {
    /// Listens in the run directory. The first request to halt goes to `halt`.
    ///
    /// # Errors
    /// If there can be no socket there.
    pub(super) fn listen(run: &Path, halt: mpsc::Sender<()>) -> io::Result<Self> {
        let (directory, path) = short(run)?;
        let listener = UnixListener::bind(path)?;
        drop(directory);
        // Marks come from people and scripts; who asks waits for its answer.
        let (mark, marks) = mpsc::channel(8);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, halt, mark));
        Ok(Self {
            socket: Some(run.join(layout::CONTROL)),
            marks: Some(marks),
            _tasks: tasks,
        })
    }

    /// The next request to mark whose sender still waits; for ever none without a socket.
    ///
    /// # Cancel safety
    /// Yes: no request is lost.
    pub(super) async fn marked(&mut self) -> Marked {
        while let Some(marks) = &mut self.marks {
            match marks.recv().await {
                Some(marked) if !marked.answer.is_closed() => return marked,
                Some(_given_up) => {}
                None => self.marks = None,
            }
        }
        std::future::pending().await
    }
}

/// One request after the other.
async fn serve(listener: UnixListener, halt: mpsc::Sender<()>, mark: mpsc::Sender<Marked>) {
    let mut halted = false;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files, say: that passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // A client that does not go on must not keep the others.
        let _ = timeout(2 * PATIENCE, attend(stream, &halt, &mut halted, &mark)).await;
    }
}

async fn attend(
    stream: UnixStream,
    halt: &mpsc::Sender<()>,
    halted: &mut bool,
    mark: &mpsc::Sender<Marked>,
) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = AsyncBufReader::new(read.take(LONGEST));
    match timeout(PATIENCE, reader.read_line(&mut line)).await {
        Ok(read) => read?,
        Err(_elapsed) => return Ok(()),
    };
    let answer = match serde_json::from_str(&line) {
        Ok(Ask::Halt) => {
            // Twice is not at once, as with Ctrl-C: whoever asks again only wonders whether it was heard.
            let words = if std::mem::replace(halted, true) {
                "it is stopping already"
            } else {
                let _ = halt.send(()).await;
                "it heals, stops and reports"
            };
            Answer::Accepted {
                words: words.to_owned(),
            }
        }
        Ok(Ask::Mark { fault, edge }) => marked(mark, fault, edge).await,
        Err(error) => Answer::Refused {
            reason: format!("the request is none: {error}"),
        },
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    write.write_all(&line).await
}

async fn marked(mark: &mpsc::Sender<Marked>, fault: String, edge: Edge) -> Answer {
    let (answer, answered) = oneshot::channel();
    let request = Marked {
        fault,
        edge,
        answer,
    };
    let sent = mark.try_send(request).is_ok();
    match timeout(PATIENCE, answered).await {
        Ok(Ok(answer)) if sent => answer,
        _ => Answer::Refused {
            reason: "the load does not run (yet, or any more)".to_owned(),
        },
    }
}

/// Asks the run in this directory.
///
/// # Errors
/// If it does not answer.
pub fn ask(run: &Path, ask: &Ask) -> Result<Answer, NoAnswer> {
    try_ask(run, ask).map_err(|source| NoAnswer {
        run: run.to_owned(),
        source,
    })
}

fn try_ask(run: &Path, ask: &Ask) -> io::Result<Answer> {
    let (directory, path) = short(run)?;
    let mut stream = StdStream::connect(path)?;
    drop(directory);
    // Longer than the other side takes at most.
    stream.set_read_timeout(Some(3 * PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(ask)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

/// A path of the run's socket that is short enough for an address of a socket (107 bytes), as long as the file is open.
fn short(run: &Path) -> io::Result<(File, String)> {
    let directory = File::open(run)?;
    let path = format!(
        "/proc/self/fd/{}/{}",
        directory.as_raw_fd(),
        layout::CONTROL
    );
    Ok((directory, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks from another thread, as another process would.
    async fn asked(run: &Path, request: Ask) -> Answer {
        let run = run.to_owned();
        tokio::task::spawn_blocking(move || ask(&run, &request).unwrap())
            .await
            .unwrap()
    }

    fn mark(fault: &str) -> Ask {
        Ask::Mark {
            fault: fault.to_owned(),
            edge: Edge::Begin,
        }
    }

    #[tokio::test]
    async fn a_request_reaches_the_run_however_long_the_path_of_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().join("x".repeat(200));
        std::fs::create_dir(&run).unwrap();
        let (halt, mut halts) = mpsc::channel(1);
        let mut control = Control::listen(&run, halt).unwrap();
        assert!(matches!(
            asked(&run, Ask::Halt).await,
            Answer::Accepted { .. }
        ));
        halts.recv().await.unwrap();
        // A second time it is accepted and not handed on.
        assert!(matches!(
            asked(&run, Ask::Halt).await,
            Answer::Accepted { words } if words.contains("already")
        ));
        assert!(halts.try_recv().is_err());

        let yes = Answer::Accepted {
            words: "yes".to_owned(),
        };
        let answering = async {
            let marked = control.marked().await;
            assert_eq!((marked.fault.as_str(), marked.edge), ("a", Edge::Begin));
            marked.answer.send(yes.clone()).unwrap();
        };
        let (answer, ()) = tokio::join!(asked(&run, mark("a")), answering);
        assert_eq!(answer, yes);
        drop(control);
        assert!(!run.join(layout::CONTROL).exists());
        assert!(ask(&run, &Ask::Halt).is_err());
    }

    #[tokio::test]
    async fn a_mark_that_nobody_takes_is_refused_and_never_taken_later() {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path();
        let (halt, _halts) = mpsc::channel(1);
        let mut control = Control::listen(run, halt).unwrap();
        let answer = asked(run, mark("a")).await;
        assert!(matches!(answer, Answer::Refused { .. }), "{answer:?}");
        let taken = timeout(Duration::from_millis(50), control.marked()).await;
        assert!(taken.is_err());
    }

    #[tokio::test]
    async fn nonsense_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().to_owned();
        let (halt, _halts) = mpsc::channel(1);
        let _control = Control::listen(&run, halt).unwrap();
        for nonsense in ["{}\n", "halt\n", &"x".repeat(10_000)] {
            let (_directory, path) = short(&run).unwrap();
            let mut stream = UnixStream::connect(path).await.unwrap();
            // It may close before it has read all of what is too long.
            let _ = stream.write_all(nonsense.as_bytes()).await;
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            assert!(!answer.contains("accepted"), "{nonsense}: {answer}");
        }
        assert!(matches!(
            asked(&run, Ask::Halt).await,
            Answer::Accepted { .. }
        ));
    }
}
