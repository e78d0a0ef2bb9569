//! Whether a run directory is one that mcpload wrote for this user: a clean-up ends processes and undoes what it says there.
//!
//! Reads the directory. Invariants: what others could have written is not believed; commands are run only for a run that this user
//! started here, and not for one that came in an archive.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::open_runs;
use crate::fault::journal::{Entry, Undo};
use crate::plan::FORMAT;
use crate::record::layout;

/// The most of `run.json` that is read, bytes.
const LONGEST: u64 = 1 << 20;
/// Others may write.
const OTHERS: u32 = 0o002;
/// The group may write.
const GROUP: u32 = 0o020;

/// Why a run directory is not believed.
#[derive(Debug, Error)]
pub enum Distrust {
    /// It is none.
    #[error("{0} is no run directory")]
    NoRun(PathBuf),
    /// Its files are not this user's alone.
    #[error("{path} {why}, so somebody else may have written what would be undone")]
    Foreign {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Looks whether this (absolute) directory is a run's, and written by this user alone.
///
/// # Errors
/// If it is not.
pub fn check(run: &Path) -> Result<(), Distrust> {
    let facts = run.join(layout::RUN);
    let format = read(&facts).and_then(|text| {
        let facts: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(facts.get("format")?.as_str()? == FORMAT)
    });
    if format != Some(true) || !run.join(layout::LOCK).exists() {
        return Err(Distrust::NoRun(run.to_owned()));
    }
    for path in [
        run.to_owned(),
        facts,
        run.join(layout::LOCK),
        run.join(layout::UNDO),
        run.join(layout::INSTANCES),
        run.join(layout::WORKERS),
    ] {
        if let Some(why) = flaw(&path) {
            return Err(Distrust::Foreign { path, why });
        }
    }
    Ok(())
}

/// Whether an entry may be undone by the command that it names: the run is noted in this user's state. Other undoings touch only what
/// carries the mark of the run.
pub fn may_run(run: &Path) -> impl Fn(&Entry) -> bool {
    let ours = open_runs::all().contains(run);
    move |entry| ours || !matches!(entry.undo, Undo::Command { .. })
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// What speaks against a file; what is not there says nothing.
fn flaw(path: &Path) -> Option<&'static str> {
    let found = path.symlink_metadata().ok()?;
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    if found.is_symlink() {
        Some("is a link")
    } else if found.uid() != user.as_raw() {
        Some("is another user's")
    } else if found.mode() & OTHERS != 0 {
        Some("can be written by everybody")
    } else if found.mode() & GROUP != 0 && found.gid() != group.as_raw() {
        Some("can be written by another group")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn run() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().canonicalize().unwrap();
        fs::write(run.join("lock"), "").unwrap();
        fs::write(run.join("undo.jsonl"), "").unwrap();
        fs::write(
            run.join("run.json"),
            serde_json::json!({ "format": FORMAT }).to_string(),
        )
        .unwrap();
        (directory, run)
    }

    #[test]
    fn a_directory_of_somebody_elses_making_is_not_believed() {
        let (_directory, run) = run();
        check(&run).unwrap();
        let journal = run.join("undo.jsonl");
        fs::set_permissions(&journal, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(check(&run), Err(Distrust::Foreign { path, .. }) if path == journal));
        fs::remove_file(&journal).unwrap();
        check(&run).unwrap();
        std::os::unix::fs::symlink("/dev/null", &journal).unwrap();
        assert!(matches!(check(&run), Err(Distrust::Foreign { .. })));
    }

    #[test]
    fn what_has_a_lock_and_no_facts_of_a_run_is_no_run() {
        let (_directory, run) = run();
        for text in ["{}", "", "{\"format\":\"other\"}"] {
            fs::write(run.join("run.json"), text).unwrap();
            assert!(matches!(check(&run), Err(Distrust::NoRun(_))), "{text}");
        }
        fs::remove_file(run.join("run.json")).unwrap();
        assert!(matches!(check(&run), Err(Distrust::NoRun(_))));
    }
}
