//! The definitions that the schema of `summary.json` refers to, one for each type of the Analysis.
//!
//! Pure.

use serde_json::{Map, Value, json};

use super::{
    classes, count, flag, list, moment, number, object, one_of, or_null, protocols, reference, text,
};

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

fn verdict() -> Value {
    object(&[
        ("answer", reference("answer")),
        (
            "exit",
            json!({ "type": "integer", "minimum": 0, "maximum": 255, "description": "the exit code" }),
        ),
        ("headline", text("one sentence")),
    ])
}

fn finding() -> Value {
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

fn reached() -> Value {
    json!({
        "description": "when a state was reached, counted from the moment at which the fault took effect",
        "oneOf": [
            { "enum": ["no-impact", "unknown"] },
            object(&[("after", count("reached after so many nanoseconds"))]),
            object(&[("not-within", count("not reached within so many nanoseconds, after which nothing was seen"))]),
        ],
    })
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
            flag("closed model: its times are not corrected for omission"),
        ),
        (
            "intended",
            or_null(&count(
                "operations intended by the schedule; null for a closed model",
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

fn fault() -> Value {
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
    object(&[
        ("name", text("its name")),
        ("kind", text("its kind")),
        (
            "targets",
            list(&text("an instance"), "the instances that it hit"),
        ),
        ("planned", moment("when it should have begun")),
        ("began", or_null(&moment("before the act"))),
        ("applied", or_null(&moment("after the act"))),
        ("effective", proven("when its effect was proven")),
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
    ])
}

fn recovery() -> Value {
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
    ])
}

fn slot() -> Value {
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

fn error() -> Value {
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
    let endings = ["completed", "not-ready", "interrupted", "failed"];
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
