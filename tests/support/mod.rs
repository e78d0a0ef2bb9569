//! What several tests need: a catalogue, a machine, and the way from text to plan.

use mcpload::catalog::Catalog;
use mcpload::diag::Diagnostics;
use mcpload::plan::Plan;
use mcpload::plan::compile::{Host, compile};
use mcpload::scenario::{Overrides, load};

mod checks;

/// The catalogue of the tests.
pub(crate) const CATALOG: Catalog = Catalog::new(checks::CHECKS, &[]);

/// A machine that is the same everywhere.
pub(crate) const HOST: Host = Host {
    cores: 4,
    processors: Vec::new(),
    open_files: 20_000,
    seed: 7,
};

/// A file that a scenario names: below `fixtures/bad/`.
pub(crate) fn file(name: &str) -> Result<Vec<u8>, String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bad");
    std::fs::read(folder.join(name)).map_err(|error| error.kind().to_string())
}

/// The plan of a scenario, or what is wrong with it.
pub(crate) fn plan(name: &str, text: &str, overrides: &Overrides<'_>) -> Result<Plan, Diagnostics> {
    compile(&load(name, text, overrides, &CATALOG)?, &CATALOG, &HOST)
}
