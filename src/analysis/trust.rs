//! Trust: how far the numbers of a phase tell of the fleet, and not of the load generator.
//!
//! Pure. Every reason is a clause with its numbers. The grade of a phase is the worst that one of them gives.

use std::time::Duration;

use super::processor::ProcessorFold;
use super::timeline::Timeline;
use super::{LittleStats, PhaseStats, Trust, TrustStats};
use crate::model::event::Ending;
use crate::model::time::humane;
use crate::model::{Offset, Window};
use crate::plan::pinning::processors;
use crate::plan::{Pinning, Plan};

/// Lag p99 above which latencies contain some of our own lateness.
const LAG_DEGRADED: Duration = Duration::from_millis(10);
/// Lag p99 above which nothing can be said.
const LAG_INVALID: Duration = Duration::from_millis(50);
/// Share of shed operations above which a phase is invalid.
const SHED_INVALID: f64 = 0.01;
/// Share of the schedule that must have been released.
const LEAST_TAKEN: f64 = 0.95;
/// Share of the processor time above which generator and fleet may have been in each other's way.
const BUSY_DEGRADED: f64 = 0.8;
/// Share of the processor time above which they surely were.
const BUSY_INVALID: f64 = 0.9;
/// A worker is lost when it was silent for so long.
const SILENCE: Duration = Duration::from_secs(10);

/// What is known besides the phases' own numbers.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// What happened.
    pub timeline: &'a Timeline,
    /// Up to when operations are surely recorded.
    pub seen: Offset,
    /// What processor time the run used.
    pub processor: &'a ProcessorFold,
    /// Cores of the host.
    pub cores: u32,
    /// Which of them generator and fleet had for themselves.
    pub pinning: Option<&'a Pinning>,
    /// What was wrong with the files of Calls, counts and histograms.
    pub damage: &'a [String],
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
const fn real(count: u64) -> f64 {
    count as f64
}

/// What is known of the phase beside its own numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence {
    /// How many rows of Calls it has.
    pub recorded: u64,
    /// Calls that the generator had no file, port or memory for.
    pub local: u64,
    /// Little's law, if it can be told.
    pub little: Option<LittleStats>,
}

