//! From a file and the command line to a Plan, as `run` and `plan` both do it.

use std::path::{Path, PathBuf};

use rand::Rng;

use super::exit::Exit;
use super::{ChangeArgs, out, words};
use crate::plan::Plan;
use crate::plan::compile::{self, Host};
use crate::scenario::{self, Overrides};

/// A compiled scenario and where it came from.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    /// The scenario's text.
    pub(super) text: String,
    /// The name that diagnostics and `run.json` give.
    pub(super) source: String,
    /// The directory from which relative paths count.
    pub(super) directory: PathBuf,
}

/// Reads and compiles a scenario file; prints what is wrong with it.
pub(super) fn file(path: &Path, change: &ChangeArgs) -> Result<Prepared, Exit> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        out::say(&format!("error: cannot read {}: {error}", path.display()));
        Exit::Usage
    })?;
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let directory = parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
    text_from(path.display().to_string(), text, directory, change)
}

/// Compiles a scenario's text.
pub(super) fn text_from(
    source: String,
    text: String,
    directory: PathBuf,
    change: &ChangeArgs,
) -> Result<Prepared, Exit> {
    let mut set = change.set.clone();
    set.extend(change.seed.map(|seed| format!("seed={seed}")));
    set.extend(change.workers.map(|workers| format!("workers={workers}")));
    let env = |name: &str| std::env::var(name).ok();
    let overrides = Overrides {
        set,
        variants: change.variant.clone(),
        env: &env,
    };
    let catalog = words::catalog();
    let host = Host {
        cores: cores(),
        open_files: open_files(),
        // Kept within what TOML and JSON readers take for an exact number.
        seed: rand::rng().next_u64() >> 12,
    };
    let plan = scenario::load(&source, &text, &overrides, &catalog)
        .and_then(|loaded| compile::compile(&loaded, &catalog, &host));
    match plan {
        Ok(plan) => Ok(Prepared {
            plan,
            text,
            source,
            directory,
        }),
        Err(diagnostics) => {
            out::say(&diagnostics.render(out::color_on_stderr()));
            Err(Exit::Usage)
        }
    }
}

/// Cores that this process may use.
pub(super) fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1))
}

/// The limit of open files that every process of a run has.
pub(super) fn open_files() -> u64 {
    nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .map_or(1024, |(soft, _)| soft)
}
