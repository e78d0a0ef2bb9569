//! `mcpload cleanup`: undoes what a run left.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Exit;
use super::out;
use crate::heal::cleanup::{self, CleanupError};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mcpload cleanup reports/failover-20261121T040000Z-1a2b
  mcpload cleanup --all --dry-run
  mcpload cleanup --all

Exit code 0: nothing is left. 8: something could not be undone; what a person can do is said.")]
pub(super) struct CleanupArgs {
    /// The run directory.
    #[arg(conflicts_with = "all")]
    run: Option<PathBuf>,
    /// Every run of this user that left something; runs that are alive are left alone.
    #[arg(long)]
    all: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Cleans up one run, or all.
pub(super) fn cleanup(args: &CleanupArgs) -> Exit {
    match &args.run {
        Some(run) => match one(run, args.dry_run) {
            Ok(exit) => exit,
            Err(error) => {
                out::error(&error);
                if let CleanupError::Alive { run, .. } = &error {
                    out::say(&format!(
                        "  hint: `mcpload halt {}` asks it to heal and stop",
                        run.display()
                    ));
                }
                Exit::Usage
            }
        },
        None if args.all => all(args.dry_run),
        None => {
            out::say("error: which run?");
            out::say("  hint: name its directory, or `--all`; with `--dry-run` nothing is done");
            Exit::Usage
        }
    }
}

fn one(run: &Path, dry_run: bool) -> Result<Exit, CleanupError> {
    if dry_run {
        cleanup::preview(run, &mut |line| out::say(line))?;
        return Ok(Exit::Pass);
    }
    let left = cleanup::clean(run, &mut |line| out::say(line))?;
    Ok(conclude(&left))
}

fn conclude(left: &[String]) -> Exit {
    if left.is_empty() {
        return Exit::Pass;
    }
    out::say("not undone; by hand:");
    for line in left {
        out::say(&format!("  {line}"));
    }
    Exit::NotHealed
}

fn all(dry_run: bool) -> Exit {
    let runs = cleanup::runs();
    if runs.is_empty() {
        out::say("no run left anything");
    }
    let mut worst = Exit::Pass;
    for run in runs {
        out::say(&format!("{}:", run.display()));
        let exit = match one(&run, dry_run) {
            Ok(exit) => exit,
            Err(CleanupError::Alive { by, .. }) => {
                let pid = by.map_or_else(String::new, |id| format!(" (pid {})", id.pid));
                out::say(&format!("it is alive{pid}, and left alone"));
                Exit::Pass
            }
            Err(CleanupError::NoRun(_)) => {
                let left = cleanup::without_directory(&run, dry_run);
                if left.is_empty() {
                    out::say("the directory is gone, and nothing else is left");
                }
                conclude(&left)
            }
            Err(error @ (CleanupError::Unreadable { .. } | CleanupError::Distrusted(_))) => {
                out::error(&error);
                Exit::NotHealed
            }
        };
        if exit == Exit::NotHealed {
            worst = exit;
        }
    }
    worst
}
