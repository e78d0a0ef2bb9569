//! What the official conformance suite calls: its tools, prompts and resources, offered with `--conformance`.
//!
//! Not pure: some tools wait, notify or ask the client. Names and contents are the suite's, not ours; each says in the
//! suite's descriptions what it has to do. Invariant: nothing here is offered or answered without the switch. Next:
//! `content` for what is fixed, `asks` for the tools that ask.

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ErrorData,
    ProgressNotificationParam, SamplingCapability, ServerNotification, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData as McpError, RoleServer};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::super::state::Server;
use super::run::{answer, close_stream, internal};

mod asks;
mod content;

pub(in crate::reference::server) use asks::prompt;
pub(in crate::reference::server) use content::{
    completes, get_prompt, prompts, read_resource, resources, templates,
};

/// The pause between two notifications of a tool.
const PAUSE: Duration = Duration::from_millis(50);

/// The tools without arguments, or with those in their schema.
pub(in crate::reference::server) fn tools() -> Vec<Tool> {
    let schema = |name: &str| match name {
        "json_schema_2020_12_tool" => content::schema_2020_12(),
        "test_sampling" => text_argument("prompt"),
        "test_elicitation" => text_argument("message"),
        _ => json!({"type": "object", "properties": {}}),
    };
    content::TOOLS
        .iter()
        .chain(asks::TOOLS)
        .filter_map(|name| {
            let schema = schema(name).as_object()?.clone();
            Some(Tool::new(*name, "For the conformance suite", schema))
        })
        .collect()
}

fn text_argument(name: &str) -> Value {
    json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]})
}

/// Runs the tool that the request names; `None` if it is none of these.
pub(in crate::reference::server) async fn call(
    server: &Server,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Option<Result<CallToolResponse, ErrorData>> {
    let name = request.name.as_ref();
    if let Some(fixed) = content::tool(name) {
        return Some(typed::<CallToolResult>(fixed).map(CallToolResponse::from));
    }
    let result = match name {
        "test_tool_with_logging" | "test_logging_tool" => logging(context).await,
        "test_tool_with_progress" => progress(context).await,
        "test_reconnection" => {
            close_stream(server, context);
            sleep(2 * PAUSE).await;
            Ok(answer(
                "The stream was closed and the call went on.".to_owned(),
            ))
        }
        "test_missing_capability" => needs_sampling(context),
        "test_trigger_tool_change" => {
            server.changes.tools_changed(&server.sessions);
            Ok(answer("The list of tools counts as changed.".to_owned()))
        }
        _ => return asks::call(server, request, context).await,
    };
    Some(result.map(CallToolResponse::from))
}

/// Three log messages, in the legacy era: from 2026-07-28 on a client has to ask for them, and the suite does not.
async fn logging(context: &RequestContext<RoleServer>) -> Result<CallToolResult, McpError> {
    if context.meta.protocol_version().is_none() {
        for text in [
            "Tool execution started",
            "Tool processing data",
            "Tool execution completed",
        ] {
            let message: ServerNotification = typed(json!({
                "method": "notifications/message",
                "params": {"level": "info", "logger": "conformance", "data": text},
            }))?;
            context
                .peer
                .send_notification(message)
                .await
                .map_err(internal)?;
            sleep(PAUSE).await;
        }
    }
    Ok(answer("Logged.".to_owned()))
}

async fn progress(context: &RequestContext<RoleServer>) -> Result<CallToolResult, McpError> {
    let token = context.meta.get_progress_token();
    for done in [0.0, 50.0, 100.0] {
        if let Some(token) = &token {
            let progress = ProgressNotificationParam::new(token.clone(), done).with_total(100.0);
            context
                .peer
                .notify_progress(progress)
                .await
                .map_err(internal)?;
        }
        sleep(PAUSE).await;
    }
    Ok(answer("Progressed.".to_owned()))
}

fn needs_sampling(context: &RequestContext<RoleServer>) -> Result<CallToolResult, McpError> {
    let declared = context.client_capabilities();
    if declared.is_none_or(|capabilities| capabilities.sampling.is_none()) {
        let mut needed = ClientCapabilities::default();
        needed.sampling = Some(SamplingCapability::default());
        return Err(McpError::missing_required_client_capability(needed));
    }
    Ok(answer("The client can sample.".to_owned()))
}

/// A value of the SDK from its JSON.
fn typed<T: DeserializeOwned>(value: Value) -> Result<T, McpError> {
    serde_json::from_value(value).map_err(internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_fixed_is_valid_for_the_sdk() {
        for name in content::TOOLS {
            if let Some(fixed) = content::tool(name) {
                let result: CallToolResult = typed(fixed).unwrap();
                assert!(!result.content.is_empty(), "{name}");
            }
        }
        assert_eq!(tools().len(), content::TOOLS.len() + asks::TOOLS.len());
        for prompt in prompts() {
            let arguments = json!({"arg1": "a", "arg2": "b", "resourceUri": "test://x"});
            let result = get_prompt(&prompt.name, arguments.as_object());
            assert_eq!(
                result.is_none(),
                prompt.name == asks::PROMPT,
                "{}",
                prompt.name
            );
        }
        for resource in resources() {
            assert!(read_resource(&resource.uri).is_some(), "{}", resource.uri);
        }
    }
}
