//! What faults act on.
//!
//! Pure. Named slots are taken as they are, those of a role or with a label are drawn by `plan::target`, so that they are free of
//! other faults if possible; the rest follows another fault, or is found when the fault acts. What a scenario says of them is taken
//! in by `reading`.

use super::roster::Roster;
use super::{Around, Trial, overlaps, owners};
use crate::diag::codes;
use crate::fault::change::Change;
use crate::model::{Share, SlotId};
use crate::plan::compile::Context;
use crate::plan::target;

mod reading;

pub(super) use reading::follows;

/// What a fault of the scenario aims at.
enum Aim {
    /// No slot, or something wrong, which is reported.
    Nothing,
    /// These slots.
    Named(Vec<SlotId>),
    /// So many of those of these slots that are in the fleet.
    Drawn { slots: Vec<SlotId>, amount: Amount },
    /// Those that are started or taken away.
    Scaled,
    /// The targets of another fault, by its place in the scenario.
    Like(usize),
    /// Whoever owns a session when it acts.
    Owner,
}

/// How many of a number of slots.
#[derive(Clone, Copy)]
enum Amount {
    Count(usize),
    Share(Share),
    All,
}

impl Amount {
    fn of(self, slots: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Share(share) => target::share_of(share, slots),
            Self::All => slots,
        }
    }
}

/// What targets are taken from.
pub(super) struct Aiming<'a> {
    pub(super) around: &'a Around<'a>,
    /// The faults by their place in the scenario, with their paths.
    pub(super) names: &'a [(String, String)],
    pub(super) roster: &'a Roster,
}

