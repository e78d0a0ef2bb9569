//! Tables of the fleet: slots, and errors by who served the calls.
//!
//! Pure. A slot that is not known is called `unknown`, never left out.

use super::{Table, number, words};
use crate::analysis::{Analysis, SlotStats};
use crate::model::{SlotId, Window};
use crate::report::words as say;

/// The most windows, and the most slots of an error, that a cell names; further ones are counted.
const MOST_NAMED: usize = 4;

/// The slots.
pub fn slots(analysis: &Analysis) -> Table {
    Table {
        title: "Slots".to_owned(),
        columns: vec![
            words("slot"),
            words("role"),
            number("starts"),
            number("start took"),
            number("calls"),
            number("bad"),
            number("service samples"),
            number("service p50"),
            number("service p99"),
            number("CPU time"),
            number("peak memory"),
            words("ready"),
        ],
        rows: analysis.slots.iter().map(slot_row).collect(),
        notes: vec![
            "Calls, service time and CPU over the measured phases; service time of the calls that ended ok; memory is resident."
                .to_owned(),
        ],
    }
}

fn slot_row(slot: &SlotStats) -> Vec<String> {
    vec![
        name(&slot.slot),
        say::or(&say::visible(&slot.role), "not deployed").to_owned(),
        slot.incarnations.to_string(),
        say::nanos_or_nothing(slot.start_ns),
        say::count(slot.calls),
        say::count(slot.bad),
        say::count(slot.service.samples),
        say::percentile(slot.service.p50_ns, &slot.service),
        say::percentile(slot.service.p99_ns, &slot.service),
        slot.cpu_seconds
            .filter(|seconds| seconds.is_finite())
            .map_or_else(
                || say::NOTHING.to_owned(),
                |seconds| format!("{seconds:.2} s"),
            ),
        slot.peak_resident_bytes
            .map_or_else(|| say::NOTHING.to_owned(), say::bytes),
        spans(&slot.ready),
    ]
}

/// The spans in which a slot was ready.
fn spans(ready: &[Window]) -> String {
    let named: Vec<String> = ready
        .iter()
        .take(MOST_NAMED)
        .map(|span| say::window(*span))
        .collect();
    match ready.len().saturating_sub(MOST_NAMED) {
        _ if ready.is_empty() => say::NOTHING.to_owned(),
        0 => named.join(", "),
        rest => format!("{}, {rest} more", named.join(", ")),
    }
}

/// The name of a slot.
fn name(slot: &SlotId) -> String {
    say::or(&say::visible(slot.as_str()), "unknown").to_owned()
}

/// Errors by class.
pub fn errors(analysis: &Analysis) -> Table {
    let rows = analysis.errors.iter().map(|error| {
        let mut slots: Vec<String> = error
            .by_slot
            .iter()
            .take(MOST_NAMED)
            .map(|(slot, calls)| format!("{} {}", name(slot), say::count(*calls)))
            .collect();
        let rest = error.by_slot.len().saturating_sub(MOST_NAMED);
        if rest > 0 {
            slots.push(format!("{rest} more"));
        }
        vec![
            error.class.to_string(),
            error
                .code
                .map_or_else(|| say::NOTHING.to_owned(), |code| code.to_string()),
            say::count(error.calls),
            say::moment(error.first),
            say::moment(error.last),
            slots.join(", "),
        ]
    });
    Table {
        title: "Errors".to_owned(),
        columns: vec![
            words("class"),
            number("code"),
            number("calls"),
            number("first"),
            number("last"),
            words("by slot (calls)"),
        ],
        rows: rows.collect(),
        notes: vec!["Calls of the whole run, retries and session upkeep included.".to_owned()],
    }
}
