//! The run directory: names of its files, and who writes them.
//!
//! Pure. `ARCHITECTURE.md`, "Run directory", documents every column for readers that do not use mcpload.

/// Facts at the start: format version, seed, tool, host. JSON.
pub const RUN: &str = "run.json";
/// The plan. JSON.
pub const PLAN: &str = "plan.json";
/// The scenario, byte for byte as it was read (or made by `run --url`).
pub const SCENARIO: &str = "scenario.toml";
/// Data files that the scenario names.
pub const INPUTS: &str = "inputs";
/// One `model::Event` a line; the last is `run-ended`, absent in a run that was cut.
pub const EVENTS: &str = "events.jsonl";
/// One `record::rows::Binding` a line.
pub const BINDINGS: &str = "bindings.jsonl";
/// A `model::Call` a row; the header is a zstd frame of its own, then one frame per worker and second.
pub const CALLS: &str = "calls.csv.zst";
/// A `model::session::SessionRow` a row; framed like the calls.
pub const SESSIONS: &str = "sessions.csv.zst";
/// A `record::rows::CountRow` a row.
pub const COUNTS: &str = "counts.csv";
/// `HdrHistogram` interval log, values in nanoseconds, tags of `record::tag`.
pub const HISTOGRAMS: &str = "histograms.hlog";
/// What oracle clients wrote and read, a JSON object a line; empty if the scenario has none.
pub const OBSERVATIONS: &str = "observations.jsonl.zst";
/// A `record::rows::SampleRow` a row.
pub const SAMPLES: &str = "samples.csv";
/// The undo journal, a `fault::journal` record a line, append only.
pub const UNDO: &str = "undo.jsonl";
/// `instances/<slot>/`: logs, ledgers, rendered files.
pub const INSTANCES: &str = "instances";
/// `workers/`: standard output and error of the load workers.
pub const WORKERS: &str = "workers";
/// `faults/`: what the commands of faults said. Made when the first of them runs.
pub const FAULTS: &str = "faults";
/// Derived; written beside and renamed.
pub const REPORT: &str = "report";
/// A socket that takes requests as long as the run is executed: to halt, to mark.
pub const CONTROL: &str = "control";
/// Held (by `flock`) as long as the run is executed; a `fleet::proc::ProcessId` says by whom. JSON.
pub const LOCK: &str = "lock";
