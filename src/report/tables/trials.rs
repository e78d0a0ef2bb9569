//! The trials of a repeated fault: a row for each, and what they tell together.
//!
//! Pure. The stamps of every trial stand in the JSON report. Next: `tables::faults`, for a fault that is played once.

use super::faults::targets;
use super::{Table, number, words};
use crate::analysis::{FaultStats, RecoveryTimes, TrialStats};
use crate::report::words as say;

/// The trials of one fault.
pub fn trials(stats: &TrialStats, faults: &[FaultStats]) -> Table {
    let of = || faults.iter().filter(|fault| fault.of == stats.fault);
    let kind = of().next().map_or("", |fault| fault.kind.as_str());
    let mut notes = vec![format!(
        "Proven effective: {} of {}. Times count from the moment at which a trial took effect.",
        say::count(stats.proven),
        say::plural(stats.planned, "trial")
    )];
    for (what, times) in [
        ("Users served again", &stats.service),
        ("As fast as before", &stats.performance),
        ("Every slot at work", &stats.redundancy),
    ] {
        notes.push(format!("{what}: {}", together(times)));
    }
    Table {
        title: format!(
            "Trials of {}: {} {}",
            say::visible(&stats.fault),
            say::plural(stats.planned, "time"),
            say::visible(kind)
        ),
        columns: vec![
            words("trial"),
            number("began"),
            words("targets"),
            number("service"),
            number("performance"),
            number("redundancy"),
            number("sessions lost"),
            words("trouble"),
        ],
        rows: of().map(row).collect(),
        notes,
    }
}

fn row(fault: &FaultStats) -> Vec<String> {
    let recovery = &fault.recovery;
    let trouble = match (&fault.not_healed, &fault.failed, &fault.effective) {
        (Some(by_hand), ..) => format!("NOT HEALED; by hand: {by_hand}"),
        (None, Some(reason), _) => reason.clone(),
        (None, None, None) if fault.began.is_none() => "never began".to_owned(),
        (None, None, None) => "its effect was not proven".to_owned(),
        (None, None, Some(_)) => recovery.missing.clone(),
    };
    vec![
        say::visible(&fault.name),
        say::moment_or_nothing(fault.began),
        targets(fault),
        say::reached(recovery.service),
        say::reached(recovery.performance),
        say::reached(recovery.redundancy),
        say::count(fault.sessions_lost),
        say::visible(&trouble),
    ]
}

fn together(times: &RecoveryTimes) -> String {
    let or_never =
        |value: Option<u64>| value.map_or_else(|| "not recovered".to_owned(), say::nanos);
    let interval = times
        .mean_interval_ns
        .map_or_else(String::new, |(low, high)| {
            format!(
                " (95 % interval {} to {})",
                say::nanos(low),
                say::nanos(high)
            )
        });
    let mean = times.mean_ns.map_or_else(String::new, |mean| {
        let of = if times.not_recovered > 0 {
            " of those that recovered"
        } else {
            ""
        };
        format!(", mean{of} {}{interval}", say::nanos(mean))
    });
    format!(
        "median {}, greatest {}{mean}; {} recovered (of them {} without an impact), {} not while observed, {} unknown.",
        or_never(times.median_ns),
        or_never(times.max_ns),
        say::count(times.recovered),
        say::count(times.no_impact),
        say::count(times.not_recovered),
        say::count(times.unknown),
    )
}
