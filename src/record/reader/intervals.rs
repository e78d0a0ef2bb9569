//! [`Intervals`]: the histograms of `histograms.hlog`, one line after the other.
//!
//! Not pure: it reads. The log is parsed here line by line, not with the library's iterator, which wants the whole file in
//! memory and ends at the first thing that it does not know; `crate::record::payload` reads what a line holds.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::whole::WholeLines;
use crate::record::layout;
use crate::record::payload::Inflater;
use crate::record::tag::Interval;

/// The histograms of a log.
pub struct Intervals {
    lines: Option<BufReader<WholeLines>>,
    line: String,
    number: u64,
    bytes: Vec<u8>,
    payload: Inflater,
    damage: Option<String>,
}

impl Intervals {
    pub(super) fn open(directory: &Path) -> Self {
        let name = layout::HISTOGRAMS;
        let (lines, damage) = match File::open(directory.join(name)) {
            Ok(file) => (
                Some(BufReader::new(WholeLines::new(name, Box::new(file)))),
                None,
            ),
            Err(error) => (None, Some(format!("{name} cannot be read: {error}"))),
        };
        Self {
            lines,
            line: String::new(),
            number: 0,
            bytes: Vec::new(),
            payload: Inflater::default(),
            damage,
        }
    }

    /// What was wrong with the file, known once its end was read.
    pub fn damage(&self) -> Option<String> {
        let torn = || {
            self.lines
                .as_ref()
                .and_then(|lines| lines.get_ref().damage())
        };
        self.damage.clone().or_else(|| torn().map(str::to_owned))
    }
}

impl Iterator for Intervals {
    type Item = Interval;

    fn next(&mut self) -> Option<Interval> {
        let lines = self.lines.as_mut()?;
        loop {
            self.line.clear();
            self.number += 1;
            let read = lines.read_line(&mut self.line);
            let line = self.line.trim_end();
            match read {
                Ok(0) => return None,
                // Comments, start and base time, and the legend.
                Ok(_) if line.is_empty() || line.starts_with(['#', '"']) => {}
                Ok(_) => match interval(line, &mut self.bytes, &mut self.payload) {
                    Ok(interval) => return Some(interval),
                    Err(reason) => {
                        let note = format!(
                            "{} line {} is no histogram: {reason}",
                            layout::HISTOGRAMS,
                            self.number
                        );
                        self.damage.get_or_insert(note);
                    }
                },
                Err(error) => {
                    let note = format!("{} line {}: {error}", layout::HISTOGRAMS, self.number);
                    self.damage.get_or_insert(note);
                    return None;
                }
            }
        }
    }
}

/// Reads `Tag=TAG,START,LENGTH,MAX,PAYLOAD`; START in seconds from `t0`.
fn interval(line: &str, bytes: &mut Vec<u8>, payload: &mut Inflater) -> Result<Interval, String> {
    let fields: Vec<&str> = line.split(',').collect();
    let [tag, start, _length, _max, encoded] = fields.as_slice() else {
        return Err(format!("it has {} fields and not 5", fields.len()));
    };
    let tag = tag.strip_prefix("Tag=").ok_or("it has no tag")?.parse()?;
    let start: f64 = start.parse().map_err(|_| "its start is no number")?;
    if !(-1e9..=1e9).contains(&start) {
        return Err(format!("its start {start} is out of range"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "in range, as was just seen"
    )]
    let second = start.floor() as i64;
    bytes.clear();
    STANDARD
        .decode_vec(encoded, bytes)
        .map_err(|error| error.to_string())?;
    let counts = payload.counts(bytes).map_err(|error| error.to_string())?;
    Ok(Interval {
        second,
        tag,
        counts,
    })
}
