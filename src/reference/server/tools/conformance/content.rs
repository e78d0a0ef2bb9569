//! The fixed contents of the conformance suite's tools, prompts and resources.
//!
//! Pure. Invariant: every name and text is the one that the suite's descriptions give.

use rmcp::ErrorData;
use rmcp::model::{
    GetPromptResult, JsonObject, Prompt, PromptArgument, ReadResourceResult, Resource,
    ResourceTemplate,
};
use serde_json::{Value, json};

use super::{asks, typed};

/// The tools that ask nothing.
pub(super) const TOOLS: &[&str] = &[
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_error_handling",
    "json_schema_2020_12_tool",
    "test_tool_with_logging",
    "test_logging_tool",
    "test_tool_with_progress",
    "test_reconnection",
    "test_missing_capability",
    "test_trigger_tool_change",
];

/// A red pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// Silence of no length.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

const TEMPLATE: &str = "test://template/{id}/data";

/// The result of a tool that does nothing but answer.
pub(super) fn tool(name: &str) -> Option<Value> {
    let content = match name {
        "test_simple_text" => {
            json!([{"type": "text", "text": "This is a simple text response for testing."}])
        }
        "test_image_content" => json!([image()]),
        "test_audio_content" => json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]),
        "test_embedded_resource" => json!([{"type": "resource", "resource": {
            "uri": "test://embedded-resource",
            "mimeType": "text/plain",
            "text": "This is an embedded resource content.",
        }}]),
        "test_multiple_content_types" => json!([
            {"type": "text", "text": "Multiple content types test:"},
            image(),
            {"type": "resource", "resource": {
                "uri": "test://mixed-content-resource",
                "mimeType": "application/json",
                "text": r#"{"test":"data","value":123}"#,
            }},
        ]),
        "test_error_handling" => {
            return Some(
                json!({"resultType": "complete", "isError": true, "content": [{
                    "type": "text",
                    "text": "This tool intentionally returns an error for testing",
                }]}),
            );
        }
        "json_schema_2020_12_tool" => json!([{"type": "text", "text": "Called."}]),
        _ => return None,
    };
    Some(json!({"resultType": "complete", "content": content, "isError": false}))
}

fn image() -> Value {
    json!({"type": "image", "data": PNG, "mimeType": "image/png"})
}

/// A schema with what JSON Schema 2020-12 has and older versions have not.
pub(super) fn schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {
            "properties": {"contactMethod": {"const": "phone"}},
            "required": ["contactMethod"],
        },
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

/// The prompts.
pub(in crate::reference::server) fn prompts() -> Vec<Prompt> {
    let prompt = |name: &str, arguments: &[&str]| {
        let required = |name: &&str| PromptArgument::new(*name).with_required(true);
        let arguments: Vec<PromptArgument> = arguments.iter().map(required).collect();
        let arguments = (!arguments.is_empty()).then_some(arguments);
        Prompt::new(name, Some("For the conformance suite"), arguments)
    };
    vec![
        prompt("test_simple_prompt", &[]),
        prompt("test_prompt_with_arguments", &["arg1", "arg2"]),
        prompt("test_prompt_with_embedded_resource", &["resourceUri"]),
        prompt("test_prompt_with_image", &[]),
        prompt(asks::PROMPT, &[]),
    ]
}

/// What the prompt says; `None` if it is none of these, or one that asks.
pub(in crate::reference::server) fn get_prompt(
    name: &str,
    arguments: Option<&JsonObject>,
) -> Option<Result<GetPromptResult, ErrorData>> {
    let argument = |name: &str| {
        let value = arguments.and_then(|arguments| arguments.get(name)?.as_str());
        value.unwrap_or_default().to_owned()
    };
    let text = |text: &str| json!({"type": "text", "text": text});
    let contents = match name {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => vec![text(&format!(
            "Prompt with arguments: arg1='{}', arg2='{}'",
            argument("arg1"),
            argument("arg2")
        ))],
        "test_prompt_with_embedded_resource" => vec![
            json!({"type": "resource", "resource": {
                "uri": argument("resourceUri"),
                "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            }}),
            text("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => vec![image(), text("Please analyze the image above.")],
        _ => return None,
    };
    let message = |content: Value| json!({"role": "user", "content": content});
    let messages: Vec<Value> = contents.into_iter().map(message).collect();
    Some(typed(
        json!({"resultType": "complete", "messages": messages}),
    ))
}

/// Whether an argument of the prompt is completed, with nothing.
pub(in crate::reference::server) fn completes(prompt: &str) -> bool {
    prompt == "test_prompt_with_arguments"
}

/// The resources that are listed.
pub(in crate::reference::server) fn resources() -> Vec<Resource> {
    let resource = |uri: &str, name: &str, mime_type: &str| {
        Resource::new(uri, name)
            .with_description("For the conformance suite")
            .with_mime_type(mime_type)
    };
    vec![
        resource("test://static-text", "static-text", "text/plain"),
        resource("test://static-binary", "static-binary", "image/png"),
        resource("test://watched-resource", "watched-resource", "text/plain"),
    ]
}

/// The template.
pub(in crate::reference::server) fn templates() -> Vec<ResourceTemplate> {
    vec![ResourceTemplate::new(TEMPLATE, "template").with_mime_type("application/json")]
}

/// What the resource says; `None` if it is none of these.
pub(in crate::reference::server) fn read_resource(
    uri: &str,
) -> Option<Result<ReadResourceResult, ErrorData>> {
    let content = match uri {
        "test://static-text" => json!({
            "uri": uri,
            "mimeType": "text/plain",
            "text": "This is the content of the static text resource.",
        }),
        "test://static-binary" => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
        "test://watched-resource" => json!({
            "uri": uri,
            "mimeType": "text/plain",
            "text": "This resource is watched and never changes.",
        }),
        _ => {
            let (before, after) = TEMPLATE.split_once("{id}")?;
            let id = uri.strip_prefix(before)?.strip_suffix(after)?;
            let data = format!("Data for ID: {id}");
            let text = json!({"id": id, "templateTest": true, "data": data}).to_string();
            json!({"uri": uri, "mimeType": "application/json", "text": text})
        }
    };
    Some(typed(
        json!({"resultType": "complete", "contents": [content]}),
    ))
}
