//! Death at a chosen line of the undo journal, for tests of healing; without the environment variable it does nothing.
//!
//! `MCPLOAD_KILL_AT_LINE=N`: the conductor ends itself with SIGKILL right after line N (from 1) is on disk, `-N`: right before
//! it is written. `guard:N` and `cleanup:N` mean those processes instead. Set by tests only.

use nix::sys::signal::{Signal, raise};

use super::Actor;

/// The environment variable.
const VARIABLE: &str = "MCPLOAD_KILL_AT_LINE";

/// Where this process is to end itself, if anywhere.
#[derive(Debug)]
pub(super) struct Hook {
    moment: Option<Moment>,
    /// Lines of the journal as far as this process knows.
    lines: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Moment {
    by: Actor,
    line: usize,
    before: bool,
}

impl Hook {
    pub(super) fn from_environment(lines: usize) -> Self {
        let value = std::env::var(VARIABLE).ok();
        Self {
            moment: value.as_deref().and_then(parse),
            lines,
        }
    }

    /// To be called when a line is about to be written.
    pub(super) fn before(&mut self, by: Actor) {
        self.lines += 1;
        self.end_if(by, true);
    }

    /// To be called when the line is on disk.
    pub(super) fn after(&self, by: Actor) {
        self.end_if(by, false);
    }

    fn end_if(&self, by: Actor, before: bool) {
        let now = Moment {
            by,
            line: self.lines,
            before,
        };
        if self.moment == Some(now) {
            // Nothing follows: this signal cannot be caught.
            let _ = raise(Signal::SIGKILL);
        }
    }
}

fn parse(text: &str) -> Option<Moment> {
    let (by, number) = text.split_once(':').unwrap_or(("conductor", text));
    let all = [Actor::Conductor, Actor::Guard, Actor::Cleanup];
    let by = all.into_iter().find(|actor| actor.to_string() == by)?;
    let number: isize = number.parse().ok()?;
    Some(Moment {
        by,
        line: number.unsigned_abs(),
        before: number < 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_who_dies_when() {
        let moment = |by, line, before| Some(Moment { by, line, before });
        assert_eq!(parse("3"), moment(Actor::Conductor, 3, false));
        assert_eq!(parse("-1"), moment(Actor::Conductor, 1, true));
        assert_eq!(parse("guard:4"), moment(Actor::Guard, 4, false));
        assert_eq!(parse("cleanup:-4"), moment(Actor::Cleanup, 4, true));
        for wrong in ["", "x", "nobody:1", "guard:", "guard"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
