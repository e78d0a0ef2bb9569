//! `mcpload report`: the right half alone.

use std::fs;
use std::io;
use std::path::Path;

use super::exit::Exit;
use super::{OnInconclusive, ReportArgs, out};
use crate::check::Answer;
use crate::judge;
use crate::record::layout;
use crate::report::{self, Report, text};

/// Judges and renders a stored run.
pub(super) fn report(args: &ReportArgs) -> Exit {
    match render(&args.run) {
        Ok(report) => conclude(&report, &args.run, args.on_inconclusive),
        Err(exit) => exit,
    }
}

/// Judges the run and writes `report/`: beside it, then renamed, so that there is always a whole one.
pub(super) fn render(run: &Path) -> Result<Report, Exit> {
    let report = judge::judge(run).map_err(|error| {
        out::error(&error);
        Exit::Usage
    })?;
    let files = report::render_all(&report).map_err(|error| {
        out::error(&error);
        Exit::Internal
    })?;
    replace(run, &files).map_err(|error| {
        out::error(&error);
        out::say(&format!(
            "  the report of {} could not be written",
            run.display()
        ));
        Exit::Internal
    })?;
    Ok(report)
}

fn replace(run: &Path, files: &[(&'static str, Vec<u8>)]) -> io::Result<()> {
    let beside = run.join(format!("{}.new", layout::REPORT));
    let old = run.join(format!("{}.old", layout::REPORT));
    let place = run.join(layout::REPORT);
    for leftover in [&beside, &old] {
        match fs::remove_dir_all(leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::create_dir(&beside)?;
    for (name, bytes) in files {
        fs::write(beside.join(name), bytes)?;
    }
    match fs::rename(&place, &old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(&beside, &place)?;
    match fs::remove_dir_all(&old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Prints the report and says where the rest of it is.
pub(super) fn conclude(report: &Report, run: &Path, on_inconclusive: OnInconclusive) -> Exit {
    out::data(&text::render(report, out::width(), out::color()));
    out::say(&format!(
        "report: {}",
        run.join(layout::REPORT).join("report.html").display()
    ));
    let exit = Exit::of_code(report.verdict.exit);
    if exit == Exit::NotHealed {
        // What and how is a finding of the report.
        out::say(&format!(
            "a fault could not be undone: do by hand what the report says, or let `mcpload cleanup {}` try again",
            run.display()
        ));
    }
    if exit == Exit::Inconclusive
        && report.verdict.answer == Answer::Inconclusive
        && on_inconclusive == OnInconclusive::Warn
    {
        out::say(
            "WARNING: the verdict is inconclusive; exit code 0 because of --on-inconclusive warn",
        );
        return Exit::Pass;
    }
    exit
}
