//! The actions: what a rule does to an answer. Adding one is an [`Action`] in a file below `actions/`, and a line here.
//!
//! Pure. An action's table of parameters is the only description of them; the parser, its errors and the help are made of it.
//! Next: `params` for the tables, `out` for what an action writes with.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;

use super::out::Out;
use super::params::{Need, Parameter, Params, Takes};
use super::part::Head;
use super::selector::CONDITIONS;

mod answers;
mod compress;
mod cut;
mod endless;
mod headers;
mod instead;
mod pace;
mod shape;
mod strings;
mod swap;

/// An action, described; what builds it for one answer.
pub struct Action {
    /// Its name: kebab-case.
    pub name: &'static str,
    /// One sentence without a period.
    pub summary: &'static str,
    /// A rule that uses it; a test parses it.
    pub example: &'static str,
    /// What stands after the name, if it takes anything.
    pub argument: Option<Parameter>,
    /// What else it can be told, by key.
    pub options: &'static [Parameter],
    /// Builds it for an answer that is hit.
    pub(super) build: Build,
    /// Builds what watches the answers that are not hit, for an action that needs them.
    pub(super) watch: Option<Build>,
}

/// Makes an action on one answer from the rule's parameters.
pub(super) type Build = fn(&Params, Context) -> Box<dyn Edit>;

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Action")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Every action, in the order of documents.
pub const ACTIONS: &[Action] = &[
    instead::STATUS,
    instead::REDIRECT,
    instead::HTML,
    instead::NEVER,
    instead::CLOSE_BEFORE_HEAD,
    pace::DELAY,
    pace::LATE,
    pace::DRIP,
    pace::ONE_BYTE_PER_SECOND,
    pace::BUFFER,
    cut::CUT_STREAM,
    cut::RESET_STREAM,
    cut::STALL_STREAM,
    cut::TRUNCATE,
    cut::DECLARED_LENGTH,
    answers::NO_ANSWER,
    answers::TWO_ANSWERS,
    answers::DROP_NOTIFICATIONS,
    answers::WRONG_ID,
    answers::INVALID_JSON,
    swap::SWAP_IDS,
    headers::STRIP_HEADER,
    headers::SET_HEADER,
    headers::HEADER_FLOOD,
    compress::GZIP,
    compress::BOMB,
    shape::CHUNKED_ODDITIES,
    endless::ENDLESS_EVENT,
    endless::ENDLESS_EVENTS,
    strings::DEEP_JSON,
    strings::ESCAPES,
];

/// What an action has at hand for one answer.
#[derive(Debug)]
pub(super) struct Context {
    /// Draws of this call alone.
    pub(super) random: ChaCha8Rng,
    /// The method of the request; empty if it carries none.
    pub(super) method: String,
    /// The session of the request.
    pub(super) session: Option<String>,
    /// What the rule keeps from one answer to another.
    pub(super) kept: Kept,
}

/// Answers that a rule keeps, newest last.
pub(super) type Kept = Arc<Mutex<VecDeque<swap::KeptAnswer>>>;

/// An action on one answer. What it does not override passes at once.
pub(super) trait Edit: Send {
    /// Whether whoever makes answers is asked at all.
    fn asks(&self) -> bool {
        true
    }

    /// Comes first, and alone where nobody is asked.
    fn begin(&mut self, _out: &mut Out) {}

    /// Takes the head.
    fn head(&mut self, head: Head, out: &mut Out) {
        out.head(&head);
    }

    /// Takes bytes of the body.
    fn body(&mut self, bytes: Bytes, out: &mut Out) {
        out.data(&bytes);
    }

    /// Takes the end.
    fn end(&mut self, out: &mut Out) {
        out.end();
    }

    /// The answer broke off.
    fn broken(&mut self, out: &mut Out) {
        out.close();
    }
}

/// Lets everything pass.
#[derive(Debug)]
pub(super) struct Pass;

impl Edit for Pass {}

/// An action without parameters, to fill in the rest from.
const fn plain(name: &'static str, summary: &'static str, build: Build) -> Action {
    Action {
        name,
        summary,
        example: name,
        argument: None,
        options: &[],
        build,
        watch: None,
    }
}

const fn parameter(
    name: &'static str,
    takes: Takes,
    need: Need,
    summary: &'static str,
) -> Parameter {
    Parameter {
        name,
        takes,
        need,
        summary,
    }
}

/// The grammar, the actions and the conditions in words, for `--help`.
pub fn help() -> String {
    let mut text = "A rule makes some answers other bytes on the wire: ACTION[=ARGUMENT][,KEY[=VALUE]...]\n\
        The first rule that hits a request acts on its answer. A value with commas stands in double quotes.\n\n\
        Actions:\n"
        .to_owned();
    for action in ACTIONS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}: {}", usage(action), action.summary);
        for parameter in action.argument.iter().chain(action.options) {
            let _ = writeln!(text, "      {}", described(parameter));
        }
    }
    text.push_str("\nWhich requests (every condition must hold):\n");
    for parameter in CONDITIONS {
        let _ = writeln!(text, "  {}", described(parameter));
    }
    text.push_str(
        "\nExamples: status=503,retry-after=2,share=10%   cut-stream=3,method=tools/call,nth=2   status=401,token-uses=100",
    );
    text
}

/// An action with the place of its argument: `status=CODE`, `gzip`, `never[=TIME]`.
fn usage(action: &Action) -> String {
    match &action.argument {
        None => action.name.to_owned(),
        Some(argument) if argument.need == Need::Required => {
            format!("{}={}", action.name, argument.name)
        }
        Some(argument) => format!("{}[={}]", action.name, argument.name),
    }
}

fn described(parameter: &Parameter) -> String {
    let takes = match parameter.takes {
        takes @ (Takes::Count { .. } | Takes::Bytes { .. } | Takes::Time | Takes::Word(_)) => {
            format!("; {takes}")
        }
        // The placeholder and the summary say it.
        Takes::Nothing | Takes::HeaderName | Takes::Header | Takes::HeaderValue => String::new(),
    };
    let need = match parameter.need {
        Need::Default(value) => format!(" (default {value})"),
        Need::Required | Need::Optional => String::new(),
    };
    format!("{}: {}{takes}{need}", parameter.name, parameter.summary)
}
