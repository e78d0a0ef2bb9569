//! The resources and prompts that the server offers; every server offers the same.
//!
//! Pure. Invariant: what a resource or prompt says depends on its name and arguments alone, never on the instance, so that
//! a client can validate it whoever answered.

use rmcp::ErrorData;
use rmcp::model::{
    GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, ReadResourceResult,
    Resource, ResourceContents, Role,
};

const RESOURCES: usize = 250;
const NOTES: usize = 60;
const RESOURCE_PREFIX: &str = "mem://resource/";
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

/// What the resource `uri` says.
///
/// # Errors
/// -32002 (in the modern era -32602) if there is no such resource.
pub(super) fn read_resource(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let number = numbered(uri, RESOURCE_PREFIX, 3, RESOURCES)
        .ok_or_else(|| ErrorData::resource_not_found("no such resource", None))?;
    Ok(ReadResourceResult::new(vec![ResourceContents::text(
        resource_text(number),
        uri,
    )]))
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
