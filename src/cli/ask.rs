//! `mcpload halt` and `mcpload mark`: requests to a run that is going on.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::out;
use crate::engine::control::{self, Answer, Ask, Edge};
use crate::heal::cleanup::{Held, held};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mcpload halt reports/failover-20261121T040000Z-1a2b

It is the run that ends with exit code 130; `halt` itself ends with 0 when the run has heard it.")]
pub(super) struct HaltArgs {
    /// The run directory.
    run: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mcpload mark reports/deployed-20261121T040000Z-1a2b begin database-down
  mcpload mark reports/deployed-20261121T040000Z-1a2b end database-down

The scenario names it: a [[fault]] of kind `observed`.")]
pub(super) struct MarkArgs {
    /// The run directory.
    run: PathBuf,
    /// Which end of the window this moment is.
    edge: EdgeWord,
    /// The fault's name.
    name: String,
}

/// An end of a window.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum EdgeWord {
    /// It begins.
    Begin,
    /// It ends.
    End,
}

/// Asks a run to heal, stop and report.
pub(super) fn halt(args: &HaltArgs) -> Exit {
    ask(&args.run, &Ask::Halt)
}

/// Tells a run that an observed fault begins or ends.
pub(super) fn mark(args: &MarkArgs) -> Exit {
    let edge = match args.edge {
        EdgeWord::Begin => Edge::Begin,
        EdgeWord::End => Edge::End,
    };
    let fault = args.name.clone();
    ask(&args.run, &Ask::Mark { fault, edge })
}

fn ask(run: &Path, ask: &Ask) -> Exit {
    match held(run) {
        Ok(Held::By(_)) => {}
        Ok(Held::Free(_)) => {
            out::say(&format!("error: nothing runs in {}", run.display()));
            out::say(&format!(
                "  hint: `mcpload cleanup {}` undoes what it may have left",
                run.display()
            ));
            return Exit::Usage;
        }
        Err(error) => {
            out::error(&error);
            return Exit::Usage;
        }
    }
    match control::ask(run, ask) {
        Ok(Answer::Accepted { words }) => {
            out::say(&words);
            Exit::Pass
        }
        Ok(Answer::Refused { reason }) => {
            out::say(&format!("error: {reason}"));
            Exit::Usage
        }
        Err(error) => {
            out::error(&error);
            Exit::Internal
        }
    }
}
