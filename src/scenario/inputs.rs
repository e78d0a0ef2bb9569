//! Files that a scenario names and that are part of what it says: data files, certificates.
//!
//! Pure. Whoever reads the scenario hands in how files are read; here they are held to their form. They are copied into the run
//! directory (`inputs/`), and everything that runs reads the copies, so that a run is what was planned. What only names a place
//! (secrets, templates of a role) is not read here.

use std::collections::BTreeMap;

use super::{Scenario, Spans};
use crate::diag::{Diagnostic, codes};
use crate::load::data::{self, DataTable};
use crate::load::profiles::replay;
use crate::registry::Spec;

/// How files are read: bytes, or why not. Paths are as written.
pub type ReadFile<'a> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'a;

/// The largest file that is read, bytes.
pub const LARGEST: usize = data::LARGEST;
/// The largest file of certificates, bytes.
const LARGEST_CERTIFICATES: usize = 1 << 20;
/// The most data files of a workload.
const MOST_FILES: usize = 16;

/// A file, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Where its copy is in the run directory: `inputs/NAME`.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// The names of its columns; empty for one that is no data file.
    pub columns: Vec<String>,
    /// How many rows it has beside them.
    pub rows: u64,
    /// The times of a recording, nanoseconds, in order; empty for other files.
    pub arrivals: Vec<i64>,
}

/// The files of a scenario, by the path of the value that names them (`workload[0].data[1].file`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    files: BTreeMap<String, Input>,
}

impl Inputs {
    /// The file that the value at `path` names.
    pub fn get(&self, path: &str) -> Option<&Input> {
        self.files.get(path)
    }

    /// Copies of files that a run kept: where each is in the run directory, and what it holds.
    pub fn copied(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let copy = |(path, bytes): (String, Vec<u8>)| {
            let input = Input {
                path: path.clone(),
                bytes,
                columns: Vec::new(),
                rows: 0,
                arrivals: Vec::new(),
            };
            (path, input)
        };
        Self {
            files: files.into_iter().map(copy).collect(),
        }
    }

    /// Every file.
    pub fn iter(&self) -> impl Iterator<Item = &Input> {
        self.files.values()
    }
}

/// Reads every file that the scenario names, and reports those that are not what they should be.
pub(super) fn read(
    scenario: &Scenario,
    spans: &Spans,
    files: &ReadFile<'_>,
    wrong: &mut Vec<Diagnostic>,
) -> Inputs {
    let mut inputs = Inputs::default();
    for (number, workload) in scenario.workload.iter().enumerate() {
        let owner = match &workload.name {
            Some(name) => name.clone(),
            None if number == 0 => "main".to_owned(),
            None => format!("main-{}", number + 1),
        };
        let path = format!("workload[{number}].data");
        if workload.data.len() > MOST_FILES {
            wrong.push(Diagnostic::new(
                &codes::TOO_LARGE,
                spans.key_place(&path),
                format!("the workload has {} data files", workload.data.len()),
                format!("expected at most {MOST_FILES}"),
            ));
            continue;
        }
        for (place, file) in workload.data.iter().enumerate() {
            let path = format!("{path}[{place}].file");
            let Some(bytes) = bytes(&file.file, &path, spans, files, wrong) else {
                continue;
            };
            match DataTable::parse(&bytes) {
                Ok(table) => {
                    let input = Input {
                        path: format!("inputs/{owner}.{}.csv", file.name),
                        columns: table.columns().to_vec(),
                        rows: table.rows(),
                        arrivals: Vec::new(),
                        bytes,
                    };
                    inputs.files.insert(path, input);
                }
                Err(error) => wrong.push(Diagnostic::new(
                    &codes::BAD_DATA,
                    spans.place(&path),
                    format!("`{}` is no table: {error}", file.file.escape_debug()),
                    "expected CSV whose first line names the columns",
                )),
            }
        }
    }
    if let Some(ca) = scenario
        .fleet
        .endpoint
        .as_ref()
        .and_then(|one| one.ca.as_ref())
    {
        let path = "fleet.endpoint.ca";
        if let Some(bytes) = bytes(ca, path, spans, files, wrong) {
            if is_certificates(&bytes) {
                let input = Input {
                    path: "inputs/ca.pem".to_owned(),
                    bytes,
                    columns: Vec::new(),
                    rows: 0,
                    arrivals: Vec::new(),
                };
                inputs.files.insert(path.to_owned(), input);
            } else {
                wrong.push(Diagnostic::new(
                    &codes::BAD_VALUE,
                    spans.place(path),
                    format!("`{}` holds no certificate", ca.escape_debug()),
                    "expected PEM: -----BEGIN CERTIFICATE-----",
                ));
            }
        }
    }
    recordings(scenario, spans, files, wrong, &mut inputs);
    inputs
}

/// Reads the recordings that profiles replay.
fn recordings(
    scenario: &Scenario,
    spans: &Spans,
    files: &ReadFile<'_>,
    wrong: &mut Vec<Diagnostic>,
    inputs: &mut Inputs,
) {
    let mut loads: Vec<(String, String, &Spec)> = Vec::new();
    for (number, phase) in scenario.phase.iter().enumerate() {
        let path = format!("phase[{number}]");
        if let Some(spec) = &phase.load {
            loads.push((
                format!("{path}.load"),
                format!("phase-{}", number + 1),
                spec,
            ));
        }
        for (name, spec) in phase.loads.iter().flatten() {
            let copy = format!("phase-{}.{name}", number + 1);
            loads.push((format!("{path}.loads.{name}"), copy, spec));
        }
    }
    for (path, copy, spec) in loads {
        let Some((file, column)) = replay::source(spec) else {
            continue;
        };
        let path = format!("{path}.{}", replay::FILE);
        let Some(bytes) = bytes(file, &path, spans, files, wrong) else {
            continue;
        };
        match replay::recorded(&bytes, column) {
            Ok(arrivals) => {
                let input = Input {
                    // Data files end in `.csv`, so that no two are the same.
                    path: format!("inputs/{copy}.arrivals"),
                    columns: Vec::new(),
                    rows: arrivals.len() as u64,
                    arrivals,
                    bytes,
                };
                inputs.files.insert(path, input);
            }
            Err(error) => wrong.push(Diagnostic::new(
                &codes::BAD_DATA,
                spans.place(&path),
                format!("`{}` is no recording: {error}", file.escape_debug()),
                "expected CSV with the time of an arrival in each row",
            )),
        }
    }
}

fn bytes(
    file: &str,
    path: &str,
    spans: &Spans,
    files: &ReadFile<'_>,
    wrong: &mut Vec<Diagnostic>,
) -> Option<Vec<u8>> {
    match files(file) {
        Ok(bytes) => Some(bytes),
        Err(why) => {
            wrong.push(Diagnostic::new(
                &codes::NO_FILE,
                spans.place(path),
                format!("`{}` cannot be read: {why}", file.escape_debug()),
                "expected a file, relative to the scenario's directory",
            ));
            None
        }
    }
}

/// Whether the file looks like PEM with a certificate; whether that can be used is seen by whoever connects.
fn is_certificates(bytes: &[u8]) -> bool {
    bytes.len() <= LARGEST_CERTIFICATES
        && std::str::from_utf8(bytes).is_ok_and(|text| text.contains("-----BEGIN CERTIFICATE-----"))
}
