//! Burning CPU time on request, for load that a fleet cannot hide by waiting.
//!
//! It runs on tokio's threads for blocking work, which the async threads do not wait for, and measures
//! `CLOCK_THREAD_CPUTIME_ID`: on a busy machine it takes longer, but never less CPU. Invariant: it stops within a slice
//! of a cancelled call or a stopping server, so that it cannot hold up the exit of the process.

use std::hint::black_box;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

/// Rounds of arithmetic between two looks at the clock, some tens of microseconds.
const SLICE: u64 = 20_000;

/// Burns `time` of CPU on this thread, or less if one of `stops` is cancelled.
pub(super) fn burn(time: Duration, stops: &[CancellationToken]) -> nix::Result<()> {
    let start = spent()?;
    let mut value = 1_u64;
    while spent()?.saturating_sub(start) < time
        && !stops.iter().any(CancellationToken::is_cancelled)
    {
        for round in 0..SLICE {
            value = black_box(
                value
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(round),
            );
        }
    }
    Ok(())
}

/// The CPU time of the calling thread.
fn spent() -> nix::Result<Duration> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_spends_at_least_the_cpu_time_asked_for() {
        let before = spent().unwrap();
        burn(Duration::from_millis(20), &[]).unwrap();
        assert!(spent().unwrap().saturating_sub(before) >= Duration::from_millis(20));
    }

    #[test]
    fn it_stops_when_cancelled() {
        let stop = CancellationToken::new();
        stop.cancel();
        let before = spent().unwrap();
        burn(Duration::from_mins(10), &[stop]).unwrap();
        assert!(spent().unwrap().saturating_sub(before) < Duration::from_mins(1));
    }
}
