//! `clean-change`: a change that is made on purpose costs no Call: none that is sent after the stop signal fails, and none that
//! was in flight at the signal is lost before the grace period is over.
//!
//! Pure. Which failures count, and what blames a change where the fleet failed before it too: `analysis::change`. One that was in
//! flight for longer than the grace period is allowed, and told. The plan adds this check for each fault that is a change on purpose.
//! Where the fault has several trials each is judged, and the worst decides.

use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, ChangeExample, ChangeFailures, ChangeStats, FaultStats};
use crate::check::words::{count, nanos, plural};
use crate::check::{Answer, Category, Check, Dependence, Finding, of_trial, phases_in, trials};
use crate::plan::{CheckPlan, Plan};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

/// The name of the kind.
pub(crate) const NAME: &str = "clean-change";
/// With fewer Calls than these before it, what was usual is not known.
const LEAST_BASELINE: u64 = 100;
/// How many classes, slots and signals are told.
const MOST_LINES: usize = 6;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct CleanChange {
    max_failed: u64,
}

/// Whether a check asks for a clean change by the fault that the scenario calls `of`.
pub fn wants_clean_change(plan: &Plan, of: &str) -> bool {
    let mut checks = plan.checks.iter();
    checks.any(|check| check.spec.kind == NAME && check.fault.as_deref() == Some(of))
}

/// Calls around a change: sent in its window or in flight at a signal.
const fn around(change: &ChangeStats) -> u64 {
    change.calls + change.in_flight + change.in_flight_unknown
}

impl CleanChange {
    fn answer(&self, change: &ChangeStats) -> Answer {
        let told = change.unasked == 0 && change.calls > 0;
        if change.failed > self.max_failed && change.unasked == 0 {
            // Whether it was so before is not known.
            if change.baseline_calls < LEAST_BASELINE {
                return Answer::Inconclusive;
            }
            return Answer::Fail;
        }
        if told && change.finished {
            Answer::Pass
        } else {
            Answer::Inconclusive
        }
    }

    fn headline(&self, fault: &FaultStats, change: &ChangeStats) -> String {
        let promised = match self.max_failed {
            0 => "promised none".to_owned(),
            most => format!("promised at most {}", count(most)),
        };
        if change.unasked > 0 {
            return format!(
                "{} ended without a stop signal, so nothing tells when {} began",
                plural(change.unasked, "instance"),
                fault.name
            );
        }
        if change.calls == 0 && change.failed == 0 {
            return format!(
                "no call was sent while {} went on, so nothing tells whether it was clean",
                fault.name
            );
        }
        let whom = who(fault, change);
        let since = match change.signals.first() {
            Some(_) => "sent after the stop signal or in flight at it",
            None => "sent while it went on",
        };
        if change.failed > self.max_failed && change.baseline_calls < LEAST_BASELINE {
            return format!(
                "{whom}: {} failed, and only {} before it tell what is usual",
                plural(change.failed, "call"),
                plural(change.baseline_calls, "call")
            );
        }
        if change.failed > 0 {
            let classes: Vec<String> = blamed(change)
                .map(|failures| format!("{} {}", count(failures.blamed), class(failures)))
                .collect();
            return format!(
                "{whom}: {} failed by it ({}), {promised}; {} {since}",
                plural(change.failed, "call"),
                classes.join(", "),
                were(around(change))
            );
        }
        let clean = format!(
            "{whom}: no call failed by it, {promised}; {} {since}",
            were(around(change))
        );
        if change.finished {
            clean
        } else {
            format!("{clean}; but it was not proven done before the next fault or the end")
        }
    }
}

/// `1 was`, `2 were`.
fn were(number: u64) -> String {
    let verb = if number == 1 { "was" } else { "were" };
    format!("{} {verb}", count(number))
}

fn blamed(change: &ChangeStats) -> impl Iterator<Item = &ChangeFailures> {
    let failures = change.failures.iter();
    failures
        .filter(|failures| failures.blamed > 0)
        .take(MOST_LINES)
}

