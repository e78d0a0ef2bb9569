//! The conformance suite's tools that ask the client: by requests of the server up to 2025-11-25, by answers that require
//! input from 2026-07-28 on.
//!
//! It waits for the client's answers. Invariant: a client is asked only for what it declared it can do, where the suite
//! looks at that; a state that was not sealed for the call is refused.

use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientResult, ErrorData, GetPromptRequestParams,
    GetPromptResponse, InputRequests, InputRequiredResult, InputResponses, ServerRequest,
};
use rmcp::service::RequestContext;
use serde_json::{Value, json};

use super::super::super::state::Server;
use super::super::run::{answer, internal};
use super::typed;

/// The tools that ask.
pub(super) const TOOLS: &[&str] = &[
    "test_sampling",
    "test_elicitation",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_streaming_elicitation",
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
];

/// The prompt that asks.
pub(super) const PROMPT: &str = "test_input_required_result_prompt";

/// Runs the tool that the request names; `None` if it is none of these.
pub(super) async fn call(
    server: &Server,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Option<Result<CallToolResponse, ErrorData>> {
    let name = request.name.as_ref();
    if let Some(asked) = legacy_request(name, request) {
        return Some(ask(asked, context).await);
    }
    TOOLS
        .contains(&name)
        .then(|| input_required(server, request, context))
}

/// The request that a tool of the legacy era sends.
fn legacy_request(name: &str, request: &CallToolRequestParams) -> Option<Value> {
    let argument = |name: &str| {
        let arguments = request.arguments.as_ref();
        arguments
            .and_then(|arguments| arguments.get(name).cloned())
            .unwrap_or_default()
    };
    let schema = match name {
        "test_sampling" => return Some(sampling(&argument("prompt"), 100)),
        "test_elicitation" => {
            let properties = json!({
                "username": {"type": "string", "description": "User's response"},
                "email": {"type": "string", "description": "User's email address"},
            });
            return Some(elicitation(
                &argument("message"),
                &properties,
                &["username", "email"],
            ));
        }
        "test_elicitation_sep1034_defaults" => json!({
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": true},
        }),
        "test_elicitation_sep1330_enums" => {
            let titled = json!([
                {"const": "value1", "title": "First Option"},
                {"const": "value2", "title": "Second Option"},
                {"const": "value3", "title": "Third Option"},
            ]);
            let plain = json!(["option1", "option2", "option3"]);
            json!({
                "untitledSingle": {"type": "string", "enum": plain},
                "titledSingle": {"type": "string", "oneOf": titled},
                "legacyEnum": {
                    "type": "string",
                    "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"],
                },
                "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
                "titledMulti": {"type": "array", "items": {"anyOf": titled}},
            })
        }
        _ => return None,
    };
    Some(elicitation(&json!("Please answer"), &schema, &[]))
}

/// Sends the request and answers what the client answered.
async fn ask(
    asked: Value,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let request: ServerRequest = typed(asked)?;
    let result = context.peer.send_request(request).await.map_err(internal)?;
    let text = match &result {
        ClientResult::CreateMessageResult(_) => "LLM response",
        _ => "Elicitation completed",
    };
    let answered = serde_json::to_value(&result).map_err(internal)?;
    let action = answered.get("action").and_then(Value::as_str);
    let said = answered.get("content").cloned().unwrap_or_default();
    let text = match (text, said.get("text"), action) {
        ("LLM response", Some(said), _) => format!("LLM response: {said}"),
        (_, _, Some(action)) => {
            format!("Elicitation completed: User response: action={action}, content={said}")
        }
        _ => format!("{text}: {said}"),
    };
    Ok(answer(text).into())
}

