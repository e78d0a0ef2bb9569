//! When faults begin.
//!
//! Pure. A moment counts from a phase, or from a fault whose own moment counts from a phase in the end. Of a fault with several
//! trials it counts from the first.

use std::time::Duration;

use super::{looks_on, trials};
use crate::diag::{codes, suggest};
use crate::model::{Offset, Seed};
use crate::plan::PhasePlan;
use crate::plan::compile::Context;
use crate::plan::timeline::{Anchor, Moment};

/// The moment of each fault, in the order of the scenario; `None` where it is wrong and reported.
pub(super) fn moments(
    context: &mut Context<'_>,
    phases: &[PhasePlan],
    names: &[(String, String)],
    seed: Seed,
) -> Vec<Option<Offset>> {
    let scenario = context.scenario;
    let shift = |number: usize| {
        let fault = scenario.fault.get(number);
        fault.map_or(Duration::ZERO, |fault| {
            trials::shift(seed, fault, number, 1)
        })
    };
    let lasts = |number: usize| {
        let fault = scenario.fault.get(number);
        fault.and_then(|fault| fault.duration).unwrap_or_default()
    };
    let parsed: Vec<Option<Moment>> = context
        .scenario
        .fault
        .iter()
        .enumerate()
        .map(|(number, fault)| match Moment::parse(fault.at.as_ref()?) {
            Ok(moment) => Some(moment),
            Err(expected) => {
                let path = format!("fault[{number}].at");
                context.report(
                    &codes::BAD_MOMENT,
                    &path,
                    "this is no moment",
                    expected,
                    None,
                );
                None
            }
        })
        .collect();
    let mut offsets: Vec<Option<Offset>> = vec![None; parsed.len()];
    let mut done = vec![false; parsed.len()];
    for (number, moment) in parsed.iter().enumerate() {
        if let (Some(moment), Some(offset), Some(done)) =
            (moment, offsets.get_mut(number), done.get_mut(number))
        {
            let (finished, value) = from_phase(context, moment, number, phases, names);
            *done = finished;
            *offset = value.map(|at| at + shift(number));
        } else if let Some(done) = done.get_mut(number) {
            *done = true;
        }
    }
    // What others do is awaited from the begin of the load, unless it says from when.
    for (fault, offset) in scenario.fault.iter().zip(&mut offsets) {
        if fault.at.is_none() && looks_on(context, fault) {
            *offset = Some(Offset::ZERO);
        }
    }
    // What counts from another fault, as often as one more becomes known.
    let anchors: Vec<Option<usize>> = parsed
        .iter()
        .map(
            |moment| match moment.as_ref().map(|moment| &moment.anchor) {
                Some(Anchor::Name(other) | Anchor::Begins(other) | Anchor::Heals(other)) => {
                    names.iter().position(|(name, _)| name == other)
                }
                None => None,
            },
        )
        .collect();
    loop {
        let mut changed = false;
        for (number, moment) in parsed.iter().enumerate() {
            let Some(from) = anchors.get(number).copied().flatten() else {
                continue;
            };
            let known = done.get(from).copied().unwrap_or(false);
            if let (Some(false), true, Some(moment)) = (done.get(number).copied(), known, moment) {
                let begin = offsets.get(from).copied().flatten();
                if let (Some(slot), Some(flag)) = (offsets.get_mut(number), done.get_mut(number)) {
                    let lasted = match moment.anchor {
                        Anchor::Heals(_) => lasts(from),
                        Anchor::Name(_) | Anchor::Begins(_) => Duration::ZERO,
                    };
                    *slot = begin.map(|begin| begin + lasted + moment.after + shift(number));
                    *flag = true;
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    outside(context, phases, &offsets, &done);
    offsets
}

/// Reports moments that are in a circle, or not inside the load.
fn outside(
    context: &mut Context<'_>,
    phases: &[PhasePlan],
    offsets: &[Option<Offset>],
    done: &[bool],
) {
    let end = phases.last().map_or(Offset::ZERO, |phase| phase.window.end);
    for number in 0..offsets.len() {
        let path = format!("fault[{number}].at");
        if done.get(number) == Some(&false) {
            context.report(
                &codes::CYCLE,
                &path,
                "faults wait for each other in a circle",
                "expected a moment that counts from a phase in the end",
                None,
            );
        } else if let Some(at) = offsets.get(number).copied().flatten()
            && at >= end
            && !phases.is_empty()
        {
            context.report(
                &codes::BAD_MOMENT,
                &path,
                format!("the fault would begin at {at}, when the load has ended"),
                format!("expected a moment before {end}"),
                None,
            );
        } else if offsets.get(number).copied().flatten() == Some(Offset::ZERO)
            && !is_awaited(context, number)
        {
            context.report(
                &codes::BAD_MOMENT,
                &path,
                "the fault would begin with the load, before anything can be seen to be steady",
                "expected a later moment",
                "begin with a phase without faults".to_owned(),
            );
        }
    }
}

/// Whether others do the fault, so that nothing of ours begins at its moment.
fn is_awaited(context: &Context<'_>, number: usize) -> bool {
    let fault = context.scenario.fault.get(number);
    fault.is_some_and(|fault| looks_on(context, fault))
}

/// The moment, if it counts from a phase; whether it is finished (it is not, if it counts from a fault).
fn from_phase(
    context: &mut Context<'_>,
    moment: &Moment,
    number: usize,
    phases: &[PhasePlan],
    faults: &[(String, String)],
) -> (bool, Option<Offset>) {
    let path = format!("fault[{number}].at");
    let place = |name: &String| faults.iter().position(|(fault, _)| fault == name);
    let is_fault = |name: &String| place(name).is_some();
    let scenario = context.scenario;
    let is_act = |name: &String| {
        let fault = place(name).and_then(|number| scenario.fault.get(number));
        fault.is_some_and(|fault| fault.duration.is_none())
    };
    let phase = |name: &str| phases.iter().find(|phase| phase.name == name);
    match &moment.anchor {
        Anchor::Begins(name) | Anchor::Heals(name) | Anchor::Name(name)
            if place(name).is_some_and(|number| is_awaited(context, number))
                && (!matches!(moment.anchor, Anchor::Name(_)) || phase(name).is_none()) =>
        {
            context.report(
                &codes::BAD_MOMENT,
                &path,
                format!("when others do `{name}` is not known before the run"),
                "expected a moment that counts from a phase, or from a fault that mcpload does",
                None,
            );
            (true, None)
        }
        Anchor::Heals(name) if is_act(name) => {
            context.report(
                &codes::BAD_MOMENT,
                &path,
                format!("when `{name}` is healed is not known before the run"),
                "expected a fault that has a `duration`, or `FAULT begins + DURATION`",
                "it is one act, and how long the fleet takes to recover is what the run shows"
                    .to_owned(),
            );
            (true, None)
        }
        Anchor::Begins(name) | Anchor::Heals(name) if is_fault(name) => (false, None),
        Anchor::Begins(name) | Anchor::Heals(name) => {
            context.report(
                &codes::UNKNOWN_FAULT,
                &path,
                format!("there is no fault `{name}`"),
                "expected the name of a fault",
                suggest(name, "fault", faults.iter().map(|(name, _)| name.as_str())),
            );
            (true, None)
        }
        Anchor::Name(name) => {
            let Some(phase) = phase(name) else {
                if is_fault(name) {
                    return (false, None);
                }
                let names = phases.iter().map(|phase| phase.name.as_str());
                context.report(
                    &codes::UNKNOWN_PHASE,
                    &path,
                    format!("there is no phase `{name}`"),
                    "expected a phase, and the time after its begin",
                    suggest(name, "phase", names),
                );
                return (true, None);
            };
            if moment.after >= phase.window.length() {
                let at = phase.window.start + moment.after;
                let other = phases.iter().find(|phase| phase.window.contains(at));
                context.report(
                    &codes::BAD_MOMENT,
                    &path,
                    format!(
                        "the phase `{name}` lasts only {}",
                        humantime::format_duration(phase.window.length())
                    ),
                    "expected a moment inside the phase",
                    other.map(|other| {
                        let after = humantime::format_duration(at.since(other.window.start));
                        format!("that moment is `{} + {after}`", other.name)
                    }),
                );
                return (true, None);
            }
            (true, Some(phase.window.start + moment.after))
        }
    }
}
