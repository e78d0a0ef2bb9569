//! Hogs: processes of ours that take processor time or memory from what runs beside them.
//!
//! Impure. `mcpload hog` (`process`) takes; a [`Hog`] is the conductor's hold on one. It ends when its standard input does, so with
//! the conductor, whatever becomes of that; and it carries the run and the fault in its environment, so others find it.

use std::io;
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::proc::{self, ProcessId, Usage, marks};
use super::process::Place;

pub mod process;

/// What a hog takes.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub struct Order {
    /// How many threads spin.
    #[arg(long, default_value_t = 0)]
    pub threads: u32,
    /// Which part of the time each of them spins, thousandths.
    #[arg(long, default_value_t = 1000)]
    pub permille: u32,
    /// How many bytes of memory are held.
    #[arg(long, default_value_t = 0)]
    pub bytes: u64,
    /// The processors that it may use; all if none is named.
    #[arg(long, value_delimiter = ',')]
    pub processors: Vec<u32>,
}

/// A hog that runs.
#[derive(Debug)]
pub struct Hog {
    /// Its standard input is our end of the pipe that keeps it alive.
    child: Child,
    id: ProcessId,
    /// On how many processors it may run.
    processors: usize,
}

impl Hog {
    /// Starts one on the processors of the fleet.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn start(place: &Place, fault: &str, order: &Order) -> io::Result<Self> {
        let processors: Vec<String> = place.processors.iter().map(u32::to_string).collect();
        let mut command = Command::new(&place.binary);
        command.arg("hog");
        for (name, number) in [
            ("--threads", u64::from(order.threads)),
            ("--permille", u64::from(order.permille)),
            ("--bytes", order.bytes),
        ] {
            command.arg(name).arg(number.to_string());
        }
        if !processors.is_empty() {
            command.arg("--processors").arg(processors.join(","));
        }
        let run = place.instances.parent().unwrap_or(&place.instances);
        let child = command
            .env(marks::RUN, run)
            .env(marks::FAULT, fault)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of the terminal's foreground group: Ctrl-C is the conductor's to answer.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().and_then(ProcessId::of);
        let id = id.ok_or_else(|| io::Error::other("it ended at once"))?;
        let all = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let processors = match place.processors.len() {
            0 => all(),
            some => some,
        };
        Ok(Self {
            child,
            id,
            processors,
        })
    }

    /// Its process.
    pub const fn id(&self) -> ProcessId {
        self.id
    }

    /// On how many processors it may run.
    pub const fn processors(&self) -> usize {
        self.processors
    }

    /// The memory of its own that it has in use, bytes, its program left out; none if it has ended.
    pub fn memory(&self) -> Option<u64> {
        self.id.is_alive().then(|| proc::anonymous(self.id.pid))?
    }

    /// What it uses; none if it has ended.
    pub fn usage(&self) -> Option<Usage> {
        self.id.is_alive().then(|| proc::usage(&[self.id.pid]))
    }

    /// Ends it; returns when it is reaped. May be done again.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn end(&mut self) -> io::Result<()> {
        self.child.kill().await
    }
}
