//! The command line: types for what is typed, and the dispatch to one file a command.
//!
//! The only layer that prints, and the only one that uses exit codes ([`exit`]). Data goes to standard output, everything
//! else to standard error.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod ask;
mod calibrate;
mod call;
mod cleanup;
pub mod exit;
mod guard;
mod init;
mod out;
mod plan;
mod prepare;
mod replay;
mod report;
mod run;
mod serve;
mod words;

use crate::fleet::hog;
use exit::Exit;

/// Chaos and load testing for fleets of MCP servers.
#[derive(Debug, Parser)]
#[command(name = "mcpload", version, about, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  mcpload run scenarios/quickstart.toml
  mcpload run --replay reports/quickstart-20261121T040000Z-1a2b
  mcpload run --url http://127.0.0.1:8000/mcp --rate 50/s --clients 50 --for 30s
  mcpload plan scenarios/quickstart.toml
  mcpload call http://127.0.0.1:8000/mcp echo text=hello
  mcpload explain recovery-time
  mcpload calibrate";

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a scenario, judge what happened, write the report.
    Run(Box<RunArgs>),
    /// Judge and render a stored run again.
    Report(ReportArgs),
    /// Show what a scenario would do, without doing any of it.
    Plan(PlanArgs),
    /// Call a server as a client under load does, and show the wire, the times and the classification.
    Call(Box<call::CallArgs>),
    /// Write a commented scenario, or one for a server that runs.
    Init(InitArgs),
    /// List every driver, profile, fault, check and report format.
    List,
    /// Explain a key, a kind, a diagnostic code, `exit-codes`, or `wire-rules`.
    #[command(
        after_help = "Examples:\n  mcpload explain kill\n  mcpload explain workload.recovery\n  mcpload explain exit-codes"
    )]
    Explain {
        /// The word.
        word: String,
    },
    /// Ask a run to heal, stop and report, from another shell.
    Halt(ask::HaltArgs),
    /// Tell a run that a fault which it only observes begins or ends.
    Mark(ask::MarkArgs),
    /// Undo what a run left: faults that act on, processes that live on.
    Cleanup(cleanup::CleanupArgs),
    /// Measure what this machine can generate, and prove that the instrument tells what happened.
    Calibrate(calibrate::CalibrateArgs),
    /// Print the JSON Schema of scenarios (for editors), of summary.json, or of a calibration.
    Schema {
        /// The schema of `report/summary.json` instead.
        #[arg(long, conflicts_with = "calibration")]
        summary: bool,
        /// The schema of what `mcpload calibrate --json` prints instead.
        #[arg(long)]
        calibration: bool,
    },
    /// Serve a part of the reference fleet.
    #[command(subcommand)]
    Serve(serve::Serve),
    /// The parent process of an instance; started by mcpload itself.
    #[command(hide = true)]
    Shim,
    /// The proxy of a link; started by mcpload itself.
    #[command(hide = true)]
    Wire,
    /// What takes processor time or memory beside an instance; started by mcpload itself.
    #[command(hide = true)]
    Hog(hog::Order),
    /// A load worker; started by mcpload itself.
    #[command(hide = true)]
    Worker,
    /// Heals when the run cannot; started by mcpload itself.
    #[command(hide = true)]
    Guard {
        /// The run directory.
        run: PathBuf,
    },
}

/// What changes a scenario without copying it.
#[derive(Debug, Default, Args)]
struct ChangeArgs {
    /// Set a value: `--set fleet.role.server.replicas=5`. Repeatable.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Merge the table [variant.NAME] over the scenario. Repeatable.
    #[arg(long, value_name = "NAME")]
    variant: Vec<String>,
    /// The seed of all chance; drawn and printed if neither this nor the scenario gives one.
    #[arg(long)]
    seed: Option<u64>,
    /// How many load workers; the draws do not depend on it.
    #[arg(long)]
    workers: Option<u32>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mcpload run scenarios/quickstart.toml
  mcpload run scenarios/quickstart.toml --seed 7 --set fleet.role.server.replicas=5
  mcpload run --url http://127.0.0.1:8000/mcp --rate 50/s --clients 50 --for 30s

Exit codes: mcpload explain exit-codes")]
struct RunArgs {
    /// The scenario.
    #[arg(required_unless_present_any = ["url", "replay"], conflicts_with = "url")]
    scenario: Option<PathBuf>,
    /// Instead of a scenario: a run directory, whose plan is played again: the same seed, targets and moments.
    #[arg(
        long,
        value_name = "RUN_DIR",
        conflicts_with_all = ["scenario", "url", "set", "variant", "seed", "workers"]
    )]
    replay: Option<PathBuf>,
    /// Instead of a scenario: the endpoint of a server or fleet that runs.
    #[arg(long)]
    url: Option<String>,
    /// With --url: how many operations arrive.
    #[arg(
        long,
        requires = "url",
        help = "With --url: how many operations arrive [default: 20/s]"
    )]
    rate: Option<String>,
    /// With --url: how many clients there are.
    #[arg(
        long,
        requires = "url",
        help = "With --url: how many clients there are [default: 20]"
    )]
    clients: Option<u32>,
    /// With --url: for how long.
    #[arg(
        long = "for",
        value_name = "DURATION",
        requires = "url",
        help = "With --url: for how long [default: 15s]"
    )]
    length: Option<String>,
    /// With --url: a tool to call although it is not marked read-only. Repeatable.
    #[arg(long, value_name = "TOOL", requires = "url")]
    allow_tool: Vec<String>,
    #[command(flatten)]
    change: ChangeArgs,
    /// The run directory, which must not exist [default: reports/NAME-UTC-xxxx].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What an inconclusive verdict leads to.
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    on_inconclusive: OnInconclusive,
}

/// What an inconclusive verdict leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OnInconclusive {
    /// Exit code 7.
    Fail,
    /// Exit code 0, with a visible mark.
    Warn,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mcpload report reports/quickstart-20261121T040000Z-1a2b")]
struct ReportArgs {
    /// The run directory.
    run: PathBuf,
    /// What an inconclusive verdict leads to.
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    on_inconclusive: OnInconclusive,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mcpload plan scenarios/quickstart.toml\n  mcpload plan scenarios/quickstart.toml --json | jq .faults"
)]
struct PlanArgs {
    /// The scenario.
    scenario: PathBuf,
    #[command(flatten)]
    change: ChangeArgs,
    /// Print the whole plan as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mcpload init > scenario.toml\n  mcpload init --url http://127.0.0.1:8000/mcp > scenario.toml"
)]
struct InitArgs {
    /// Ask this server for its tools and write an operation for each.
    #[arg(long)]
    url: Option<String>,
}

/// Runs what the command line says.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap prints each to where it belongs.
            let usage = error.use_stderr();
            let _ = error.print();
            return if usage { Exit::Usage } else { Exit::Pass };
        }
    };
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Report(args) => report::report(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Call(args) => call::call(&args),
        Command::Init(args) => init::init(&args),
        Command::List => words::list(),
        Command::Explain { word } => words::explain(&word),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Schema {
            summary,
            calibration,
        } => words::schema(summary, calibration),
        Command::Serve(serve) => serve::serve(serve),
        Command::Shim => serve::shim(),
        Command::Wire => serve::wire(),
        Command::Hog(order) => serve::hog(&order),
        Command::Worker => serve::worker(),
        Command::Guard { run } => guard::guard(&run),
        Command::Halt(args) => ask::halt(&args),
        Command::Mark(args) => ask::mark(&args),
        Command::Cleanup(args) => cleanup::cleanup(&args),
    }
}
