//! What was answered: the verdict and its findings.
//!
//! Pure.

use serde_json::{Value, json};

use crate::report::schema::{count, flag, list, object, one_of, or_null, reference, text};

/// The verdict.
pub(super) fn verdict() -> Value {
    object(&[
        ("answer", reference("answer")),
        (
            "exit",
            json!({ "type": "integer", "minimum": 0, "maximum": 255, "description": "the exit code" }),
        ),
        ("headline", text("one sentence")),
    ])
}

/// The answer of one check.
pub(super) fn finding() -> Value {
    let dependence = object(&[
        (
            "phases",
            list(&text("a phase"), "phases whose trust grade matters"),
        ),
        ("fault", or_null(&text("a fault that must be proven"))),
    ]);
    object(&[
        (
            "name",
            text("the name of the check or objective, with its window where it has several"),
        ),
        (
            "kind",
            text("latency, errors, throughput, or the kind of the check"),
        ),
        (
            "category",
            one_of(
                &["objective", "resilience", "validity", "healing"],
                "leads to exit code 4, 6, 7 or 8",
            ),
        ),
        ("answer", reference("answer")),
        (
            "headline",
            text("what was promised, what was found, and where"),
        ),
        (
            "evidence",
            list(&text("a line"), "numbers with units, windows, samples"),
        ),
        ("samples", count("samples that the answer rests on")),
        (
            "load_can_cause",
            flag("whether load can cause a failure of this"),
        ),
        ("depends_on", dependence),
        (
            "line",
            count("the line in the scenario, from 1; 0 if it is not written there"),
        ),
    ])
}
