//! Set-up: the fleet comes up, or the endpoint answers; the workers get their assignments and set up their clients.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Conductor, SET_UP};
use crate::clock;
use crate::engine::workers::Heard;
use crate::fleet::probe;
use crate::fleet::process::FleetError;
use crate::load::frames::{Assignment, FromWorker};
use crate::model::EventKind;
use crate::model::event::Ending;
use crate::plan::EndpointPlan;

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

    /// Sees that every endpoint outside accepts a connection.
    async fn knock(&mut self) -> bool {
        let EndpointPlan::Urls(urls) = &self.job.plan.fleet.endpoint else {
            return true;
        };
        let client = match probe::control_client() {
            Ok(client) => client,
            Err(error) => {
                self.fail(error.to_string());
                return false;
            }
        };
        for url in urls {
            // Any answer will do: what a path says to a bare GET is the server's own affair.
            if let Err(error) = client.get(url).send().await
                && !error.is_timeout()
            {
                let cause = std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), ToString::to_string);
                let reason = format!("{url} does not answer: {cause}");
                self.line(format!("not ready: {reason}"));
                self.fact((clock::now(), EventKind::Aborted { reason }));
                self.how = Ending::NotReady;
                return false;
            }
        }
        true
    }

    pub(super) fn assignments(&self, source: Option<std::net::IpAddr>) -> Vec<Assignment> {
        let plan = &self.job.plan;
        let endpoints = match &plan.fleet.endpoint {
            EndpointPlan::Urls(urls) => urls.clone(),
            EndpointPlan::Role { role, path } => {
                let slots = self.fleet.iter().flat_map(|fleet| fleet.addresses());
                slots
                    .filter(|(_, of, _)| of == role)
                    .map(|(_, _, address)| format!("http://{address}{path}"))
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
        while ready < self.job.plan.workers {
            tokio::select! {
                Some((worker, message)) = hearing.recv() => match message {
                    Ok(FromWorker::Hello(hello)) => drop(pids.insert(worker, hello.pid)),
                    Ok(FromWorker::Ready(told)) => {
                        ready += 1;
                        let pid = pids.get(&worker).copied().unwrap_or_default();
                        if told.failed > 0 {
                            self.line(format!("worker {worker}: {} of {} sessions could not be established: {}", told.failed, told.failed + told.sessions, told.first_failure));
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
        self.broken.is_none()
    }
}
