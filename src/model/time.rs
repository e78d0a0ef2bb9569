//! Time as data: [`Offset`] from the start of a run, and half-open [`Window`]s of it.
//!
//! Pure. The only place that reads a clock is `crate::clock`.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since `t0`, the moment at which the load of a run starts, on `CLOCK_MONOTONIC` of the host.
///
/// Set-up happens at negative offsets. 64 bits of nanoseconds hold 292 years.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(pub i64);

impl Offset {
    /// `t0` itself.
    pub const ZERO: Self = Self(0);

    /// The offset that lies `duration` after `t0`; saturates after 292 years.
    pub fn from_duration(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Nanoseconds since `t0`.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds since `t0`.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a f64 holds the nanoseconds of 104 days exactly; this is for people and plots"
    )]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Offset {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(Self::from_duration(duration).0))
    }
}

impl Sub<Duration> for Offset {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(Self::from_duration(duration).0))
    }
}

/// Prints seconds with milliseconds and a sign: `+12.345s`, `-0.210s`.
impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.3}s", self.seconds())
    }
}

/// The offsets from `start` up to, but without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first offset inside.
    pub start: Offset,
    /// The first offset after the window.
    pub end: Offset,
}

impl Window {
    /// The window from `start` to `end`; empty if `end` is not after `start`.
    pub fn new(start: Offset, end: Offset) -> Self {
        Self {
            start,
            end: end.max(start),
        }
    }

    /// Whether `at` lies in the window.
    pub fn contains(&self, at: Offset) -> bool {
        self.start <= at && at < self.end
    }

    /// How long the window is.
    pub fn length(&self) -> Duration {
        self.end.since(self.start)
    }

    /// The part that both windows share, if there is one.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let window = Self {
            start: self.start.max(other.start),
            end: self.end.min(other.end),
        };
        (window.start < window.end).then_some(window)
    }
}

/// Prints a duration for people with three significant digits: `412 us`, `3.21 ms`, `1.50 s`, `2 min 5 s`.
pub fn humane(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 120.0 {
        let whole = duration.as_secs();
        return format!("{} min {} s", whole / 60, whole % 60);
    }
    let (value, unit) = if seconds >= 1.0 {
        (seconds, "s")
    } else if seconds >= 1e-3 {
        (seconds * 1e3, "ms")
    } else {
        (seconds * 1e6, "us")
    };
    if value >= 100.0 {
        format!("{value:.0} {unit}")
    } else if value >= 10.0 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.2} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let window = Window::new(Offset(10), Offset(20));
        assert!(window.contains(Offset(10)) && window.contains(Offset(19)));
        assert!(!window.contains(Offset(20)) && !window.contains(Offset(9)));
    }

    #[test]
    fn windows_that_only_touch_share_nothing() {
        let first = Window::new(Offset(0), Offset(10));
        assert_eq!(first.intersect(&Window::new(Offset(10), Offset(20))), None);
        assert_eq!(
            first.intersect(&Window::new(Offset(5), Offset(20))),
            Some(Window::new(Offset(5), Offset(10)))
        );
    }

    #[test]
    fn since_is_never_negative() {
        assert_eq!(Offset(5).since(Offset(9)), Duration::ZERO);
        assert_eq!(Offset(9).since(Offset(-1)), Duration::from_nanos(10));
    }

    #[test]
    fn durations_keep_three_digits_and_a_unit() {
        let cases = [
            (412_000, "412 us"),
            (3_210_000, "3.21 ms"),
            (45_600_000, "45.6 ms"),
            (1_500_000_000, "1.50 s"),
            (125_000_000_000, "2 min 5 s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(humane(Duration::from_nanos(nanos)), text);
        }
    }
}
