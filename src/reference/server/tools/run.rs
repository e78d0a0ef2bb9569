//! What the tools do when they are called.
//!
//! Not pure: `sleep`, `burn`, `stream` and `effect` do what they say. Invariant: a tool that answers -32602 has done
//! nothing.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{CallToolResult, ContentBlock, ErrorData, JsonObject, ProgressNotificationParam};
use rmcp::service::RequestContext;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::super::burn::burn;
use super::super::catalog;
use super::super::ledger::Effect;
use super::super::state::Server;
use super::{
    Kind, MOST_BURN_MILLISECONDS, MOST_KEY_BYTES, MOST_MILLISECONDS, MOST_PAYLOAD_BYTES,
    MOST_PROGRESS, MOST_VALUE_BYTES,
};

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Deserialize)]
struct Summands {
    a: i64,
    b: i64,
}

#[derive(Deserialize)]
struct Milliseconds {
    ms: u64,
}

#[derive(Deserialize)]
struct Bytes {
    bytes: usize,
}

#[derive(Deserialize)]
struct Progress {
    n: u32,
    #[serde(default)]
    interval_ms: u64,
    close_after: Option<u32>,
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    value: String,
}

#[derive(Deserialize)]
struct Key {
    key: String,
}

#[derive(Deserialize)]
struct Operation {
    op: String,
    #[serde(default)]
    after_ms: u64,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
struct Way {
    region: Option<String>,
    priority: Option<i64>,
    urgent: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

/// Runs the tool `kind`, one that answers at once. It may be dropped at any await: what it does to the server, it does
/// between two of them. `stop` is cancelled when it is.
///
/// # Errors
/// -32602 if the arguments do not fit the tool's schema, -32603 if the ledger or a clock failed.
pub(in crate::reference::server) async fn run(
    server: &Server,
    kind: Kind,
    arguments: JsonObject,
    context: &RequestContext<RoleServer>,
    stop: &CancellationToken,
) -> Result<CallToolResult, ErrorData> {
    match kind {
        Kind::Echo => {
            let Text { text } = parse(arguments)?;
            if !server.defects.echo_delay.is_zero() {
                sleep(server.defects.echo_delay).await;
            }
            Ok(answer(server.defects.echo(text)))
        }
        Kind::Add => {
            let Summands { a, b } = parse(arguments)?;
            let sum = a
                .checked_add(b)
                .ok_or_else(|| invalid("the sum exceeds 64 bits"))?;
            Ok(structured(sum.to_string(), json!({"sum": sum})))
        }
        Kind::Sleep => {
            let Milliseconds { ms } = parse(arguments)?;
            within("ms", ms, MOST_MILLISECONDS)?;
            sleep(Duration::from_millis(ms)).await;
            Ok(answer(ms.to_string()))
        }
        Kind::Payload => {
            let Bytes { bytes } = parse(arguments)?;
            within("bytes", bytes, MOST_PAYLOAD_BYTES)?;
            Ok(answer("x".repeat(bytes)))
        }
        Kind::Burn => {
            let Milliseconds { ms } = parse(arguments)?;
            within("ms", ms, MOST_BURN_MILLISECONDS)?;
            let stops = [stop.clone(), server.life.cut.clone()];
            tokio::task::spawn_blocking(move || burn(Duration::from_millis(ms), &stops))
                .await
                .map_err(internal)?
                .map_err(internal)?;
            Ok(answer(ms.to_string()))
        }
        Kind::Stream => stream(server, parse(arguments)?, context).await,
        Kind::Append => {
            let Entry { key, value } = parse(arguments)?;
            within("length of key", key.len(), MOST_KEY_BYTES)?;
            within("length of value", value.len(), MOST_VALUE_BYTES)?;
            Ok(match server.lists.append(&key, &value) {
                Some(length) => structured(length.to_string(), json!({"length": length})),
                None => CallToolResult::error(vec![ContentBlock::text("the lists are full")]),
            })
        }
        Kind::Read => {
            let Key { key } = parse(arguments)?;
            let values = server.lists.read(&key);
            let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
            let values = json!(values);
            Ok(structured(values.to_string(), json!({"values": values})))
        }
        Kind::Effect => effect(server, &parse(arguments)?).await,
        Kind::Fail => {
            let Message { message } = parse(arguments)?;
            Ok(CallToolResult::error(vec![ContentBlock::text(message)]))
        }
        Kind::Whoami => Ok(CallToolResult::structured(json!({
            "name": server.args.name,
            "incarnation": server.args.incarnation,
            "pid": std::process::id(),
            "session": session(context),
        }))),
        Kind::Touch => {
            let Name { name } = parse(arguments)?;
            let uri = catalog::counter_uri(&name)
                .ok_or_else(|| invalid("name has to be 1 to 64 letters, digits, '-' or '_'"))?;
            let number = server.changes.touch(&name, &uri, &server.sessions);
            let Some(number) = number else {
                return Ok(CallToolResult::error(vec![ContentBlock::text(
                    "there are too many counters",
                )]));
            };
            server.metrics.change();
            Ok(structured(
                number.to_string(),
                json!({"uri": uri, "number": number}),
            ))
        }
        Kind::Route => {
            let Way {
                region,
                priority,
                urgent,
            } = parse(arguments)?;
            within(
                "length of region",
                region.as_ref().map_or(0, String::len),
                MOST_KEY_BYTES,
            )?;
            let way = json!({"region": region, "priority": priority, "urgent": urgent});
            Ok(structured(way.to_string(), way))
        }
        // Their answers take several rounds: `rounds` has them.
        Kind::Confirm | Kind::Postpone => Err(internal("a call of several rounds went astray")),
    }
}

async fn stream(
    server: &Server,
    progress: Progress,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResult, ErrorData> {
    let Progress {
        n,
        interval_ms,
        close_after,
    } = progress;
    within("n", n, MOST_PROGRESS)?;
    within("interval_ms", interval_ms, MOST_MILLISECONDS)?;
    let token = context.meta.get_progress_token();
    let interval = Duration::from_millis(interval_ms);
    let mut due = Instant::now();
    for number in 1..=n {
        if close_after == Some(number - 1) {
            close_stream(server, context);
        }
        // From due time to due time, so that the stream does not slow down by the time that sending takes.
        due += interval;
        if !interval.is_zero() {
            sleep_until(due).await;
        }
        if let Some(token) = &token {
            let progress = ProgressNotificationParam::new(token.clone(), f64::from(number))
                .with_total(f64::from(n));
            context
                .peer
                .notify_progress(progress)
                .await
                .map_err(internal)?;
        }
    }
    if close_after.is_some_and(|close_after| close_after >= n) {
        close_stream(server, context);
    }
    Ok(answer(n.to_string()))
}

/// Ends the connection of the call's stream, for which the client has to come back; without a session there is no such
/// way back, and nothing happens.
pub(super) fn close_stream(server: &Server, context: &RequestContext<RoleServer>) -> bool {
    session(context).is_some_and(|session| server.sessions.cut(&session, &context.id))
}

async fn effect(server: &Server, operation: &Operation) -> Result<CallToolResult, ErrorData> {
    let op = operation.op.as_str();
    within("length of op", op.len(), MOST_KEY_BYTES)?;
    within("after_ms", operation.after_ms, MOST_MILLISECONDS)?;
    if op.is_empty() {
        return Err(invalid("op is empty"));
    }
    if operation.after_ms > 0 {
        sleep(Duration::from_millis(operation.after_ms)).await;
    }
    if server.defects.duplicates_now() {
        server.ledger.execute(op).map_err(internal)?;
    }
    let effect = server.ledger.execute(op).map_err(internal)?;
    let text = match effect {
        Effect::Executed => "executed",
        Effect::Duplicate => "duplicate",
    };
    let content = json!({
        "op": op,
        "executed": effect == Effect::Executed,
        "server": server.args.name,
        "incarnation": server.args.incarnation,
    });
    Ok(structured(text.to_owned(), content))
}

/// The id of the session that the request belongs to; the modern era has none, and its servers ignore the header.
pub(in crate::reference::server) fn session(
    context: &RequestContext<RoleServer>,
) -> Option<String> {
    if context.meta.protocol_version().is_some() {
        return None;
    }
    let parts = context.extensions.get::<http::request::Parts>()?;
    session_of(parts)
}

/// The id of the session that the HTTP request names.
pub(in crate::reference::server) fn session_of(parts: &http::request::Parts) -> Option<String> {
    parts
        .headers
        .get("mcp-session-id")?
        .to_str()
        .ok()
        .map(str::to_owned)
}

pub(super) fn parse<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, ErrorData> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        // The message may quote what the client sent.
        let message: String = error.to_string().chars().take(200).collect();
        ErrorData::invalid_params(format!("wrong arguments: {message}"), None)
    })
}

pub(super) fn within<T: Copy + PartialOrd + std::fmt::Display>(
    what: &str,
    value: T,
    most: T,
) -> Result<(), ErrorData> {
    if value > most {
        return Err(ErrorData::invalid_params(
            format!("{what} is {value}, at most {most} is allowed"),
            None,
        ));
    }
    Ok(())
}

pub(super) fn invalid(message: &'static str) -> ErrorData {
    ErrorData::invalid_params(message, None)
}

pub(super) fn internal(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

pub(super) fn answer(text: String) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

pub(super) fn structured(text: String, content: Value) -> CallToolResult {
    let mut result = answer(text);
    result.structured_content = Some(content);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arguments_are_named_in_bounded_length() {
        let wrong = json!({"a": "x".repeat(10_000), "b": 1})
            .as_object()
            .unwrap()
            .clone();
        let error = parse::<Summands>(wrong).err().unwrap();
        assert_eq!(error.code, rmcp::model::ErrorCode::INVALID_PARAMS);
        assert!(error.message.len() < 300);
    }
}
