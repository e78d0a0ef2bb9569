//! `[[workload.operation]]`: one intended piece of work.
//!
//! Pure.

use super::{HOUR, MILLISECOND, field};
use crate::registry::{Field, Need, Ty};

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
        Ty::OneOf(&[
            "tools/call",
            "tools/list",
            "resources/list",
            "resources/read",
            "prompts/list",
            "prompts/get",
            "ping",
            "completion/complete",
            "resources/templates/list",
            "resources/subscribe",
            "logging/setLevel",
        ]),
        Need::Optional,
        "the MCP method",
        "\"resources/read\"",
    ),
    field(
        "uri",
        Ty::Text,
        Need::Optional,
        "the resource to read",
        "\"mem://item/1\"",
    ),
    field(
        "prompt",
        Ty::Text,
        Need::Optional,
        "the prompt to get",
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
        "the arguments of the tool or prompt; texts may hold `{{ random.hex(N) }}`, `{{ random.int(A, B) }}`, `{{ counter }}`, `{{ client }}`, `{{ uid }}`",
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
        ]),
        Need::Optional,
        "what a right answer holds; what the reference server's contract says, for its own tools, if it is left out",
        "{ contains = \"hi\" }",
    ),
];
