//! `recovery-time`: after a fault, users are served again, as fast as before, and with all slots, within a time.
//!
//! Pure. What recovery is: `analysis::recovery`. Where the fault has several trials each is judged, and the worst decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, FaultStats, Reached, RecoveryTimes};
use crate::check::words::{count, nanos, percent};
use crate::check::{Answer, Category, Check, Dependence, Finding, of_trial, phases_from, trials};
use crate::model::quantity::duration_text;
use crate::model::time::humane;
use crate::plan::{CheckPlan, Plan};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

/// The greatest duration that a scenario may name here, nanoseconds: a day.
const DAY: u64 = 86_400_000_000_000;
/// How long recovery must hold if no check says it.
const DEFAULT_HOLD: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RecoveryTime {
    #[serde(with = "duration_text")]
    max: Duration,
    of: Level,
    #[serde(with = "duration_text")]
    hold: Duration,
    #[serde(default)]
    from: From,
}

/// From when a time counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum From {
    /// From the proof of the fault's effect.
    #[default]
    Effect,
    /// From when its undo returned.
    Heal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Level {
    Service,
    Performance,
    Redundancy,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Performance => "performance",
            Self::Redundancy => "redundancy",
        }
    }

    const fn of(self, fault: &FaultStats) -> Reached {
        match self {
            Self::Service => fault.recovery.service,
            Self::Performance => fault.recovery.performance,
            Self::Redundancy => fault.recovery.redundancy,
        }
    }

    /// Counted from the heal, for a fault that lasts.
    fn after_heal(self, fault: &FaultStats) -> Option<Reached> {
        let after = fault.recovery.after_heal?;
        Some(match self {
            Self::Service => after.service,
            Self::Performance => after.performance,
            Self::Redundancy => after.redundancy,
        })
    }
}

/// How long recovery from `fault` must hold: the longest that a check of it asks for, 10 s if there is none.
pub fn recovery_hold(plan: &Plan, fault: &str) -> Duration {
    plan.checks
        .iter()
        .filter(|check| check.spec.kind == KIND.info.name && check.fault.as_deref() == Some(fault))
        .filter_map(|check| check.spec.read::<RecoveryTime>().ok())
        .map(|check| check.hold)
        .max()
        .unwrap_or(DEFAULT_HOLD)
}

/// Whether a check counts recovery from the heal of its fault.
pub fn counts_from_heal(check: &CheckPlan) -> bool {
    let heal = |check: RecoveryTime| check.from == From::Heal;
    check.spec.kind == KIND.info.name && check.spec.read::<RecoveryTime>().is_ok_and(heal)
}

fn words(reached: Reached) -> String {
    match reached {
        Reached::NoImpact => "no impact was seen".to_owned(),
        Reached::After(after) => format!("after {}", nanos(after)),
        Reached::NotWithin(within) => format!("not within {}", nanos(within)),
        Reached::Unknown => "unknown".to_owned(),
    }
}

/// The slot that a clause about what is missing begins with.
fn blamed<'a>(missing: &'a str, analysis: &Analysis) -> Option<(&'a str, &'a str)> {
    let (slot, rest) = missing.split_once(' ')?;
    let known = analysis
        .slots
        .iter()
        .any(|known| known.slot.as_str() == slot);
    known.then_some((slot, rest))
}

/// ` (300 ms after its heal)`, for a fault that lasts.
fn beside(level: Level, fault: &FaultStats) -> String {
    match level.after_heal(fault) {
        Some(Reached::After(0)) => " (no later than its heal)".to_owned(),
        Some(Reached::After(after)) => format!(" ({} after its heal)", nanos(after)),
        Some(_) | None => String::new(),
    }
}

impl RecoveryTime {
    /// The time that is judged.
    fn reached(&self, fault: &FaultStats) -> Reached {
        match self.from {
            From::Effect => self.of.of(fault),
            From::Heal => self.of.after_heal(fault).unwrap_or(Reached::Unknown),
        }
    }

    fn answer(&self, reached: Reached) -> Answer {
        match reached {
            Reached::NoImpact => Answer::Pass,
            Reached::After(after) if Duration::from_nanos(after) <= self.max => Answer::Pass,
            Reached::After(_) => Answer::Fail,
            Reached::NotWithin(within) if Duration::from_nanos(within) >= self.max => Answer::Fail,
            Reached::NotWithin(_) | Reached::Unknown => Answer::Inconclusive,
        }
    }