/// A round of a tool of the modern era.
fn input_required(
    server: &Server,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let round = server.rounds.opened(request)?.unwrap_or(0);
    let answered = |keys: &[&str]| has_all(request.input_responses.as_ref(), keys);
    let name = json!({"name": {"type": "string"}});
    let ask_name = || elicitation(&json!("What is your name?"), &name, &["name"]);
    let confirm = || {
        let ok = json!({"ok": {"type": "boolean"}});
        json!({"confirm": elicitation(&json!("Please confirm"), &ok, &["ok"])})
    };
    let complete = |text: &str| Ok(answer(text.to_owned()).into());
    let asked = |requests: Value, round: Option<u32>| {
        let requests: InputRequests = typed(requests)?;
        let state = round.map(|round| server.rounds.seal(request, round));
        Ok(InputRequiredResult::new(Some(requests), state).into())
    };
    match request.name.as_ref() {
        "test_input_required_result_elicitation" | "test_streaming_elicitation" => {
            match said_name(request.input_responses.as_ref()) {
                Some(name) => complete(&format!("Hello, {name}!")),
                None => asked(json!({"user_name": ask_name()}), None),
            }
        }
        "test_input_required_result_sampling" if answered(&["capital_question"]) => {
            complete("The question was answered.")
        }
        "test_input_required_result_sampling" => {
            let question = json!("What is the capital of France?");
            asked(json!({"capital_question": sampling(&question, 100)}), None)
        }
        "test_input_required_result_list_roots" if answered(&["client_roots"]) => {
            let responses = json!(request.input_responses);
            complete(&format!("The roots: {responses}"))
        }
        "test_input_required_result_list_roots" => asked(json!({"client_roots": roots()}), None),
        "test_input_required_result_request_state"
        | "test_input_required_result_tampered_state"
            if round == 1 && answered(&["confirm"]) =>
        {
            complete("state-ok")
        }
        "test_input_required_result_request_state"
        | "test_input_required_result_tampered_state" => asked(confirm(), Some(1)),
        "test_input_required_result_multiple_inputs"
            if round == 1 && answered(&["user_name", "greeting", "client_roots"]) =>
        {
            complete("All was answered.")
        }
        "test_input_required_result_multiple_inputs" => {
            let greeting = sampling(&json!("Generate a greeting"), 50);
            let requests =
                json!({"user_name": ask_name(), "greeting": greeting, "client_roots": roots()});
            asked(requests, Some(1))
        }
        "test_input_required_result_multi_round" if round == 2 && answered(&["step2"]) => {
            complete("Both steps were answered.")
        }
        "test_input_required_result_multi_round" if round == 1 && answered(&["step1"]) => {
            let color = json!({"color": {"type": "string"}});
            let message = json!("Step 2: What is your favorite color?");
            asked(
                json!({"step2": elicitation(&message, &color, &["color"])}),
                Some(2),
            )
        }
        "test_input_required_result_multi_round" => {
            let message = json!("Step 1: What is your name?");
            asked(
                json!({"step1": elicitation(&message, &name, &["name"])}),
                Some(1),
            )
        }
        _ => {
            let capabilities = context.client_capabilities().unwrap_or_default();
            let mut requests = serde_json::Map::new();
            if capabilities.elicitation.is_some() {
                requests.insert("elicitation".to_owned(), ask_name());
            }
            if capabilities.sampling.is_some() {
                let greeting = sampling(&json!("Generate a greeting"), 50);
                requests.insert("sampling".to_owned(), greeting);
            }
            if request.input_responses.is_some() || requests.is_empty() {
                return complete("Nothing to ask.");
            }
            asked(Value::Object(requests), None)
        }
    }
}

/// A round of the prompt that asks; `None` if it is another prompt.
pub(in crate::reference::server) fn prompt(
    request: &GetPromptRequestParams,
) -> Option<Result<GetPromptResponse, ErrorData>> {
    if request.name != PROMPT {
        return None;
    }
    if has_all(request.input_responses.as_ref(), &["user_context"]) {
        let content = json!({"type": "text", "text": "The context was given."});
        let message = json!({"role": "user", "content": content});
        let messages = json!({"resultType": "complete", "messages": [message]});
        return Some(typed::<rmcp::model::GetPromptResult>(messages).map(Into::into));
    }
    let message = json!("What context should the prompt use?");
    let context = json!({"context": {"type": "string"}});
    let requests = json!({"user_context": elicitation(&message, &context, &["context"])});
    Some(typed(requests).map(|requests| InputRequiredResult::new(Some(requests), None).into()))
}

fn has_all(responses: Option<&InputResponses>, keys: &[&str]) -> bool {
    responses.is_some_and(|responses| {
        keys.iter()
            .all(|key| responses.get(*key).is_some_and(Value::is_object))
    })
}

fn said_name(responses: Option<&InputResponses>) -> Option<String> {
    let name = responses?.get("user_name")?.get("content")?.get("name")?;
    name.as_str().map(str::to_owned)
}

fn elicitation(message: &Value, properties: &Value, required: &[&str]) -> Value {
    let schema = json!({"type": "object", "properties": properties, "required": required});
    json!({"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}})
}

fn sampling(text: &Value, most_tokens: u32) -> Value {
    let message = json!({"role": "user", "content": {"type": "text", "text": text}});
    json!({
        "method": "sampling/createMessage",
        "params": {"messages": [message], "maxTokens": most_tokens},
    })
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}
