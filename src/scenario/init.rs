//! Scenarios that are made and not written: `mcpload init`, `mcpload init --url`, `mcpload run --url`.
//!
//! Pure. What a server says of its tools is hostile: texts are bounded, quoted as TOML, kept out of comments' line ends, and no
//! `{{` of theirs survives, which would read the environment.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::model::{ProtocolVersion, Rate};

mod sample;

/// The most tools for which an operation is written.
const MOST_TOOLS: usize = 200;
/// The longest description in a comment, characters.
const LONGEST_COMMENT: usize = 120;

/// A tool as a server lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolInfo {
    /// Its name.
    pub name: String,
    /// What the server says that it does.
    pub description: String,
    /// Whether the server marks it read-only, and not destructive.
    pub read_only: bool,
    /// The JSON Schema of its arguments.
    pub input_schema: Value,
}

/// A commented scenario to begin with.
pub const fn template() -> &'static str {
    include_str!("init/template.toml")
}

/// A server or fleet that already runs, and what is to be done with it.
#[derive(Clone, Copy, Debug)]
pub struct Existing<'a> {
    /// Its endpoint.
    pub url: &'a str,
    /// The version to speak to it, if it was asked.
    pub protocol: Option<ProtocolVersion>,
    /// How many operations arrive.
    pub rate: Rate,
    /// How many clients there are; as many as the scenario's default if it is left out.
    pub clients: Option<u32>,
    /// For how long.
    pub length: Duration,
    /// Tools that may be called although they are not marked read-only.
    pub allow: &'a [String],
}

/// The most load that a fleet outside gets without a word, operations a second: the default of `max_rate`.
const MODEST: f64 = 100.0;

/// A scenario for a server that already runs: an operation for each tool, those that are neither marked read-only nor allowed
/// commented out. Without any its clients list the tools.
pub fn for_existing(existing: &Existing<'_>, tools: &[ToolInfo]) -> String {
    let Existing {
        url,
        protocol,
        rate,
        clients,
        length,
        allow,
    } = *existing;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "# Made by mcpload for a fleet that already runs; change it as you like.\n\
         version = 1\n\
         name = \"external\"\n\n\
         [fleet]\n\
         driver = \"external\"\n\
         endpoint = {{ url = {} }}{}\n",
        quoted(url),
        if url.starts_with("https://") || url.starts_with("wss://") {
            "   # and ca = \"ca.pem\" if the system does not trust it"
        } else {
            ""
        }
    );
    let mark = if rate.as_per_second() > MODEST {
        ""
    } else {
        "# "
    };
    let most = if mark.is_empty() {
        rate.to_string()
    } else {
        "100/s".to_owned()
    };
    let _ = writeln!(
        text,
        "{mark}max_rate = \"{most}\"   # the most load that it may get"
    );
    let mark = if allow.is_empty() { "# " } else { "" };
    let names: Vec<String> = allow.iter().map(|name| quoted(name)).collect();
    let _ = writeln!(
        text,
        "{mark}allow_tools = [{}]   # tools that may be called although they are not marked read-only\n",
        names.join(", ")
    );
    text.push_str("[workload]\n");
    if let Some(clients) = clients {
        let _ = writeln!(text, "clients = {clients}");
    }
    if let Some(protocol) = protocol {
        let _ = writeln!(text, "protocol = \"{protocol}\"");
    }
    text.push_str(&ways(url));
    text.push('\n');
    operations(&mut text, tools, allow);
    let _ = write!(
        text,
        "[[phase]]\nname = \"load\"\nduration = {}\nrate = \"{rate}\"\n",
        quoted(&humantime::format_duration(length).to_string())
    );
    // As strict as the number of samples can show: 299 for 1 %, 59 for 5 %.
    let under = match rate.count_in(length) {
        299.. => Some("1%"),
        59.. => Some("5%"),
        _ => None,
    };
    if let Some(under) = under {
        let _ = write!(
            text,
            "\n[[slo]]\nname = \"answers\"\nerrors = {{ under = \"{under}\" }}\n"
        );
    }
    text
}

