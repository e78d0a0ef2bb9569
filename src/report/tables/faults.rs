//! The time line of a fault: what was done, what the users saw of it, and when it was over.
//!
//! Pure. Rows are in the order of time; what was not reached stands at the end.

use std::time::Duration;

use super::{Table, number, words};
use crate::analysis::{AfterHeal, ChangeStats, FaultStats, Reached, Recovery};
use crate::model::Offset;
use crate::model::event::Effect;
use crate::report::words as say;

/// How many stop signals have a line.
const MOST_SIGNALS: usize = 20;

/// One line of the time line, before it is sorted.
struct Moment {
    at: Option<Offset>,
    what: &'static str,
    detail: String,
}

/// The time line of one fault.
pub fn time_line(fault: &FaultStats) -> Table {
    let zero = fault.acted.or(fault.began);
    let mut moments = acts(fault);
    moments.extend(consequences(fault, zero));
    // A stable sort keeps cause before effect where stamps are equal; what never happened goes last.
    moments.sort_by_key(|moment| moment.at.map_or(i64::MAX, Offset::nanos));
    let rows = moments.into_iter().map(|moment| {
        vec![
            moment.what.to_owned(),
            say::moment_or_nothing(moment.at),
            after_effect(moment.at, zero),
            moment.detail,
        ]
    });
    Table {
        title: format!(
            "Fault {}: {} of {}",
            say::visible(&fault.name),
            say::visible(&fault.kind),
            targets(fault)
        ),
        columns: vec![
            words("what"),
            number("when"),
            number("after effect"),
            words("detail"),
        ],
        rows: rows.collect(),
        notes: notes(fault),
    }
}

/// The names of the instances that it hit.
pub fn targets(fault: &FaultStats) -> String {
    let names: Vec<String> = fault
        .targets
        .iter()
        .map(|target| say::visible(&target.to_string()))
        .collect();
    say::or(&names.join(", "), "no target").to_owned()
}

fn after_effect(at: Option<Offset>, zero: Option<Offset>) -> String {
    match (at, zero) {
        (Some(at), Some(zero)) if at == zero => "0 s".to_owned(),
        (Some(at), Some(zero)) if at > zero => {
            format!("+{}", crate::model::time::humane(at.since(zero)))
        }
        (Some(at), Some(zero)) => format!("-{}", crate::model::time::humane(zero.since(at))),
        _ => say::NOTHING.to_owned(),
    }
}

/// What mcpload did.
fn acts(fault: &FaultStats) -> Vec<Moment> {
    let mut moments = Vec::new();
    let mut add = |at: Option<Offset>, what: &'static str, detail: String| {
        moments.push(Moment { at, what, detail });
    };
    if fault.began.is_none() {
        add(
            None,
            "never began",
            format!("planned at {}", say::moment(fault.planned)),
        );
    } else {
        add(
            fault.began,
            "began",
            format!("planned at {}", say::moment(fault.planned)),
        );
    }
    if let (Some(applied), Some(_)) = (fault.applied, fault.began) {
        add(Some(applied), "act returned", String::new());
    }
    let signals = fault.change.iter().flat_map(|change| &change.signals);
    for signal in signals.take(MOST_SIGNALS) {
        add(
            Some(signal.at),
            "asked to end",
            format!(
                "{}, grace period {}",
                say::visible(&signal.instance.to_string()),
                say::nanos(signal.grace_ns)
            ),
        );
    }
    match &fault.effective {
        Some((at, proof)) => add(Some(*at), "took effect", say::visible(proof)),
        None => add(None, "effect not proven", String::new()),
    }
    for effect in &fault.effects {
        add(None, "measured", measured(effect));
    }
    if let Some(reason) = &fault.failed {
        add(None, "failed", say::visible(reason));
    }
    // For a fault of one act the undo is waiting for what the fleet does by itself.
    if let (Some(healing), true) = (fault.healing, fault.duration_ns.is_some()) {
        add(Some(healing), "undo began", String::new());
    }
    match (&fault.healed, &fault.not_healed) {
        (Some((at, proof)), _) => add(Some(*at), "healed", say::visible(proof)),
        (None, Some(by_hand)) => add(
            None,
            "NOT HEALED",
            format!("by hand: {}", say::visible(by_hand)),
        ),
        (None, None) => add(None, "heal not seen", String::new()),
    }
    moments
}

/// What was asked for beside what was measured.
fn measured(effect: &Effect) -> String {
    format!(
        "{}: {:.1} {} ({:.1} asked for)",
        say::visible(&effect.what),
        effect.achieved,
        say::visible(&effect.unit),
        effect.requested
    )
}

