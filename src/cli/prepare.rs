//! From a file and the command line to a Plan, as `run` and `plan` both do it.

use std::io::Read;
use std::path::{Path, PathBuf};

use rand::Rng;

use super::exit::Exit;
use super::{ChangeArgs, out, words};
use crate::fleet::affinity;
use crate::plan::Plan;
use crate::plan::compile::{self, Host};
use crate::scenario::{self, Inputs, Overrides, inputs};

/// A compiled scenario and where it came from.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    /// The scenario's text.
    pub(super) text: String,
    /// The name that diagnostics and `run.json` give.
    pub(super) source: String,
    /// The directory from which relative paths count.
    pub(super) directory: PathBuf,
    /// The files that the scenario names.
    pub(super) inputs: Inputs,
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
    let files = |path: &str| read_file(&directory.join(path));
    let overrides = Overrides {
        set,
        variants: change.variant.clone(),
        env: &env,
        files: &files,
    };
    let catalog = words::catalog();
    let host = Host {
        cores: cores(),
        processors: affinity::allowed(),
        open_files: open_files(),
        // Kept within what TOML and JSON readers take for an exact number.
        seed: rand::rng().next_u64() >> 12,
    };
    let made = scenario::load(&source, &text, &overrides, &catalog)
        .and_then(|loaded| Ok((compile::compile(&loaded, &catalog, &host)?, loaded.inputs)));
    match made {
        Ok((plan, inputs)) => Ok(Prepared {
            plan,
            text,
            source,
            directory,
            inputs,
        }),
        Err(diagnostics) => {
            out::say(&diagnostics.render(out::color_on_stderr()));
            Err(Exit::Usage)
        }
    }
}

/// Reads a file that a scenario names: a plain one, and no larger than a scenario's files may be.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    // Asked before it is opened: opening a pipe would wait for its writer.
    let facts = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !facts.is_file() {
        return Err("it is no plain file".to_owned());
    }
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    // One byte more than allowed, so that a file that is too large is known for one.
    let most = u64::try_from(inputs::LARGEST).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
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
