//! The resources and prompts that the server offers; every server offers the same.
//!
//! Pure. Invariant: what a resource or prompt says depends on its name and arguments alone, never on the instance, so that
//! a client can validate it whoever answered. Counters are the exception: `changes` has them. Next: `complete`.

use rmcp::ErrorData;
use rmcp::model::{
    GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, ReadResourceResult,
    Resource, ResourceContents, ResourceTemplate, Role,
};

mod complete;

pub(super) use complete::complete;

const RESOURCES: usize = 250;
const NOTES: usize = 60;
const RESOURCE_PREFIX: &str = "mem://resource/";
const COUNTER_PREFIX: &str = "mem://counter/";
const NOTE_PREFIX: &str = "note-";

/// All resources, in the order in which they are listed.
pub(super) fn resources() -> Vec<Resource> {
    let resource = |number: usize| {
        let text = resource_text(number);
        Resource::new(
            format!("{RESOURCE_PREFIX}{number:03}"),
            format!("resource-{number:03}"),
        )
        .with_mime_type("text/plain")
        .with_size(text.len() as u64)
    };
    (1..=RESOURCES).map(resource).collect()
}

/// The templates of all resources.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    let template = |variable: &str, prefix: &str, name: &str, description: &str| {
        ResourceTemplate::new(format!("{prefix}{{{variable}}}"), name)
            .with_description(description)
            .with_mime_type("text/plain")
    };
    vec![
        template(
            "number",
            RESOURCE_PREFIX,
            "resource",
            "The resource with a number from 001 to 250",
        ),
        template(
            "name",
            COUNTER_PREFIX,
            "counter",
            "How often the tool touch has touched the name",
        ),
    ]
}

/// The uri of the counter `name`; `None` if the name is not 1 to 64 letters, digits, '-' or '_'.
pub(super) fn counter_uri(name: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((1..=64).contains(&name.len()) && name.bytes().all(fits))
        .then(|| format!("{COUNTER_PREFIX}{name}"))
}

/// The name of the counter that `uri` means.
pub(super) fn counter_name(uri: &str) -> Option<&str> {
    let name = uri.strip_prefix(COUNTER_PREFIX)?;
    counter_uri(name).map(|_| name)
}

/// Whether there is such a resource. Every counter is there, at 0 until it is touched.
pub(super) fn has_resource(uri: &str) -> bool {
    numbered(uri, RESOURCE_PREFIX, 3, RESOURCES).is_some() || counter_name(uri).is_some()
}

/// The error for a resource that is not there.
pub(super) fn no_such_resource(uri: &str) -> ErrorData {
    // What a client sent goes back to it, in bounded length.
    let uri: String = uri.chars().take(200).collect();
    ErrorData::resource_not_found("no such resource", Some(serde_json::json!({"uri": uri})))
}

/// What the numbered resource `uri` says.
///
/// # Errors
/// -32002 (in the modern era -32602) if there is no such resource.
pub(super) fn read_resource(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let number =
        numbered(uri, RESOURCE_PREFIX, 3, RESOURCES).ok_or_else(|| no_such_resource(uri))?;
    Ok(text(uri, resource_text(number)))
}

/// A resource that is a text.
pub(super) fn text(uri: &str, text: String) -> ReadResourceResult {
    ReadResourceResult::new(vec![ResourceContents::text(text, uri)])
}

fn resource_text(number: usize) -> String {
    format!("This is resource {number} of {RESOURCES}.")
}

/// All prompts, in the order in which they are listed.
pub(super) fn prompts() -> Vec<Prompt> {
    let name = PromptArgument::new("name")
        .with_description("Who is greeted")
        .with_required(true);
    let greeting = Prompt::new(
        "greeting",
        Some("Greets somebody by name"),
        Some(vec![name]),
    );
    let note = |number: usize| {
        Prompt::new(
            format!("{NOTE_PREFIX}{number:02}"),
            Some("A short note"),
            None,
        )
    };
    std::iter::once(greeting)
        .chain((1..=NOTES).map(note))
        .collect()
}

/// What the prompt `name` makes of `arguments`.
///
/// # Errors
/// -32602 if there is no such prompt or its argument is missing.
pub(super) fn get_prompt(
    name: &str,
    arguments: Option<&JsonObject>,
) -> Result<GetPromptResult, ErrorData> {
    let text = if name == "greeting" {
        let name = arguments
            .and_then(|arguments| arguments.get("name"))
            .and_then(|name| name.as_str())
            .ok_or_else(|| {
                ErrorData::invalid_params(
                    "the prompt greeting needs the argument name, a text",
                    None,
                )
            })?;
        format!("Hello, {name}!")
    } else {
        let number = numbered(name, NOTE_PREFIX, 2, NOTES)
            .ok_or_else(|| ErrorData::invalid_params("no such prompt", None))?;
        format!("This is note {number} of {NOTES}.")
    };
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(
        Role::User,
        text,
    )]))
}

/// The number behind `prefix`, if it has exactly `width` digits and lies from 1 to `last`.
fn numbered(text: &str, prefix: &str, width: usize, last: usize) -> Option<usize> {
    let digits = text.strip_prefix(prefix)?;
    if digits.len() != width || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits
        .parse()
        .ok()
        .filter(|number| (1..=last).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_resource_can_be_read_and_has_the_size_it_says() {
        for resource in resources() {
            let read = read_resource(&resource.uri).unwrap();
            let [ResourceContents::TextResourceContents { uri, text, .. }] =
                read.contents.as_slice()
            else {
                panic!("not one text: {read:?}");
            };
            assert_eq!(
                (uri, Some(text.len() as u64)),
                (&resource.uri, resource.size)
            );
        }
        assert_eq!(resources().len(), 250);
    }

    #[test]
    fn every_listed_prompt_can_be_got() {
        let arguments = serde_json::from_str(r#"{"name": "Ada"}"#).unwrap();
        for prompt in prompts() {
            assert_eq!(
                get_prompt(&prompt.name, Some(&arguments))
                    .unwrap()
                    .messages
                    .len(),
                1
            );
        }
        let greeting = get_prompt("greeting", Some(&arguments)).unwrap();
        assert_eq!(
            greeting.messages,
            vec![PromptMessage::new_text(Role::User, "Hello, Ada!")]
        );
    }

    #[test]
    fn names_that_are_not_listed_are_errors() {
        for uri in [
            "",
            "mem://resource/0",
            "mem://resource/000",
            "mem://resource/251",
            "mem://resource/1",
            "x",
        ] {
            assert!(read_resource(uri).is_err(), "{uri}");
        }
        for name in ["", "greeting", "note-00", "note-61", "note-1", "note-+1"] {
            assert!(get_prompt(name, None).is_err(), "{name}");
        }
    }
}
