//! Repetition: when the trials of a fault begin.
//!
//! Pure. A trial is shifted by a draw from the seed that depends on the fault's place in the scenario and the trial's number, and
//! on nothing else. All trials begin, and those of a fault that lasts are over, before the load ends.

use std::time::Duration;

use rand::Rng;

use crate::diag::codes;
use crate::model::seed::Purpose;
use crate::model::{Offset, Seed};
use crate::plan::PhasePlan;
use crate::plan::compile::Context;
use crate::scenario::written::Fault;

/// By how much a trial is shifted; `trial` counts from 1.
pub(super) fn shift(seed: Seed, fault: &Fault, number: usize, trial: u32) -> Duration {
    let jitter = fault.jitter.unwrap_or_default();
    let group = trial.saturating_sub(1);
    let mut stream = seed.stream(Purpose::Moment, group, number as u64);
    // A multiplication maps 64 random bits to the range evenly enough, and stays the same in every version of `rand`.
    let wide = u128::from(stream.next_u64()) * jitter.as_nanos();
    Duration::from_nanos(u64::try_from(wide >> 64).unwrap_or(0))
}

/// The moments of all trials of a fault, the first at `first`; `None` for each if that is not known.
pub(super) fn moments(
    context: &mut Context<'_>,
    phases: &[PhasePlan],
    number: usize,
    first: Option<Offset>,
    seed: Seed,
) -> Vec<Option<Offset>> {
    let Some(fault) = context.scenario.fault.get(number) else {
        return Vec::new();
    };
    let Some((every, trials)) = repetition(context, fault, number) else {
        return vec![first];
    };
    let Some(first) = first else {
        return vec![None; trials as usize];
    };
    let planned = first - shift(seed, fault, number, 1);
    let moments: Vec<Offset> = (0..trials)
        .map(|before| planned + every * before + shift(seed, fault, number, before + 1))
        .collect();
    let last = moments.last().copied().unwrap_or(first);
    let over = last + fault.duration.unwrap_or_default();
    let end = phases.last().map_or(Offset::ZERO, |phase| phase.window.end);
    if over >= end && first < end {
        let text = |duration| humantime::format_duration(duration).to_string();
        let fit = moments
            .iter()
            .filter(|at| **at + fault.duration.unwrap_or_default() < end)
            .count();
        let what = match fault.duration {
            Some(_) => format!("last of {trials} trials would begin at {last} and end at {over}"),
            None => format!("last of {trials} trials would begin at {last}"),
        };
        let message = if over == end {
            format!("the {what}, when the load ends")
        } else {
            format!(
                "the {what}, {} after the load has ended",
                text(over.since(end))
            )
        };
        context.report(
            &codes::BAD_MOMENT,
            &format!("fault[{number}].trials"),
            message,
            format!("expected all of them before {end}"),
            format!("{fit} fit: make the phase longer, `every` shorter, or take fewer trials"),
        );
    }
    moments.into_iter().map(Some).collect()
}

/// How often, and how many times; `None` if it is not repeated, or wrong and reported.
fn repetition(context: &mut Context<'_>, fault: &Fault, number: usize) -> Option<(Duration, u32)> {
    let path = format!("fault[{number}]");
    let (every, trials) = match (fault.every, fault.trials) {
        (None, None) => return None,
        (Some(every), Some(trials)) => (every, trials),
        (Some(_), None) => {
            missing(context, &format!("{path}.every"), "every", "trials = 5");
            return None;
        }
        (None, Some(_)) => {
            missing(
                context,
                &format!("{path}.trials"),
                "trials",
                "every = \"20s\"",
            );
            return None;
        }
    };
    let longest = fault.duration.unwrap_or_default() + fault.jitter.unwrap_or_default();
    if every <= longest {
        let text = |duration| humantime::format_duration(duration).to_string();
        context.report(
            &codes::CONFLICT,
            &format!("{path}.every"),
            "a trial could begin before the one before it is over",
            format!(
                "expected more than {}, its `duration` and `jitter` together",
                text(longest)
            ),
            None,
        );
    }
    Some((every, trials))
}

fn missing(context: &mut Context<'_>, path: &str, given: &str, expected: &str) {
    context.report(
        &codes::MISSING_KEY,
        path,
        format!("a fault that is repeated says how often and how many times, and this has only `{given}`"),
        format!("expected `{expected}` too"),
        None,
    );
}
