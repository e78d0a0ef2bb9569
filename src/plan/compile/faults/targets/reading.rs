//! What a scenario says of the targets of a fault, and what is wrong with it.
//!
//! Pure. It yields an [`Aim`] for each fault of the scenario; which slots it comes to is decided for each trial by the front page.

use super::super::{Trial, build_kind, changes};
use super::{Aim, Aiming, Amount};
use crate::diag::{codes, suggest};
use crate::fault::Span;
use crate::fault::change::Change;
use crate::model::SlotId;
use crate::plan::FleetPlan;
use crate::plan::compile::Context;
use crate::scenario::written::{Fault, OneOrMany, Target, TargetSlots};

impl Aiming<'_> {
    /// What the fault of this trial, its first, aims at.
    pub(super) fn one(&self, context: &mut Context<'_>, fault: &Fault, trial: &Trial) -> Aim {
        let number = trial.number;
        let path = format!("fault[{number}].target");
        let change = trial.change();
        if let Some(Change::RollBack { of }) = &change {
            if fault.target.is_some() {
                context.report(
                    &codes::CONFLICT,
                    &path,
                    "a rollback acts on the slots of its update",
                    "expected no `target`: `of` says it all",
                    None,
                );
            }
            let update = changes::update_of(context, number, of, self.names);
            return update.map_or(Aim::Nothing, Aim::Like);
        }
        if self.around.fleet.roles.is_empty() {
            // That the driver cannot do what acts on slots is reported already.
            if fault.target.is_some() && trial.kind.as_ref().is_some_and(|kind| !kind.aims()) {
                context.report_key(
                    &codes::NO_TARGET,
                    &path,
                    format!(
                        "the driver `{}` deploys no slots",
                        self.around.fleet.driver.kind
                    ),
                    "expected no `target`",
                    None,
                );
            }
            return Aim::Nothing;
        }
        let written = match &fault.target {
            None => return Aim::Nothing,
            // The only word that there is.
            Some(Target::Word(_)) => return owner(context, change.as_ref(), &path),
            Some(Target::Slots(written)) => written,
        };
        if matches!(change, Some(Change::Scale { .. })) {
            return scale(context, written, &path, self.around.fleet);
        }
        if let Some(slots) = &written.slot {
            return Aim::Named(named_slots(
                context,
                written,
                slots,
                &path,
                self.around.fleet,
            ));
        }
        if let Some(other) = &written.follow {
            return like(context, written, other, &path, self.names);
        }
        let whole = matches!(change, Some(Change::Roll | Change::Update { .. }));
        let aim = self
            .selected(context, written, &path, whole, trial)
            .unwrap_or(Aim::Nothing);
        if trial.looks_on() {
            return aim;
        }
        self.unspared(context, aim, &path)
    }

    /// The same without the slots that the blast radius spares.
    fn unspared(&self, context: &mut Context<'_>, aim: Aim, path: &str) -> Aim {
        let (Aim::Drawn { slots, amount }, Some(radius)) = (&aim, self.around.blast_radius) else {
            return aim;
        };
        let left = slots.iter().filter(|slot| !radius.spared.contains(*slot));
        let left: Vec<SlotId> = left.cloned().collect();
        let count = amount.of(slots.len());
        let fits = left.len() >= count || (matches!(amount, Amount::All) && !left.is_empty());
        if !fits {
            context.report(
                &codes::BLAST_RADIUS,
                path,
                format!(
                    "the fault would act on {count} slots, and {} are left beside those that are spared",
                    left.len()
                ),
                format!("expected at most {}", left.len()),
                super::super::blast::hint(context, "spare"),
            );
            return Aim::Nothing;
        }
        Aim::Drawn {
            slots: left,
            amount: *amount,
        }
    }

    /// The slots of a role or with labels, and how many of them; `None` if that is wrong and reported.
    fn selected(
        &self,
        context: &mut Context<'_>,
        written: &TargetSlots,
        path: &str,
        whole: bool,
        trial: &Trial,
    ) -> Option<Aim> {
        let fleet = self.around.fleet;
        if written.role.is_none() && written.label.is_none() {
            context.report(
                &codes::NO_TARGET,
                path,
                "the target names neither a role nor a slot",
                "expected `role`, `label`, `slot` or `follow`",
                None,
            );
            return None;
        }
        if let Some(name) = &written.role
            && fleet.role(name).is_none()
        {
            unknown_role(context, name, path, fleet);
            return None;
        }
        let all = labelled(context, written, path, fleet)?;
        let slots = self.there(&all, trial);
        let amount = match (written.count, written.share) {
            (Some(_), Some(_)) => {
                context.report(
                    &codes::CONFLICT,
                    &format!("{path}.share"),
                    "the target has `count` and `share`",
                    "expected only one of them",
                    None,
                );
                return None;
            }
            (Some(count), None) => Amount::Count(count as usize),
            (None, Some(share)) => Amount::Share(share),
            (None, None) if whole => Amount::All,
            (None, None) => Amount::Count(1),
        };
        let count = amount.of(slots.len());
        if count == 0 || count > slots.len() {
            let key = if written.share.is_some() {
                "share"
            } else {
                "count"
            };
            let of = match (&written.role, &written.label) {
                (Some(role), None) => format!("slots of `{role}`"),
                (Some(role), Some(_)) => format!("slots of `{role}` with these labels"),
                (None, _) => "slots with these labels".to_owned(),
            };
            context.report(
                &codes::NO_TARGET,
                &format!("{path}.{key}"),
                format!("the fault would act on {count} of the {} {of}", slots.len()),
                format!("expected from 1 to {} slots", slots.len()),
                (count == 0).then(|| "a share is rounded down; `count = 1` is one slot".to_owned()),
            );
            return None;
        }
        Some(Aim::Drawn { slots: all, amount })
    }
}

