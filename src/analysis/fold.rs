//! [`Fold`]: everything that is computed in one pass over the streams of a run directory.
//!
//! Pure. Rows of different workers interleave; the result does not depend on their order (samples of one slot excepted, which
//! one process writes). The Calls are seen once and none is kept.

use std::collections::BTreeMap;

use super::change::ChangeFold;
use super::counts::{Counts, UPKEEP};
use super::errors::ErrorFold;
use super::faults::FaultFold;
use super::latency::Latencies;
use super::little::{LittleFold, Told};
use super::names::SlotNames;
use super::objectives::ObjectiveFold;
use super::processor::ProcessorFold;
use super::series::SeriesFold;
use super::sessions::SessionFold;
use super::slots::SlotFold;
use super::steady::SteadyGate;
use super::timeline::Timeline;
use super::trials;
use super::trust::{self, Circumstances, Evidence};
use super::{Analysis, LittleStats, OperationStats, PhaseStats, Tally, windows};
use crate::model::session::SessionRow;
use crate::model::{Call, Class, Event, Offset};
use crate::plan::Plan;
use crate::record::rows::{CountRow, RunFacts, SampleRow};
use crate::record::tag::{Interval, Measure, Tag};

/// The rows of Calls of a phase.
#[derive(Clone, Copy, Debug, Default)]
struct Rows {
    all: u64,
    /// Of these, of class `local`.
    local: u64,
}

/// A run that is being read.
#[derive(Clone, Debug)]
pub struct Fold<'a> {
    run: &'a RunFacts,
    plan: &'a Plan,
    timeline: Timeline,
    names: SlotNames,
    counts: Counts,
    gate: SteadyGate,
    latencies: Latencies,
    objectives: ObjectiveFold,
    faults: FaultFold,
    changes: ChangeFold,
    sessions: SessionFold,
    slots: SlotFold,
    processor: ProcessorFold,
    errors: ErrorFold,
    series: SeriesFold,
    little: LittleFold,
    recorded: BTreeMap<String, Rows>,
    last_done: Offset,
}

impl<'a> Fold<'a> {
    /// Begins with what is short: facts, plan and events.
    pub fn new(run: &'a RunFacts, plan: &'a Plan, events: &[Event]) -> Self {
        let timeline = Timeline::of(plan, events);
        let mut names = SlotNames::of(plan.fleet.slots().map(|(_, slot)| &slot.id));
        Self {
            run,
            plan,
            objectives: ObjectiveFold::of(plan, &timeline),
            faults: FaultFold::of(plan, &timeline, &mut names),
            changes: ChangeFold::of(plan, &timeline, &mut names),
            timeline,
            names,
            counts: Counts::default(),
            gate: SteadyGate::default(),
            latencies: Latencies::default(),
            sessions: SessionFold::default(),
            slots: SlotFold::default(),
            processor: ProcessorFold::default(),
            errors: ErrorFold::default(),
            series: SeriesFold::default(),
            little: LittleFold::default(),
            recorded: BTreeMap::new(),
            last_done: Offset(i64::MIN),
        }
    }

    /// Adds a row of counters.
    pub fn count(&mut self, row: CountRow) {
        let bad = row.operations_fail + row.operations_info + row.shed;
        let ok = row.operations_ok;
        self.gate.observe(row.second, ok, ok + bad);
        self.counts.observe(row);
    }

    /// Adds a histogram.
    pub fn interval(&mut self, interval: &Interval) {
        self.latencies.add(interval);
    }

    /// Adds a transition of a session.
    pub fn session(&mut self, row: &SessionRow) {
        self.sessions.observe(row);
    }

    /// Adds a sample.
    pub fn sample(&mut self, row: SampleRow) {
        self.processor.sample(self.plan, &row);
        self.little.sample(self.plan, &row);
        let phase = self.plan.phase_at(row.at);
        self.slots
            .sample(row, phase.is_some_and(|phase| phase.measure));
    }

