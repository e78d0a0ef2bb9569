//! `mcpload init`: a first scenario.

use super::exit::Exit;
use super::{InitArgs, out};
use crate::discover;
use crate::scenario::init;

/// Prints a commented scenario, or one made for a server that runs.
pub(super) fn init(args: &InitArgs) -> Exit {
    let Some(url) = &args.url else {
        out::data(init::template());
        return Exit::Pass;
    };
    match discover::blocking(url) {
        Ok(found) => {
            out::data(&init::from_tools(url, found.protocol, &found.tools));
            Exit::Pass
        }
        Err(error) => {
            out::error(&error);
            Exit::NotReady
        }
    }
}
