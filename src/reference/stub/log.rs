//! [`Log`]: what the stub saw, for those who measured it from outside.
//!
//! Impure: it reads the clock and pauses the process. Times are those of the stub alone: from the moment at which it had read the whole
//! request to the moment at which the system had taken the whole answer.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::json;

use super::Args;
use crate::clock;

/// The longest time that the log holds apart, nanoseconds.
const HIGHEST: u64 = 600_000_000_000;

/// What the stub saw.
pub(super) struct Log {
    calls: u64,
    others: u64,
    /// `None` only if the bounds were refused, which they are not.
    service: Option<Histogram<u64>>,
    /// When the pause begins, raw: known from the first call on.
    pause: Option<(Duration, Duration)>,
    pause_at: Option<i64>,
}

impl Log {
    pub(super) fn new(args: &Args) -> Self {
        Self {
            calls: 0,
            others: 0,
            service: Histogram::new_with_bounds(100, HIGHEST, 3).ok(),
            pause: args.pause.map(|pause| (args.pause_after, pause)),
            pause_at: None,
        }
    }

    /// A call was read in full: pauses everything if it is time.
    pub(super) fn call(&mut self) {
        self.calls += 1;
        let Some((after, length)) = self.pause else {
            return;
        };
        let now = clock::now();
        let at = *self.pause_at.get_or_insert_with(|| {
            now.saturating_add(i64::try_from(after.as_nanos()).unwrap_or(i64::MAX))
        });
        if now >= at {
            self.pause = None;
            // The only thread: nothing is read or written meanwhile, as when a process is stopped.
            std::thread::sleep(length);
        }
    }

    /// A request that is no call was read.
    pub(super) fn other(&mut self) {
        self.others += 1;
    }

    /// A call was answered, so many nanoseconds after it was read.
    pub(super) fn answered(&mut self, took: i64) {
        if let Some(service) = &mut self.service {
            service.saturating_record(u64::try_from(took).unwrap_or(0));
        }
    }

    /// Forgets what it saw; a pause that is to come stays so.
    pub(super) fn clear(&mut self) {
        self.calls = 0;
        self.others = 0;
        if let Some(service) = &mut self.service {
            service.reset();
        }
    }

    /// The log as JSON: `calls`, `others`, and of the times of calls in nanoseconds `count`, `p50`, `p95`, `p99`, `p999` and `max`.
    pub(super) fn json(&self) -> String {
        let at = |quantile| {
            let service = self.service.as_ref().filter(|service| !service.is_empty());
            service.map(|service| service.value_at_quantile(quantile))
        };
        json!({
            "calls": self.calls,
            "others": self.others,
            "service_ns": {
                "count": self.service.as_ref().map_or(0, Histogram::len),
                "p50": at(0.5),
                "p95": at(0.95),
                "p99": at(0.99),
                "p999": at(0.999),
                "max": at(1.0),
            },
        })
        .to_string()
    }
}
