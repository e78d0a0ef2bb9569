//! What the conductor records and tells the operator: facts, figures, samples, the end.

use std::time::Duration;

use super::{Conductor, record_error};
use crate::clock::{self, Clock};
use crate::engine::live::Glance;
use crate::engine::workers::Workers;
use crate::engine::{Ended, ExecuteError, Figures, Notice};
use crate::fleet::proc;
use crate::fleet::slot::Fact;
use crate::heal::open_runs;
use crate::load::frames::{Level, Second};
use crate::model::event::Ending;
use crate::model::metric::{CPU_SECONDS, OPEN_FILES, PROCESSES, RESIDENT_BYTES, UNDER_WAY};
use crate::model::{Event, EventKind, Offset, SlotId};
use crate::record::rows::{Binding, SampleRow};

impl Conductor<'_> {
    pub(super) fn figures(&mut self, glance: Glance) {
        let plan = &self.job.plan;
        let at = Offset(glance.second.saturating_mul(1_000_000_000));
        // Set-up and the winding down after the last phase are no load to be shown.
        let Some(phase) = plan.phase_at(at) else {
            return;
        };
        let (slots_ready, slots) = self
            .fleet
            .as_ref()
            .map_or((0, 0), |fleet| fleet.readiness());
        let figures = Figures {
            phase: phase.name.clone(),
            elapsed: at.since(Offset::ZERO) + Duration::from_secs(1),
            total: plan.end().since(Offset::ZERO),
            rate: glance.ended,
            bad: glance.bad,
            ended: glance.total_ended,
            ended_bad: glance.total_bad,
            p99_ns: glance.p99_ns,
            slots_ready,
            slots,
            marks: self.marks.clone(),
        };
        (self.notify)(Notice::Figures(figures));
    }

    /// Reads what the instances and our own processes use.
    pub(super) fn sample(&mut self, clock: Clock, workers: &Workers) {
        let mut rows = Vec::new();
        let at = clock.now();
        let mut take = |slot: String, pids: &[u32]| {
            let usage = proc::usage(pids);
            #[expect(
                clippy::cast_precision_loss,
                reason = "memory, files and processes stay below 2^52"
            )]
            let values = [
                (CPU_SECONDS, usage.cpu_seconds),
                (RESIDENT_BYTES, usage.resident_bytes as f64),
                (OPEN_FILES, usage.open_files as f64),
                (PROCESSES, usage.processes as f64),
            ];
            rows.extend(values.map(|(metric, value)| SampleRow {
                at,
                slot: slot.clone(),
                metric: metric.name.to_owned(),
                labels: String::new(),
                value,
            }));
        };
        for (slot, shim) in self.fleet.iter().flat_map(|fleet| fleet.shims()) {
            take(slot.to_string(), &proc::descendants(shim));
        }
        for (index, pid) in workers.pids() {
            take(format!("worker-{index}"), &[pid]);
        }
        for (slot, pid) in self.fleet.iter().flat_map(|fleet| fleet.proxies()) {
            take(format!("link-{slot}"), &[pid]);
        }
        take("mcpload".to_owned(), &[std::process::id()]);
        let result = self.recorder.samples(&rows);
        self.recorded(result);
    }

    /// How many operations were under way on a worker in a second, by phase.
    pub(super) fn under_way(&self, worker: u32, second: &Second) -> Vec<SampleRow> {
        let row = |level: &Level| {
            let phase = self.job.plan.phases.get(level.phase as usize)?;
            #[expect(
                clippy::cast_precision_loss,
                reason = "a mean; its digits beyond 2^52 are none"
            )]
            let value = level.area_ns as f64 / 1e9;
            Some(SampleRow {
                at: Offset(
                    second
                        .second
                        .saturating_add(1)
                        .saturating_mul(1_000_000_000),
                ),
                slot: format!("worker-{worker}"),
                metric: UNDER_WAY.name.to_owned(),
                labels: format!("phase={}", phase.name),
                value,
            })
        };
        second.under_way.iter().filter_map(row).collect()
    }

    /// The address under which others reach the slot.
    fn link_to(&self, slot: &SlotId) -> Option<String> {
        let mut all = self.fleet.iter().flat_map(|fleet| fleet.addresses());
        let (_, _, address) = all.find(|(id, _, _)| *id == slot)?;
        Some(address.to_string())
    }

    pub(super) fn start_clock(&mut self, clock: Clock) {
        self.clock = Some(clock);
        for fact in std::mem::take(&mut self.pending) {
            self.record(clock, fact);
        }
    }

    pub(super) fn fact(&mut self, fact: Fact) {
        self.unhealed |= matches!(fact.1, EventKind::FaultNotHealed { .. });
        self.newcomers.observe(&fact.1);
        self.mention(&fact.1);
        self.release(&fact.1);
        let opens = matches!(
            fact.1,
            EventKind::SlotExited { .. } | EventKind::SlotReady { .. }
        );
        let seen = opens.then(|| fact.clone());
        match self.clock {
            Some(clock) => self.record(clock, fact),
            None => self.pending.push(fact),
        }
        if let Some(seen) = seen {
            self.observe(&seen);
        }
    }

    fn record(&mut self, clock: Clock, (raw, kind): Fact) {
        if let EventKind::SlotStarted {
            instance, address, ..
        } = &kind
        {
            let result = self.recorder.binding(&Binding {
                at: clock.offset(raw),
                instance: instance.clone(),
                address: address.clone(),
                link: self
                    .link_to(&instance.slot)
                    .unwrap_or_else(|| address.clone()),
            });
            self.recorded(result);
        }
        let result = self.recorder.event(&Event {
            at: clock.offset(raw),
            kind,
        });
        self.recorded(result);
    }

    /// Tells the operator about facts that matter to one who watches.
    fn mention(&mut self, kind: &EventKind) {
        let line = match kind {
            EventKind::FaultBegan {
                fault,
                kind,
                targets,
            } => {
                self.marks.push(format!("{fault} began"));
                let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
                let names = names.join(", ");
                format!("fault {fault}: {kind} {names}")
                    .trim_end()
                    .to_owned()
            }
            EventKind::FaultEffective { fault, proof, .. } => {
                format!("fault {fault} is effective: {proof}")
            }
            EventKind::FaultFailed { fault, reason } => format!("fault {fault} failed: {reason}"),
            EventKind::FaultHealProven { fault, proof, .. } => {
                self.marks.push(format!("{fault} healed"));
                format!("fault {fault} is healed: {proof}")
            }
            EventKind::FaultNotHealed { fault, by_hand } => {
                format!("fault {fault} could not be undone: {by_hand}")
            }
            EventKind::SlotExited {
                instance,
                status,
                expected: false,
            } => format!("{instance} ended by itself: {status}"),
            EventKind::SlotNotReady { instance, reason } => {
                format!("{instance} is not ready: {reason}")
            }
            EventKind::LinkLost { slot, reason } => {
                format!("the link to {slot} is lost: {reason}; the run is invalid")
            }
            EventKind::MembersTold {
                slot,
                role,
                members,
            } => {
                let names: Vec<&str> = members.iter().map(SlotId::as_str).collect();
                format!(
                    "{slot} was told the members of {role}: {}",
                    names.join(", ")
                )
            }
            EventKind::FleetReady { slots } => format!("{slots} slots are ready"),
            _ => return,
        };
        self.line(line);
    }

    pub(super) fn line(&mut self, line: String) {
        (self.notify)(Notice::Line(line));
    }

    pub(super) fn interrupted(&mut self, name: &str, code: u8) {
        self.how = Ending::Interrupted;
        self.stop = Some(code);
        let again = if self.at_once {
            "; leaving at once"
        } else {
            "; healing and stopping (once more: at once, without a report)"
        };
        self.line(format!("{name}{again}"));
        self.fact((
            clock::now(),
            EventKind::Interrupted {
                signal: name.to_owned(),
            },
        ));
    }

    pub(super) fn fail(&mut self, reason: String) {
        self.how = Ending::Failed;
        self.line(reason.clone());
        self.fact((clock::now(), EventKind::Aborted { reason }));
    }

    pub(super) fn recorded(&mut self, result: std::io::Result<()>) {
        if let Err(error) = result
            && self.broken.is_none()
        {
            self.line(format!("the run cannot be recorded any more: {error}"));
            self.broken = Some(error);
        }
    }

    /// Writes what is left to say; the fleet is down.
    pub(super) fn finish(mut self) -> Result<Ended, ExecuteError> {
        while let Ok(fact) = self.told.try_recv() {
            self.fact(fact);
        }
        if self.clock.is_none() {
            // The load never started: the moment of giving up is as good a zero as any.
            self.start_clock(Clock::starting_at(clock::now()));
        }
        let how = if self.broken.is_some() {
            Ending::Failed
        } else {
            self.how
        };
        self.fact((clock::now(), EventKind::RunEnded { how }));
        if !self.unhealed {
            open_runs::forget(self.job.directory.path());
        }
        match self.broken {
            Some(source) => Err(record_error(self.job, source)),
            None => Ok(Ended {
                how,
                signal_exit: self.stop,
                at_once: self.at_once,
            }),
        }
    }
}
