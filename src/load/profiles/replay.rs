//! `replay`: open arrivals at the times of a recording: a column of a CSV file.
//!
//! Pure. The file is read with the scenario ([`recorded`]) and held to its form there; the plan holds the times themselves
//! ([`resolve`]), so that no worker and no report needs the file. Stored are the differences of the due times in nanoseconds, as
//! LEB128 (DWARF 5, section 7.6) in base64. Bounds: [`MOST`] arrivals, and those of data files.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::load::{Model, Profile, Span};
use crate::model::Offset;
use crate::registry::{
    Acts, Field, Kind, KindInfo, Need, Problem, Spec, SpecError, Ty, no_further_check,
};

/// The most arrivals of a recording.
pub const MOST: usize = 1_000_000;
/// The name of the kind.
pub(crate) const NAME: &str = "replay";
/// The key of the file.
pub(crate) const FILE: &str = "file";
/// The key of what [`resolve`] adds.
const RECORDED: &str = "recorded";
const SECOND: i64 = 1_000_000_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Replay {
    file: String,
    column: String,
    speed: f64,
    begin: Begin,
    #[serde(default)]
    recorded: Recorded,
}

/// What the begin of the phase is in the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Begin {
    Zero,
    First,
}

/// What the plan knows of the file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Recorded {
    /// Arrivals within the phase.
    arrivals: u64,
    /// Those after its end, which are left out.
    later: u64,
    /// The due times.
    due: String,
}

/// Why a file is no recording.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordingError {
    /// It is no table.
    #[error("line {0} is no CSV")]
    Form(u64),
    /// It has no such column.
    #[error("it has no column {column:?}, but {has}")]
    NoColumn {
        /// The one that was looked for.
        column: String,
        /// Those that it has.
        has: String,
    },
    /// A cell is no time.
    #[error("line {line}: {cell:?} is no time: expected seconds (12.5), or a duration (12s 500ms)")]
    NoTime {
        /// The line, from 1.
        line: u64,
        /// What stands there, its begin.
        cell: String,
    },
    /// It has too many rows.
    #[error("it has more than {MOST} rows")]
    TooMany,
    /// It has none.
    #[error("it has no rows; the first line names the columns")]
    Empty,
}

/// The times in a recording, nanoseconds, in order.
///
/// # Errors
/// If the file has no such column, too many rows, none, or one that is no time.
pub fn recorded(bytes: &[u8], column: &str) -> Result<Vec<i64>, RecordingError> {
    // Spreadsheets write a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let line_of = |error: &csv::Error| error.position().map_or(1, csv::Position::line);
    let headers = reader
        .headers()
        .map_err(|error| RecordingError::Form(line_of(&error)))?;
    let Some(place) = headers.iter().position(|name| name == column) else {
        let has: Vec<String> = headers.iter().take(8).map(shown).collect();
        return Err(RecordingError::NoColumn {
            column: shown(column),
            has: has.join(", "),
        });
    };
    let mut times = Vec::new();
    let mut row = csv::StringRecord::new();
    while reader
        .read_record(&mut row)
        .map_err(|error| RecordingError::Form(line_of(&error)))?
    {
        if times.len() >= MOST {
            return Err(RecordingError::TooMany);
        }
        let cell = row.get(place).unwrap_or_default();
        times.push(time(cell).ok_or_else(|| RecordingError::NoTime {
            line: row.position().map_or(1, csv::Position::line),
            cell: shown(cell),
        })?);
    }
    if times.is_empty() {
        return Err(RecordingError::Empty);
    }
    // A log is in the order in which things ended.
    times.sort_unstable();
    Ok(times)
}

