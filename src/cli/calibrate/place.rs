//! [`Place`]: the directory of a calibration.

use std::path::{Path, PathBuf};

use rand::Rng;

use super::super::exit::Exit;
use super::super::out;

/// The directory below which the runs of a calibration are; removed in the end unless it is to be kept.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    is_kept: bool,
}

impl Place {
    /// Makes the directory that is asked for, or a temporary one.
    pub(super) fn make(asked: Option<&Path>) -> Result<Self, Exit> {
        let temporary = || {
            let unique = rand::rng().next_u32();
            let name = format!("mcpload-calibrate-{}-{unique:08x}", std::process::id());
            std::env::temp_dir().join(name)
        };
        let place = Self {
            path: asked.map_or_else(temporary, Path::to_owned),
            is_kept: asked.is_some(),
        };
        let refused = |words: String| {
            out::say(&format!("error: {}: {words}", place.path.display()));
            Exit::Usage
        };
        std::fs::create_dir_all(&place.path).map_err(|error| refused(error.to_string()))?;
        let mut inside =
            std::fs::read_dir(&place.path).map_err(|error| refused(error.to_string()))?;
        if inside.next().is_some() {
            return Err(refused("the directory is not empty".to_owned()));
        }
        Ok(place)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_kept && std::fs::remove_dir_all(&self.path).is_err() {
            out::say(&format!("left behind: {}", self.path.display()));
        }
    }
}
