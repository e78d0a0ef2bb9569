//! The hog process: threads that spin for a part of the time, memory that is held and kept in use.

use std::hint::black_box;
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

use super::Order;
use crate::fleet::affinity;

/// How often a thread that spins for a part of the time begins anew: short beside what users feel, long beside a switch.
const PERIOD: Duration = Duration::from_millis(10);
/// How often memory is touched, so that it stays resident.
const TOUCH: Duration = Duration::from_secs(1);
/// The smallest page that there is, bytes.
const PAGE: usize = 4096;
/// Rounds of arithmetic between two looks at the clock, some tens of microseconds.
const SLICE: u64 = 20_000;
/// The most threads.
const MOST_THREADS: u32 = 1024;

/// Takes what is ordered until standard input ends.
///
/// # Errors
/// If the processors may not be used, or a thread cannot be started.
pub fn run(order: &Order) -> io::Result<()> {
    // If memory runs out all the same, this process is the one to go, and not the fleet; a sandbox may not allow to say so.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    if !order.processors.is_empty() {
        affinity::confine_thread(&order.processors)?;
    }
    let busy = PERIOD * order.permille.min(1000) / 1000;
    for _ in 0..order.threads.min(MOST_THREADS) {
        thread::Builder::new().spawn(move || spin(busy))?;
    }
    if order.bytes > 0 {
        let bytes = usize::try_from(order.bytes).map_err(io::Error::other)?;
        thread::Builder::new().spawn(move || hold(bytes))?;
    }
    // The threads end with the process, and that ends when nobody holds the other end any more.
    let mut nothing = [0; 64];
    loop {
        match io::stdin().lock().read(&mut nothing) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn spin(busy: Duration) {
    let mut value = 1_u64;
    loop {
        let begin = Instant::now();
        while begin.elapsed() < busy {
            for round in 0..SLICE {
                value = black_box(
                    value
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(round),
                );
            }
        }
        let rest = PERIOD.saturating_sub(begin.elapsed());
        if busy < PERIOD && !rest.is_zero() {
            thread::sleep(rest);
        }
    }
}

fn hold(bytes: usize) {
    let mut memory = vec![0_u8; bytes];
    let mut mark = 0_u8;
    loop {
        mark = mark.wrapping_add(1);
        for byte in memory.iter_mut().step_by(PAGE) {
            *byte = mark;
        }
        black_box(&memory);
        thread::sleep(TOUCH);
    }
}
