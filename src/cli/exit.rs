//! Exit codes: the one place that maps results to them.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything that was promised holds.
    Pass,
    /// mcpload itself failed: a bug, or a full disk.
    Internal,
    /// The scenario or the command line is wrong.
    Usage,
    /// The fleet was not ready, or not steady before the first fault.
    NotReady,
    /// A service level objective failed.
    Objective,
    /// A regression against a baseline.
    Regression,
    /// A resilience check failed: recovery, sessions, scaling.
    Resilience,
    /// It cannot be told: too few samples, or an invalid run.
    Inconclusive,
    /// A fault could not be undone; the environment may still be broken.
    NotHealed,
    /// SIGINT, or `mcpload halt`.
    Interrupted,
    /// SIGTERM or SIGHUP.
    Terminated,
}

impl Exit {
    /// Every exit, in the order of documents.
    pub const ALL: [Self; 11] = [
        Self::Pass,
        Self::Internal,
        Self::Usage,
        Self::NotReady,
        Self::Objective,
        Self::Regression,
        Self::Resilience,
        Self::Inconclusive,
        Self::NotHealed,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::NotReady => 3,
            Self::Objective => 4,
            Self::Regression => 5,
            Self::Resilience => 6,
            Self::Inconclusive => 7,
            Self::NotHealed => 8,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What it means, for the README and `mcpload explain exit-codes`.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Pass => "everything that was promised holds",
            Self::Internal => "mcpload itself failed (a bug, a full disk)",
            Self::Usage => "the scenario or the command line is wrong",
            Self::NotReady => "the fleet was not ready, or not steady before the first fault",
            Self::Objective => "a service level objective failed",
            Self::Regression => "a regression against a baseline",
            Self::Resilience => "a resilience check failed (recovery, sessions)",
            Self::Inconclusive => "inconclusive: too few samples, or an invalid run",
            Self::NotHealed => "a fault could not be undone",
            Self::Interrupted => "interrupted by SIGINT (Ctrl-C) or by `mcpload halt`",
            Self::Terminated => "interrupted by SIGTERM or SIGHUP",
        }
    }

    /// The exit of this code, for what a stored verdict says.
    pub fn of_code(code: u8) -> Self {
        Self::ALL
            .into_iter()
            .find(|exit| exit.code() == code)
            .unwrap_or(Self::Internal)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back() {
        for exit in Exit::ALL {
            assert_eq!(Exit::of_code(exit.code()), exit);
        }
    }
}
