//! How the clients of a workload connect.
//!
//! Pure.

use super::{HOUR, MILLISECOND, field};
use crate::registry::{Field, Need, Ty};

pub(super) const TRANSPORT: Field = field(
    "transport",
    Ty::Words {
        now: &["streamable-http", "sse", "websocket"],
        later: &["stdio"],
    },
    Need::Default("\"streamable-http\""),
    "how messages travel: streamable-http, sse (HTTP+SSE of 2024-11-05), or websocket (in no specification: JSON-RPC text frames, subprotocol `mcp`)",
    "\"sse\"",
);

pub(super) const HTTP: Field = field(
    "http",
    Ty::OneOf(&["1.1", "2"]),
    Need::Default("\"1.1\""),
    "the version of HTTP; 2 by ALPN over TLS, with prior knowledge without",
    "\"2\"",
);

pub(super) const CONNECTIONS: Field = field(
    "connections",
    Ty::Either(&[
        Ty::OneOf(&["per-client"]),
        Ty::Table(&[
            field(
                "pool",
                Ty::Integer {
                    min: 1,
                    max: 100_000,
                },
                Need::Optional,
                "the clients of each worker share so many connections, as behind a gateway; each client has its own if it is left out",
                "16",
            ),
            field(
                "max_age",
                Ty::Duration {
                    min: 100 * MILLISECOND,
                    max: 24 * HOUR,
                },
                Need::Optional,
                "the age at which a connection is replaced before the next request",
                "\"30s\"",
            ),
        ]),
    ]),
    Need::Default("\"per-client\""),
    "who shares connections, and how old they get",
    "{ pool = 16, max_age = \"30s\" }",
);

pub(super) const COLD: Field = field(
    "cold",
    Ty::Share,
    Need::Default("\"0%\""),
    "the share of the clients that open a new connection for each call",
    "\"10%\"",
);

pub(super) const SOURCE: Field = field(
    "source",
    Ty::Either(&[Ty::Text, Ty::List(&Ty::Text)]),
    Need::Optional,
    "the local addresses that clients connect from, in turn: an address, a range such as \"10.1.0.0/16\", several of them, or \"spread\" for 127.64.0.0/10; one address of the run if it is left out",
    "\"spread\"",
);

pub(super) const COOKIES: Field = field(
    "cookies",
    Ty::Bool,
    Need::Default("false"),
    "whether clients send cookies back",
    "true",
);

pub(super) const VANISH: Field = field(
    "vanish",
    Ty::Table(&[
        field(
            "share",
            Ty::Share,
            Need::Required,
            "the share of the clients that do so",
            "\"5%\"",
        ),
        field(
            "after",
            Ty::Duration { min: 0, max: HOUR },
            Need::Default("\"100ms\""),
            "how long after their request was sent; sooner if it is answered",
            "\"1s\"",
        ),
        field(
            "how",
            Ty::OneOf(&["close", "reset", "half-open", "slow-reader"]),
            Need::Default("\"close\""),
            "the connection is closed, is reset, stays open while nothing is read, or is read a byte a second",
            "\"half-open\"",
        ),
    ]),
    Need::Optional,
    "clients that do one operation and leave without a word; another client takes their place",
    "{ share = \"5%\", after = \"1s\", how = \"half-open\" }",
);
