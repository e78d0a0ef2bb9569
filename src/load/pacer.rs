//! [`Pacer`]: releases the open arrivals of all workloads at their due times.
//!
//! Impure: it reads the clock. Every worker walks the whole schedule and skips the arrivals of clients that live elsewhere, so
//! that due times and draws are the same for any number of workers. Invariant: all that is due is released at once, each
//! with its own due time; what is later than the workload's `max_lag` by our fault is shed and counted, never sent.

use std::rc::Rc;
use std::sync::Arc;

use super::Model;
use super::client::{Job, Shared};
use super::crew::Crew;
use super::recording::Arrived;
use super::recording::second::Label;
use super::table::nanos;
use super::{Profile, Span, profiles::PROFILES};
use crate::clock::{self, Clock};
use crate::model::Offset;
use crate::plan::Plan;
use crate::registry::{Family, SpecError, build};

/// Operations that may be under way or waiting on a worker; arrivals beyond are shed.
const MAX_PENDING: u64 = 200_000;

/// The profile of one workload in one phase.
pub(crate) struct Stretch {
    /// The place of the workload.
    pub(crate) workload: u32,
    /// The place of the phase.
    pub(crate) phase: u32,
    /// The begin of the phase.
    pub(crate) start: Offset,
    /// The end of the phase.
    pub(crate) end: Offset,
    /// What the profile is played in.
    pub(crate) span: Span,
    /// The profile.
    pub(crate) profile: Box<dyn Profile>,
}

/// Every stretch of the plan, by workload and then by phase.
///
/// # Errors
/// If a profile of the plan is of an unknown kind or another form.
pub(crate) fn stretches(plan: &Plan) -> Result<Vec<Stretch>, SpecError> {
    let mut all = Vec::new();
    for (workload, plan_of) in (0_u32..).zip(&plan.workloads) {
        for (number, phase) in (0_u32..).zip(&plan.phases) {
            if let Some(spec) = phase.loads.get(&plan_of.name) {
                all.push(Stretch {
                    workload,
                    phase: number,
                    start: phase.window.start,
                    end: phase.window.end,
                    span: Span {
                        length: phase.window.length(),
                        seed: plan.seed,
                        workload: plan_of.number,
                        phase: number,
                    },
                    profile: build(PROFILES, Family::Profile, spec)?,
                });
            }
        }
    }
    Ok(all)
}

/// The arrivals of one workload over all phases.
struct Stream<'a> {
    workload: u32,
    max_lag: i64,
    due: Box<dyn Iterator<Item = (Offset, u32)> + 'a>,
    /// The next arrival: its number, when it is due, its phase.
    next: Option<(u64, Offset, u32)>,
}

impl Stream<'_> {
    fn advance(&mut self) {
        let number = self.next.map_or(0, |(number, _, _)| number + 1);
        self.next = self.due.next().map(|(due, phase)| (number, due, phase));
    }
}

/// Releases arrivals.
pub(crate) struct Pacer<'a> {
    shared: Rc<Shared>,
    crew: Rc<Crew>,
    clock: Clock,
    streams: Vec<Stream<'a>>,
}

impl<'a> Pacer<'a> {
    /// A pacer of these stretches; closed ones have no arrivals.
    pub(crate) fn new(
        shared: &Rc<Shared>,
        crew: &Rc<Crew>,
        clock: Clock,
        stretches: &'a [Stretch],
    ) -> Self {
        let streams = (0_u32..)
            .zip(&shared.table.plan.workloads)
            .map(|(workload, plan)| {
                let mine = stretches
                    .iter()
                    .filter(move |stretch| stretch.workload == workload)
                    .filter(|stretch| stretch.profile.model() == Model::Open);
                let due = mine.flat_map(|stretch| {
                    let arrivals = stretch.profile.arrivals(&stretch.span);
                    arrivals.map(|at| (Offset(stretch.start.nanos() + at.nanos()), stretch.phase))
                });
                let mut stream = Stream {
                    workload,
                    max_lag: nanos(plan.max_lag),
                    due: Box::new(due),
                    next: None,
                };
                stream.next = stream.due.next().map(|(due, phase)| (0, due, phase));
                stream
            });
        Self {
            streams: streams.collect(),
            shared: Rc::clone(shared),
            crew: Rc::clone(crew),
            clock,
        }
    }

    /// When the next arrival is due, raw; `None` after the last.
    pub(crate) fn next_due(&self) -> Option<i64> {
        let due = self.streams.iter().filter_map(|stream| stream.next);
        due.map(|(_, due, _)| due.nanos().saturating_add(self.clock.t0()))
            .min()
    }

    /// Releases everything that is due at the raw reading `now`.
    pub(crate) fn release(&mut self, now: i64) {
        let table = Arc::clone(&self.shared.table);
        let until = self.clock.offset(now);
        for stream in &mut self.streams {
            let Some(workload) = table.workloads.get(stream.workload as usize) else {
                continue;
            };
            while let Some((arrival, due, phase)) = stream.next.filter(|(_, due, _)| *due <= until)
            {
                stream.advance();
                let (mut generator, client) = workload.arrivals.client(arrival);
                let here = table.is_mine(client);
                let Some(protocol) = here
                    .then(|| self.crew.protocol(stream.workload, client))
                    .flatten()
                else {
                    continue;
                };
                let Some(operation) = workload.arrivals.operation(&mut generator) else {
                    continue;
                };
                let operation = u32::try_from(operation).unwrap_or(u32::MAX);
                let due = due.nanos().saturating_add(self.clock.t0());
                let taken = clock::now();
                let released = Arrived {
                    taken,
                    due,
                    label: Label {
                        workload: stream.workload,
                        operation: Some(operation),
                        protocol,
                        phase: Some(phase),
                    },
                };
                let mut recorder = self.shared.recorder.borrow_mut();
                if taken - due > stream.max_lag || recorder.in_flight() >= MAX_PENDING {
                    recorder.shed(released);
                    continue;
                }
                recorder.released(released);
                drop(recorder);
                let job = Job {
                    arrival,
                    operation,
                    phase: Some(phase),
                    due,
                    taken,
                    generator,
                    ended: None,
                };
                self.crew.give(stream.workload, client, job);
            }
        }
    }
}
