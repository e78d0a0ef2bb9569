//! The definitions that the schema of `summary.json` refers to, one for each type of the Analysis.
//!
//! Pure. [`verdict`] has what was answered, [`fleet`] what happened to the fleet; what was measured of the load stands here.

use serde_json::{Map, Value, json};

use super::{
    classes, count, flag, list, moment, number, object, one_of, or_null, protocols, reference, text,
};

mod fleet;
mod verdict;

use fleet::{error, fault, reached, recovery, slot, trials};
use verdict::{finding, verdict};

/// `$defs`.
pub(super) fn definitions() -> Value {
    let all = [
        ("verdict", verdict()),
        ("finding", finding()),
        (
            "answer",
            one_of(&["pass", "inconclusive", "fail"], "the answer"),
        ),
        (
            "window",
            object(&[
                ("start", moment("the first moment inside")),
                ("end", moment("the first moment after")),
            ]),
        ),
        ("tally", tally()),
        ("quantiles", quantiles()),
        ("reached", reached()),
        ("run", run()),
        ("phase", phase()),
        ("operation", operation()),
        ("objective", objective()),
        ("fault", fault()),
        ("recovery", recovery()),
        ("slot", slot()),
        ("error", error()),
        ("second", second()),
        ("little", little()),
        ("trust", trust()),
        ("analysis", analysis()),
    ];
    let all: Map<String, Value> = all
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    Value::Object(all)
}

fn tally() -> Value {
    object(&[
        ("due", count("operations that were due")),
        (
            "shed",
            count("operations that mcpload itself was too late to send"),
        ),
        ("ok", count("operations that ended ok")),
        (
            "fail",
            count("operations that ended fail: surely without effect"),
        ),
        ("info", count("operations that ended info: effect unknown")),
        (
            "calls",
            count("calls, attempts and session upkeep included"),
        ),
        ("unrecorded", count("rows of calls that were dropped")),
        (
            "left_out",
            count("rows of calls that the scenario's sampling left out"),
        ),
    ])
}

fn quantiles() -> Value {
    let nanos = |what: &str| {
        or_null(&count(&format!(
            "{what}, nanoseconds; null if there are no samples, or if the rank falls on samples that did not end ok"
        )))
    };
    object(&[
        ("samples", count("samples, bad ones included")),
        ("bad", count("samples that did not end ok")),
        ("p50_ns", nanos("median")),
        ("p90_ns", nanos("90th percentile")),
        ("p95_ns", nanos("95th percentile")),
        ("p99_ns", nanos("99th percentile")),
        ("p999_ns", nanos("99.9th percentile")),
        ("max_ns", nanos("greatest ok sample")),
    ])
}

fn run() -> Value {
    let numbers = list(&count("a processor"), "by the kernel's numbers");
    let pinning = object(&[("generator", numbers.clone()), ("fleet", numbers)]);
    let host = object(&[
        ("kernel", text("operating system and kernel release")),
        ("processor", text("processor model")),
        ("cores", count("cores")),
        ("memory_bytes", count("memory, bytes")),
        ("open_files", count("limit of open files")),
        ("pinning", or_null(&pinning)),
    ]);
    object(&[
        (
            "format",
            text("the version of the layout of the run directory"),
        ),
        ("name", text("the name of the scenario")),
        ("id", text("the name of the run directory")),
        ("seed", count("the seed")),
        ("tool", text("the version of mcpload")),
        ("started", text("when the run started, RFC 3339 in UTC")),
        ("source", text("the scenario's file name, or --url")),
        ("host", host),
    ])
}

fn phase() -> Value {
    object(&[
        ("name", text("its name")),
        ("window", reference("window")),
        ("measured", flag("whether it is measured")),
        ("load", text("its load in words")),
        (
            "closed",
            flag("closed model: its times are not corrected for omission, unless it is paced"),
        ),
        (
            "paced",
            flag("closed model whose acts have due times: response times count from them"),
        ),
        (
            "intended",
            or_null(&count(
                "operations intended by the schedule; null for a closed model, unless its users have so many to do",
            )),
        ),
        ("tally", reference("tally")),
        ("response", reference("quantiles")),
        ("service", reference("quantiles")),
        ("client_wait", reference("quantiles")),
        ("lag", reference("quantiles")),
    ])
}

fn operation() -> Value {
    object(&[
        ("workload", text("the workload")),
        ("operation", text("the operation")),
        ("protocol", protocols()),
        ("tally", reference("tally")),
        ("response", reference("quantiles")),
        ("service", reference("quantiles")),
        ("first_byte", reference("quantiles")),
    ])
}