/// `http 502`.
fn class(failures: &ChangeFailures) -> String {
    match failures.code {
        Some(code) => format!("{} {code}", failures.class),
        None => failures.class.to_string(),
    }
}

/// Who was stopped; what the fault aimed at, if nobody was.
fn who(fault: &FaultStats, change: &ChangeStats) -> String {
    let mut names: Vec<&str> = change
        .signals
        .iter()
        .map(|signal| signal.instance.slot.as_str())
        .collect();
    if names.is_empty() {
        let targets = fault.targets.iter();
        names = targets.map(|target| target.slot.as_str()).collect();
    }
    names.dedup();
    let more = names.len().saturating_sub(MOST_LINES);
    names.truncate(MOST_LINES);
    match (names.is_empty(), more) {
        (true, _) => fault.name.clone(),
        (_, 0) => names.join(", "),
        (_, more) => format!("{} and {more} more", names.join(", ")),
    }
}

fn evidence(change: &ChangeStats) -> Vec<String> {
    let window = change.window;
    let mut lines: Vec<String> = change
        .signals
        .iter()
        .take(MOST_LINES)
        .map(|signal| {
            format!(
                "{} was asked to end at {}, with a grace period of {}",
                signal.instance,
                signal.at,
                nanos(signal.grace_ns)
            )
        })
        .collect();
    let from = match change.signals.len() {
        0 => "its begin".to_owned(),
        1 => "the stop signal".to_owned(),
        number => format!("the first of {number} stop signals"),
    };
    let end = if change.finished {
        "the change was proven done"
    } else {
        "nothing more was observed"
    };
    lines.push(format!(
        "{} from {from} at {} until {end} at {}",
        plural(change.calls, "call"),
        window.start,
        window.end
    ));
    if !change.signals.is_empty() {
        lines.push(format!(
            "in flight at the signal: {} on the instance that was asked to end, {} served by nobody knows whom",
            plural(change.in_flight, "call"),
            count(change.in_flight_unknown)
        ));
    }
    if change.overlong > 0 {
        lines.push(format!(
            "{} in flight lasted longer than the grace period and failed: allowed",
            plural(change.overlong, "call")
        ));
    }
    for failures in change.failures.iter().take(MOST_LINES) {
        lines.push(of_class(failures, change));
        lines.extend(failures.examples.iter().map(|one| example(one, change)));
    }
    lines
}

fn of_class(failures: &ChangeFailures, change: &ChangeStats) -> String {
    let slots: Vec<String> = failures
        .by_slot
        .iter()
        .take(MOST_LINES)
        .map(|(slot, calls)| match slot.as_str() {
            "" => format!("unknown {}", count(*calls)),
            slot => format!("{slot} {}", count(*calls)),
        })
        .collect();
    let later = match failures.later {
        0 => String::new(),
        later => format!(", {} later", count(later)),
    };
    let blame = match failures.blamed {
        0 => "; not significantly more than before, so not counted".to_owned(),
        blamed if blamed == failures.sent_after + failures.later + failures.in_flight => {
            String::new()
        }
        blamed => format!("; {} more than before", count(blamed)),
    };
    format!(
        "{}: {} sent after{later}, {} lost in flight, served by {}; before: {} of {}{blame}",
        class(failures),
        count(failures.sent_after),
        count(failures.in_flight),
        slots.join(", "),
        count(failures.baseline),
        plural(change.baseline_calls, "call")
    )
}

/// `echo, sent 12.0 ms after the signal to server-2#1: http 502 3.00 ms later, served by nobody knows whom`.
fn example(one: &ChangeExample, change: &ChangeStats) -> String {
    let side = if one.after_signal_ns < 0 {
        "before"
    } else {
        "after"
    };
    let zero = match one.signal.as_str() {
        "" if change.signals.is_empty() => "the begin".to_owned(),
        "" => "the signal".to_owned(),
        instance => format!("the signal to {instance}"),
    };
    let served = match one.instance.as_str() {
        "" => "nobody knows whom",
        instance => instance,
    };
    let took = one.done.since(one.at);
    let code = one.code.map_or_else(String::new, |code| format!(" {code}"));
    format!(
        "  {}, sent {} {side} {zero}: {}{code} {} later, served by {served}",
        one.operation,
        nanos(one.after_signal_ns.unsigned_abs()),
        one.class,
        crate::model::time::humane(took),
    )
}

