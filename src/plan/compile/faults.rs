//! Faults: their moments, their trials, their targets, and what may not happen at the same time.
//!
//! Pure.

use super::Context;
use std::time::Duration;

use crate::diag::codes;
use crate::fault::change::Change;
use crate::fault::{Fault as Kind, LinkUse, Span};
use crate::fleet::Capability;
use crate::model::{Offset, Seed, SlotId};
use crate::plan::{BlastRadius, FaultPlan, FleetPlan, PhasePlan, SlotPlan, WorkloadPlan};
use crate::registry::{Family, Spec, build};
use crate::scenario::written::Fault;

mod blast;
mod changes;
mod complete;
mod moments;
mod overlaps;
mod owners;
mod roster;
mod targets;
mod trials;

pub(super) use changes::reachable;
pub(super) use roster::greatest;

/// The most faults that are planned, and the most trials of them together.
const MOST: usize = 2000;

/// What faults are compiled with.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) phases: &'a [PhasePlan],
    pub(super) fleet: &'a FleetPlan,
    pub(super) workloads: &'a [WorkloadPlan],
    pub(super) blast_radius: Option<&'a BlastRadius>,
    pub(super) seed: Seed,
}

pub(super) fn compile(context: &mut Context<'_>, around: &Around<'_>) -> Vec<FaultPlan> {
    let scenario = context.scenario;
    let Around {
        phases,
        fleet,
        seed,
        ..
    } = *around;
    if scenario.fault.len() > MOST {
        context.report(
            &codes::TOO_LARGE,
            "fault",
            format!("the scenario has {} faults", scenario.fault.len()),
            format!("expected at most {MOST}"),
            None,
        );
        return Vec::new();
    }
    let names: Vec<(String, String)> = scenario
        .fault
        .iter()
        .enumerate()
        .map(|(number, fault)| {
            let name = fault
                .name
                .clone()
                .unwrap_or_else(|| fault.spec.kind.clone());
            (name, format!("fault[{number}].name"))
        })
        .collect();
    context.unique("fault", &names);
    let moments = moments::moments(context, phases, &names, seed);
    for (number, fault) in scenario.fault.iter().enumerate() {
        capable(context, fault, number, fleet);
        complete::check(context, fault, number, fleet);
    }
    let mut trials = every_trial(context, around, &names, &moments);
    if trials.len() > MOST {
        context.report(
            &codes::TOO_LARGE,
            "fault",
            format!("the faults have {} trials together", trials.len()),
            format!("expected at most {MOST}"),
            None,
        );
        return Vec::new();
    }
    // A stable sort: what begins at the same moment stays in the order of the scenario.
    trials.sort_by_key(|trial| trial.plan.at);
    let roster = roster::Roster::of(context, fleet, &trials);
    let aiming = targets::Aiming {
        around,
        names: &names,
        roster: &roster,
    };
    aiming.aim(context, &mut trials);
    overlaps::check(context, fleet, &trials);
    blast::check(context, around, &trials);
    changes::check(context, phases, fleet, &trials);
    for trial in &mut trials {
        changes::complete(context, fleet, trial);
    }
    trials.into_iter().map(|trial| trial.plan).collect()
}