/// The begin of a text of somebody else.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Seconds as a decimal number, or a duration with units; nanoseconds.
fn time(cell: &str) -> Option<i64> {
    let (whole, fraction) = cell.split_once('.').unwrap_or((cell, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !whole.is_empty() && digits(whole) && digits(fraction) {
        let seconds: i64 = whole.parse().ok()?;
        let fraction: String = fraction
            .chars()
            .chain("000000000".chars())
            .take(9)
            .collect();
        return seconds
            .checked_mul(SECOND)?
            .checked_add(fraction.parse().ok()?);
    }
    // What a program wrote: 1.2e-05.
    if let Ok(seconds) = cell.parse::<f64>() {
        let duration = Duration::try_from_secs_f64(seconds).ok()?;
        return i64::try_from(duration.as_nanos()).ok();
    }
    let duration = humantime::parse_duration(cell).ok()?;
    i64::try_from(duration.as_nanos()).ok()
}

/// The stored form of a replay of these times ([`recorded`]) in a phase of this length.
///
/// # Errors
/// If none of them lies within the phase, or `spec` is no replay.
pub fn resolve(spec: &Spec, times: &[i64], length: Duration) -> Result<Spec, Problem> {
    let problem = |key, message: String, hint: Option<&str>| Problem {
        key,
        message,
        hint: hint.map(str::to_owned),
    };
    let replay: Replay = spec
        .read()
        .map_err(|error| problem(FILE, error.to_string(), None))?;
    let begin = match replay.begin {
        Begin::Zero => 0,
        Begin::First => times.first().copied().unwrap_or(0),
    };
    let end = Offset::from_duration(length);
    let mut bytes = Vec::new();
    let mut latest = Offset::ZERO;
    let mut arrivals: u64 = 0;
    for at in times {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a due time is below the length of a phase, where a f64 is exact to a nanosecond; others are cut"
        )]
        let due = Offset(((at - begin) as f64 / replay.speed).round() as i64);
        if due >= end {
            break;
        }
        push(&mut bytes, (due.nanos() - latest.nanos()).unsigned_abs());
        latest = due;
        arrivals += 1;
    }
    if arrivals == 0 {
        return Err(problem(
            FILE,
            format!(
                "expected an arrival within the {} of the phase",
                humantime::format_duration(length)
            ),
            Some("with `begin = \"first\"` the first arrival is the begin of the phase"),
        ));
    }
    let recorded = Recorded {
        arrivals,
        later: (times.len() as u64).saturating_sub(arrivals),
        due: STANDARD.encode(bytes),
    };
    let mut with = spec.with.clone();
    if let (Some(map), Ok(value)) = (with.as_object_mut(), serde_json::to_value(recorded)) {
        map.insert(RECORDED.to_owned(), value);
    }
    Ok(Spec {
        kind: spec.kind.clone(),
        with,
    })
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// The next number; `None` at the end, and at what is none.
fn pull(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A replay of which the plan holds the times.
struct Played {
    replay: Replay,
    /// The differences of the due times.
    bytes: Vec<u8>,
}

impl Played {
    fn new(spec: &Spec) -> Result<Self, SpecError> {
        let mut replay: Replay = spec.read()?;
        let due = std::mem::take(&mut replay.recorded.due);
        let bytes = STANDARD.decode(due).map_err(|error| SpecError::Form {
            kind: spec.kind.clone(),
            source: serde::de::Error::custom(error),
        })?;
        Ok(Self { replay, bytes })
    }

    fn dues(&self) -> impl Iterator<Item = Offset> + Send + '_ {
        let mut bytes = self.bytes.iter().copied();
        std::iter::from_fn(move || pull(&mut bytes))
            .scan(Offset::ZERO, |latest, more| {
                let more = i64::try_from(more).ok()?;
                *latest = Offset(latest.nanos().checked_add(more)?);
                Some(*latest)
            })
            .take(MOST)
    }
}

impl Profile for Played {
    fn model(&self) -> Model {
        Model::Open
    }

    fn describe(&self) -> String {
        let Recorded {
            arrivals, later, ..
        } = self.replay.recorded;
        let speed = if (self.replay.speed - 1.0).abs() < f64::EPSILON {
            String::new()
        } else {
            format!(" at {} times its speed", self.replay.speed)
        };
        let left = if later == 0 {
            String::new()
        } else {
            format!(" ({later} later ones are left out)")
        };
        let s = if arrivals == 1 { "" } else { "s" };
        let file = self.replay.file.escape_debug();
        format!("{arrivals} arrival{s} of {file}{speed}{left}")
    }

    fn arrivals(&self, span: &Span) -> Box<dyn Iterator<Item = Offset> + Send + '_> {
        let end = Offset::from_duration(span.length);
        Box::new(self.dues().take_while(move |due| *due < end))
    }

    /// The most that arrive within a second.
    fn peak(&self) -> f64 {
        let mut recent = VecDeque::new();
        let mut most = 0;
        for due in self.dues() {
            recent.push_back(due);
            while recent
                .pop_front_if(|first: &mut Offset| due.nanos() - first.nanos() >= SECOND)
                .is_some()
            {}
            most = most.max(recent.len());
        }
        f64::from(u32::try_from(most).unwrap_or(u32::MAX))
    }
}

/// Recorded arrivals.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: NAME,
        summary: "open arrivals at the times of a recording; what is later than the phase is left out, and the plan says how many",
        example: "load = { profile = \"replay\", file = \"arrivals.csv\", speed = 2.0 }",
        fields: &[
            Field {
                key: FILE,
                ty: Ty::Text,
                need: Need::Required,
                summary: "the CSV file, relative to the scenario's directory; its first line names the columns; at most 64 MiB and 1,000,000 rows",
                example: "\"arrivals.csv\"",
                acts: Acts::Now,
            },
            Field {
                key: "column",
                ty: Ty::Text,
                need: Need::Default("\"at\""),
                summary: "the column with the time of each arrival: seconds (12.5), or a duration (12s 500ms), in any order",
                example: "\"at\"",
                acts: Acts::Now,
            },
            Field {
                key: "speed",
                ty: Ty::Number {
                    min: 0.001,
                    max: 1000.0,
                },
                need: Need::Default("1.0"),
                summary: "how many times faster than recorded the arrivals come",
                example: "2.0",
                acts: Acts::Now,
            },
            Field {
                key: "begin",
                ty: Ty::OneOf(&["zero", "first"]),
                need: Need::Default("\"zero\""),
                summary: "what the begin of the phase is in the recording: time zero, or the first arrival (for times of day)",
                example: "\"first\"",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(Played::new(spec)?)),
};

/// The path of the file of a replay, and its column.
pub(crate) fn source(spec: &Spec) -> Option<(&str, &str)> {
    let text = |key| spec.with.get(key).and_then(Value::as_str);
    (spec.kind == NAME).then_some(())?;
    Some((text(FILE)?, text("column")?))
}

#[cfg(test)]
mod tests;
