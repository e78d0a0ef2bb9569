//! What outside of the run ends it early: a URL that is not answered with 2xx, a file that exists.
//!
//! Not pure: it asks each second. It ends when nobody listens any more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::fleet::probe::control_client;
use crate::plan::AbortPlan;

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// What is asked.
pub(super) struct Watch {
    url: Option<String>,
    file: Option<PathBuf>,
}

impl Watch {
    /// What the plan asks outside; `None` if it asks nothing there.
    pub(super) fn of(plan: Option<&AbortPlan>, directory: &Path) -> Option<Self> {
        let plan = plan?;
        let watch = Self {
            url: plan.url.clone(),
            file: plan.file.as_ref().map(|file| directory.join(file)),
        };
        (watch.url.is_some() || watch.file.is_some()).then_some(watch)
    }

    /// Asks until there is a reason to end the run, and tells it.
    pub(super) async fn run(self, tell: mpsc::Sender<String>) {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = tell.closed() => return,
            }
            if let Some(reason) = self.reason().await {
                // Nobody listens if the run ends by itself in this moment.
                let _ = tell.send(reason).await;
                return;
            }
        }
    }

    async fn reason(&self) -> Option<String> {
        if let Some(file) = self.file.as_ref().filter(|file| file.exists()) {
            return Some(format!("the file {} exists", file.display()));
        }
        let url = self.url.as_ref()?;
        let client = match control_client() {
            Ok(client) => client,
            Err(error) => return Some(format!("{url} cannot be asked: {error}")),
        };
        match timeout(ANSWER, client.get(url).send()).await {
            Ok(Ok(answer)) if answer.status().is_success() => None,
            Ok(Ok(answer)) => Some(format!("{url} answered {}", answer.status().as_u16())),
            Ok(Err(error)) => Some(format!("{url} did not answer: {error}")),
            Err(_elapsed) => Some(format!(
                "{url} did not answer within {} s",
                ANSWER.as_secs()
            )),
        }
    }
}
