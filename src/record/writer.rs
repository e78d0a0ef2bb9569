//! The left half's side of a run directory: creates it, locks it, and appends what happens.
//!
//! Every method that writes returns the error of the file system; the conductor then stops the run and heals the fleet,
//! because a run whose recording failed is no measurement.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::layout;
use super::rows::{Binding, RunFacts, SampleRow, counts_header};
use crate::fleet::proc::ProcessId;
use crate::model::{Call, Event, ProtocolVersion, SessionRow};
use crate::plan::Plan;

/// A run directory that this process created and holds.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl RunDirectory {
    /// Creates the directory, which must not exist or be empty, and locks it.
    ///
    /// # Errors
    /// If it exists with something in it, or the file system refuses.
    pub fn create(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        if fs::read_dir(path)?.next().is_some() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the directory is not empty; a run is never written over another",
            ));
        }
        // Absolute: instances and workers have other working directories.
        let path = path.canonicalize()?;
        let lock = File::create_new(path.join(layout::LOCK))?;
        lock.try_lock().map_err(|_| {
            io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another process holds its lock",
            )
        })?;
        // For whoever finds the lock held, and for `mcpload cleanup` and its like: who that is.
        serde_json::to_writer(&lock, &ProcessId::own())?;
        for directory in [layout::INSTANCES, layout::WORKERS, layout::INPUTS] {
            fs::create_dir(path.join(directory))?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the directory itself.
    pub fn name(&self) -> String {
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }
}

/// Appends to the files of a run.
#[derive(Debug)]
pub struct Recorder {
    events: File,
    bindings: File,
    calls: File,
    sessions: File,
    counts: File,
    histograms: File,
    samples: File,
}

impl Recorder {
    /// Writes the facts that are known at the start, and the headers of everything else.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn start(
        directory: &RunDirectory,
        facts: &RunFacts,
        plan: &Plan,
        scenario: &str,
    ) -> io::Result<Self> {
        let path = directory.path();
        write_json(&path.join(layout::RUN), facts)?;
        write_json(&path.join(layout::PLAN), plan)?;
        fs::write(path.join(layout::SCENARIO), scenario)?;
        let open = |name: &str| {
            OpenOptions::new()
                .create_new(true)
                .append(true)
                .open(path.join(name))
        };
        let mut recorder = Self {
            events: open(layout::EVENTS)?,
            bindings: open(layout::BINDINGS)?,
            calls: open(layout::CALLS)?,
            sessions: open(layout::SESSIONS)?,
            counts: open(layout::COUNTS)?,
            histograms: open(layout::HISTOGRAMS)?,
            samples: open(layout::SAMPLES)?,
        };
        recorder
            .calls
            .write_all(&frame(&header_of(&empty_call())?)?)?;
        recorder
            .sessions
            .write_all(&frame(&header_of(&empty_session())?)?)?;
        recorder
            .counts
            .write_all(format!("{}\n", counts_header(plan)).as_bytes())?;
        recorder
            .samples
            .write_all(b"at,slot,metric,labels,value\n")?;
        recorder.histograms.write_all(HISTOGRAM_HEADER.as_bytes())?;
        // No scenario of this version has oracle clients: the file is there and holds no line.
        open(layout::OBSERVATIONS)?.write_all(&frame(b"")?)?;
        Ok(recorder)
    }

    /// Appends an event.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        append_line(&mut self.events, event)
    }

    /// Appends a binding.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn binding(&mut self, binding: &Binding) -> io::Result<()> {
        append_line(&mut self.bindings, binding)
    }

    /// Appends a worker's zstd frame of Calls.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn calls(&mut self, frame: &[u8]) -> io::Result<()> {
        self.calls.write_all(frame)
    }

    /// Appends a worker's zstd frame of session transitions.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn sessions(&mut self, frame: &[u8]) -> io::Result<()> {
        self.sessions.write_all(frame)
    }

    /// Appends a worker's lines of counts.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn counts(&mut self, lines: &[u8]) -> io::Result<()> {
        self.counts.write_all(lines)
    }

    /// Appends a worker's lines of histograms.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn histograms(&mut self, lines: &[u8]) -> io::Result<()> {
        self.histograms.write_all(lines)
    }

    /// Appends samples.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn samples(&mut self, rows: &[SampleRow]) -> io::Result<()> {
        let mut writer = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(Vec::new());
        for row in rows {
            writer.serialize(row).map_err(io::Error::other)?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|error| io::Error::other(error.to_string()))?;
        self.samples.write_all(&bytes)
    }
}

/// The comment lines at the head of an interval log, as `HdrHistogram`'s own tools expect them.
const HISTOGRAM_HEADER: &str = "#[Histogram log format version 1.3]\n\
    #[mcpload: values are nanoseconds; times are seconds since the start of the load; tags are MEASURE/WORKLOAD/OPERATION/PROTOCOL/PHASE]\n\
    \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    fs::write(path, text)
}

fn append_line<T: serde::Serialize>(file: &mut File, value: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)
}

fn frame(bytes: &[u8]) -> io::Result<Vec<u8>> {
    zstd::encode_all(bytes, 1)
}

/// The header line of a row type: what the csv crate writes before the first row.
fn header_of<T: serde::Serialize>(row: &T) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.serialize(row).map_err(io::Error::other)?;
    let bytes = writer
        .into_inner()
        .map_err(|error| io::Error::other(error.to_string()))?;
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |at| at + 1);
    Ok(bytes.get(..end).unwrap_or_default().to_vec())
}

fn empty_call() -> Call {
    Call {
        done: crate::model::Offset::ZERO,
        operation_due: crate::model::Offset::ZERO,
        due: crate::model::Offset::ZERO,
        taken: None,
        sent: None,
        first_byte: None,
        first_event: None,
        connect_ns: None,
        tls_ns: None,
        worker: 0,
        workload: String::new(),
        operation: String::new(),
        arrival: None,
        step: 0,
        attempt: 0,
        client: 0,
        session: None,
        protocol: ProtocolVersion::V2025_11_25,
        method: String::new(),
        target: String::new(),
        phase: String::new(),
        outcome: crate::model::Outcome::Ok,
        class: crate::model::Class::None,
        code: None,
        instance: String::new(),
        bytes_in: 0,
        bytes_out: 0,
        ends: None,
    }
}

fn empty_session() -> SessionRow {
    SessionRow {
        at: crate::model::Offset::ZERO,
        worker: 0,
        workload: String::new(),
        client: 0,
        session: 0,
        protocol: ProtocolVersion::V2025_11_25,
        transition: crate::model::session::Transition::Born,
        instance: String::new(),
        cause: String::new(),
        missed: 0,
        doubled: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_something_in_it_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let first = RunDirectory::create(directory.path()).unwrap();
        assert!(first.path().join(layout::LOCK).exists());
        let error = RunDirectory::create(directory.path()).unwrap_err();
        assert!(error.to_string().contains("not empty"));
    }

    #[test]
    fn headers_have_the_columns_of_their_rows() {
        let header = String::from_utf8(header_of(&empty_call()).unwrap()).unwrap();
        assert!(header.starts_with(
            "done,operation_due,due,taken,sent,first_byte,first_event,connect_ns,tls_ns,worker,"
        ));
        assert!(header.ends_with("bytes_in,bytes_out,ends\n"));
        let header = String::from_utf8(header_of(&empty_session()).unwrap()).unwrap();
        assert_eq!(
            header,
            "at,worker,workload,client,session,protocol,transition,instance,cause,missed,doubled\n"
        );
    }
}
