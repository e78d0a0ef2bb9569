//! `mcpload init`: a first scenario.

use std::time::Duration;

use super::exit::Exit;
use super::{InitArgs, out};
use crate::discover;
use crate::model::Rate;
use crate::scenario::init::{self, Existing};

/// Prints a commented scenario, or one made for a server that runs.
pub(super) fn init(args: &InitArgs) -> Exit {
    let Some(url) = &args.url else {
        out::data(init::template());
        return Exit::Pass;
    };
    let Ok(rate) = Rate::per_second(20) else {
        return Exit::Internal;
    };
    match discover::blocking(url) {
        Ok(found) => {
            let existing = Existing {
                url,
                protocol: Some(found.protocol),
                rate,
                clients: None,
                length: Duration::from_secs(30),
                allow: &[],
            };
            out::data(&init::for_existing(&existing, &found.tools));
            Exit::Pass
        }
        Err(error) => {
            out::error(&error);
            Exit::NotReady
        }
    }
}