    /// Adds a Call.
    pub fn call(&mut self, call: &Call) {
        let slot = self.names.slot_of(&call.instance);
        self.last_done = self.last_done.max(call.done);
        // Phases are those of the plan and the set-up; a damaged row adds no other.
        let room = self.recorded.len() <= self.plan.phases.len() + 1;
        let known = self.recorded.contains_key(&call.phase);
        if room && !known {
            self.recorded.insert(call.phase.clone(), Rows::default());
        }
        if let Some(rows) = self.recorded.get_mut(&call.phase) {
            rows.all += 1;
            rows.local += u64::from(call.class == Class::Local);
        }
        let measured = self
            .plan
            .phases
            .iter()
            .any(|phase| phase.measure && phase.name == call.phase);
        if measured {
            self.slots
                .observe(call, slot, self.plan.record.is_sampled());
        }
        self.objectives.observe(call, slot);
        self.faults.observe(self.plan, call, slot);
        self.changes.observe(call, slot);
        self.errors.observe(call, slot);
        self.series.observe(call);
    }

    /// The numbers. `damage` is what was wrong with the files that were read; the notes in `doubtful` are those that put the
    /// Calls, counts or histograms in doubt.
    pub fn finish(mut self, damage: Vec<String>, doubtful: &[String]) -> Analysis {
        if self.plan.record.is_sampled() {
            self.objectives.complete(self.plan, &self.counts);
            self.series.complete(&self.counts.seconds);
        }
        for ((second, operation), count) in &self.counts.shed {
            self.objectives.shed(*second, operation, *count);
            self.faults.shed(*second, *count);
            self.series.shed(*second, *count);
        }
        let plan = self.plan;
        // In a cut run, what was due later than this may still have been under way, or not on disk.
        let seen = if self.timeline.ending.is_some() {
            plan.end()
        } else {
            self.last_done - plan.longest_operation()
        };
        let phases = self.phases();
        let circumstances = Circumstances {
            timeline: &self.timeline,
            seen,
            processor: &self.processor,
            cores: self.run.host.cores,
            pinning: self.run.host.pinning.as_ref(),
            // The torn end of a cut run is where it was cut; what came before is whole.
            damage: match self.timeline.ending {
                Some(_) => doubtful,
                None => &[],
            },
        };
        let trust = phases
            .iter()
            .map(|phase| {
                let rows = self.recorded.get(&phase.name).copied().unwrap_or_default();
                let evidence = Evidence {
                    recorded: rows.all,
                    local: rows.local,
                    little: self.law(phase),
                };
                trust::grade(plan, phase, evidence, &circumstances)
            })
            .collect();
        let measured = |phase: &str| {
            phases
                .iter()
                .any(|known| known.measured && known.name == phase)
        };
        let mut damage = damage;
        damage.extend(self.replayed());
        damage.extend(self.exceeded_again());
        if self.latencies.late() > 0 {
            let late = self.latencies.late();
            damage.push(format!("{late} histograms came too late for the time line"));
        }
        let mut faults =
            self.faults
                .finish(plan, &self.timeline, &self.names, &self.sessions, seen);
        let mut changes = self.changes.finish(&self.names, seen);
        for fault in &mut faults {
            fault.change = changes.remove(&fault.name);
        }
        Analysis {
            run: self.run.clone(),
            ending: self.timeline.ending,
            damage,
            measured: self.counts.sum(|key| measured(&key.phase)),
            whole: self.counts.sum(|_| true),
            operations: operations(&self.counts, &self.latencies, measured),
            objectives: self.objectives.finish(plan, &self.names),
            trials: trials::stats(plan, &faults),
            faults,
            sessions: self.sessions.stats(),
            slots: self
                .slots
                .finish(plan, &self.timeline, &self.names, &self.latencies),
            errors: self.errors.finish(&self.names),
            series: self
                .series
                .finish(plan, &self.timeline, &self.latencies.seconds()),
            trust,
            lost_workers: self
                .timeline
                .lost_workers
                .iter()
                .map(|(_, worker, reason)| (*worker, reason.clone()))
                .collect(),
            steady: self.timeline.steady,
            troubles: self.timeline.troubles,
            cookies: self.timeline.cookies,
            record: plan.record,
            phases,
        }
    }