    fn headline(&self, fault: &FaultStats, analysis: &Analysis) -> String {
        let from = match self.from {
            From::Effect => "",
            From::Heal => " of its heal",
        };
        let promised = format!(
            "promised {} within {}{from}",
            self.of.name(),
            humane(self.max)
        );
        let reached = self.of.of(fault);
        let recovery = &fault.recovery;
        let users = match recovery.service {
            Reached::NoImpact => "users saw no significant impact".to_owned(),
            Reached::After(after) => format!("users were served again after {}", nanos(after)),
            Reached::NotWithin(within) => {
                format!("users were not served as before within {}", nanos(within))
            }
            Reached::Unknown => "when users were served again is unknown".to_owned(),
        };
        match reached {
            Reached::NoImpact => format!("no impact of {} was seen, {promised}", fault.name),
            Reached::After(after) => format!(
                "{}: {} again after {}{}, {promised}",
                targets(fault),
                self.of.name(),
                nanos(after),
                beside(self.of, fault)
            ),
            Reached::NotWithin(within) => {
                let within = nanos(within);
                match blamed(&recovery.missing, analysis) {
                    Some((slot, rest)) if rest.starts_with("never came back") => {
                        let why = rest.trim_start_matches("never came back").trim();
                        format!("{slot}: not back after {within} {why}; {users}, {promised}")
                    }
                    Some((slot, rest)) => format!("{slot}: {rest}; {users}, {promised}"),
                    None => format!("{}: {users}, {promised}", targets(fault)),
                }
            }
            Reached::Unknown => format!(
                "{}: {} cannot be told ({}), {promised}",
                targets(fault),
                self.of.name(),
                if recovery.missing.is_empty() {
                    "the fault did not begin"
                } else {
                    &recovery.missing
                }
            ),
        }
    }

    fn evidence(fault: &FaultStats) -> Vec<String> {
        let recovery = &fault.recovery;
        let mut lines = vec![
            format!(
                "service {}, performance {}, redundancy {} (each within {}, held for {})",
                words(recovery.service),
                words(recovery.performance),
                words(recovery.redundancy),
                nanos(recovery.resolution_ns),
                nanos(recovery.hold_ns)
            ),
            format!(
                "before: {} operations, {} bad, {:.1} good a second; tolerated: {} bad",
                count(recovery.baseline_samples),
                percent(recovery.baseline_bad_ratio),
                recovery.baseline_goodput,
                percent(recovery.tolerance)
            ),
        ];
        if let Some(after) = recovery.after_heal {
            lines.push(format!(
                "counted from its heal: service {}, performance {}, redundancy {}",
                words(after.service),
                words(after.performance),
                words(after.redundancy)
            ));
        }
        if recovery.onset.is_some() {
            lines.push(format!(
                "lost: {:.0} good operations; at worst {} of the goodput",
                recovery.lost_good,
                percent(recovery.depth)
            ));
        }
        if !recovery.missing.is_empty() {
            lines.push(format!("missing: {}", recovery.missing));
        }
        lines
    }
}

fn targets(fault: &FaultStats) -> String {
    let names: Vec<&str> = fault
        .targets
        .iter()
        .map(|target| target.slot.as_str())
        .collect();
    // A fault may act on nothing of the fleet.
    if names.is_empty() {
        return fault.name.clone();
    }
    names.join(", ")
}

impl RecoveryTime {
    /// The trial that decides: one with the worst answer, and of those the one that took longest.
    fn worst<'a>(&self, trials: &[&'a FaultStats]) -> Option<&'a FaultStats> {
        let rank = |fault: &FaultStats| {
            let reached = self.reached(fault);
            let took = match reached {
                Reached::NoImpact => 0,
                Reached::After(nanos) => nanos,
                Reached::NotWithin(_) | Reached::Unknown => u64::MAX,
            };
            (self.answer(reached), took)
        };
        // The first of equals: what is asked for in reverse is found last.
        trials.iter().rev().max_by_key(|fault| rank(fault)).copied()
    }
}

/// What several trials tell together.
fn over_trials(analysis: &Analysis, name: &str) -> Vec<String> {
    let Some(trials) = analysis.trials.iter().find(|known| known.fault == name) else {
        return Vec::new();
    };
    let mut lines = vec![format!(
        "{} of {} trials were proven",
        count(trials.proven),
        count(trials.planned)
    )];
    for (level, times) in [
        (Level::Service, &trials.service),
        (Level::Performance, &trials.performance),
        (Level::Redundancy, &trials.redundancy),
    ] {
        lines.push(format!(
            "{} from the effect: {}",
            level.name(),
            times_in_words(times)
        ));
    }
    lines
}

