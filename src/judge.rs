//! The right half in one call: a run directory in, a [`Report`] out.
//!
//! Not pure: it opens and reads the directory; everything between is. The same directory gives the same Report, whenever and
//! wherever it is judged.

use std::path::Path;

use thiserror::Error;

use crate::analysis::Analysis;
use crate::analysis::fold::Fold;
use crate::check::verdict;
use crate::record::reader::{History, OpenError};
use crate::report::{Report, SUMMARY_VERSION};

/// Why a run directory could not be judged.
#[derive(Debug, Error)]
pub enum JudgeError {
    /// It could not be opened.
    #[error("cannot open the run")]
    Open(#[from] OpenError),
}

/// Judges the run in `directory`.
///
/// # Errors
/// If `run.json` or `plan.json` is missing, torn or of another format version. A run that was cut anywhere else is judged as
/// what it is.
pub fn judge(directory: &Path) -> Result<Report, JudgeError> {
    let history = History::open(directory)?;
    let analysis = analyse(&history);
    let findings = verdict::findings(&history.plan, &analysis);
    Ok(Report {
        version: SUMMARY_VERSION.to_owned(),
        verdict: verdict::verdict(&findings, &analysis),
        findings,
        analysis,
    })
}

/// Reads every stream of the run once.
fn analyse(history: &History) -> Analysis {
    let mut fold = Fold::new(&history.run, &history.plan, &history.events);
    let mut counts = history.counts();
    counts.by_ref().for_each(|row| fold.count(row));
    let mut intervals = history.intervals();
    intervals
        .by_ref()
        .for_each(|interval| fold.interval(&interval));
    let mut sessions = history.sessions();
    sessions.by_ref().for_each(|row| fold.session(&row));
    let mut samples = history.samples();
    samples.by_ref().for_each(|row| fold.sample(row));
    let mut calls = history.calls();
    calls.for_each(|call| fold.call(call));

    let doubtful: Vec<String> = [
        calls.damage(),
        counts.damage(),
        intervals.damage(),
        sessions.damage(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut damage = history.damage.clone();
    damage.extend(doubtful.iter().cloned());
    damage.extend(samples.damage());
    fold.finish(damage, &doubtful)
}

#[cfg(test)]
pub(crate) mod built;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trials;
