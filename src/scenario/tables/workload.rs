//! `[workload]`: a population of clients.
//!
//! Pure.

use super::{HOUR, MILLISECOND, field, later, operation};
use crate::registry::{Field, Need, Ty};

/// A workload.
pub(super) const WORKLOAD: &[Field] = &[
    field(
        "name",
        Ty::Name,
        Need::Optional,
        "its name; `main` for the only one",
        "\"agents\"",
    ),
    field(
        "clients",
        Ty::Integer {
            min: 1,
            max: 1_000_000,
        },
        Need::Optional,
        "how many clients there are; as many as operations arrive in a second of the highest rate, at least 10, or the users of a closed profile, if it is left out",
        "100",
    ),
    field(
        "protocol",
        Ty::Either(&[
            Ty::Text,
            Ty::Map(&Ty::Integer {
                min: 0,
                max: 1_000_000,
            }),
        ]),
        Need::Default("\"2025-11-25\""),
        "the MCP version that the clients speak, or several with their weights",
        "{ \"2025-11-25\" = 7, \"2026-07-28\" = 3 }",
    ),
    field(
        "transport",
        Ty::OneOf(&["streamable-http", "sse", "stdio", "websocket"]),
        Need::Default("\"streamable-http\""),
        "how messages travel (only streamable-http acts yet)",
        "\"streamable-http\"",
    ),
    field(
        "recovery",
        Ty::OneOf(&["spec", "lenient", "never", "sdk-python", "rmcp"]),
        Need::Default("\"spec\""),
        "what clients do when the server has lost their session: as the specification says (a new session after 404), lenient (also after 400, 409, 410), never, or as the Python SDK or rmcp do",
        "\"spec\"",
    ),
    field(
        "cold",
        Ty::Share,
        Need::Default("\"0%\""),
        "the share of the clients that open a new connection for each call",
        "\"10%\"",
    ),
    field(
        "goodbye",
        Ty::Bool,
        Need::Default("true"),
        "whether clients end their sessions with DELETE",
        "true",
    ),
    field(
        "max_lag",
        Ty::Duration {
            min: MILLISECOND,
            max: HOUR,
        },
        Need::Default("\"1s\""),
        "arrivals that mcpload itself releases later than this are shed, and count against the run",
        "\"1s\"",
    ),
    field(
        "headers",
        Ty::Map(&Ty::Either(&[Ty::Text, Ty::Secret])),
        Need::Default("{}"),
        "further request headers; a value may be a secret",
        "{ x-tenant = \"a\" }",
    ),
    field(
        "auth",
        Ty::Table(&[field(
            "bearer",
            Ty::Secret,
            Need::Required,
            "the token of `authorization: Bearer`",
            "{ env = \"TOKEN\" }",
        )]),
        Need::Optional,
        "how clients prove who they are",
        "{ bearer = { env = \"TOKEN\" } }",
    ),
    field(
        "operation",
        Ty::List(&Ty::Table(operation::OPERATION)),
        Need::Optional,
        "what the clients do; an `echo` of 64 random characters if it is left out",
        "[{ tool = \"echo\", arguments = { text = \"hi\" } }]",
    ),
    later(
        "weight",
        Ty::Integer {
            min: 0,
            max: 1_000_000,
        },
        "the part of a common load that this workload takes",
        "8",
    ),
];
