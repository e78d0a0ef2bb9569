//! `mcpload plan`: what a scenario would do, without side effects.

use super::exit::Exit;
use super::{PlanArgs, out, prepare};
use crate::plan::preview;

/// Prints the preview, or the plan itself.
pub(super) fn plan(args: &PlanArgs) -> Exit {
    let prepared = match prepare::file(&args.scenario, &args.change) {
        Ok(prepared) => prepared,
        Err(exit) => return exit,
    };
    if args.json {
        match serde_json::to_string_pretty(&prepared.plan) {
            Ok(text) => out::data(&format!("{text}\n")),
            Err(error) => {
                out::error(&error);
                return Exit::Internal;
            }
        }
    } else {
        out::data(&preview::preview(&prepared.plan, prepare::open_files()));
    }
    Exit::Pass
}
