//! `mcpload run --replay RUN_DIR`: from a run directory to the plan that it holds, to be played once more.
//!
//! The plan is taken as it stands: the same seed and so the same draws, the same targets and moments. Scenario and files are
//! those that the run kept; only secrets and the templates of roles are read anew, from where they were.

use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::out;
use super::prepare::{Prepared, read_file};
use crate::plan::Plan;
use crate::record::layout;
use crate::record::reader::History;
use crate::scenario::Inputs;

/// The most files that a run directory keeps of its scenario; far above what a scenario may name.
const MOST_FILES: usize = 10_000;

/// Takes the plan of a run.
pub(super) fn of_run(run: &Path) -> Result<Prepared, Exit> {
    let history = History::open(run).map_err(|error| {
        out::error(&error);
        Exit::Usage
    })?;
    let wrong = |message: String| {
        out::say(&format!("error: {message}"));
        Exit::Usage
    };
    let scenario = run.join(layout::SCENARIO);
    let text = std::fs::read_to_string(&scenario)
        .map_err(|error| wrong(format!("cannot read {}: {error}", scenario.display())))?;
    let inputs = kept(run).map_err(wrong)?;
    let directory = origin(&history.run.source);
    if let Some(missing) = missing(&history.plan, &directory) {
        return Err(wrong(format!(
            "the run was made with the template {missing}, which is not there; start from the directory in which {} was played",
            history.run.source
        )));
    }
    Ok(Prepared {
        plan: history.plan,
        text,
        source: history.run.source,
        directory,
        inputs,
    })
}

/// The copies of the files that the scenario names.
fn kept(run: &Path) -> Result<Inputs, String> {
    let folder = run.join(layout::INPUTS);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return Ok(Inputs::default());
    };
    let mut files = Vec::new();
    for entry in entries.take(MOST_FILES) {
        let path = entry.map_err(|error| error.to_string())?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let bytes =
            read_file(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        files.push((format!("{}/{name}", layout::INPUTS), bytes));
    }
    Ok(Inputs::copied(files))
}

/// The directory of the scenario that the run was made from.
fn origin(source: &str) -> PathBuf {
    let here = || std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let parent = Path::new(source)
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent
        .and_then(|parent| parent.canonicalize().ok())
        .unwrap_or_else(here)
}

/// A template of a role that is not there any more.
fn missing(plan: &Plan, directory: &Path) -> Option<String> {
    let mut files = plan.fleet.slots().flat_map(|(_, slot)| &slot.files);
    files.find(|file| !directory.join(file).is_file()).cloned()
}
