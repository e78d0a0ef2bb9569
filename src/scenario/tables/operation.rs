//! `[[workload.operation]]`: one intended piece of work.
//!
//! Pure.

use super::{HOUR, MILLISECOND, field, later};
use crate::registry::{Field, Need, Ty};

/// The methods that an operation can call, in the order of `plan::Method::ALL`.
pub(super) const METHODS: &[&str] = &[
    "tools/call",
    "tools/list",
    "resources/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "ping",
    "resources/templates/list",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
    "server/discover",
];

/// An operation.
pub(super) const OPERATION: &[Field] = &[
    field(
        "name",
        Ty::Name,
        Need::Optional,
        "its name; the tool's, or the method's with `-` for `/`, if it is left out",
        "\"search\"",
    ),
    field(
        "tool",
        Ty::Text,
        Need::Optional,
        "the tool to call; short for `call = \"tools/call\"`",
        "\"echo\"",
    ),
    field(
        "call",
        Ty::Words {
            now: METHODS,
            later: &[
                "logging/setLevel",
                "tasks/get",
                "tasks/list",
                "tasks/cancel",
                "tasks/result",
                "tasks/update",
            ],
        },
        Need::Optional,
        "the MCP method; `ping` is `server/discover` in the modern era, and the other way round",
        "\"resources/read\"",
    ),
    field(
        "uri",
        Ty::Text,
        Need::Optional,
        "the resource to read, subscribe to or unsubscribe from; with `completion/complete` the resource template",
        "\"mem://item/1\"",
    ),
    field(
        "prompt",
        Ty::Text,
        Need::Optional,
        "the prompt to get; with `completion/complete` the prompt whose argument is completed",
        "\"greeting\"",
    ),
    field(
        "steps",
        Ty::List(&Ty::Name),
        Need::Optional,
        "a journey: the names of the operations that are done one after the other",
        "[\"list\", \"search\", \"read\"]",
    ),
    field(
        "arguments",
        Ty::Map(&Ty::Any),
        Need::Optional,
        "the arguments of the tool or prompt, or the `name` and `value` to complete; texts may hold `{{ random.hex(N) }}`, `{{ random.int(A, B) }}`, `{{ counter }}`, `{{ client }}`, `{{ session }}`, `{{ uid }}`, `{{ data.NAME.COLUMN }}`, `{{ kept.NAME }}`",
        "{ text = \"{{ random.hex(64) }}\" }",
    ),
    field(
        "weight",
        Ty::Integer {
            min: 0,
            max: 1_000_000,
        },
        Need::Default("1"),
        "how often it is drawn, relative to the others; 0: only as a step of a journey",
        "9",
    ),
    field(
        "timeout",
        Ty::Duration {
            min: MILLISECOND,
            max: HOUR,
        },
        Need::Default("\"5s\""),
        "the bound of one call",
        "\"2s\"",
    ),
    field(
        "think",
        Ty::Duration { min: 0, max: HOUR },
        Need::Optional,
        "a pause before it, where it is a step of a journey",
        "\"500ms\"",
    ),
    field(
        "pages",
        Ty::Either(&[Ty::Integer { min: 1, max: 1000 }, Ty::OneOf(&["all"])]),
        Need::Default("1"),
        "how many pages of a list are asked for, by the cursors of the answers; each is a call, and \"all\" is at most 1000",
        "\"all\"",
    ),
    field(
        "progress",
        Ty::Bool,
        Need::Default("false"),
        "whether progress notifications are asked for",
        "true",
    ),
    field(
        "keep",
        Ty::Map(&Ty::Text),
        Need::Default("{}"),
        "what is kept of the answer for later steps of the same journey (`{{ kept.NAME }}`): names with JSON paths (RFC 9535) in the result",
        "{ next = \"$.nextCursor\" }",
    ),
    field(
        "cancel",
        Ty::Table(&[
            field(
                "share",
                Ty::Share,
                Need::Required,
                "the share of the arrivals whose calls are given up",
                "\"10%\"",
            ),
            field(
                "after",
                Ty::Duration { min: 0, max: HOUR },
                Need::Required,
                "how long after a request was sent; one that is answered sooner is not cancelled",
                "\"200ms\"",
            ),
        ]),
        Need::Optional,
        "calls that their client gives up on purpose: with `notifications/cancelled` in the legacy era, by closing the stream in the modern one",
        "{ share = \"10%\", after = \"200ms\" }",
    ),
    field(
        "expect",
        Ty::Table(&[
            field(
                "equals",
                Ty::Text,
                Need::Optional,
                "the first text of the answer equals this (filled in like the arguments)",
                "\"hi\"",
            ),
            field(
                "contains",
                Ty::Text,
                Need::Optional,
                "the first text of the answer contains this",
                "\"hi\"",
            ),
            field(
                "length",
                Ty::Integer {
                    min: 0,
                    max: 1_000_000_000,
                },
                Need::Optional,
                "the first text of the answer has so many bytes",
                "1024",
            ),
            field(
                "status",
                Ty::Integer { min: 200, max: 599 },
                Need::Optional,
                "the answer has this HTTP status; a refusal that is expected is a right answer",
                "403",
            ),
            field(
                "json",
                Ty::Map(&Ty::Any),
                Need::Optional,
                "what JSON paths (RFC 9535) find in the result equals these values (filled in like the arguments)",
                "{ \"$.structuredContent.sum\" = 3 }",
            ),
            field(
                "schema",
                Ty::Bool,
                Need::Optional,
                "the structured content fits the tool's output schema, as `tools/list` gave it",
                "true",
            ),
        ]),
        Need::Optional,
        "what a right answer holds, all of it; what the reference server's contract says, for its own tools, if it is left out",
        "{ contains = \"hi\" }",
    ),
    later("task", Ty::Bool, "whether the call is made a task", "true"),
];
