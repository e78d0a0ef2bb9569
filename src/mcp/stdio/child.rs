//! [`Running`]: one child process with a process group of its own, and what it leaves behind: its status and its last words.
//!
//! Impure: processes. Invariant: when a [`Running`] is dropped, or its child has ended, no process of the group goes on. A process
//! that leaves the group (`setsid`) escapes.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

/// How long a child that is to end may take after each step: its input closed, SIGTERM.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long after a child's end its last words are waited for.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How much of what it writes to standard error is kept, bytes; the last.
const MAX_WORDS: usize = 16 << 10;
/// What a child gets of our environment, as the official SDKs have it: no secret of ours reaches a server unasked.
const INHERITED: [&str; 8] = [
    "HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER",
];

/// What is known of a link's last child; it may be read after the child is gone.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    kept: Rc<RefCell<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    status: Option<ExitStatus>,
    failure: Option<String>,
    words: VecDeque<u8>,
}

impl Traces {
    /// How it ended; `None` as long as it runs, or if there was none.
    pub fn status(&self) -> Option<ExitStatus> {
        self.kept.borrow().status
    }

    /// Why it could not be started.
    pub fn failure(&self) -> Option<String> {
        self.kept.borrow().failure.clone()
    }

    /// The last 16 KiB of what it wrote to standard error, as it came: nothing in it is escaped.
    pub fn stderr(&self) -> String {
        let (first, second) = {
            let kept = self.kept.borrow();
            let (first, second) = kept.words.as_slices();
            (first.to_vec(), second.to_vec())
        };
        String::from_utf8_lossy(&[first, second].concat()).into_owned()
    }

    pub(super) fn begin(&self) {
        *self.kept.borrow_mut() = Kept::default();
    }

    pub(super) fn failed(&self, error: &io::Error) {
        self.kept.borrow_mut().failure = Some(error.to_string());
    }

    fn heard(&self, bytes: &[u8]) {
        let words = &mut self.kept.borrow_mut().words;
        words.extend(bytes);
        let excess = words.len().saturating_sub(MAX_WORDS);
        words.drain(..excess);
    }
}

/// The process group of a child. It is ended when this is dropped.
struct Group {
    id: Option<Pid>,
    child: Child,
}

impl Group {
    /// Waits for the child, then ends what it left in its group. The number is free for others afterwards, and so forgotten.
    async fn wait(&mut self) -> Option<ExitStatus> {
        let status = self.child.wait().await.ok();
        self.signal(Signal::SIGKILL);
        self.id = None;
        status
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // An empty group is what is wanted.
            let _ = killpg(id, signal);
        }
    }

    /// Its input is closed already: gives it time, then asks, then forces.
    async fn end(&mut self) -> Option<ExitStatus> {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            if let Ok(status) = timeout(PATIENCE, self.wait()).await {
                return status;
            }
            self.signal(signal);
        }
        self.wait().await
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// The task that reads a child's standard output; it goes on until the child has ended.
pub(super) type Reader = AbortOnDropHandle<()>;

/// A child that runs.
pub(super) struct Running {
    group: Rc<RefCell<Option<Pid>>>,
    end: Option<oneshot::Sender<Option<Reader>>>,
    keeper: Option<AbortOnDropHandle<()>>,
    /// Told when the child has ended and its last words are there.
    pub(super) ended: Rc<Notify>,
}

/// The ends of a child's pipes.
pub(super) struct Pipes {
    /// Its input.
    pub(super) stdin: ChildStdin,
    /// Its output.
    pub(super) stdout: ChildStdout,
}

impl Running {
    /// Starts a child; what it leaves goes to `traces`. `on_end` is called when it has ended and
    /// there was time to read its output.
    ///
    /// # Errors
    /// If there is no such program, or no process can be made.
    pub(super) fn start(
        command: &[String],
        env: &BTreeMap<String, String>,
        traces: &Traces,
        on_end: impl FnOnce() + 'static,
    ) -> io::Result<(Self, Pipes)> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| io::Error::other("there is no command"))?;
        let inherited = INHERITED
            .into_iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(inherited)
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A terminal's interrupt goes to our group, not to it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw);
        let pipes = child.stdin.take().zip(child.stdout.take());
        let stderr = child.stderr.take();
        let mut group = Group { id, child };
        let ((stdin, stdout), stderr) = pipes
            .zip(stderr)
            .ok_or_else(|| io::Error::other("the child has no pipes"))?;
        let (end, asked) = oneshot::channel();
        let shared = Rc::new(RefCell::new(id));
        let ended = Rc::new(Notify::new());
        let keeper = {
            let (shared, ended, traces) = (Rc::clone(&shared), Rc::clone(&ended), traces.clone());
            async move {
                let listening = AbortOnDropHandle::new(spawn_local(listen(stderr, traces.clone())));
                let status = keep(&mut group, asked).await;
                *shared.borrow_mut() = None;
                let _ = timeout(LAST_WORDS, listening).await;
                traces.kept.borrow_mut().status = status;
                ended.notify_one();
                // What it wrote last may still be in the pipe, and a process that left the group may hold that open.
                sleep(LAST_WORDS).await;
                on_end();
            }
        };
        let running = Self {
            group: shared,
            end: Some(end),
            keeper: Some(AbortOnDropHandle::new(spawn_local(keeper))),
            ended,
        };
        Ok((running, Pipes { stdin, stdout }))
    }

    /// Lets it end, now that its input is closed: it gets 2 s, then SIGTERM, then 2 s, then SIGKILL. Its output is read on.
    pub(super) fn end(mut self, reader: Reader) {
        if let Some(end) = self.end.take() {
            let _ = end.send(Some(reader));
        }
        if let Some(keeper) = self.keeper.take() {
            // It ends by itself within the bounds; should the thread end first, the group is killed as it is dropped.
            drop(keeper.detach());
        }
        *self.group.borrow_mut() = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // At once, and not when the task is dropped: the thread may end before it comes to that.
        if let Some(id) = self.group.borrow_mut().take() {
            let _ = killpg(id, Signal::SIGKILL);
        }
    }
}

/// Waits for the child's end, or brings it about when asked.
async fn keep(group: &mut Group, asked: oneshot::Receiver<Option<Reader>>) -> Option<ExitStatus> {
    let reader = tokio::select! {
        status = group.wait() => return status,
        Ok(reader) = asked => reader,
    };
    let status = group.end().await;
    drop(reader);
    status
}

/// Keeps the last of what the child says.
async fn listen(mut stderr: impl AsyncRead + Unpin, traces: Traces) {
    let mut buffer = vec![0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        traces.heard(buffer.get(..count).unwrap_or_default());
    }
}
