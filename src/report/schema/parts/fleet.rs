//! What happened to the fleet, and what users felt of it: faults, recovery, slots, errors.
//!
//! Pure.

use serde_json::{Value, json};

use self::change::change;
use crate::report::schema::{
    classes, count, list, moment, number, object, one_of, or_null, reference, text,
};

mod change;

/// A fault and what it did.
pub(super) fn fault() -> Value {
    let proven = |what: &str| {
        or_null(&json!({
            "type": "array", "prefixItems": [moment(what), text("how it was proven")], "minItems": 2, "maxItems": 2
        }))
    };
    let first_bad = object(&[
        ("at", moment("when its last call ended")),
        ("outcome", one_of(&["ok", "fail", "info"], "how it ended")),
        ("class", classes()),
        ("instance", text("who served it; empty if unknown")),
    ]);
    let effect = object(&[
        ("what", text("what was measured, and where")),
        ("unit", text("the unit of both numbers")),
        ("requested", number("what was asked for")),
        ("achieved", number("what was measured")),
    ]);
    object(&[
        (
            "name",
            text("its name; from the second trial on with its number"),
        ),
        (
            "of",
            text("its name in the scenario, which all its trials share"),
        ),
        ("trial", count("which of its trials this is, from 1")),
        ("kind", text("its kind")),
        (
            "targets",
            list(&text("an instance"), "the instances that it hit"),
        ),
        ("planned", moment("when it should have begun")),
        ("began", or_null(&moment("before the act"))),
        ("applied", or_null(&moment("after the act"))),
        ("effective", proven("when its effect was proven")),
        (
            "acted",
            or_null(&moment(
                "from when on it acted, which is where times count from",
            )),
        ),
        (
            "duration_ns",
            or_null(&count(
                "how long it should act, nanoseconds; null for one act",
            )),
        ),
        (
            "effects",
            list(&effect, "what was asked for and what was measured"),
        ),
        ("healing", or_null(&moment("before the undo"))),
        ("heal_returned", or_null(&moment("after the undo"))),
        ("healed", proven("when it was proven healed")),
        (
            "failed",
            or_null(&text("why it could not be injected or proven")),
        ),
        ("not_healed", or_null(&text("what a person must do"))),
        ("first_bad", or_null(&first_bad)),
        ("recovery", reference("recovery")),
        (
            "in_flight_lost",
            count("calls in flight on the target that ended bad"),
        ),
        (
            "sessions_active",
            count("legacy sessions active when it began"),
        ),
        (
            "sessions_lost",
            count("those of them that were lost afterwards"),
        ),
        (
            "sessions_re_established",
            count("those of the lost that were re-established"),
        ),
        (
            "sessions_settled",
            or_null(
                &json!({ "type": "integer", "description": "from the begin to the last re-establishment, nanoseconds" }),
            ),
        ),
        (
            "collateral_bad",
            count("bad calls on slots that were not targeted"),
        ),
        ("change", or_null(&change())),
    ])
}

/// The trials of a fault as one sample.
pub(super) fn trials() -> Value {
    let times = || {
        let span = json!({ "type": "integer", "minimum": 0 });
        object(&[
            ("recovered", count("trials that recovered or had no impact")),
            (
                "no_impact",
                count("those of them that had no impact: they took no time"),
            ),
            (
                "not_recovered",
                count("trials that did not recover while they were observed"),
            ),
            ("unknown", count("trials of which it cannot be told")),
            (
                "median_ns",
                or_null(&count(
                    "median, nanoseconds; null if it falls on one that did not recover",
                )),
            ),
            (
                "max_ns",
                or_null(&count("greatest, nanoseconds; null if one did not recover")),
            ),
            (
                "mean_ns",
                or_null(&count(
                    "mean time to recover of those that did, nanoseconds",
                )),
            ),
            (
                "mean_interval_ns",
                or_null(&json!({
                    "type": "array", "prefixItems": [span, span], "minItems": 2, "maxItems": 2,
                    "description": "95 % bootstrap interval of that mean, nanoseconds; null below five that recovered"
                })),
            ),
        ])
    };
    object(&[
        ("fault", text("the fault's name in the scenario")),
        ("planned", count("trials that were planned")),
        (
            "proven",
            count("trials that were proven effective; the others are left out below"),
        ),
        ("service", times()),
        ("performance", times()),
        ("redundancy", times()),
    ])
}

/// When users were served again.
pub(super) fn recovery() -> Value {
    object(&[
        (
            "baseline_bad_ratio",
            number("bad ratio of the baseline, 0 to 1"),
        ),
        ("baseline_samples", count("operations in the baseline")),
        (
            "baseline_goodput",
            number("good operations a second in the baseline"),
        ),
        ("tolerance", number("tolerated bad ratio, 0 to 1")),
        (
            "resolution_ns",
            count("resolution of every time here, nanoseconds"),
        ),
        (
            "hold_ns",
            count("how long recovery had to hold, nanoseconds"),
        ),
        ("onset", or_null(&moment("first significant impact"))),
        ("service", reference("reached")),
        ("performance", reference("reached")),
        ("redundancy", reference("reached")),
        (
            "missing",
            text("why redundancy is not reached; empty if it is"),
        ),
        (
            "lost_good",
            number("good operations lost against the baseline"),
        ),
        (
            "depth",
            number("one minus the least goodput over the baseline's"),
        ),
        (
            "after_heal",
            or_null(&object(&[
                ("service", reference("reached")),
                ("performance", reference("reached")),
                ("redundancy", reference("reached")),
            ])),
        ),
    ])
}

/// When something was reached after a fault.
pub(super) fn reached() -> Value {
    json!({
        "description": "when a state was reached, counted from the moment at which the fault took effect; in after_heal, from when its undo returned",
        "oneOf": [
            { "enum": ["no-impact", "unknown"] },
            object(&[("after", count("reached after so many nanoseconds"))]),
            object(&[("not-within", count("not reached within so many nanoseconds, after which nothing was seen"))]),
        ],
    })
}

/// A slot.
pub(super) fn slot() -> Value {
    object(&[
        ("slot", text("its name")),
        (
            "role",
            text("its role; empty if it was not deployed by the run"),
        ),
        ("incarnations", count("how often it was started")),
        (
            "start_ns",
            or_null(&count("time from its first start to ready, nanoseconds")),
        ),
        (
            "ready",
            list(&reference("window"), "spans in which it was ready"),
        ),
        (
            "calls",
            count("calls that it served in the measured phases"),
        ),
        ("bad", count("those that did not end ok")),
        ("service", reference("quantiles")),
        (
            "cpu_seconds",
            or_null(&number("CPU seconds over the measured phases")),
        ),
        (
            "peak_resident_bytes",
            or_null(&count("greatest resident memory, bytes")),
        ),
    ])
}

/// An error of Calls.
pub(super) fn error() -> Value {
    let slot = json!({ "type": "array", "prefixItems": [text("a slot"), count("calls")], "minItems": 2, "maxItems": 2 });
    object(&[
        ("class", classes()),
        (
            "code",
            or_null(&json!({ "type": "integer", "description": "HTTP status or JSON-RPC code" })),
        ),
        ("calls", count("calls")),
        ("first", moment("the first")),
        ("last", moment("the last")),
        (
            "by_slot",
            list(&slot, "most frequent first; the empty name is unknown"),
        ),
    ])
}