fn times_in_words(times: &RecoveryTimes) -> String {
    let never = || "not recovered".to_owned();
    let mut words = format!(
        "median {}, greatest {}",
        times.median_ns.map_or_else(never, nanos),
        times.max_ns.map_or_else(never, nanos),
    );
    if let Some(mean) = times.mean_ns {
        let of = if times.not_recovered > 0 {
            " of those that recovered"
        } else {
            ""
        };
        words = format!("{words}, mean{of} {}", nanos(mean));
    }
    if let Some((low, high)) = times.mean_interval_ns {
        words = format!("{words} (95 % interval {} to {})", nanos(low), nanos(high));
    }
    let mut counts = vec![format!("{} recovered", count(times.recovered))];
    for (number, what) in [
        (times.no_impact, "of them without an impact"),
        (times.not_recovered, "not recovered while observed"),
        (times.unknown, "unknown"),
    ] {
        if number > 0 {
            counts.push(format!("{} {what}", count(number)));
        }
    }
    format!("{words}; {}", counts.join(", "))
}

impl Check for RecoveryTime {
    fn evaluate(&self, plan: &CheckPlan, analysis: &Analysis) -> Finding {
        let name = plan.fault.clone().unwrap_or_default();
        let trials = trials(analysis, &name);
        let fault = self.worst(&trials);
        let began = fault.and_then(|fault| fault.began);
        let headline = fault.map_or_else(
            || format!("there is no fault {name:?} to recover from"),
            |fault| self.headline(fault, analysis),
        );
        let mut evidence = over_trials(analysis, &name);
        evidence.extend(fault.map(Self::evidence).unwrap_or_default());
        Finding {
            name: plan.name.clone(),
            kind: plan.spec.kind.clone(),
            category: Category::Resilience,
            answer: fault.map_or(Answer::Inconclusive, |fault| {
                self.answer(self.reached(fault))
            }),
            headline: of_trial(headline, fault, trials.len()),
            evidence,
            samples: fault.map_or(0, |fault| fault.recovery.baseline_samples),
            load_can_cause: true,
            depends_on: Dependence {
                phases: phases_from(analysis, began),
                fault: plan.fault.clone(),
            },
            line: plan.line,
        }
    }
}

/// Recovery within a time.
pub(super) const KIND: Kind<dyn Check> = Kind {
    info: KindInfo {
        name: "recovery-time",
        summary: "after a fault the fleet is as good as before within a time, and stays so",
        example: "[[check]]\nkind = \"recovery-time\"\nfault = \"one-dies\"\nmax = \"5s\"",
        fields: &[
            Field {
                key: "max",
                ty: Ty::Duration { min: 0, max: DAY },
                need: Need::Required,
                summary: "the longest time to recovery, from the moment that `from` names",
                example: "\"5s\"",
                acts: Acts::Now,
            },
            Field {
                key: "of",
                ty: Ty::OneOf(&["service", "performance", "redundancy"]),
                need: Need::Default("\"redundancy\""),
                summary: "what must be recovered: users are served again, as fast as before too, or with every slot ready and at work too",
                example: "\"service\"",
                acts: Acts::Now,
            },
            Field {
                key: "from",
                ty: Ty::OneOf(&["effect", "heal"]),
                need: Need::Default("\"effect\""),
                summary: "from when the time counts: from the proof of the fault's effect, or, for a fault that lasts, from when its undo returned; what recovered while it still acted took no time after its heal",
                example: "\"heal\"",
                acts: Acts::Now,
            },
            Field {
                key: "hold",
                ty: Ty::Duration {
                    min: 100_000_000,
                    max: DAY,
                },
                need: Need::Default("\"10s\""),
                summary: "how long it must stay recovered to count",
                example: "\"10s\"",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<RecoveryTime>()?)),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_censored_before_the_limit_is_inconclusive() {
        let check = RecoveryTime {
            max: Duration::from_secs(3),
            of: Level::Service,
            hold: DEFAULT_HOLD,
            from: From::Effect,
        };
        for (reached, answer) in [
            (Reached::NoImpact, Answer::Pass),
            (Reached::After(3_000_000_000), Answer::Pass),
            (Reached::After(3_000_000_001), Answer::Fail),
            (Reached::NotWithin(3_000_000_000), Answer::Fail),
            (Reached::NotWithin(2_999_999_999), Answer::Inconclusive),
            (Reached::Unknown, Answer::Inconclusive),
        ] {
            assert_eq!(check.answer(reached), answer, "{reached:?}");
        }
    }
}