fn objective() -> Value {
    let share = object(&[
        ("slot", text("the slot; empty if unknown")),
        (
            "samples",
            or_null(&count(
                "samples that it served; null where rows were left out",
            )),
        ),
        ("bad", count("bad ones of them")),
    ]);
    let class = json!({ "type": "array", "prefixItems": [classes(), count("bad ones")], "minItems": 2, "maxItems": 2 });
    object(&[
        (
            "objective",
            json!({ "type": "object", "required": ["name", "promise"], "description": "as in plan.json" }),
        ),
        (
            "window",
            json!({ "description": "measured, or the phase or fault that it is named by" }),
        ),
        ("span", or_null(&reference("window"))),
        ("samples", count("operations (or calls) counted")),
        ("bad", count("those that broke the promise")),
        ("bad_by_load", count("those of bad that load can cause")),
        (
            "intended",
            or_null(&count("operations that the schedule intended in it")),
        ),
        (
            "by_slot",
            list(&share, "by the slot that served, most bad first"),
        ),
        (
            "by_class",
            list(&class, "bad ones by error class, most frequent first"),
        ),
    ])
}

fn second() -> Value {
    let ready = json!({ "type": "array", "prefixItems": [text("a role"), count("slots")], "minItems": 2, "maxItems": 2 });
    object(&[
        (
            "second",
            json!({ "type": "integer", "description": "the second, from the start of the load" }),
        ),
        ("due", count("operations due")),
        ("ok", count("of these, ended ok")),
        ("fail", count("of these, ended fail")),
        ("info", count("of these, ended info")),
        ("shed", count("of these, shed")),
        ("response", reference("quantiles")),
        (
            "lag_p99_ns",
            or_null(&count(
                "99th percentile of the generator's lag, nanoseconds",
            )),
        ),
        (
            "ready",
            list(&ready, "slots ready at the end of the second, by role"),
        ),
    ])
}

fn little() -> Value {
    object(&[
        (
            "operations",
            count("operations that ended, shed ones left out"),
        ),
        ("enough", flag("whether they are enough to tell anything")),
        (
            "under_way",
            number("operations under way on average, as the workers counted them"),
        ),
        ("rate", number("operations a second")),
        (
            "time_s",
            number("mean time of each from its release to its end, seconds"),
        ),
        ("expected", number("their product")),
        ("tolerance", number("by how much both may differ")),
    ])
}

fn trust() -> Value {
    object(&[
        ("phase", text("the phase")),
        ("window", reference("window")),
        (
            "trust",
            one_of(&["valid", "degraded", "invalid"], "the grade"),
        ),
        (
            "reasons",
            list(&text("a clause"), "what made it less than valid"),
        ),
        ("little", or_null(&reference("little"))),
    ])
}

fn analysis() -> Value {
    let sessions = object(&[
        ("born", count("first sessions established")),
        ("lost", count("sessions that the server no longer knew")),
        ("re_established", count("sessions that replaced lost ones")),
        ("failed", count("attempts to establish one that failed")),
        ("closed", count("sessions ended by DELETE")),
        (
            "abandoned",
            count("sessions that their clients left without a word"),
        ),
        (
            "streams",
            count("streams of the server's messages that were opened"),
        ),
        ("streams_cut", count("streams that ended before their time")),
        ("resumed", count("those that were resumed")),
        ("missed", count("messages that a resumed stream left out")),
        ("doubled", count("messages that came twice")),
    ]);
    let worker = json!({ "type": "array", "prefixItems": [count("a worker"), text("the reason")], "minItems": 2, "maxItems": 2 });
    let steady = object(&[
        ("at", moment("when it was asked")),
        ("steady", flag("whether the fleet was steady")),
        ("good", count("operations that ended ok")),
        ("total", count("operations that ended")),
    ]);
    let endings = ["completed", "not-ready", "interrupted", "failed", "aborted"];
    object(&[
        ("run", reference("run")),
        (
            "ending",
            or_null(&one_of(&endings, "how the run ended; null if it was cut")),
        ),
        (
            "damage",
            list(
                &text("a problem"),
                "problems met while reading the run directory",
            ),
        ),
        (
            "record",
            object(&[(
                "calls",
                text("the share of the operations whose calls were kept as rows"),
            )]),
        ),
        ("cookies", count("answers that set a cookie")),
        (
            "troubles",
            list(
                &text("a clause"),
                "what stopped the run or kept the fleet from being ready",
            ),
        ),
        ("measured", reference("tally")),
        ("whole", reference("tally")),
        ("phases", list(&reference("phase"), "in order")),
        (
            "operations",
            list(
                &reference("operation"),
                "by workload, operation and protocol version, over the measured phases",
            ),
        ),
        (
            "objectives",
            list(
                &reference("objective"),
                "each objective in each of its windows",
            ),
        ),
        (
            "faults",
            list(&reference("fault"), "in the order of their begin"),
        ),
        (
            "trials",
            list(
                &trials(),
                "recovery over the trials of each fault that has several",
            ),
        ),
        ("sessions", sessions),
        ("slots", list(&reference("slot"), "by name")),
        ("errors", list(&reference("error"), "most frequent first")),
        ("series", list(&reference("second"), "one row a second")),
        (
            "trust",
            list(&reference("trust"), "the trust grade of each phase"),
        ),
        ("lost_workers", list(&worker, "workers that were lost")),
        ("steady", or_null(&steady)),
    ])
}
