//! `[workload]`: a population of clients.
//!
//! Pure. How they connect and prove who they are stands in `connection` and `auth`, what they do about failures in `recovery`.

use super::{HOUR, MILLISECOND, auth, connection, field, later, operation, recovery};
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
        "the MCP version that the clients ask for (2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25, 2026-07-28), \"auto\" to find out what the server speaks, or several with their weights",
        "{ \"2025-11-25\" = 7, \"2026-07-28\" = 3 }",
    ),
    connection::TRANSPORT,
    connection::HTTP,
    connection::CONNECTIONS,
    connection::COLD,
    connection::SOURCE,
    connection::COOKIES,
    field(
        "listen",
        Ty::Share,
        Need::Default("\"0%\""),
        "the share of the clients that keep a stream of the server's messages open: GET in the legacy era, `subscriptions/listen` in the modern one",
        "\"20%\"",
    ),
    connection::VANISH,
    recovery::RECOVERY,
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
    auth::AUTH,
    field(
        "traceparent",
        Ty::Bool,
        Need::Default("true"),
        "whether each call carries a `traceparent` (W3C Trace Context), drawn from the seed",
        "false",
    ),
    field(
        "data",
        Ty::List(&Ty::Table(DATA)),
        Need::Default("[]"),
        "CSV files whose rows fill in arguments as `{{ data.NAME.COLUMN }}`",
        "[{ name = \"people\", file = \"people.csv\", pick = \"random\" }]",
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
    later(
        "capabilities",
        Ty::List(&Ty::OneOf(&["sampling", "roots", "elicitation"])),
        "what the clients let the server ask of them",
        "[\"elicitation\"]",
    ),
    later(
        "batch",
        Ty::Integer { min: 2, max: 1000 },
        "how many requests are sent as one array (2025-03-26)",
        "10",
    ),
];

const DATA: &[Field] = &[
    field(
        "name",
        Ty::Name,
        Need::Required,
        "its name in templates, without a dot",
        "\"people\"",
    ),
    field(
        "file",
        Ty::Text,
        Need::Required,
        "the CSV file, relative to the scenario's directory; its first line names the columns, and each cell is a text; at most 64 MiB and 1,000,000 rows",
        "\"people.csv\"",
    ),
    field(
        "pick",
        Ty::OneOf(&["sequential", "random", "client"]),
        Need::Default("\"sequential\""),
        "which row an arrival takes: the next one and around, one drawn from the seed, or always that of its client",
        "\"client\"",
    ),
];
