//! What the hot thread writes down: rows, counts and histograms of the current second, swapped each second.
//!
//! Impure only in that it hands full seconds to a channel. Invariants: the hot thread never waits here; rows are dropped before
//! counts and histograms are, and each dropped row is counted as `unrecorded`; a row belongs to the second in which it was done.
//! Stamps come in as raw readings of the clock: before Start nobody knows `t0`, so what happens in set-up is kept as it is and
//! written down when the clock is known. Next: [`second`] is what is swapped, [`encode`] how it becomes frames.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};

use hdrhistogram::Histogram;

use super::frames::Totals;
use super::table::{Table, nanos};
use crate::clock::Clock;
use crate::model::outcome::Outcome;
use crate::model::{Class, InstanceId};
use crate::plan::Counted;
use crate::record::tag::Measure;

mod attempt;
pub(crate) mod encode;
mod sampling;
pub(crate) mod second;
mod under_way;

pub(crate) use attempt::{Arrived, Asked, Attempt, Instance, Move};
use sampling::{Sampling, Sorted};
use second::{Label, Second};
use under_way::UnderWay;

/// Rows that one second can hold; more are counted as unrecorded.
const MAX_ROWS: usize = 400_000;
/// Label sets that histograms are kept of; operations beyond go together.
const MAX_LABELS: usize = 1000;
/// Different names of instances that are kept; others count as unknown.
const MAX_INSTANCES: usize = 10_000;
/// Slots that a histogram is kept of.
const MAX_SLOTS: usize = 1000;

enum Early {
    Attempt(Attempt),
    Move(Move),
}

/// What goes to the sender thread.
pub(crate) enum Parcel {
    /// A control message.
    Message(super::frames::FromWorker),
    /// A second, or several that had to wait.
    Second(Box<Second>),
}

/// Writes down what happens.
pub(crate) struct Recorder {
    table: Arc<Table>,
    clock: Option<Clock>,
    early: Vec<Early>,
    current: Second,
    /// Seconds that could not be handed over yet, without their rows.
    stalled: Option<Box<Second>>,
    sender: SyncSender<Parcel>,
    /// Emptied histograms that the sender thread gives back.
    returned: Receiver<Histogram<u64>>,
    labels: HashSet<Label>,
    instances: HashMap<Box<str>, Instance>,
    slots: HashMap<Box<str>, Arc<str>>,
    totals: Totals,
    under_way: UnderWay,
    /// Where not all rows are kept.
    sampling: Option<Sampling>,
}

impl Recorder {
    /// A recorder that hands its seconds to `sender`.
    pub(crate) fn new(
        table: Arc<Table>,
        sender: SyncSender<Parcel>,
        returned: Receiver<Histogram<u64>>,
    ) -> Self {
        Self {
            current: Second::new(-1),
            under_way: UnderWay::new(table.plan.phases.len()),
            sampling: table
                .plan
                .record
                .is_sampled()
                .then(|| Sampling::new(table.plan.seed, table.plan.record.calls)),
            table,
            clock: None,
            early: Vec::new(),
            stalled: None,
            sender,
            returned,
            labels: HashSet::new(),
            instances: HashMap::new(),
            slots: HashMap::new(),
            totals: Totals::default(),
        }
    }

    /// Starts the clock, and writes down what happened before.
    pub(crate) fn start(&mut self, clock: Clock) {
        self.clock = Some(clock);
        let early = std::mem::take(&mut self.early);
        let first = early.iter().map(|early| match early {
            Early::Attempt(attempt) => attempt.done,
            Early::Move(change) => change.at,
        });
        self.current = Second::new(first.min().map_or(-1, |raw| second_of(clock, raw)).min(-1));
        self.under_way.ends_at(clock.t0());
        for early in early {
            match early {
                Early::Attempt(attempt) => self.attempt(attempt),
                Early::Move(change) => self.transition(change),
            }
        }
    }

    /// Counts an arrival that was released to its client.
    pub(crate) fn released(&mut self, arrival: Arrived) {
        self.roll(arrival.taken);
        self.under_way.enter(arrival.label.phase, arrival.taken);
        let lag = arrival.taken.saturating_sub(arrival.due);
        self.current.live.arrivals += 1;
        self.current.live.max_lag_ns = self.current.live.max_lag_ns.max(magnitude(lag));
        self.current.counters(arrival.label).arrivals += 1;
        self.measure(Measure::Lag, arrival.label, lag);
    }

    /// Counts the act of a user of a closed model: it has no schedule that it could be late for.
    pub(crate) fn acted(&mut self, arrival: Arrived) {
        self.roll(arrival.taken);
        self.under_way.enter(arrival.label.phase, arrival.taken);
        self.current.live.arrivals += 1;
        self.current.counters(arrival.label).arrivals += 1;
    }

    /// Counts an arrival that was shed.
    pub(crate) fn shed(&mut self, arrival: Arrived) {
        self.roll(arrival.taken);
        let lag = arrival.taken.saturating_sub(arrival.due);
        self.current.live.shed += 1;
        self.current.live.max_lag_ns = self.current.live.max_lag_ns.max(magnitude(lag));
        self.totals.shed += 1;
        self.current.counters(arrival.label).shed += 1;
        self.measure(Measure::Lag, arrival.label, lag);
    }

