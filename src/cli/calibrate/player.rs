//! [`Player`]: plays one scenario of a calibration and reads it back.
//!
//! The path is that of `mcpload run`: text, plan, execution with shims and worker processes, run directory; then the right half on
//! the directory. A signal ends the run as it ends any other, and then the calibration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rand::Rng;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::super::exit::Exit;
use super::super::prepare::{self, Prepared};
use super::super::{ChangeArgs, out, run};
use crate::analysis::Analysis;
use crate::calibrate::reading::{Reading, StubLog};
use crate::calibrate::scenario::{Probe, STUB};
use crate::engine::{self, Job, Notice};
use crate::judge;
use crate::model::event::Ending;
use crate::plan::FORMAT;
use crate::record::layout;
use crate::record::reader::History;
use crate::record::rows::RunFacts;
use crate::record::writer::RunDirectory;

/// What a run showed.
pub(super) struct Played {
    pub(super) analysis: Analysis,
    pub(super) reading: Reading,
    /// What the stub said when it ended; `None` if it could not.
    pub(super) log: Option<StubLog>,
}

/// Plays scenarios, one after the other.
pub(super) struct Player {
    runtime: Runtime,
    directory: PathBuf,
    binary: PathBuf,
    /// The exit code of the signal that came, zero if none did. Between two runs nobody else listens.
    signalled: Arc<AtomicU8>,
}

fn internal(error: &dyn std::error::Error) -> Exit {
    out::error(error);
    Exit::Internal
}

impl Player {
    /// A player whose runs are recorded below `directory`.
    pub(super) fn start(directory: &Path) -> Result<Self, Exit> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| internal(&error))?;
        let signalled = Arc::new(AtomicU8::new(0));
        for (kind, exit) in [
            (SignalKind::interrupt(), Exit::Interrupted),
            (SignalKind::terminate(), Exit::Terminated),
            (SignalKind::hangup(), Exit::Terminated),
        ] {
            let within = runtime.enter();
            let mut signals = signal(kind).map_err(|error| internal(&error))?;
            drop(within);
            let signalled = Arc::clone(&signalled);
            // Ends with the runtime, which the player owns.
            runtime.spawn(async move {
                while signals.recv().await.is_some() {
                    signalled.store(exit.code(), Ordering::Relaxed);
                }
            });
        }
        Ok(Self {
            runtime,
            directory: directory.to_owned(),
            binary: std::env::current_exe().map_err(|error| internal(&error))?,
            signalled,
        })
    }

    /// How many load workers a run has by default.
    pub(super) fn default_workers(&self) -> Result<u32, Exit> {
        Ok(self.prepare(&Probe::pause())?.plan.workers)
    }

    fn prepare(&self, probe: &Probe) -> Result<Prepared, Exit> {
        prepare::text_from(
            "calibrate".to_owned(),
            probe.text(),
            self.directory.clone(),
            &ChangeArgs::default(),
        )
    }

    /// Plays a scenario to its end and reads it back.
    pub(super) fn play(&self, probe: &Probe) -> Result<Played, Exit> {
        self.unless_signalled()?;
        let path = self.directory.join(&probe.name);
        let mut lines = Vec::new();
        let job = self.job(probe, &path)?;
        let ended = self.runtime.block_on(engine::execute(job, &mut |notice| {
            if let Notice::Line(line) = notice {
                lines.push(line);
            }
        }));
        let ended = ended.map_err(|error| internal(&error))?;
        self.unless_signalled()?;
        if ended.how != Ending::Completed {
            for line in lines {
                out::say(&line);
            }
        }
        match ended.how {
            Ending::Completed => read(&path),
            Ending::NotReady | Ending::Aborted => Err(Exit::NotReady),
            Ending::Failed => Err(Exit::Internal),
            Ending::Interrupted => Err(ended.signal_exit.map_or(Exit::Interrupted, Exit::of_code)),
        }
    }

    fn unless_signalled(&self) -> Result<(), Exit> {
        match self.signalled.load(Ordering::Relaxed) {
            0 => Ok(()),
            code => Err(Exit::of_code(code)),
        }
    }

    fn job(&self, probe: &Probe, path: &Path) -> Result<Job, Exit> {
        let prepared = self.prepare(probe)?;
        let directory = RunDirectory::create(path).map_err(|error| internal(&error))?;
        let facts = RunFacts {
            format: FORMAT.to_owned(),
            name: prepared.plan.name.clone(),
            id: directory.name(),
            seed: prepared.plan.seed,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            started: jiff::Timestamp::now()
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string(),
            source: prepared.source,
            host: run::host_facts(),
        };
        Ok(Job {
            plan: prepared.plan,
            directory,
            facts,
            scenario: prepared.text,
            scenario_dir: prepared.directory,
            binary: self.binary.clone(),
            network: u16::try_from(rand::rng().next_u32() & 0xffff).unwrap_or_default(),
        })
    }
}

fn read(path: &Path) -> Result<Played, Exit> {
    let report = judge::judge(path).map_err(|error| internal(&error))?;
    let history = History::open(path).map_err(|error| internal(&error))?;
    let mut reading = Reading::default();
    history.samples().for_each(|row| reading.sample(&row));
    history.counts().for_each(|row| reading.count(&row));
    history.calls().for_each(|call| reading.call(call));
    let log = path.join(layout::INSTANCES).join(STUB).join("stdout-1.log");
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let log = text.lines().last();
    Ok(Played {
        analysis: report.analysis,
        reading,
        log: log.and_then(|line| serde_json::from_str(line).ok()),
    })
}
