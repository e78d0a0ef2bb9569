//! The precise timer: sleeps to absolute readings of the one clock.
//!
//! Impure. tokio's wheel rounds to milliseconds; a timerfd on `CLOCK_MONOTONIC` does not, and its slack is set to 1 ns. Invariant:
//! a deadline is absolute, so lateness of one sleep never moves the next.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock;

/// A timer of one task.
#[derive(Debug)]
pub(crate) struct Timer {
    descriptor: AsyncFd<Descriptor>,
}

/// nix gives its timer only the newer of the two descriptor traits; tokio asks for both.
#[derive(Debug)]
struct Descriptor(TimerFd);

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Timer {
    /// A timer; must be called within a tokio runtime. Also sets the slack of this thread to 1 ns.
    ///
    /// # Errors
    /// If the system has no timerfd left.
    pub(crate) fn new() -> std::io::Result<Self> {
        // Where the system refuses it, timers are up to 50 us late, and the lag that is recorded shows it.
        let _ = prctl::set_timerslack(1);
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        #[expect(
            deprecated,
            reason = "its successor needs unsafe code, which is forbidden; the descriptor is owned and stays open as long as it is registered"
        )]
        let descriptor = AsyncFd::with_interest(Descriptor(timer), Interest::READABLE)?;
        Ok(Self { descriptor })
    }

    /// Sleeps until the raw reading `at`; lets other tasks run once if that has passed.
    ///
    /// # Cancel safety
    /// Safe: the next sleep sets the timer anew.
    ///
    /// # Errors
    /// If the system refuses the timer.
    pub(crate) async fn until(&self, at: i64) -> std::io::Result<()> {
        if at <= clock::now() {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let deadline = TimeSpec::new(at / 1_000_000_000, at % 1_000_000_000);
        self.descriptor.get_ref().0.set(
            Expiration::OneShot(deadline),
            TimerSetTimeFlags::TFD_TIMER_ABSTIME,
        )?;
        loop {
            let mut ready = self.descriptor.readable().await?;
            let read = ready.try_io(|descriptor| {
                match nix::unistd::read(descriptor.get_ref(), &mut [0_u8; 8]) {
                    Ok(_) | Err(Errno::ECANCELED) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            });
            match read {
                Ok(done) => {
                    // It was read empty: the next one waits for the next expiration at once, and need not be told by a second read.
                    ready.clear_ready();
                    return done;
                }
                // An expiration of an earlier setting.
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_never_wakes_early_and_can_be_set_again() {
        let timer = Timer::new().unwrap();
        for _ in 0..20 {
            let at = clock::now() + 300_000;
            timer.until(at).await.unwrap();
            assert!(clock::now() >= at);
        }
        // One that was given up does not disturb the next.
        let _ = tokio::time::timeout(
            std::time::Duration::from_millis(1),
            timer.until(clock::now() + 3_000_000),
        )
        .await;
        let at = clock::now() + 20_000_000;
        timer.until(at).await.unwrap();
        assert!(clock::now() >= at);
        timer.until(at).await.unwrap();
    }
}