/// Every playing of every fault, without its targets.
fn every_trial(
    context: &mut Context<'_>,
    around: &Around<'_>,
    names: &[(String, String)],
    moments: &[Option<Offset>],
) -> Vec<Trial> {
    let scenario = context.scenario;
    let Around { phases, seed, .. } = *around;
    let durations: Vec<Option<Duration>> = (0..scenario.fault.len())
        .map(|number| {
            duration(
                context,
                number,
                moments.get(number).copied().flatten(),
                phases,
            )
        })
        .collect();
    // The draws depend on the place of a fault by its begin.
    let mut order: Vec<usize> = (0..scenario.fault.len()).collect();
    order.sort_by_key(|number| moments.get(*number).copied().flatten());
    let mut trials: Vec<Trial> = Vec::new();
    for (place, number) in (0_u64..).zip(order) {
        let (Some(fault), Some((name, _))) = (scenario.fault.get(number), names.get(number)) else {
            continue;
        };
        let known = moments.get(number).copied().flatten();
        let begins = trials::moments(context, phases, number, known, seed);
        for (trial, at) in (1_u32..).zip(begins) {
            let plan = FaultPlan {
                name: if trial == 1 {
                    name.clone()
                } else {
                    format!("{name}#{trial}")
                },
                of: name.clone(),
                trial,
                spec: fault.spec.clone(),
                targets: Vec::new(),
                owner: None,
                follows: targets::follows(context, number, trial),
                at: at.unwrap_or(Offset::ZERO),
                duration: durations.get(number).copied().flatten(),
                heal_within: fault.heal_within,
            };
            trials.push(Trial {
                number,
                place,
                is_known: at.is_some(),
                kind: build_kind(context, &fault.spec),
                plan,
            });
        }
    }
    trials
}

/// One playing of a fault of the scenario.
struct Trial {
    /// The fault's place in the scenario.
    number: usize,
    /// The fault's place by its begin, which the draw of targets depends on.
    place: u64,
    /// Whether its moment is known; if not, that is reported already.
    is_known: bool,
    /// What it is; `None` if its parameters are those of another version.
    kind: Option<Box<dyn Kind>>,
    plan: FaultPlan,
}

impl Trial {
    /// Whether others do it, and mcpload looks on.
    fn looks_on(&self) -> bool {
        self.kind.as_ref().is_some_and(|kind| !kind.acts())
    }

    /// How many slots it acts on at the same time.
    fn at_once(&self) -> usize {
        let targets = self.plan.targets.len();
        let kind = self.kind.as_ref();
        kind.map_or(targets, |kind| kind.at_once(targets).min(targets))
    }

    /// Whether it acts on the links of its targets, not on their instances.
    fn on_link(&self) -> bool {
        let kind = self.kind.as_ref();
        kind.is_some_and(|kind| kind.links().is_some())
    }

    /// What it changes on purpose.
    fn change(&self) -> Option<Change> {
        self.kind.as_ref()?.change()
    }

    /// When it is over by plan, at the earliest.
    fn over(&self) -> Offset {
        let targets = self.plan.targets.len();
        let takes = self.kind.as_ref().map(|kind| kind.takes(targets));
        self.plan.end() + takes.unwrap_or_default()
    }
}

fn build_kind(context: &Context<'_>, spec: &Spec) -> Option<Box<dyn Kind>> {
    build(context.catalog.faults, Family::Fault, spec).ok()
}

fn kind_of(context: &Context<'_>, fault: &Fault) -> Option<Box<dyn Kind>> {
    build_kind(context, &fault.spec)
}

/// Whether others do the fault, and mcpload looks on.
fn looks_on(context: &Context<'_>, fault: &Fault) -> bool {
    kind_of(context, fault).is_some_and(|kind| !kind.acts())
}

/// The name of each fault of the scenario, however many trials it has.
pub(super) fn once(faults: &[FaultPlan]) -> impl Iterator<Item = &str> {
    let first = faults.iter().filter(|fault| fault.trial == 1);
    first.map(|fault| fault.of.as_str())
}

