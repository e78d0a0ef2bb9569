//! [`Keeper`]: looks after the sessions of clients that do nothing (profile `hold`).
//!
//! Impure: a task with a clock. A client that acts finds out with its next call that its session is lost; of one that only holds a
//! session nobody would hear. So each held client that is idle is looked at several times a second, and one that has no
//! session, or whose stream was refused, gets a new one as its recovery policy says. Invariant: who cannot get one is asked ever
//! less often, so that a fleet that is down is not flooded.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::client::Shared;
use super::crew::{Care, Crew};

/// How often each client is looked at.
const TURN: Duration = Duration::from_millis(200);
/// The longest pause between two tries of one client, turns: half a minute.
const LONGEST: u32 = 150;

/// Looks after held clients until it is dropped.
pub(crate) struct Keeper {
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client that was looked after and may need it again.
#[derive(Clone, Copy, Debug)]
struct Tried {
    /// Turns until it is looked at again.
    rest: u32,
    /// Turns until then the next time.
    next: u32,
}

impl Keeper {
    /// Starts, if the plan has held clients that live on this worker.
    pub(crate) fn start(shared: &Shared, crew: &Rc<Crew>) -> Option<Self> {
        let table = &shared.table;
        let workloads = (0_u32..).zip(&table.plan.workloads);
        let held: Vec<(u32, u32)> = workloads
            .flat_map(|(number, plan)| (0..plan.held).map(move |client| (number, client)))
            .filter(|(_, client)| table.is_mine(*client))
            .collect();
        if held.is_empty() {
            return None;
        }
        let crew = Rc::clone(crew);
        Some(Self {
            task: tokio::task::spawn_local(keep(held, crew)),
        })
    }
}

async fn keep(held: Vec<(u32, u32)>, crew: Rc<Crew>) {
    let mut tried: BTreeMap<(u32, u32), Tried> = BTreeMap::new();
    loop {
        for key in &held {
            match tried.get_mut(key) {
                Some(waits) if waits.rest > 0 => waits.rest -= 1,
                before => {
                    let next = before.map_or(5, |before| before.next);
                    match crew.tend(key.0, key.1) {
                        Care::Given => {
                            let later = Tried {
                                rest: next,
                                next: (next * 2).min(LONGEST),
                            };
                            tried.insert(*key, later);
                        }
                        // A try that takes long is not forgotten.
                        Care::Busy => {}
                        Care::Unneeded => drop(tried.remove(key)),
                    }
                }
            }
        }
        tokio::time::sleep(TURN).await;
    }
}