/// The role whose new slots a fault acts on, too; what is wrong with it is reported with the first trial.
pub(in super::super) fn follows(
    context: &mut Context<'_>,
    number: usize,
    trial: u32,
) -> Option<String> {
    let fault = context.scenario.fault.get(number)?;
    let Some(Target::Slots(written)) = &fault.target else {
        return None;
    };
    if written.new_slots != "follow" {
        return None;
    }
    let kind = build_kind(context, &fault.spec)?;
    let wrong = if kind.span() == Span::Once {
        Some(format!(
            "`{}` is one act, and no slot comes into being while it lasts",
            fault.spec.kind
        ))
    } else if written.role.is_none() {
        Some("only a role gets new slots".to_owned())
    } else {
        None
    };
    let role = written.role.clone();
    let Some(message) = wrong else {
        return role;
    };
    if trial == 1 {
        context.report(
            &codes::CONFLICT,
            &format!("fault[{number}].target.new_slots"),
            message,
            "expected `frozen`, or a fault with a `duration` and a `role`",
            None,
        );
    }
    None
}

/// The aim at the owner of a session, which a change that is planned for known slots cannot take.
fn owner(context: &mut Context<'_>, change: Option<&Change>, path: &str) -> Aim {
    if !matches!(change, Some(Change::Scale { .. } | Change::Move)) {
        return Aim::Owner;
    }
    context.report(
        &codes::CONFLICT,
        path,
        "what owns a session is known only when the change is made, and it must be planned",
        "expected slots that are known before the run",
        None,
    );
    Aim::Nothing
}

/// The aim at the slots that a role gets or loses: it takes the role, and nothing beside it.
fn scale(context: &mut Context<'_>, written: &TargetSlots, path: &str, fleet: &FleetPlan) -> Aim {
    let Some(name) = &written.role else {
        context.report(
            &codes::NO_TARGET,
            path,
            "only a role has a number of slots",
            "expected `role`",
            None,
        );
        return Aim::Nothing;
    };
    if fleet.role(name).is_none() {
        unknown_role(context, name, path, fleet);
        return Aim::Nothing;
    }
    alone(context, written, "role", path);
    Aim::Scaled
}

fn unknown_role(context: &mut Context<'_>, name: &str, path: &str, fleet: &FleetPlan) {
    let names = fleet.roles.iter().map(|role| role.name.as_str());
    context.report(
        &codes::UNKNOWN_ROLE,
        &format!("{path}.role"),
        format!("the fleet has no role `{name}`"),
        "expected the name of a role",
        suggest(name, "role", names),
    );
}