    /// Writes down a Call.
    pub(crate) fn attempt(&mut self, mut attempt: Attempt) {
        let Some(clock) = self.clock else {
            if self.early.len() < MAX_ROWS {
                self.early.push(Early::Attempt(attempt));
            } else {
                self.totals.unrecorded += 1;
            }
            return;
        };
        self.roll(attempt.done);
        if attempt.operation.is_none() {
            attempt.phase = self.table.phase_at(clock.offset(attempt.operation_due));
        }
        let is_over = self.count(&attempt);
        self.measures(&attempt);
        self.totals.calls += 1;
        let Some(sampling) = &mut self.sampling else {
            return self.row(attempt);
        };
        let is_later = self.table.phase_at(clock.offset(attempt.done)) != attempt.phase;
        let Sorted { kept, left_out } = sampling.take(attempt, is_over || is_later);
        for row in left_out {
            self.current.counters(row.label()).left_out += 1;
        }
        for row in kept {
            self.row(row);
        }
    }

    /// Writes a row, if there is room.
    fn row(&mut self, attempt: Attempt) {
        if self.current.rows.len() < MAX_ROWS {
            self.current.rows.push(attempt);
        } else {
            self.current.counters(attempt.label()).unrecorded += 1;
            self.current.live.unrecorded += 1;
            self.totals.unrecorded += 1;
        }
    }

    /// Writes down a transition of a session.
    pub(crate) fn transition(&mut self, change: Move) {
        if self.clock.is_none() {
            if self.early.len() < MAX_ROWS {
                self.early.push(Early::Move(change));
            }
            return;
        }
        self.roll(change.at);
        if self.current.moves.len() < MAX_ROWS {
            self.current.moves.push(change);
        }
    }

    /// Counts an answer that set a cookie.
    pub(crate) fn saw_cookie(&mut self) {
        self.totals.cookies += 1;
    }

    /// The kept form of an instance's name; `None` for an empty one, and for new ones when there are too many.
    pub(crate) fn instance(&mut self, name: &str) -> Option<Instance> {
        if name.is_empty() {
            return None;
        }
        if let Some(known) = self.instances.get(name) {
            return Some(known.clone());
        }
        if self.instances.len() >= MAX_INSTANCES {
            return None;
        }
        let Ok(id) = name.parse::<InstanceId>();
        let kept = Instance {
            name: Arc::from(name),
            slot: self.slot(id.slot.as_str()),
        };
        self.instances.insert(Box::from(name), kept.clone());
        Some(kept)
    }

