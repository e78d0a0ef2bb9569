//! What a change did to the Calls around it.
//!
//! Pure.

use serde_json::{Value, json};

use crate::report::schema::{classes, count, flag, list, moment, object, or_null, reference, text};

/// The Calls around the stop signals of a fault; only where a check asks for a clean change.
pub(super) fn change() -> Value {
    let signal = object(&[
        ("at", moment("when it was sent")),
        ("instance", text("to whom")),
        (
            "grace_ns",
            count("how long the instance had before it was killed, nanoseconds"),
        ),
    ]);
    object(&[
        ("signals", list(&signal, "the stop signals, in order")),
        (
            "unasked",
            count("instances that were ended although no signal is known"),
        ),
        ("window", reference("window")),
        (
            "finished",
            flag("whether the change was proven done in the window"),
        ),
        ("baseline_calls", count("calls of the baseline before it")),
        ("calls", count("calls that were sent in the window")),
        (
            "in_flight",
            count("calls in flight at the signal of the instance that served them"),
        ),
        (
            "in_flight_unknown",
            count("calls in flight at a signal of which nobody knows who served them"),
        ),
        (
            "overlong",
            count("calls in flight that failed when the grace period was over"),
        ),
        ("failed", count("failures that the change is blamed for")),
        (
            "failures",
            list(&failures(), "by class, those with the greatest blame first"),
        ),
    ])
}

fn failures() -> Value {
    let code = |what: &str| or_null(&json!({ "type": "integer", "description": what }));
    let slot = json!({ "type": "array", "prefixItems": [text("a slot"), count("calls")], "minItems": 2, "maxItems": 2 });
    let example = object(&[
        ("at", moment("when it was sent, or should have been")),
        ("done", moment("when it failed")),
        (
            "after_signal_ns",
            json!({ "type": "integer", "description": "from the stop signal (else the begin of the change) to at, nanoseconds; negative: it was in flight then" }),
        ),
        (
            "signal",
            text("to whom that signal went; empty without one"),
        ),
        ("operation", text("the operation")),
        ("class", classes()),
        ("code", code("HTTP status or JSON-RPC code")),
        ("instance", text("who served it; empty if unknown")),
    ]);
    object(&[
        ("class", classes()),
        ("code", code("the HTTP status, for class http")),
        ("baseline", count("of the baseline's calls")),
        (
            "sent_after",
            count("of the calls that were sent in the window"),
        ),
        (
            "later",
            count("of those that were sent later, and showed that a session is lost"),
        ),
        (
            "in_flight",
            count("of those in flight, before the grace period was over"),
        ),
        (
            "blamed",
            count("how many of both are more than the baseline had"),
        ),
        (
            "by_slot",
            list(&slot, "most first; the empty name is unknown"),
        ),
        ("examples", list(&example, "the first few")),
    ])
}