fn plural(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

/// Grades a phase.
pub fn grade(
    plan: &Plan,
    phase: &PhaseStats,
    evidence: Evidence,
    circumstances: &Circumstances<'_>,
) -> TrustStats {
    let mut reasons: Vec<(Trust, String)> = Vec::new();
    let complete = is_complete(plan, phase, circumstances);
    if !complete {
        let end = circumstances.seen;
        let words = if circumstances.timeline.ended_phases.contains(&phase.name) {
            "the run was cut when its last operations may still have been under way".to_owned()
        } else if end <= phase.window.start {
            "the run ended before it".to_owned()
        } else {
            "the run ended in it".to_owned()
        };
        reasons.push((Trust::Invalid, words));
    }
    own_lateness(phase, complete, &mut reasons);
    saturation(&phase.name, circumstances, &mut reasons);
    if evidence.local > 0 {
        // One is enough: the fleet is never to be blamed for it.
        let calls = plural(evidence.local, "Call");
        let words = format!(
            "{calls} had no connection because the generator had no file, port or memory left for it"
        );
        reasons.push((Trust::Invalid, words));
    }
    for (at, worker, reason) in &circumstances.timeline.lost_workers {
        let span = Window::new(*at - SILENCE, Offset(i64::MAX));
        if span.intersect(&phase.window).is_some() {
            let words = format!("worker {worker} was lost at {at}: {reason}");
            reasons.push((Trust::Invalid, words));
        }
    }
    for (at, slot, reason) in &circumstances.timeline.lost_links {
        if *at < phase.window.end {
            let words = format!("the link to {slot} was lost at {at}: {reason}");
            reasons.push((Trust::Invalid, words));
        }
    }
    let unrecorded = phase.tally.unrecorded;
    if unrecorded > 0 {
        let words = format!("{unrecorded} Calls were not recorded");
        reasons.push((Trust::Invalid, words));
    }
    let missing = unrecorded.saturating_add(phase.tally.left_out);
    let counted = phase.tally.calls.saturating_sub(missing);
    let recorded = evidence.recorded;
    if complete && recorded < counted {
        let words = format!("{counted} Calls should have been recorded and only {recorded} were");
        reasons.push((Trust::Invalid, words));
    }
    // What a lost worker had under way, and what a cut run left so, is in neither sum alike.
    let is_whole = complete && circumstances.timeline.lost_workers.is_empty();
    let little = evidence.little.filter(|_| is_whole);
    if let Some(law) = little.filter(|law| !law.agrees()) {
        let words = format!(
            "on average {:.1} operations were under way, but {:.1}/s x {:.4} s = {:.1}: the generator lost or invented some",
            law.under_way, law.rate, law.time_s, law.expected
        );
        reasons.push((Trust::Degraded, words));
    }
    for note in circumstances.damage {
        reasons.push((Trust::Invalid, note.clone()));
    }
    TrustStats {
        phase: phase.name.clone(),
        window: phase.window,
        trust: reasons
            .iter()
            .map(|(trust, _)| *trust)
            .max()
            .unwrap_or(Trust::Valid),
        reasons: reasons.into_iter().map(|(_, words)| words).collect(),
        little,
    }
}

/// Whether the machine had room: for the generator's one thread per worker, and for the generator on its own processors; where
/// it shared them with the fleet, for both together. What a fleet does with processors of its own is its own affair.
fn saturation(phase: &str, circumstances: &Circumstances<'_>, reasons: &mut Vec<(Trust, String)>) {
    let used = circumstances.processor.used(phase);
    let grade = |share: f64| {
        if share >= BUSY_INVALID {
            Some(Trust::Invalid)
        } else {
            (share >= BUSY_DEGRADED).then_some(Trust::Degraded)
        }
    };
    if let Some(trust) = grade(used.busiest_worker) {
        let words = format!(
            "a load worker used {:.2} of the one core that its load is made on",
            used.busiest_worker
        );
        reasons.push((trust, words));
    }
    if let Some(pinning) = circumstances.pinning {
        let own = u32::try_from(pinning.generator.len()).unwrap_or(u32::MAX);
        if let Some(trust) = grade(used.generator / f64::from(own.max(1))) {
            let words = format!(
                "mcpload and its workers used {:.2} of the {own} that they had, {}",
                used.generator,
                processors(&pinning.generator)
            );
            reasons.push((trust, words));
        }
        return;
    }
    let cores = f64::from(circumstances.cores.max(1));
    if let Some(trust) = grade(used.run / cores) {
        let words = format!(
            "mcpload and what it deployed used {:.2} of {cores} cores: generator and fleet competed for them",
            used.run
        );
        reasons.push((trust, words));
    }
}

fn own_lateness(phase: &PhaseStats, complete: bool, reasons: &mut Vec<(Trust, String)>) {
    let limit = |trust| match trust {
        Trust::Invalid => humane(LAG_INVALID),
        _ => humane(LAG_DEGRADED),
    };
    if let Some(p99) = phase.lag.p99_ns.map(Duration::from_nanos) {
        let trust = if p99 > LAG_INVALID {
            Trust::Invalid
        } else if p99 > LAG_DEGRADED {
            Trust::Degraded
        } else {
            Trust::Valid
        };
        if trust != Trust::Valid {
            let (found, limit) = (humane(p99), limit(trust));
            reasons.push((
                trust,
                format!("the generator's lag p99 is {found}, above {limit}"),
            ));
        }
    }
    let (shed, due) = (phase.tally.shed, phase.tally.due);
    if shed > 0 {
        let share = real(shed) / real(due).max(1.0);
        let trust = if share > SHED_INVALID {
            Trust::Invalid
        } else {
            Trust::Degraded
        };
        let percent = share * 100.0;
        let words =
            format!("{shed} of {due} operations ({percent:.1} %) were shed by the generator");
        reasons.push((trust, words));
    }
    let taken = due.saturating_sub(shed);
    // What closed users do not get round to is what the fleet had no time for.
    if let Some(intended) = phase.intended.filter(|_| !phase.closed)
        && complete
        && real(taken) < LEAST_TAKEN * real(intended)
    {
        let percent = real(taken) / real(intended) * 100.0;
        let words = format!(
            "only {taken} of {intended} intended operations ({percent:.1} %) were released"
        );
        reasons.push((Trust::Invalid, words));
    }
}

/// Whether the phase was played to its end.
fn is_complete(plan: &Plan, phase: &PhaseStats, circumstances: &Circumstances<'_>) -> bool {
    let timeline = circumstances.timeline;
    if timeline.ending == Some(Ending::Completed) {
        return true;
    }
    let played = timeline.ended_phases.contains(&phase.name);
    let stopped = timeline.load_end(plan) < phase.window.end;
    // In a cut run the operations of a phase that was over may not all have ended, or not be on disk.
    played && !stopped && circumstances.seen >= phase.window.end
}
