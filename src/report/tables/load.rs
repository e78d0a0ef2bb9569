//! Tables of the load: phases, objectives, operations.
//!
//! Pure. The numbers of a closed model are never shown without the words that say so.

use super::{Table, number, words};
use crate::analysis::{Analysis, PhaseStats, Trust};
use crate::plan::{Counted, ObjectivePlan, Promise};
use crate::report::words as say;

/// The phases, with their trust grades.
pub fn phases(analysis: &Analysis) -> Table {
    let mut notes = vec![
        "Response times count from the due time of an operation to the end of its last call; bad = fail + info + shed; \
         wait: the client was busy or reconnecting; lag: the generator itself was late."
            .to_owned(),
    ];
    for phase in &analysis.phases {
        let name = say::visible(&phase.name);
        if phase.closed {
            let model = if phase.paced { say::PACED } else { say::CLOSED };
            notes.push(format!("{name}: {model}."));
        }
        if let Some(left) = left_over(phase) {
            notes.push(format!("{name}: {left}."));
        }
        if !phase.measured {
            notes.push(format!(
                "{name} is not measured: objectives without windows leave it out."
            ));
        }
    }
    for grade in analysis
        .trust
        .iter()
        .filter(|grade| grade.trust != Trust::Valid)
    {
        let reasons: Vec<String> = grade
            .reasons
            .iter()
            .map(|reason| say::visible(reason))
            .collect();
        notes.push(format!(
            "Trust in {}: {} ({}).",
            say::visible(&grade.phase),
            say::trust(grade.trust),
            say::or(&reasons.join("; "), "no reason given"),
        ));
    }
    if analysis.record.is_sampled() {
        notes.push(format!(
            "Rows are kept of the calls of {} of the operations, and of all that did not end ok, exceeded a threshold or outlasted \
             their phase; {} calls have none. Every number here counts all of them.",
            analysis.record.calls,
            say::count(analysis.whole.left_out),
        ));
    }
    let pinning = say::pinning(analysis.run.host.pinning.as_ref());
    if !pinning.is_empty() {
        notes.push(format!("Processors: {pinning}."));
    }
    for grade in &analysis.trust {
        if let Some(law) = &grade.little {
            let name = say::visible(&grade.phase);
            notes.push(format!("Little's law in {name}: {}.", say::little(law)));
        }
    }
    Table {
        title: "Phases".to_owned(),
        columns: vec![
            words("phase"),
            words("load"),
            number("intended"),
            number("samples"),
            number("ok"),
            number("bad"),
            number("shed"),
            number("p50"),
            number("p95"),
            number("p99"),
            number("wait p99"),
            number("lag p99"),
            words("trust"),
        ],
        rows: analysis
            .phases
            .iter()
            .map(|phase| phase_row(phase, analysis))
            .collect(),
        notes,
    }
}

/// What closed users did not get round to in the phase.
fn left_over(phase: &PhaseStats) -> Option<String> {
    let intended = phase.intended.filter(|_| phase.closed)?;
    let left = intended
        .checked_sub(phase.tally.due)
        .filter(|left| *left > 0)?;
    Some(format!(
        "its users had no time for {} of {} operations",
        say::count(left),
        say::count(intended)
    ))
}

fn phase_row(phase: &PhaseStats, analysis: &Analysis) -> Vec<String> {
    let times = if phase.closed && !phase.paced {
        &phase.service
    } else {
        &phase.response
    };
    let trust = analysis
        .trust
        .iter()
        .find(|grade| grade.phase == phase.name)
        .map_or("-", |grade| say::trust(grade.trust));
    let closed = if phase.closed { " (closed model)" } else { "" };
    vec![
        say::visible(&phase.name),
        format!("{}{closed}", say::visible(&phase.load)),
        // Where nothing was meant to arrive there is nothing to compare with.
        say::count_or_nothing(phase.intended.filter(|intended| *intended > 0)),
        say::count(times.samples),
        say::count(phase.tally.ok),
        say::count(phase.tally.bad()),
        say::count(phase.tally.shed),
        say::percentile(times.p50_ns, times),
        say::percentile(times.p95_ns, times),
        say::percentile(times.p99_ns, times),
        say::percentile(phase.client_wait.p99_ns, &phase.client_wait),
        say::percentile(phase.lag.p99_ns, &phase.lag),
        trust.to_owned(),
    ]
}

