//! What keeps a run from doing lasting harm when it cannot heal itself: the guard.

use std::time::Duration;

use super::Conductor;
use crate::clock;
use crate::heal::guard::Tell;
use crate::heal::guarding::{Guarding, Heard};
use crate::model::EventKind;
use crate::plan::FaultPlan;

/// The next that is heard of the guard; for ever nothing, if there is none.
///
/// # Cancel safety
/// Yes: nothing that was heard is lost.
pub(super) async fn of_guard(guard: &mut Option<Guarding>) -> Heard {
    match guard {
        Some(guard) => guard.next().await,
        None => std::future::pending().await,
    }
}

impl Conductor<'_> {
    /// Starts a guard if there are faults of ours. False if it does not start: without it nothing is injected.
    pub(super) async fn post_guard(&mut self) -> bool {
        // What others do is theirs to undo.
        if self.job.plan.faults.iter().all(FaultPlan::is_observed) {
            return true;
        }
        match Guarding::start(&self.job.binary, self.job.directory.path()).await {
            Ok(guard) => {
                self.guard = Some(guard);
                true
            }
            Err(error) => {
                self.fail(format!("cannot start the guard of the faults: {error}"));
                false
            }
        }
    }

    /// Everything is healed and down: the guard may go.
    pub(super) async fn dismiss_guard(&mut self) {
        if self.given_up {
            // A guard that is left without a word heals what is left.
            self.guard = None;
        }
        if let Some(guard) = self.guard.take() {
            for heard in guard.done().await {
                self.hear_guard(heard);
            }
        }
    }

    pub(super) fn hear_guard(&mut self, heard: Heard) {
        let kind = match heard {
            Heard::Told(Tell::Ready | Tell::Alive | Tell::Busy { .. }) => return,
            Heard::Told(Tell::Undone {
                fault,
                because,
                words,
                at,
            }) => {
                self.line(format!("{because}: the guard undid {fault}: {words}"));
                EventKind::GuardActed {
                    fault,
                    because,
                    outcome: words,
                    ago: ago(at),
                }
            }
            Heard::Told(Tell::NotUndone {
                fault,
                because,
                by_hand,
                at,
            }) => {
                self.line(format!(
                    "{because}: the guard could not undo {fault}; by hand: {by_hand}"
                ));
                EventKind::GuardActed {
                    fault,
                    because,
                    outcome: format!("not undone; by hand: {by_hand}"),
                    ago: ago(at),
                }
            }
            Heard::Lost { reason, again } => {
                let then = if again {
                    "another one stands by"
                } else {
                    "none stands by any more; if this run is killed, `mcpload cleanup` heals"
                };
                self.line(format!("the guard is lost: {reason}; {then}"));
                EventKind::GuardLost { reason, again }
            }
        };
        self.fact((clock::now(), kind));
    }
}

/// How long ago a moment of the monotonic clock was.
fn ago(at: i64) -> Duration {
    Duration::from_nanos(u64::try_from(clock::now().saturating_sub(at)).unwrap_or(0))
}
