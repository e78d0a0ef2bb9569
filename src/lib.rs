//! mcpload: chaos and load testing for fleets of MCP servers.
//!
//! ```text
//!  scenario.toml -parse-> Scenario -compile-> Plan -execute-> RUN_DIR         left half; I/O only in `execute`
//!                 (spans)            (pure)           fleet up, load, faults in and out, observe, record
//!  RUN_DIR -open-> History -analyse-> Analysis -evaluate-> Verdict -render-> RUN_DIR/report/*   right half; pure after `open`
//! ```
//!
//! The halves meet only at the run directory. `ARCHITECTURE.md` is the map; `CONTRIBUTING.md` says how to add a kind.

pub mod analysis;
pub mod calibrate;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod clock;
pub mod diag;
pub mod discover;
pub mod engine;
pub mod fault;
pub mod fleet;
pub mod heal;
pub mod judge;
pub mod load;
pub mod mcp;
pub mod model;
pub mod plan;
pub mod proxy;
pub mod record;
pub mod reference;
pub mod registry;
pub mod report;
pub mod scenario;
mod timer;
