//! The early end that the scenario wants: what it asks, and what then happens.
//!
//! Not pure: it asks the clock and tells the workers. Load stops and faults are healed as after a signal; the report is made.

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Conductor;
use crate::clock::{self, Clock};
use crate::engine::watch::Watch;
use crate::engine::workers::Workers;
use crate::load::frames::ToWorker;
use crate::model::EventKind;
use crate::model::event::Ending;

impl Conductor<'_> {
    /// Starts to ask what is outside, if the plan says so: reasons to end come here, until the task is dropped.
    pub(super) fn watch(&self) -> (mpsc::Receiver<String>, JoinSet<()>) {
        let (tell, stops) = mpsc::channel(1);
        let mut watching = JoinSet::new();
        if let Some(watch) = Watch::of(self.job.plan.abort.as_ref(), &self.job.scenario_dir) {
            watching.spawn(watch.run(tell));
        }
        (stops, watching)
    }

    /// Ends the run if too much of it failed; whether it did.
    pub(super) async fn count_errors(&mut self, clock: Clock, workers: &mut Workers) -> bool {
        let Some(abort) = &self.job.plan.abort else {
            return false;
        };
        let Some(errors) = abort.errors.filter(|_| self.how == Ending::Completed) else {
            return false;
        };
        // The right half asks again at the offset of the event, so both must be of the same moment.
        let raw = clock::now();
        let Some((bad, total)) = self.gate.exceeded(errors, abort.over, clock.offset(raw)) else {
            return false;
        };
        self.fact((raw, EventKind::ErrorsExceeded { bad, total }));
        self.abort(
            format!("{bad} of {total} operations did not end ok, more than {errors}"),
            workers,
        )
        .await;
        true
    }

    /// Stops the load, and with it the time line; faults are healed.
    pub(super) async fn abort(&mut self, reason: String, workers: &mut Workers) {
        if self.how != Ending::Completed {
            return;
        }
        self.how = Ending::Aborted;
        self.line(format!("aborted: {reason}; healing and stopping"));
        self.fact((clock::now(), EventKind::Aborted { reason }));
        workers.tell_all(&ToWorker::Stop { hard: false }).await;
    }
}