/// The aim at the targets of another fault.
fn like(
    context: &mut Context<'_>,
    written: &TargetSlots,
    other: &str,
    path: &str,
    names: &[(String, String)],
) -> Aim {
    alone(context, written, "follow", path);
    let Some(place) = names.iter().position(|(name, _)| name == other) else {
        context.report(
            &codes::UNKNOWN_FAULT,
            &format!("{path}.follow"),
            format!("there is no fault `{other}`"),
            "expected the name of a fault",
            suggest(other, "fault", names.iter().map(|(name, _)| name.as_str())),
        );
        return Aim::Nothing;
    };
    Aim::Like(place)
}

/// The slots of the role, if one is named, that carry the labels, if some are.
fn labelled(
    context: &mut Context<'_>,
    written: &TargetSlots,
    path: &str,
    fleet: &FleetPlan,
) -> Option<Vec<SlotId>> {
    let of_role = || {
        let role = written.role.as_ref();
        fleet
            .slots()
            .filter(move |(known, _)| role.is_none_or(|role| known.name == *role))
    };
    let wanted = written.label.clone().unwrap_or_default();
    let slots: Vec<SlotId> = of_role()
        .filter(|(_, slot)| {
            wanted
                .iter()
                .all(|(key, value)| slot.labels.get(key) == Some(value))
        })
        .map(|(_, slot)| slot.id.clone())
        .collect();
    if slots.is_empty() || (written.label.is_some() && wanted.is_empty()) {
        let mut known: Vec<String> = of_role()
            .flat_map(|(_, slot)| &slot.labels)
            .map(|(key, value)| format!("{key} = {value:?}"))
            .collect();
        known.sort();
        known.dedup();
        let hint = if known.is_empty() {
            "no slot has a label; write `labels = { … }` in its role".to_owned()
        } else {
            format!("there are: {}", known.join(", "))
        };
        context.report(
            &codes::NO_TARGET,
            &format!("{path}.label"),
            "no slot carries these labels",
            "expected labels of a role or a slot",
            hint,
        );
        return None;
    }
    Some(slots)
}

/// Refuses every key beside one that says it all.
fn alone(context: &mut Context<'_>, written: &TargetSlots, all: &str, path: &str) {
    for (key, given) in [
        ("role", written.role.is_some()),
        ("label", written.label.is_some()),
        ("slot", written.slot.is_some()),
        ("follow", written.follow.is_some()),
        ("count", written.count.is_some()),
        ("share", written.share.is_some()),
    ] {
        if given && key != all {
            context.report(
                &codes::CONFLICT,
                &format!("{path}.{key}"),
                format!("the target has `{all}` and `{key}`"),
                format!("expected only `{all}`, which says it all"),
                None,
            );
        }
    }
}

fn named_slots(
    context: &mut Context<'_>,
    written: &TargetSlots,
    slots: &OneOrMany,
    path: &str,
    fleet: &FleetPlan,
) -> Vec<SlotId> {
    alone(context, written, "slot", path);
    let names: Vec<(String, String)> = match slots {
        OneOrMany::One(name) => vec![(name.clone(), format!("{path}.slot"))],
        OneOrMany::Many(names) => names
            .iter()
            .enumerate()
            .map(|(number, name)| (name.clone(), format!("{path}.slot[{number}]")))
            .collect(),
    };
    if names.is_empty() {
        context.report(
            &codes::NO_TARGET,
            &format!("{path}.slot"),
            "the fault would act on nothing",
            "expected at least one slot",
            None,
        );
    }
    let known: Vec<&SlotId> = fleet.slots().map(|(_, slot)| &slot.id).collect();
    let mut targets: Vec<SlotId> = Vec::new();
    for (name, path) in names {
        match known.iter().find(|slot| slot.as_str() == name) {
            Some(slot) if targets.contains(slot) => {}
            Some(slot) => targets.push((*slot).clone()),
            None => context.report(
                &codes::UNKNOWN_SLOT,
                &path,
                format!("the fleet has no slot `{}`", name.escape_debug()),
                "expected the name of a slot",
                suggest(&name, "slot", known.iter().map(|slot| slot.as_str())),
            ),
        }
    }
    targets
}
