//! The runs of this user that have not ended healed: a small file for each in `$XDG_STATE_HOME/mcpload/runs`, so that
//! `mcpload cleanup --all` finds a run of which no process is left.
//!
//! Impure. Best effort: a run goes on without its file. Invariant: a file is removed only when nothing of its run is left.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::clock;

/// The most files that are read.
const MOST: usize = 10_000;
/// The longest path that is read, bytes.
const LONGEST: u64 = 16 << 10;

/// Where the files are; none if the user has no home.
fn directory() -> Option<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("mcpload").join("runs"))
}

/// Notes that the run in this (absolute) directory has begun.
pub fn note(run: &Path) {
    if let Some(directory) = directory() {
        let _ = write(&directory, run);
    }
}

/// Forgets a run of which nothing is left.
pub fn forget(run: &Path) {
    for (file, noted) in directory().iter().flat_map(|directory| read(directory)) {
        if noted == run {
            let _ = fs::remove_file(file);
        }
    }
}

/// Every run that was noted and not forgotten.
pub fn all() -> BTreeSet<PathBuf> {
    let files = directory().map(|directory| read(&directory));
    files
        .unwrap_or_default()
        .into_iter()
        .map(|(_, run)| run)
        .collect()
}

fn write(directory: &Path, run: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    // One process may play several runs; at any moment it starts one.
    let name = format!("{}-{}", std::process::id(), clock::now());
    fs::write(directory.join(name), run.as_os_str().as_bytes())
}

fn read(directory: &Path) -> Vec<(PathBuf, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().take(MOST);
    let files = entries.filter_map(|entry| {
        let file = entry.ok()?.path();
        let mut run = Vec::new();
        let reader = fs::File::open(&file).ok()?;
        reader.take(LONGEST).read_to_end(&mut run).ok()?;
        let run = PathBuf::from(OsString::from_vec(run));
        run.is_absolute().then_some((file, run))
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_found_and_rubbish_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("deeper/runs");
        assert_eq!(read(&state), []);
        write(&state, Path::new("/a/run")).unwrap();
        write(&state, Path::new("/a/run 2")).unwrap();
        fs::write(state.join("torn"), "").unwrap();
        fs::write(state.join("relative"), "a/run").unwrap();
        let runs: BTreeSet<PathBuf> = read(&state).into_iter().map(|(_, run)| run).collect();
        let expected = ["/a/run", "/a/run 2"].map(PathBuf::from);
        assert_eq!(runs, BTreeSet::from(expected));
    }
}