impl Check for CleanChange {
    fn evaluate(&self, plan: &CheckPlan, analysis: &Analysis) -> Finding {
        let name = plan.fault.clone().unwrap_or_default();
        let trials = trials(analysis, &name);
        let rank = |fault: &FaultStats| {
            let change = fault.change.as_ref();
            change.map_or((Answer::Inconclusive, 0), |change| {
                (self.answer(change), change.failed)
            })
        };
        // The first of equals: what is asked for in reverse is found last.
        let fault = trials.iter().rev().max_by_key(|fault| rank(fault)).copied();
        let change = fault.and_then(|fault| fault.change.as_ref());
        let headline = match (fault, change) {
            (None, _) => format!("there is no fault {name:?} to judge"),
            (Some(fault), None) => {
                format!(
                    "{} did not begin, so nothing tells what it costs",
                    fault.name
                )
            }
            (Some(fault), Some(change)) => self.headline(fault, change),
        };
        Finding {
            name: plan.name.clone(),
            kind: plan.spec.kind.clone(),
            category: Category::Resilience,
            answer: change.map_or(Answer::Inconclusive, |change| self.answer(change)),
            headline: of_trial(headline, fault, trials.len()),
            evidence: change.map(evidence).unwrap_or_default(),
            samples: change.map_or(0, around),
            load_can_cause: true,
            depends_on: Dependence {
                phases: phases_in(analysis, change.map(|change| &change.window)),
                fault: plan.fault.clone(),
            },
            line: plan.line,
        }
    }
}

/// No call lost by a change.
pub(super) const KIND: Kind<dyn Check> = Kind {
    info: KindInfo {
        name: NAME,
        summary: "a change on purpose costs no call: none that is sent after the stop signal fails until it is done, none in flight is lost before the grace period is over; added by itself for every fault that is such a change",
        example: "[[check]]\nkind = \"clean-change\"\nfault = \"one-leaves\"",
        fields: &[Field {
            key: "max_failed",
            ty: Ty::Integer {
                min: 0,
                max: 1_000_000_000,
            },
            need: Need::Default("0"),
            summary: "how many calls may fail by it, attempts that were repeated included",
            example: "3",
            acts: Acts::Now,
        }],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<CleanChange>()?)),
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Offset, Window};

    fn change(failed: u64) -> ChangeStats {
        ChangeStats {
            signals: Vec::new(),
            unasked: 0,
            window: Window::new(Offset(0), Offset(9)),
            finished: true,
            baseline_calls: 500,
            calls: 200,
            in_flight: 2,
            in_flight_unknown: 0,
            overlong: 0,
            failed,
            failures: Vec::new(),
        }
    }

    #[test]
    fn what_was_not_seen_is_never_a_pass_and_hides_no_failure() {
        let check = CleanChange { max_failed: 1 };
        let cases = [
            (change(0), Answer::Pass),
            (change(1), Answer::Pass),
            (change(2), Answer::Fail),
            (
                ChangeStats {
                    finished: false,
                    ..change(0)
                },
                Answer::Inconclusive,
            ),
            (
                ChangeStats {
                    finished: false,
                    ..change(2)
                },
                Answer::Fail,
            ),
            (
                ChangeStats {
                    calls: 0,
                    ..change(0)
                },
                Answer::Inconclusive,
            ),
            (
                ChangeStats {
                    unasked: 1,
                    ..change(2)
                },
                Answer::Inconclusive,
            ),
            (
                ChangeStats {
                    baseline_calls: 99,
                    ..change(2)
                },
                Answer::Inconclusive,
            ),
            (
                ChangeStats {
                    baseline_calls: 99,
                    ..change(0)
                },
                Answer::Pass,
            ),
        ];
        for (change, answer) in cases {
            assert_eq!(check.answer(&change), answer, "{change:?}");
        }
    }
}
