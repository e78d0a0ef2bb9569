//! `mcpload guard`: started by a run beside itself; what it does is in `crate::heal::guard`.

use std::path::Path;

use super::exit::Exit;
use super::out;
use crate::heal::guard;

/// Guards a run over the socket that is standard input.
pub(super) fn guard(run: &Path) -> Exit {
    match guard::run(run, &mut |line| out::say(line)) {
        Ok(()) => Exit::Pass,
        Err(error) => {
            out::error(&error);
            Exit::Internal
        }
    }
}