/// What the users saw.
fn consequences(fault: &FaultStats, zero: Option<Offset>) -> Vec<Moment> {
    let recovery = &fault.recovery;
    let first_bad = fault.first_bad.as_ref().map_or_else(
        || Moment {
            at: None,
            what: "no bad operation",
            detail: String::new(),
        },
        |first| Moment {
            at: Some(first.at),
            what: "first bad operation",
            detail: format!(
                "{}, outcome {}, served by {}",
                first.class,
                first.outcome,
                say::or(&say::visible(&first.instance), "unknown")
            ),
        },
    );
    let onset = Moment {
        at: recovery.onset,
        what: match (recovery.onset, recovery.service) {
            (Some(_), _) => "impact onset",
            (None, Reached::Unknown) => "impact unknown",
            (None, _) => "no impact onset",
        },
        detail: if recovery.service == Reached::Unknown {
            unknown(recovery)
        } else {
            format!(
                "bad share significantly above the baseline, to within {}",
                say::nanos(recovery.resolution_ns)
            )
        },
    };
    let after_heal =
        |level: fn(&AfterHeal) -> Reached| match recovery.after_heal.as_ref().map(level) {
            Some(Reached::After(0)) => ", no later than its heal".to_owned(),
            Some(Reached::After(after)) => format!(", {} after its heal", say::nanos(after)),
            Some(Reached::NotWithin(within)) => {
                format!(", not within {} of its heal", say::nanos(within))
            }
            Some(Reached::NoImpact | Reached::Unknown) | None => String::new(),
        };
    let level = |what: &'static str, reached: Reached, heal: String, meaning: &str| {
        let at = match (reached, zero) {
            (Reached::After(after), Some(zero)) => Some(zero + Duration::from_nanos(after)),
            _ => None,
        };
        Moment {
            at,
            what,
            detail: format!("{}{heal}: {meaning}", say::reached(reached)),
        }
    };
    let missing = say::visible(&recovery.missing);
    let full = if missing.is_empty() {
        "every slot is ready and takes its part".to_owned()
    } else {
        missing
    };
    vec![
        first_bad,
        onset,
        level(
            "service recovered",
            recovery.service,
            after_heal(|after| after.service),
            "users are served again",
        ),
        level(
            "performance recovered",
            recovery.performance,
            after_heal(|after| after.performance),
            "as fast as before",
        ),
        level(
            "redundancy recovered",
            recovery.redundancy,
            after_heal(|after| after.redundancy),
            &full,
        ),
    ]
}

/// Why nothing can be told of the impact.
fn unknown(recovery: &Recovery) -> String {
    say::or(&say::visible(&recovery.missing), "it was not seen").to_owned()
}

fn notes(fault: &FaultStats) -> Vec<String> {
    let recovery = &fault.recovery;
    let settled = fault.sessions_settled.map_or_else(String::new, |at| {
        format!(
            ", the last after {}",
            say::nanos(u64::try_from(at.nanos()).unwrap_or(0))
        )
    });
    let mut notes = vec![
        format!(
            "Sessions: {} active at the begin, {} lost, {} re-established{settled}. Calls in flight on the target that ended bad: {}.",
            say::count(fault.sessions_active),
            say::count(fault.sessions_lost),
            say::count(fault.sessions_re_established),
            say::count(fault.in_flight_lost),
        ),
        if recovery.service == Reached::Unknown {
            format!("Good operations lost: unknown; {}.", unknown(recovery))
        } else {
            format!(
                "Good operations lost: {}; goodput fell by {} at worst; bad calls on slots that were not hit: {}.",
                say::amount(recovery.lost_good),
                say::percent(recovery.depth),
                say::count(fault.collateral_bad),
            )
        },
        format!(
            "Baseline: {} bad of {}, {} good/s; tolerated {}; resolution {}, had to hold for {}.",
            say::percent(recovery.baseline_bad_ratio),
            say::plural(recovery.baseline_samples, "operation"),
            say::amount(recovery.baseline_goodput),
            say::percent(recovery.tolerance),
            say::nanos(recovery.resolution_ns),
            say::nanos(recovery.hold_ns),
        ),
    ];
    notes.extend(fault.change.as_ref().map(around));
    notes
}

/// What became of the Calls around a change.
fn around(change: &ChangeStats) -> String {
    let unknown = match change.in_flight_unknown {
        0 => String::new(),
        unknown => format!(" and {} of unknown slots", say::count(unknown)),
    };
    let overlong = match change.overlong {
        0 => String::new(),
        overlong => format!(
            ", and {} lasted longer than the grace period",
            say::count(overlong)
        ),
    };
    format!(
        "Change: {} sent while it went on, {} in flight at the stop signal{unknown}; {} failed by it{overlong}.",
        say::plural(change.calls, "call"),
        say::count(change.in_flight),
        say::count(change.failed),
    )
}
