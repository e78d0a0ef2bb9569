//! The one clock: `CLOCK_MONOTONIC`, shared by every process of a host.
//!
//! Impure by nature. A process reads raw nanoseconds with [`now`] and turns them into [`Offset`]s once `t0` is known.

use nix::time::{ClockId, clock_gettime};

use crate::model::Offset;

/// Nanoseconds of `CLOCK_MONOTONIC`. The same instant has the same number in every process of this host.
pub fn now() -> i64 {
    // The clock exists on every Linux and the call cannot fail for it; zero would show at once as a run of 50 years.
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

/// Turns raw clock readings into offsets from `t0`.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    t0: i64,
}

impl Clock {
    /// A clock whose zero is the raw reading `t0`.
    pub const fn starting_at(t0: i64) -> Self {
        Self { t0 }
    }

    /// The raw reading of offset zero.
    pub const fn t0(&self) -> i64 {
        self.t0
    }

    /// The offset of a raw reading.
    pub const fn offset(&self, raw: i64) -> Offset {
        Offset(raw - self.t0)
    }

    /// The offset of this moment.
    pub fn now(&self) -> Offset {
        self.offset(now())
    }
}