/// Puts proxies before the slots on whose links faults act. They stay for the whole run: to put one there resets connections.
pub(super) fn place_proxies(context: &Context<'_>, faults: &[FaultPlan], fleet: &mut FleetPlan) {
    for fault in faults {
        let kind = build(context.catalog.faults, Family::Fault, &fault.spec).ok();
        let Some(LinkUse { http }) = kind.and_then(|kind| kind.links()) else {
            continue;
        };
        let followed = fault.follows.as_ref().and_then(|role| fleet.role(role));
        let followed = followed.map_or(&[][..], |role| role.slots.as_slice());
        let followed: Vec<SlotId> = followed.iter().map(|slot| slot.id.clone()).collect();
        let slots = fleet.roles.iter_mut().flat_map(|role| &mut role.slots);
        // The owner of a session may be any slot.
        let hit = |slot: &&mut SlotPlan| {
            let is_new = slot.standby && followed.contains(&slot.id);
            is_new || fault.owner.is_some() || fault.targets.contains(&slot.id)
        };
        for slot in slots.filter(hit) {
            slot.wire.get_or_insert_default().http |= http;
        }
    }
}

/// How long the fault acts. Its kind says whether it takes a duration; it must be over when the load ends, or nobody sees that
/// it is healed.
fn duration(
    context: &mut Context<'_>,
    number: usize,
    at: Option<Offset>,
    phases: &[PhasePlan],
) -> Option<Duration> {
    let scenario = context.scenario;
    let fault = scenario.fault.get(number)?;
    let kind = build(context.catalog.faults, Family::Fault, &fault.spec).ok()?;
    let path = format!("fault[{number}].duration");
    match (kind.span(), fault.duration) {
        (Span::Once, None) => None,
        (Span::Once, Some(_)) => {
            context.report(
                &codes::CONFLICT,
                &path,
                format!("`{}` is one act and lasts for no time", fault.spec.kind),
                "expected no `duration` here",
                (fault.spec.kind == "command")
                    .then(|| "what ends it after that time is a command `heal`".to_owned()),
            );
            None
        }
        (Span::Lasting, None) => {
            context.report(
                &codes::MISSING_KEY,
                &format!("fault[{number}].kind"),
                format!("`{}` needs a duration", fault.spec.kind),
                "expected `duration = \"5s\"`: how long it acts before it is undone",
                None,
            );
            None
        }
        (Span::Lasting, Some(duration)) => {
            let end = phases.last().map_or(Offset::ZERO, |phase| phase.window.end);
            if let Some(at) = at
                && at + duration >= end
                && at < end
            {
                context.report(
                    &codes::BAD_MOMENT,
                    &path,
                    format!(
                        "the fault would end at {}, when the load has ended",
                        at + duration
                    ),
                    format!(
                        "expected less than {}",
                        humantime::format_duration(end.since(at))
                    ),
                    "make the last phase longer, so that it is seen whether the fleet recovers"
                        .to_owned(),
                );
            }
            Some(duration)
        }
    }
}

/// Refuses a fault that the fleet's driver cannot do.
fn capable(context: &mut Context<'_>, fault: &Fault, number: usize, fleet: &FleetPlan) {
    let catalog = context.catalog;
    let Ok(kind) = build(catalog.faults, Family::Fault, &fault.spec) else {
        return;
    };
    let able = |driver: &Spec| {
        build(catalog.drivers, Family::Driver, driver)
            .map_or(&[][..], |driver| driver.capabilities())
    };
    let has = able(&fleet.driver);
    let missing: Vec<&str> = kind
        .needs()
        .iter()
        .filter(|need| !has.contains(need))
        .map(|need| Capability::name(*need))
        .collect();
    if missing.is_empty() {
        return;
    }
    let others: Vec<&str> = catalog
        .drivers
        .iter()
        .filter(|driver| {
            let spec = Spec {
                kind: driver.info.name.to_owned(),
                with: serde_json::json!({}),
            };
            kind.needs().iter().all(|need| able(&spec).contains(need))
        })
        .map(|driver| driver.info.name)
        .collect();
    context.report(
        &codes::NOT_CAPABLE,
        &format!("fault[{number}].kind"),
        format!(
            "the driver `{}` cannot do `{}`",
            fleet.driver.kind, fault.spec.kind
        ),
        format!("it needs: {}", missing.join(", ")),
        format!("drivers that can: {}", others.join(", ")),
    );
}