    /// A slot's name as tags can hold it.
    fn slot(&mut self, name: &str) -> Option<Arc<str>> {
        let safe = |letter: char| {
            letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':')
        };
        let name: String = name
            .chars()
            .map(|letter| if safe(letter) { letter } else { '_' })
            .collect();
        if let Some(known) = self.slots.get(name.as_str()) {
            return Some(Arc::clone(known));
        }
        if self.slots.len() >= MAX_SLOTS {
            return None;
        }
        let kept: Arc<str> = Arc::from(name.as_str());
        self.slots.insert(name.into_boxed_str(), Arc::clone(&kept));
        Some(kept)
    }

    /// Closes every second that ended before the raw reading `now`.
    pub(crate) fn roll(&mut self, now: i64) {
        let Some(clock) = self.clock else { return };
        let second = second_of(clock, now);
        while self.current.live.second < second {
            let next = if self.current.is_empty() && self.current.live.second < -1 {
                // Set-up can be long; its empty seconds say nothing.
                second.min(-1)
            } else {
                self.current.live.second + 1
            };
            self.hand_over(next);
        }
    }

    /// Closes the current second, whatever is left of it. Call it when nothing more comes.
    pub(crate) fn finish(&mut self) {
        let rest = self.sampling.as_mut().map(Sampling::rest);
        for row in rest.into_iter().flatten() {
            self.row(row);
        }
        let next = self.current.live.second + 1;
        self.hand_over(next);
    }

    /// Whether everything has been handed over; tries again if not.
    pub(crate) fn is_handed_over(&mut self) -> bool {
        if let Some(stalled) = self.stalled.take() {
            self.send(stalled);
        }
        self.stalled.is_none()
    }

    /// The totals so far.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Operations that were released and have not ended.
    pub(crate) fn in_flight(&self) -> u64 {
        self.under_way.all()
    }

    fn hand_over(&mut self, next: i64) {
        self.current.live.in_flight = self.under_way.all();
        if self.current.live.second >= -1 {
            self.current.live.under_way = self.under_way.close();
        }
        let full = std::mem::replace(&mut self.current, Second::new(next));
        if full.is_empty() && full.live.second < 0 {
            return;
        }
        let mut full = Box::new(full);
        if let Some(mut stalled) = self.stalled.take() {
            stalled.append(*full);
            full = stalled;
        }
        self.send(full);
    }

    fn send(&mut self, second: Box<Second>) {
        // If it is disconnected, the conductor is gone, and the reader thread says so.
        if let Err(TrySendError::Full(Parcel::Second(mut second))) =
            self.sender.try_send(Parcel::Second(second))
        {
            self.totals.unrecorded += second.drop_rows();
            self.stalled = Some(second);
        }
    }

    /// Counts a Call; whether it exceeded a threshold.
    fn count(&mut self, attempt: &Attempt) -> bool {
        let outcome = attempt.outcome();
        let ended = attempt.ends.filter(|_| attempt.arrival.is_some());
        let counters = self.current.counters(attempt.label());
        counters.calls.add(outcome);
        if let Some(ended) = ended {
            counters.operations.add(ended);
        }
        let is_over = attempt.arrival.is_some() && over(&self.table, attempt, &mut counters.over);
        if let Some(ended) = ended {
            self.under_way.leave(attempt.phase, attempt.done);
            self.totals.operations += 1;
            if ended == Outcome::Ok {
                self.current.live.ok += 1;
            } else {
                self.current.live.bad += 1;
            }
        }
        is_over
    }

    fn measures(&mut self, attempt: &Attempt) {
        let label = self.kept(attempt.label());
        let Self {
            current, returned, ..
        } = self;
        let new = || returned.try_recv().ok().or_else(second::new_histogram);
        let ok = attempt.class == Class::None;
        let served = attempt.sent.filter(|_| ok);
        let ledger = current.ledger(label);
        let mut measure = |measure, value| ledger.record(measure, magnitude(value), new);
        if let Some(ended) = attempt.ends.filter(|_| attempt.arrival.is_some()) {
            let response = if ended == Outcome::Ok {
                Measure::Response
            } else {
                Measure::ResponseBad
            };
            measure(response, attempt.done - attempt.operation_due);
        }
        if let Some(sent) = served {
            measure(Measure::Service, attempt.done - sent);
        }
        if let Some(sent) = attempt.sent {
            if let Some(taken) = attempt.taken {
                measure(Measure::ClientWait, sent - taken);
            }
            if let Some(first) = attempt.first_byte {
                measure(Measure::FirstByte, first - sent);
            }
            if let Some(first) = attempt.first_event {
                measure(Measure::FirstEvent, first - sent);
            }
        }
        if let Some(connect) = attempt.connect_ns {
            measure(Measure::Connect, i64::try_from(connect).unwrap_or(i64::MAX));
        }
        let slot = attempt
            .instance
            .as_ref()
            .and_then(|kept| kept.slot.as_ref());
        if let (Some(sent), Some(slot)) = (served, slot) {
            current.slot(slot, attempt.phase, magnitude(attempt.done - sent), new);
        }
    }

    fn measure(&mut self, measure: Measure, label: Label, value: i64) {
        let label = self.kept(label);
        let new = || self.returned.try_recv().ok().or_else(second::new_histogram);
        self.current
            .ledger(label)
            .record(measure, magnitude(value), new);
    }

    /// The label set under which histograms are kept: the same, or that of the others beyond the cap.
    fn kept(&mut self, mut label: Label) -> Label {
        if self.current.has_ledger(&label) || self.labels.contains(&label) {
            return label;
        }
        if self.labels.len() >= MAX_LABELS {
            label.operation = Some(Label::OTHER);
        } else {
            self.labels.insert(label);
        }
        label
    }
}

/// Adds to the `over_*` counters of the objectives that this Call, or the end of its operation, exceeds; whether there are any.
fn over(table: &Table, attempt: &Attempt, over: &mut Vec<u64>) -> bool {
    let mut any = false;
    over.resize(table.thresholds.len(), 0);
    for (threshold, count) in table.thresholds.iter().zip(over) {
        let (outcome, since) = match (threshold.of, attempt.ends) {
            (Counted::Operations, Some(ended)) => (ended, attempt.operation_due),
            (Counted::Operations, None) => continue,
            (Counted::Calls, _) => (attempt.outcome(), attempt.due),
        };
        let bad = outcome != Outcome::Ok || attempt.done - since > threshold.under_ns;
        if bad && counts(table, threshold, attempt) {
            *count += 1;
            any = true;
        }
    }
    any
}

fn counts(table: &Table, threshold: &super::table::Threshold, attempt: &Attempt) -> bool {
    threshold.operations.is_empty()
        || threshold
            .operations
            .iter()
            .any(|name| name == encode::operation_name(table, attempt.workload, attempt.operation))
}

/// A span for a histogram or the greatest lag; none is below zero.
fn magnitude(span: i64) -> u64 {
    u64::try_from(span).unwrap_or(0)
}

fn second_of(clock: Clock, raw: i64) -> i64 {
    clock.offset(raw).nanos().div_euclid(1_000_000_000)
}

/// The raw reading at which the second of `now` ends.
pub(crate) fn next_edge(clock: Clock, now: i64) -> i64 {
    clock.t0() + (second_of(clock, now) + 1) * nanos(std::time::Duration::from_secs(1))
}

#[cfg(test)]
mod tests;