impl Aiming<'_> {
    /// Gives every trial its targets; `trials` are in the order of their begin.
    pub(super) fn aim(&self, context: &mut Context<'_>, trials: &mut [Trial]) {
        let scenario = context.scenario;
        let aims: Vec<Aim> = scenario
            .fault
            .iter()
            .enumerate()
            .map(|(number, fault)| {
                let first = trials
                    .iter()
                    .find(|trial| trial.number == number && trial.plan.trial == 1);
                first.map_or(Aim::Nothing, |first| self.one(context, fault, first))
            })
            .collect();
        for trial in trials.iter_mut() {
            match aims.get(trial.number) {
                // What is named is taken first, so that draws avoid it whichever begins first.
                Some(Aim::Named(slots)) => trial.plan.targets.clone_from(slots),
                Some(Aim::Scaled) => trial.plan.targets = self.roster.changed(trial),
                Some(Aim::Owner) => {
                    trial.plan.owner = owners::draw(
                        self.around.seed,
                        self.around.workloads,
                        trial.number,
                        trial.plan.trial,
                    );
                }
                Some(Aim::Nothing | Aim::Drawn { .. } | Aim::Like(_)) | None => {}
            }
        }
        for place in 0..trials.len() {
            if let Some(trial) = trials.get(place)
                && let Some(Aim::Drawn { slots, amount }) = aims.get(trial.number)
            {
                let there = self.there(slots, trial);
                let count = amount.of(there.len());
                if count > there.len() || count == 0 {
                    let number = trial.number;
                    let message = format!(
                        "`{}` would act on {count} of the {} slots that are in the fleet at {}",
                        trial.plan.name,
                        there.len(),
                        trial.plan.at
                    );
                    let path = format!("fault[{number}].target");
                    context.report(&codes::NO_TARGET, &path, message, "expected fewer", None);
                    continue;
                }
                let first = self.draw(trial, &there, count);
                if let Some(trial) = trials.get_mut(place) {
                    trial.plan.targets = first;
                }
                let targets = self.around_others(place, trials, &there, count);
                if let (Some(trial), Some(targets)) = (trials.get_mut(place), targets) {
                    trial.plan.targets = targets;
                }
            }
        }
        owners::check(context, self.around.fleet, trials, |number| {
            matches!(aims.get(number), Some(Aim::Owner))
        });
        follow(context, &aims, trials);
        self.present(context, trials);
    }

    /// Those of the slots that are in the fleet when a trial begins.
    fn there(&self, slots: &[SlotId], trial: &Trial) -> Vec<SlotId> {
        let is_there = |slot: &&SlotId| self.roster.has(self.around.fleet, slot, trial.plan.at);
        slots.iter().filter(is_there).cloned().collect()
    }

    fn draw(&self, trial: &Trial, slots: &[SlotId], count: usize) -> Vec<SlotId> {
        let group = trial.plan.trial.saturating_sub(1);
        target::draw(self.around.seed, group, trial.place, slots, count)
    }

    /// Another draw, if the first hits what another fault acts on at that time: out of the slots that are left.
    fn around_others(
        &self,
        place: usize,
        trials: &[Trial],
        slots: &[SlotId],
        count: usize,
    ) -> Option<Vec<SlotId>> {
        let trial = trials.get(place)?;
        let others = trials.iter();
        let busy: Vec<&SlotId> = others
            .filter(|other| other.plan.name != trial.plan.name && overlaps::exclude(trial, other))
            .flat_map(|other| &other.plan.targets)
            .collect();
        if !trial.plan.targets.iter().any(|slot| busy.contains(&slot)) {
            return None;
        }
        let free = slots.iter().filter(|slot| !busy.contains(slot));
        let free: Vec<SlotId> = free.cloned().collect();
        // With too few there is no way out; the overlap is reported.
        (free.len() >= count).then(|| self.draw(trial, &free, count))
    }

    /// Refuses targets that are not in the fleet when the fault acts on them.
    fn present(&self, context: &mut Context<'_>, trials: &[Trial]) {
        let mut reported = Vec::new();
        for trial in trials.iter().filter(|trial| trial.is_known) {
            let scales = matches!(trial.change(), Some(Change::Scale { .. }));
            if scales || reported.contains(&trial.number) {
                continue;
            }
            let mut targets = trial.plan.targets.iter();
            let at = trial.plan.at;
            if let Some(slot) = targets.find(|slot| !self.roster.has(self.around.fleet, slot, at)) {
                reported.push(trial.number);
                context.report(
                    &codes::NO_TARGET,
                    &format!("fault[{}].target", trial.number),
                    format!(
                        "`{}` would act on {slot} at {at}, which is on standby then",
                        trial.plan.name
                    ),
                    "expected a slot that runs, as `replicas` and the faults of kind `scale` have it",
                    None,
                );
            }
        }
    }
}

/// Gives the trials of faults that follow others the targets of those.
fn follow(context: &mut Context<'_>, aims: &[Aim], trials: &mut [Trial]) {
    for number in 0..aims.len() {
        let mut root = number;
        let mut steps = 0;
        while let Some(Aim::Like(other)) = aims.get(root) {
            root = *other;
            steps += 1;
            if steps > aims.len() {
                break;
            }
        }
        if steps == 0 {
            continue;
        }
        let path = format!("fault[{number}].target.follow");
        if steps > aims.len() {
            context.report(
                &codes::CYCLE,
                &path,
                "faults follow each other in a circle",
                "expected a fault that has targets of its own in the end",
                None,
            );
            continue;
        }
        if matches!(aims.get(root), Some(Aim::Owner)) {
            context.report(
                &codes::NOT_YET,
                &path,
                "what owns a session is known only when that fault acts",
                "not yet: expected a fault whose targets are fixed in the plan",
                None,
            );
            continue;
        }
        let led: Vec<(u32, Vec<SlotId>)> = trials
            .iter()
            .filter(|trial| trial.number == root)
            .map(|trial| (trial.plan.trial, trial.plan.targets.clone()))
            .collect();
        let first = led.iter().find(|(trial, _)| *trial == 1);
        for trial in trials.iter_mut().filter(|trial| trial.number == number) {
            let same = led.iter().find(|(other, _)| *other == trial.plan.trial);
            if let Some((_, targets)) = same.or(first) {
                trial.plan.targets.clone_from(targets);
            }
        }
    }
}