/// Each objective in each of its windows.
pub fn objectives(analysis: &Analysis) -> Table {
    let rows = analysis.objectives.iter().map(|stats| {
        let worst = stats.by_slot.iter().find(|part| part.bad > 0).map_or_else(
            || say::NOTHING.to_owned(),
            |part| {
                let slot = say::visible(part.slot.as_str());
                format!(
                    "{} ({} bad)",
                    say::or(&slot, "unknown"),
                    say::count(part.bad)
                )
            },
        );
        vec![
            format!(
                "{} ({})",
                say::visible(&stats.objective.name),
                say::visible(&stats.window.to_string())
            ),
            promise(&stats.objective),
            say::count(stats.samples),
            say::count(stats.bad),
            say::share(stats.bad, stats.samples),
            worst,
        ]
    });
    Table {
        title: "Objectives".to_owned(),
        columns: vec![
            words("objective (window)"),
            words("promise"),
            number("samples"),
            number("bad"),
            number("bad share"),
            words("most bad from"),
        ],
        rows: rows.collect(),
        notes: vec!["Bad: not ok, or over the threshold; shed operations count as bad.".to_owned()],
    }
}

/// What an objective promises, in words.
fn promise(objective: &ObjectivePlan) -> String {
    let counted = match objective.of {
        Counted::Operations => "operations",
        Counted::Calls => "calls",
    };
    let promise = match objective.promise {
        Promise::Latency { share, under } => {
            format!(
                "{share} of {counted} within {}",
                crate::model::time::humane(under)
            )
        }
        Promise::Errors { under } => format!("less than {under} of {counted} bad"),
        Promise::Throughput { share } => format!("{share} of the intended {counted} done in time"),
    };
    if objective.operations.is_empty() {
        return promise;
    }
    format!(
        "{promise} ({})",
        say::visible(&objective.operations.join(", "))
    )
}

/// The operations by protocol version.
pub fn operations(analysis: &Analysis) -> Table {
    // The first column alone tells the rows apart: a narrow terminal repeats it, and only it.
    let several = analysis
        .operations
        .windows(2)
        .any(|pair| matches!(pair, [one, other] if one.workload != other.workload));
    let rows = analysis.operations.iter().map(|stats| {
        let response = &stats.response;
        let workload = if several {
            format!("{}: ", say::visible(&stats.workload))
        } else {
            String::new()
        };
        vec![
            format!(
                "{workload}{} {}",
                say::visible(&stats.operation),
                stats.protocol
            ),
            say::era(stats.protocol.era()).to_owned(),
            say::count(response.samples),
            say::count(stats.tally.ok),
            say::count(stats.tally.bad()),
            say::percentile(response.p50_ns, response),
            say::percentile(response.p95_ns, response),
            say::percentile(response.p99_ns, response),
            say::percentile(stats.service.p99_ns, &stats.service),
            say::percentile(stats.first_byte.p99_ns, &stats.first_byte),
        ]
    });
    let mut notes = vec![
        "Over the measured phases. Service counts from the moment a call was sent to its end, first byte to the head of its answer."
            .to_owned(),
    ];
    let closed: Vec<String> = analysis
        .phases
        .iter()
        .filter(|phase| phase.closed && !phase.paced && phase.measured)
        .map(|phase| say::visible(&phase.name))
        .collect();
    if !closed.is_empty() {
        notes.push(format!("From {}: {}.", closed.join(", "), say::CLOSED));
    }
    Table {
        title: "Operations".to_owned(),
        columns: vec![
            words("operation"),
            words("era"),
            number("samples"),
            number("ok"),
            number("bad"),
            number("p50"),
            number("p95"),
            number("p99"),
            number("service p99"),
            number("first byte p99"),
        ],
        rows: rows.collect(),
        notes,
    }
}