/// How clients reach this URL; what cannot be known of it stands there as a comment.
fn ways(url: &str) -> String {
    let mut lines = String::new();
    if url.starts_with("ws://") || url.starts_with("wss://") {
        lines.push_str("transport = \"websocket\"\n");
    } else {
        lines.push_str("# transport = \"sse\"   # HTTP+SSE of 2024-11-05\n# http = \"2\"\n");
    }
    lines.push_str("# auth = { bearer = { env = \"TOKEN\" } }\n");
    lines
}

fn operations(text: &mut String, tools: &[ToolInfo], allow: &[String]) {
    let called = |tool: &ToolInfo| tool.read_only || allow.contains(&tool.name);
    let mut names = BTreeSet::new();
    for tool in tools.iter().take(MOST_TOOLS) {
        let name = unique_name(&tool.name, &mut names);
        let mut lines = String::new();
        lines.push_str("[[workload.operation]]\n");
        if name != tool.name {
            let _ = writeln!(lines, "name = {}", quoted(&name));
        }
        let _ = writeln!(lines, "tool = {}", quoted(&tool.name));
        let arguments = sample::arguments(&tool.input_schema);
        if arguments.as_object().is_some_and(|map| !map.is_empty()) {
            let _ = writeln!(lines, "arguments = {}", inline(&arguments));
        }
        let comment = comment(&tool.description);
        if !comment.is_empty() {
            let _ = writeln!(text, "# {comment}");
        }
        if called(tool) {
            text.push_str(&lines);
        } else {
            text.push_str(
                "# Not marked read-only; to call it, name it in `allow_tools` of [fleet], too.\n",
            );
            for line in lines.lines() {
                let _ = writeln!(text, "# {line}");
            }
        }
        text.push('\n');
    }
    if tools.len() > MOST_TOOLS {
        let _ = writeln!(text, "# and {} more tools\n", tools.len() - MOST_TOOLS);
    }
    if !tools.iter().take(MOST_TOOLS).any(called) {
        text.push_str("[[workload.operation]]\ncall = \"tools/list\"\n\n");
    }
}

/// The tool's name as the name of an operation, different from all before.
fn unique_name(tool: &str, names: &mut BTreeSet<String>) -> String {
    let mut base: String = tool
        .chars()
        .take(48)
        .map(|one| {
            if one.is_ascii_alphanumeric() || "-_.".contains(one) {
                one
            } else {
                '-'
            }
        })
        .collect();
    if !base.starts_with(|first: char| first.is_ascii_alphabetic()) {
        base.insert_str(0, "tool-");
    }
    // The operation that lists the tools has this name.
    let mut name = if base == "tools-list" {
        "tools-list-1".to_owned()
    } else {
        base.clone()
    };
    let mut number = 2;
    while !names.insert(name.clone()) {
        name = format!("{base}-{number}");
        number += 1;
    }
    name
}

/// Text that a server chose, on one line and without templates.
fn comment(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|one: char| one.is_whitespace() || one.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().take(LONGEST_COMMENT).collect()
}

/// A text as a TOML string, with no `{{` left in it.
fn quoted(text: &str) -> String {
    single_line(text)
}

/// The text with every two braces pulled apart.
fn harmless(text: &str) -> String {
    let mut result = String::new();
    let mut before = ' ';
    for one in text.chars() {
        if one == '{' && before == '{' {
            result.push(' ');
        }
        result.push(one);
        before = one;
    }
    result
}

/// JSON as an inline value of TOML; `null`, which TOML has not, is left out.
fn inline(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) if number.is_u64() && number.as_i64().is_none() => {
            i64::MAX.to_string()
        }
        Value::Number(number) => number.to_string(),
        Value::String(text) => single_line(text),
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .filter(|item| !item.is_null())
                .map(inline)
                .collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{} = {}", single_line(key), inline(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// A basic TOML string: JSON's escapes are also TOML's, but for the slash, which `serde_json` leaves alone, and DEL.
fn single_line(text: &str) -> String {
    Value::String(harmless(text))
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests;
