//! The JSON Schema of what `mcpload calibrate --json` prints.
//!
//! Pure. Objects stay open: a later version of the same layout may add members, never take any away.

use serde_json::{Value, json};

use super::VERSION;
use super::scenario::{Era, Shape};
use crate::report::schema::{count, list, number, object, one_of, or_null, text};

/// The schema (draft 2020-12).
pub fn calibration_schema() -> Value {
    let mut schema = object(&[
        (
            "version",
            json!({ "const": VERSION, "description": "the version of this layout" }),
        ),
        ("tool", text("version of mcpload")),
        ("host", host()),
        ("workers", count("load workers that a run has by default")),
        (
            "proofs",
            list(&proof(), "what proves the instrument, or does not"),
        ),
        (
            "rates",
            list(&rate(), "the rates that were found, by shape of call"),
        ),
        (
            "clients",
            list(&clients(), "how many clients could be held, by era"),
        ),
        (
            "not_measured",
            list(&text("a clause"), "what was not measured, and why"),
        ),
    ]);
    if let Some(members) = schema.as_object_mut() {
        let dialect = json!("https://json-schema.org/draft/2020-12/schema");
        members.insert("$schema".to_owned(), dialect);
        members.insert("title".to_owned(), json!("mcpload calibration"));
    }
    schema
}

fn host() -> Value {
    object(&[
        ("kernel", text("operating system and kernel release")),
        ("processor", text("processor model")),
        ("cores", count("cores that mcpload may use")),
        ("memory_bytes", count("memory, bytes")),
        ("open_files", count("limit of open files of a process")),
    ])
}

fn proof() -> Value {
    let answers = ["pass", "inconclusive", "fail"];
    object(&[
        ("name", text("pause, delays or counts")),
        ("question", text("what is asked")),
        ("answer", one_of(&answers, "whether it holds")),
        ("headline", text("the answer in words, with its numbers")),
        ("samples", count("calls that it rests on")),
        (
            "numbers",
            json!({
                "type": "object",
                "additionalProperties": count("nanoseconds if the name ends in _ns, else a count"),
            }),
        ),
    ])
}

fn rate() -> Value {
    let shapes = Shape::ALL.map(Shape::name);
    let nanoseconds = or_null(&count("nanoseconds"));
    let cost = object(&[
        ("samples", count("calls in the measured phase")),
        ("generator_ns_per_call", nanoseconds.clone()),
        ("stub_ns_per_call", nanoseconds.clone()),
        ("generator_cores", number("cores that the generator used")),
        ("stub_cores", number("cores that the stub used")),
        ("lag_p99_ns", nanoseconds.clone()),
        ("service_p50_ns", nanoseconds.clone()),
        ("service_p99_ns", nanoseconds.clone()),
        ("response_p99_ns", nanoseconds),
    ]);
    object(&[
        (
            "shape",
            one_of(&shapes, "what was called, and how it was answered"),
        ),
        ("workers", count("load workers")),
        ("clients", count("clients")),
        ("probes", count("rates that were tried")),
        (
            "valid_rate",
            or_null(&count(
                "the highest rate that was graded valid, calls a second",
            )),
        ),
        (
            "refused_rate",
            or_null(&count(
                "the lowest rate above it that was not, calls a second",
            )),
        ),
        (
            "refused_because",
            list(&text("a clause"), "what its grade says"),
        ),
        ("cost", or_null(&cost)),
    ])
}

fn clients() -> Value {
    object(&[
        ("era", one_of(&Era::ALL.map(Era::name), "the era")),
        ("few", count("clients connected in the smaller run")),
        ("many", count("clients connected in the larger run")),
        (
            "few_bytes",
            count("resident memory of the worker with the few, bytes"),
        ),
        (
            "many_bytes",
            count("resident memory of the worker with the many, bytes"),
        ),
        (
            "bytes_per_client",
            count("memory of one more client, bytes"),
        ),
        ("files_per_client", number("open files of one more client")),
        (
            "by_memory",
            count("clients that fit into the memory that was available"),
        ),
        (
            "by_files",
            count("clients that fit the limits on open files of all workers"),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::sample::calibration;

    #[test]
    fn a_calibration_is_what_the_schema_says() {
        let schema = jsonschema::draft202012::new(&calibration_schema()).unwrap();
        let document = serde_json::to_value(calibration()).unwrap();
        let wrong: Vec<String> = schema
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        // Every member that is printed is described.
        let described = calibration_schema();
        for (name, _) in document.as_object().unwrap() {
            assert!(described["properties"].get(name).is_some(), "{name}");
        }
        let mut other = document;
        other["version"] = json!("9");
        assert!(!schema.is_valid(&other));
    }
}
