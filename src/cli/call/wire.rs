//! [`Wire`]: shows each Call: what was sent, what came, the times, and what it was classified as.
//!
//! Prints. What a server says is hostile: it is shown escaped, and secrets of ours are not shown at all.

use std::cell::Cell;
use std::fmt::Write as _;
use std::rc::Rc;

use http::HeaderMap;
use serde_json::Value;

use crate::cli::out;
use crate::load::client::{Seen, Tap};
use crate::load::recording::{Asked, Attempt};
use crate::mcp::Verb;
use crate::mcp::exchange::Transcript;
use crate::model::Class;
use crate::model::outcome::Outcome;
use crate::report::words;

/// Shows Calls on standard output.
pub(super) struct Wire {
    /// Whether the bytes are shown, and not only what they came to.
    is_full: bool,
    url: String,
    /// Operations that did not end ok.
    failed: Rc<Cell<u32>>,
}

impl Wire {
    pub(super) fn new(is_full: bool, url: &str, failed: Rc<Cell<u32>>) -> Self {
        Self {
            is_full,
            url: url.to_owned(),
            failed,
        }
    }
}

impl Tap for Wire {
    fn see(&self, seen: &Seen<'_>) {
        let mut text = String::new();
        if self.is_full {
            let verb = match seen.outgoing.verb {
                Verb::Post => "POST",
                Verb::Get => "GET",
                Verb::Delete => "DELETE",
            };
            line(&mut text, '>', &format!("{verb} {}", self.url));
            headers(&mut text, '>', &seen.outgoing.headers);
            body(&mut text, '>', &seen.outgoing.body);
            if let Some(transcript) = seen.transcript {
                answer(&mut text, transcript, seen.call);
            }
        }
        came_to(&mut text, seen);
        if self.is_full {
            text.push('\n');
        }
        out::data(&text);
    }

    fn end(&self, outcome: Outcome) {
        if outcome != Outcome::Ok {
            self.failed.set(self.failed.get() + 1);
        }
    }

    fn unsent(&self, why: &str) {
        out::data(&format!("= not sent: {why}\n"));
    }
}

fn answer(text: &mut String, transcript: &Transcript, call: &Attempt) {
    if let Some(status) = transcript.status {
        line(text, '<', &status.to_string());
        headers(text, '<', &transcript.headers);
    }
    for (at, part) in &transcript.parts {
        if let Some(sent) = call.sent {
            line(
                text,
                '<',
                &format!("({} after it was sent)", milliseconds(at - sent)),
            );
        }
        body(text, '<', part);
    }
    if transcript.is_cut {
        line(text, '<', "(more came than is shown)");
    }
}

fn headers(text: &mut String, mark: char, headers: &HeaderMap) {
    for (name, value) in headers {
        let value = if value.is_sensitive() || name == http::header::AUTHORIZATION {
            "(not shown)".to_owned()
        } else {
            words::visible(&String::from_utf8_lossy(value.as_bytes()))
        };
        line(text, mark, &format!("{name}: {value}"));
    }
}

fn body(text: &mut String, mark: char, bytes: &[u8]) {
    for part in String::from_utf8_lossy(bytes).lines() {
        line(text, mark, &words::visible(part));
    }
}

fn line(text: &mut String, mark: char, what: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{mark} {what}");
}

/// What was asked: the method, and the tool, prompt or resource.
fn asked(seen: &Seen<'_>) -> String {
    if seen.call.asked != Asked::Step {
        return seen.call.asked.method().to_owned();
    }
    let body: Value = serde_json::from_slice(&seen.outgoing.body).unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(words::visible);
    let target = body
        .get("params")
        .and_then(|params| text(params.get("name").or_else(|| params.get("uri"))));
    let method = text(body.get("method")).unwrap_or_default();
    match target {
        Some(target) => format!("{method} {target}"),
        None => method,
    }
}

/// One line: what it was, what it came to, and how long it took.
fn came_to(text: &mut String, seen: &Seen<'_>) {
    let Seen { call, facts, .. } = seen;
    let mut parts = Vec::new();
    parts.push(match (call.class, call.code) {
        (Class::None, _) => "ok".to_owned(),
        (class, Some(code)) => format!("{class} {code} ({})", call.outcome()),
        (class, None) => format!("{class} ({})", call.outcome()),
    });
    for (name, took) in [("connect", call.connect_ns), ("tls", call.tls_ns)] {
        if let Some(took) = took {
            parts.push(format!(
                "{name} {}",
                milliseconds(i64::try_from(took).unwrap_or(i64::MAX))
            ));
        }
    }
    if let Some(sent) = call.sent {
        for (name, at) in [
            ("first byte", call.first_byte),
            ("first event", call.first_event),
            ("done", Some(call.done)),
        ] {
            if let Some(at) = at {
                parts.push(format!("{name} {}", milliseconds(at - sent)));
            }
        }
    }
    parts.push(format!("{} B out, {} B in", call.bytes_out, call.bytes_in));
    if facts.events > 0 {
        parts.push(words::plural(facts.events, "message"));
    }
    if !facts.instance.is_empty() {
        parts.push(format!("by {}", words::visible(&facts.instance)));
    }
    if !facts.cookies.is_empty() {
        parts.push("sets a cookie".to_owned());
    }
    if let Some(failure) = &facts.failure {
        parts.push(failure.clone());
    }
    let (what, parts) = (asked(seen), parts.join(" · "));
    let _ = writeln!(text, "= {what}: {parts} [{}]", call.protocol);
}

#[expect(clippy::cast_precision_loss, reason = "shown to a microsecond")]
fn milliseconds(nanoseconds: i64) -> String {
    format!("{:.3} ms", nanoseconds as f64 / 1e6)
}
