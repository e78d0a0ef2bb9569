//! Opening a run directory: the first step of the right half, and its only I/O.
//!
//! Not pure: it reads files, lazily where they are long. Invariant: once `run.json` and `plan.json` are whole, nothing that
//! was cut off anywhere makes reading fail; what is torn is left out and said in a damage note. Where to look next:
//! [`Calls`] and [`Rows`] for the tables, [`Intervals`] for the histograms, `crate::judge` for who reads them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::model::Event;
use crate::model::session::SessionRow;
use crate::plan::{FORMAT, Plan};
use crate::record::layout;
use crate::record::rows::{CountRow, RunFacts, SampleRow};

mod calls;
mod intervals;
mod rows;
mod whole;

pub use calls::Calls;
pub use intervals::Intervals;
pub use rows::Rows;

/// The most that `run.json` or `plan.json` may hold, bytes.
const LARGEST_DOCUMENT: u64 = 256 << 20;

/// A run, read back.
#[derive(Debug)]
pub struct History {
    directory: PathBuf,
    /// `run.json`.
    pub run: RunFacts,
    /// `plan.json`.
    pub plan: Plan,
    /// `events.jsonl`, in the order of the file.
    pub events: Vec<Event>,
    /// What was wrong with `events.jsonl`; the streams have notes of their own.
    pub damage: Vec<String>,
}

/// Why a directory could not be opened as a run.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A file that every run has is not there, or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not of the form that it should have.
    #[error("{} is not what a run of mcpload {FORMAT} writes", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The run was written in another format.
    #[error("{} has format {found:?}, but this mcpload reads {FORMAT:?}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that it has.
        found: String,
    },
}

impl History {
    /// Opens the run in `directory`.
    ///
    /// # Errors
    /// If `run.json` or `plan.json` is missing, torn or of another format version. Nothing else is an error.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(layout::RUN);
        let facts: serde_json::Value = document(&path)?;
        let format = facts.get("format").and_then(serde_json::Value::as_str);
        if let Some(found) = format.filter(|found| *found != FORMAT) {
            let found = found.to_owned();
            return Err(OpenError::Version { path, found });
        }
        let run =
            serde_json::from_value(facts).map_err(|source| OpenError::Form { path, source })?;
        let plan = document(&directory.join(layout::PLAN))?;
        let mut damage = Vec::new();
        let events = events(&directory.join(layout::EVENTS), &mut damage);
        Ok(Self {
            directory: directory.to_owned(),
            run,
            plan,
            events,
            damage,
        })
    }

    /// The rows of `calls.csv.zst`.
    pub fn calls(&self) -> Calls {
        Calls::open(&self.directory, layout::CALLS)
    }

    /// The rows of `sessions.csv.zst`.
    pub fn sessions(&self) -> Rows<SessionRow> {
        Rows::compressed(&self.directory, layout::SESSIONS)
    }

    /// The rows of `counts.csv`.
    pub fn counts(&self) -> Rows<CountRow> {
        Rows::plain(&self.directory, layout::COUNTS)
    }

    /// The rows of `samples.csv`.
    pub fn samples(&self) -> Rows<SampleRow> {
        Rows::plain(&self.directory, layout::SAMPLES)
    }

    /// The histograms of `histograms.hlog`.
    pub fn intervals(&self) -> Intervals {
        Intervals::open(&self.directory)
    }
}

fn document<T: DeserializeOwned>(path: &Path) -> Result<T, OpenError> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST_DOCUMENT).read_to_end(&mut text))
        .map_err(|source| OpenError::Read {
            path: path.to_owned(),
            source,
        })?;
    serde_json::from_slice(&text).map_err(|source| OpenError::Form {
        path: path.to_owned(),
        source,
    })
}

/// The events, and what is wrong with the file. A line that is no event is left out: the rest still says what happened.
fn events(path: &Path, damage: &mut Vec<String>) -> Vec<Event> {
    let name = layout::EVENTS;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            damage.push(format!("{name} cannot be read: {error}"));
            return Vec::new();
        }
    };
    let mut whole = BufReader::new(whole::WholeLines::new(name, Box::new(file)));
    let mut events = Vec::new();
    let mut line = Vec::new();
    let mut number = 0_u64;
    // WholeLines turns every read error into an end with a note, so that an error cannot come from here.
    while whole
        .read_until(b'\n', &mut line)
        .is_ok_and(|read| read > 0)
    {
        number += 1;
        match serde_json::from_slice(&line) {
            Ok(event) => events.push(event),
            Err(error) => damage.push(format!("{name} line {number} is no event: {error}")),
        }
        line.clear();
    }
    damage.extend(whole.into_inner().damage().map(str::to_owned));
    events
}

#[cfg(test)]
mod tests;
