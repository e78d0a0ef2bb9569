//! Set-up: the fleet comes up, or the endpoint answers; the workers get their assignments and set up their clients.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Conductor, SET_UP};
use crate::clock;
use crate::engine::workers::Heard;
use crate::fleet::process::FleetError;
use crate::load::frames::{Assignment, FromWorker};
use crate::mcp::dial::dial;
use crate::mcp::endpoint::Endpoint;
use crate::model::EventKind;
use crate::model::event::Ending;
use crate::plan::EndpointPlan;

/// How long an endpoint outside may take to accept a connection.
const KNOCK: Duration = Duration::from_secs(5);

impl Conductor<'_> {
    /// Brings the fleet up, or sees that the endpoint answers. False if it does not, or a signal came.
    pub(super) async fn bring_up(&mut self) -> bool {
        let Some(fleet) = self.fleet.clone() else {
            return self.knock().await;
        };
        let slots = fleet.readiness().1;
        self.line(format!("starting {slots} slots"));
        let up = fleet.bring_up();
        tokio::pin!(up);
        loop {
            tokio::select! {
                result = &mut up => match result {
                    Ok(()) => {
                        while let Ok(fact) = self.told.try_recv() {
                            self.fact(fact);
                        }
                        self.fact((clock::now(), EventKind::FleetReady { slots: u32::try_from(slots).unwrap_or(u32::MAX) }));
                        return self.broken.is_none();
                    }
                    Err(error) => {
                        self.not_ready(&error);
                        return false;
                    }
                },
                Some(fact) = self.told.recv() => self.fact(fact),
                (name, code) = self.signals.next() => {
                    self.interrupted(name, code);
                    return false;
                }
            }
        }
    }

    fn not_ready(&mut self, error: &FleetError) {
        self.how = Ending::NotReady;
        self.line(format!("not ready: {error}"));
        if let FleetError::NotReady { slot, log, .. } = error {
            for line in log {
                self.line(format!("  {slot} said: {line}"));
            }
        }
        self.fact((
            clock::now(),
            EventKind::Aborted {
                reason: error.to_string(),
            },
        ));
    }

    /// The fleet is not ready for load, for this reason.
    fn give_up_ready(&mut self, reason: String) {
        self.line(format!("not ready: {reason}"));
        self.fact((clock::now(), EventKind::Aborted { reason }));
        self.how = Ending::NotReady;
    }

    /// Sees that every endpoint outside accepts a connection.
    async fn knock(&mut self) -> bool {
        let EndpointPlan::Urls(urls) = &self.job.plan.fleet.endpoint else {
            return true;
        };
        for url in urls {
            // What it says is the workers' affair: they get sessions, or learn why there are none.
            let answer = match Endpoint::parse(url) {
                Ok(endpoint) => tokio::time::timeout(KNOCK, dial(&endpoint, None)).await,
                Err(error) => {
                    self.fail(error.to_string());
                    return false;
                }
            };
            let cause = match answer {
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => format!("no connection within {} s", KNOCK.as_secs()),
            };
            self.give_up_ready(format!("{url} does not answer: {cause}"));
            return false;
        }
        true
    }

    pub(super) fn assignments(&self, source: Option<std::net::IpAddr>) -> Vec<Assignment> {
        let plan = &self.job.plan;
        let endpoints = match &plan.fleet.endpoint {
            EndpointPlan::Urls(urls) => urls.clone(),
            EndpointPlan::Role { role, path } => {
                let members = self.fleet.iter().flat_map(|fleet| fleet.members(role));
                members
                    .map(|address| format!("http://{address}{path}"))
                    .collect()
            }
        };
        let assign = |index| Assignment {
            plan: plan.clone().located(self.job.directory.path()),
            endpoints: endpoints.clone(),
            source,
            index,
            of: plan.workers,
        };
        (0..plan.workers).map(assign).collect()
    }

    /// Waits until every worker has set up its clients. False if one cannot, or a signal came.
    pub(super) async fn until_ready(&mut self, hearing: &mut mpsc::Receiver<Heard>) -> bool {
        let deadline = Instant::now() + SET_UP;
        let mut pids = BTreeMap::new();
        let mut ready = 0;
        let (mut clients, mut without) = (0_u64, 0_u64);
        let mut cause = String::new();
        while ready < self.job.plan.workers {
            tokio::select! {
                Some((worker, message)) = hearing.recv() => match message {
                    Ok(FromWorker::Hello(hello)) => drop(pids.insert(worker, hello.pid)),
                    Ok(FromWorker::Ready(told)) => {
                        ready += 1;
                        let pid = pids.get(&worker).copied().unwrap_or_default();
                        clients += u64::from(told.clients);
                        without += u64::from(told.failed);
                        if told.failed == 0 && !told.first_failure.is_empty() {
                            self.line(format!("worker {worker}: {}; schemas are not held, and no parameter goes into a header", told.first_failure));
                        }
                        if told.failed > 0 {
                            cause.clone_from(&told.first_failure);
                            self.line(format!("worker {worker}: {} of {} clients could not be set up: {}", told.failed, told.clients, told.first_failure));
                        }
                        self.fact((clock::now(), EventKind::WorkerReady { worker, pid, clients: told.clients }));
                    }
                    Ok(FromWorker::Failed(failed)) => { self.fail(format!("worker {worker}: {}", failed.reason)); return false }
                    Ok(_) => {}
                    Err(reason) => { self.fail(format!("worker {worker} ended before the start: {reason}")); return false }
                },
                Some(fact) = self.told.recv() => self.fact(fact),
                (name, code) = self.signals.next() => { self.interrupted(name, code); return false }
                () = tokio::time::sleep_until(deadline) => {
                    self.fail(format!("the workers were not ready within {} s", SET_UP.as_secs()));
                    return false;
                }
            }
        }
        if clients > 0 && without == clients {
            // Load on what gives nobody a session would only tell that there is none.
            self.give_up_ready(format!("none of {clients} clients got a session: {cause}"));
            return false;
        }
        self.broken.is_none()
    }
}
