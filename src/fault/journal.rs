//! The undo journal: what must be undone is on disk before it is done.
//!
//! One JSON object a line in `undo.jsonl`, append only, synced to disk at every line. The states of an entry in order:
//! `intended` (before the act, with the inverse), `applied`, `undone`; or `not-undone`, with what a person can do.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::model::{InstanceId, Offset};

/// How far an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The act is about to be done.
    Intended,
    /// It was done.
    Applied,
    /// It was undone, and that was proven.
    Undone,
    /// It could not be undone.
    NotUndone,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, from `t0`.
    pub at: Offset,
    /// The fault's name; with it the lines of one entry belong together.
    pub fault: String,
    /// How far it is.
    pub stage: Stage,
    /// What the fault acts on.
    pub targets: Vec<InstanceId>,
    /// What undoes it: absolute, repeatable, in words.
    pub inverse: String,
}

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

impl Journal {
    /// Opens the journal for appending.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: OpenOptions::new().create(true).append(true).open(path)?,
        })
    }

    /// Appends an entry; it is on disk when this returns.
    ///
    /// # Errors
    /// Those of the file system. A fault whose entry could not be written must not be injected.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()
    }
}
