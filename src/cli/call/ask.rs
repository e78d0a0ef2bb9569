//! What is to be asked: the words of the command line as operations.
//!
//! Pure.

use serde_json::{Map, Value};

use super::CallArgs;
use crate::model::Share;
use crate::plan::{CancelPlan, Method, OperationPlan, Pages, Reference, StepPlan};

/// The program and its arguments of a server that is started (`stdio:…`), parted at spaces; none for a URL.
pub(super) fn program(url: &str) -> Vec<String> {
    let line = url.strip_prefix("stdio:").unwrap_or_default();
    line.split_whitespace().map(str::to_owned).collect()
}

/// The operations, in order; a list of the tools if nothing is asked.
pub(super) fn operations(args: &CallArgs) -> Result<Vec<OperationPlan>, String> {
    let asked: Vec<&[String]> = args
        .words
        .split(|word| word == "+")
        .filter(|words| !words.is_empty())
        .collect();
    let default = ["tools/list".to_owned()];
    let asked = if asked.is_empty() {
        vec![default.as_slice()]
    } else {
        asked
    };
    asked
        .into_iter()
        .map(|words| {
            Ok(OperationPlan {
                name: words.first().cloned().unwrap_or_default(),
                weight: 1,
                timeout: args.timeout,
                steps: vec![step(words, args)?],
                cancel: args.cancel_after.map(|after| CancelPlan {
                    share: Share::ONE,
                    after,
                }),
            })
        })
        .collect()
}

fn step(words: &[String], args: &CallArgs) -> Result<StepPlan, String> {
    let (first, rest) = words.split_first().ok_or("nothing is asked")?;
    let mut arguments = arguments(first, rest)?;
    let method = Method::ALL
        .into_iter()
        .find(|method| method.name() == first);
    let method = match method {
        Some(method) => method,
        None if first.contains('/') => {
            let names = Method::ALL.map(Method::name).join(", ");
            return Err(format!(
                "{first}: mcpload calls {names}; any other word is a tool"
            ));
        }
        None => Method::ToolsCall,
    };
    let key = match method {
        Method::ToolsCall if first != method.name() => None,
        Method::ToolsCall | Method::PromptsGet => Some("name"),
        Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
            Some("uri")
        }
        Method::Complete => Some(if arguments.contains_key("uri") {
            "uri"
        } else {
            "prompt"
        }),
        _ => None,
    };
    let target = match key {
        Some(key) => match arguments.shift_remove(key) {
            Some(Value::String(target)) => target,
            _ => return Err(format!("{first}: expected {key}=…")),
        },
        None if method == Method::ToolsCall => first.clone(),
        None => String::new(),
    };
    let is_list = first.ends_with("/list");
    let reference = (method == Method::Complete).then_some(match key {
        Some("uri") => Reference::Resource,
        _ => Reference::Prompt,
    });
    Ok(StepPlan {
        target,
        reference,
        arguments: Value::Object(arguments),
        progress: args.progress,
        pages: if is_list && args.pages > 1 {
            Pages::UpTo(args.pages)
        } else {
            Pages::First
        },
        ..StepPlan::new(first, method)
    })
}

/// One JSON object, or `NAME=VALUE` with a JSON value or a text.
fn arguments(first: &str, words: &[String]) -> Result<Map<String, Value>, String> {
    if let [only] = words
        && only.trim_start().starts_with('{')
    {
        return serde_json::from_str(only).map_err(|error| format!("{first}: {only}: {error}"));
    }
    let pairs = words.iter().map(|word| {
        let (name, value) = word.split_once('=').ok_or_else(|| {
            let hint = if word.starts_with('-') {
                " (options stand before the operation)"
            } else {
                ""
            };
            format!("{first}: {word}: expected NAME=VALUE or a JSON object{hint}")
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        Ok((name.to_owned(), value))
    });
    pairs.collect()
}
