//! One step: a method with its target, arguments and settings.
//!
//! Pure.

use serde_json::Value;

use super::super::{Context, expectations, templates};
use crate::diag::codes;
use crate::plan::{DataPlan, Method, Pages, Reference, StepPlan};
use crate::scenario::is_name;
use crate::scenario::written::{Operation, PageCount};

/// How many pages `all` is.
const ALL_PAGES: u32 = 1000;
/// The most values that a step keeps.
const MOST_KEPT: usize = 64;

/// The step of a plain operation; `None` if something is wrong with it, which is reported.
pub(super) fn compile(
    context: &mut Context<'_>,
    one: &Operation,
    name: &str,
    path: &str,
    data: &[DataPlan],
    ours: bool,
) -> Option<StepPlan> {
    let before = context.wrong.len();
    let call = one.call.as_deref().unwrap_or("tools/call");
    // The reader takes no other word.
    let method = Method::ALL
        .into_iter()
        .find(|method| method.name() == call)?;
    let (target, reference) = target(context, one, method, path);
    let arguments = Value::Object(one.arguments.clone().unwrap_or_default());
    check_arguments(context, one, method, path);
    templates::check(context, &arguments, &format!("{path}.arguments"), data);
    let expect = expectations::compile(context, one, method, path, data).unwrap_or_else(|| {
        let tool = one.tool.as_deref().filter(|_| ours);
        let contract = expectations::contract(tool, &arguments);
        contract.into_iter().collect()
    });
    let pages = pages(context, one, method, path);
    check_keep(context, one, path);
    (context.wrong.len() == before).then(|| StepPlan {
        target,
        reference,
        arguments,
        expect,
        pages,
        progress: one.progress,
        keep: one.keep.clone(),
        think: one.think,
        ..StepPlan::new(name, method)
    })
}

/// The keys of which the method takes exactly one as its target; none for methods without.
const fn targets(method: Method) -> &'static [&'static str] {
    match method {
        Method::ToolsCall => &["tool"],
        Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
            &["uri"]
        }
        Method::PromptsGet => &["prompt"],
        Method::Complete => &["prompt", "uri"],
        Method::ToolsList
        | Method::ResourcesList
        | Method::ResourceTemplatesList
        | Method::PromptsList
        | Method::Ping
        | Method::Discover => &[],
    }
}

/// The tool, resource or prompt; reports those that are missing or belong to another method.
fn target(
    context: &mut Context<'_>,
    one: &Operation,
    method: Method,
    path: &str,
) -> (String, Option<Reference>) {
    let wanted = targets(method);
    let or = |keys: &[&str]| {
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        keys.join(" or ")
    };
    let mut found: Option<(&str, &String)> = None;
    for (key, value) in [
        ("tool", &one.tool),
        ("uri", &one.uri),
        ("prompt", &one.prompt),
    ] {
        let Some(value) = value else { continue };
        let path = format!("{path}.{key}");
        if !wanted.contains(&key) {
            context.report(
                &codes::CONFLICT,
                &path,
                format!("`{}` takes no `{key}`", method.name()),
                if wanted.is_empty() {
                    "expected nothing of the sort".to_owned()
                } else {
                    format!("expected {}", or(wanted))
                },
                match key {
                    "uri" => Some("write `call = \"resources/read\"`".to_owned()),
                    "prompt" => Some("write `call = \"prompts/get\"`".to_owned()),
                    _ => None,
                },
            );
        } else if let Some((other, _)) = found {
            context.report(
                &codes::CONFLICT,
                &path,
                format!("`{}` takes `{other}` or `{key}`", method.name()),
                "expected exactly one of them",
                None,
            );
        } else {
            found = Some((key, value));
            if value.contains("{{") {
                context.report(
                    &codes::NOT_YET,
                    &path,
                    format!("templates in `{key}` do not act yet"),
                    "not yet: expected a text without `{{`",
                    None,
                );
            }
        }
    }
    if found.is_none() && !wanted.is_empty() {
        context.report(
            &codes::MISSING_KEY,
            path,
            format!(
                "an operation that calls `{}` has no {}",
                method.name(),
                or(wanted)
            ),
            format!("expected {}", or(wanted)),
            None,
        );
    }
    let reference = match (method, found) {
        (Method::Complete, Some(("uri", _))) => Some(Reference::Resource),
        (Method::Complete, Some(_)) => Some(Reference::Prompt),
        _ => None,
    };
    let target = found.map(|(_, value)| value.clone());
    (target.unwrap_or_default(), reference)
}

fn check_arguments(context: &mut Context<'_>, one: &Operation, method: Method, path: &str) {
    let at = format!("{path}.arguments");
    match method {
        Method::ToolsCall | Method::PromptsGet => {}
        Method::Complete => {
            let arguments = one.arguments.as_ref();
            let is_text =
                |key: &str| arguments.is_some_and(|map| map.get(key).is_some_and(Value::is_string));
            let whole = arguments.is_some_and(|map| map.len() == 2);
            if !(whole && is_text("name") && is_text("value")) {
                let place = if one.arguments.is_some() { &at } else { path };
                context.report(
                    if one.arguments.is_some() {
                        &codes::BAD_VALUE
                    } else {
                        &codes::MISSING_KEY
                    },
                    place,
                    "a completion does not say which argument is completed",
                    "expected `arguments = { name = \"ARGUMENT\", value = \"BEGIN\" }`",
                    None,
                );
            }
        }
        _ if one.arguments.is_some() => context.report(
            &codes::CONFLICT,
            &at,
            format!("`{}` takes no arguments", method.name()),
            "expected it with a tool or a prompt",
            method
                .is_list()
                .then(|| "`pages` follows the cursors of a list".to_owned()),
        ),
        _ => {}
    }
}

fn pages(context: &mut Context<'_>, one: &Operation, method: Method, path: &str) -> Pages {
    let pages = match &one.pages {
        PageCount::Some(0 | 1) => Pages::First,
        PageCount::Some(count) => Pages::UpTo(*count),
        PageCount::Word(_) => Pages::UpTo(ALL_PAGES),
    };
    if pages != Pages::First && !method.is_list() {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.pages"),
            format!("answers to `{}` have no pages", method.name()),
            "expected it with a list",
            None,
        );
    }
    pages
}

fn check_keep(context: &mut Context<'_>, one: &Operation, path: &str) {
    if one.keep.len() > MOST_KEPT {
        context.report_key(
            &codes::TOO_LARGE,
            &format!("{path}.keep"),
            format!("{} values are kept", one.keep.len()),
            format!("expected at most {MOST_KEPT}"),
            None,
        );
    }
    for (name, json_path) in &one.keep {
        let path = format!("{path}.keep.{name}");
        if !is_name(name) {
            context.report_key(
                &codes::BAD_VALUE,
                &path,
                format!("`{}` is no name", name.escape_debug()),
                "expected a letter, then letters, digits, `-`, `_` or `.`",
                None,
            );
        }
        if let Some(message) = expectations::no_json_path(json_path) {
            let expected = expectations::PATH_EXPECTED;
            context.report(&codes::BAD_VALUE, &path, message, expected, None);
        }
    }
}
