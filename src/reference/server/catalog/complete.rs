//! Completion of arguments: the name that is greeted, and the number of a resource.
//!
//! Pure. Invariant: values begin with what was typed, in order, at most the 100 that the protocol allows; `total` counts
//! those left out too.

use rmcp::ErrorData;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, Reference};

use super::{COUNTER_PREFIX, RESOURCE_PREFIX, RESOURCES, numbered};

const NAMES: [&str; 12] = [
    "Ada", "Adele", "Alan", "Barbara", "Blaise", "Charles", "Donald", "Edsger", "Grace", "Kurt",
    "Leslie", "Margaret",
];

/// The values that begin like the argument's value.
///
/// # Errors
/// -32602 if there is no such prompt, template or argument.
pub(in super::super) fn complete(
    request: &CompleteRequestParams,
) -> Result<CompleteResult, ErrorData> {
    let (argument, typed) = (
        request.argument.name.as_str(),
        request.argument.value.as_str(),
    );
    let values: Vec<String> = match &request.r#ref {
        Reference::Prompt(prompt) if prompt.name == "greeting" && argument == "name" => {
            let names = NAMES.iter().filter(|name| name.starts_with(typed));
            names.map(|name| (*name).to_owned()).collect()
        }
        Reference::Prompt(prompt)
            if numbered(&prompt.name, super::NOTE_PREFIX, 2, super::NOTES).is_some() =>
        {
            Vec::new()
        }
        Reference::Resource(resource)
            if resource.uri == format!("{RESOURCE_PREFIX}{{number}}") && argument == "number" =>
        {
            let numbers = (1..=RESOURCES).map(|number| format!("{number:03}"));
            numbers.filter(|number| number.starts_with(typed)).collect()
        }
        Reference::Resource(resource)
            if resource.uri == format!("{COUNTER_PREFIX}{{name}}") && argument == "name" =>
        {
            Vec::new()
        }
        _ => {
            return Err(ErrorData::invalid_params("nothing to complete", None));
        }
    };
    let total = u32::try_from(values.len()).ok();
    let has_more = values.len() > CompletionInfo::MAX_VALUES;
    let values = values
        .into_iter()
        .take(CompletionInfo::MAX_VALUES)
        .collect();
    CompletionInfo::with_pagination(values, total, has_more)
        .map(CompleteResult::new)
        .map_err(|error| ErrorData::internal_error(error, None))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn completed(
        reference: &serde_json::Value,
        name: &str,
        value: &str,
    ) -> Result<(usize, u32, bool), i32> {
        let request = json!({"ref": reference, "argument": {"name": name, "value": value}});
        let request = serde_json::from_value(request).unwrap();
        complete(&request)
            .map(|result| {
                let info = result.completion;
                assert!(info.values.iter().all(|found| found.starts_with(value)));
                (
                    info.values.len(),
                    info.total.unwrap(),
                    info.has_more.unwrap(),
                )
            })
            .map_err(|error| error.code.0)
    }

    #[test]
    fn values_begin_with_what_was_typed_and_are_at_most_a_hundred() {
        let greeting = json!({"type": "ref/prompt", "name": "greeting"});
        let numbers = json!({"type": "ref/resource", "uri": "mem://resource/{number}"});
        let unknown = json!({"type": "ref/prompt", "name": "nothing"});
        for (reference, name, value, expected) in [
            (&greeting, "name", "Ad", Ok((2, 2, false))),
            (&greeting, "name", "", Ok((12, 12, false))),
            (&numbers, "number", "", Ok((100, 250, true))),
            (&numbers, "number", "02", Ok((10, 10, false))),
            (&numbers, "number", "9", Ok((0, 0, false))),
            (&greeting, "other", "", Err(-32602)),
            (&unknown, "name", "", Err(-32602)),
        ] {
            assert_eq!(
                completed(reference, name, value),
                expected,
                "{reference} {value}"
            );
        }
    }
}