    /// What is wrong with the decision of the steady-state gate, if the stored counts lead to another.
    fn replayed(&self) -> Option<String> {
        let live = self.timeline.steady?;
        let again = self.gate.decide(&self.plan.steady, live.at);
        let words = |stats: super::SteadyStats| format!("{} of {} ok", stats.good, stats.total);
        (live.steady != again.steady).then(|| {
            format!(
                "the steady-state gate saw {} while running, and {} in {}",
                words(live),
                words(again),
                crate::record::layout::COUNTS
            )
        })
    }

    /// What is wrong with the decision to abort, if the stored counts do not lead to it.
    fn exceeded_again(&self) -> Option<String> {
        let (at, bad, total) = self.timeline.exceeded?;
        let abort = self.plan.abort.as_ref()?;
        let again = self.gate.exceeded(abort.errors?, abort.over, at);
        again.is_none().then(|| {
            format!(
                "the run was aborted because {bad} of {total} operations were bad, and {} does not say so",
                crate::record::layout::COUNTS
            )
        })
    }

    /// Little's law in a phase.
    fn law(&self, phase: &PhaseStats) -> Option<LittleStats> {
        let of = |measure| {
            self.latencies.merged(|tag| {
                matches!(tag, Tag::Label { measure: of, phase: name, operation, .. }
                    if *of == measure && *name == phase.name && operation != UPKEEP)
            })
        };
        let told = Told {
            window: phase.window,
            good: &of(Measure::Response),
            bad: &of(Measure::ResponseBad),
            lag: &of(Measure::Lag),
            shed: phase.tally.shed,
        };
        self.little.stats(&phase.name, &told)
    }

    fn phases(&self) -> Vec<PhaseStats> {
        let phases = self.plan.phases.iter();
        phases
            .map(|phase| {
                let load = windows::load_of(phase);
                let tally: Tally = self.counts.sum(|key| key.phase == phase.name);
                let of = |measure, shed| {
                    self.latencies.label(measure, shed, |label| {
                        label.phase == phase.name && label.operation != UPKEEP
                    })
                };
                PhaseStats {
                    name: phase.name.clone(),
                    window: phase.window,
                    measured: phase.measure,
                    load: load.words,
                    closed: load.closed,
                    paced: load.paced,
                    intended: windows::intended(self.plan, &phase.window),
                    response: of(Measure::Response, tally.shed),
                    service: of(Measure::Service, 0),
                    client_wait: of(Measure::ClientWait, 0),
                    lag: of(Measure::Lag, 0),
                    tally,
                }
            })
            .collect()
    }
}

fn operations(
    counts: &Counts,
    latencies: &Latencies,
    measured: impl Fn(&str) -> bool,
) -> Vec<OperationStats> {
    counts
        .operations(&measured)
        .into_iter()
        .map(|(workload, operation, protocol)| {
            let tally = counts.sum(|key| {
                key.workload == workload
                    && key.operation == operation
                    && key.protocol == protocol
                    && measured(&key.phase)
            });
            let of = |measure, shed| {
                latencies.label(measure, shed, |label| {
                    label.workload == workload
                        && label.operation == operation
                        && label.protocol == protocol
                        && measured(label.phase)
                })
            };
            OperationStats {
                response: of(Measure::Response, tally.shed),
                service: of(Measure::Service, 0),
                first_byte: of(Measure::FirstByte, 0),
                tally,
                workload,
                operation,
                protocol,
            }
        })
        .collect()
}
