//! `[fleet]`: what every driver has.
//!
//! Pure.

use super::{field, later, role};
use crate::registry::{Field, Need, Ty};

/// The fields of `[fleet]` beside `driver` and the driver's own.
pub(super) const FLEET: &[Field] = &[
    field(
        "allow_external",
        Ty::Bool,
        Need::Default("false"),
        "allows faults on what the run did not deploy",
        "true",
    ),
    field(
        "endpoint",
        Ty::Table(ENDPOINT),
        Need::Optional,
        "where the clients go; the role `balancer`, else `server`, else the only one, if it is left out",
        "{ role = \"balancer\" }",
    ),
    field(
        "served_by",
        Ty::Text,
        Need::Optional,
        "the response header that names the instance that served a call; `mcpload-instance` for the reference fleet",
        "\"x-served-by\"",
    ),
    field(
        "role",
        Ty::Map(&Ty::Table(role::ROLE)),
        Need::Optional,
        "the programs of the fleet, by name; three reference servers and a reference balancer if there are none",
        "{ server = { replicas = 3 }, balancer = {} }",
    ),
    later(
        "deploy",
        Ty::Any,
        "how many slots are started at a time",
        "{ batches = [10, 50, 100], retry = 3 }",
    ),
];

const ENDPOINT: &[Field] = &[
    field(
        "role",
        Ty::Name,
        Need::Optional,
        "the role whose slots the clients go to",
        "\"balancer\"",
    ),
    field(
        "path",
        Ty::Text,
        Need::Optional,
        "the path on the slots of the role; `/mcp` if it is left out",
        "\"/mcp\"",
    ),
    field(
        "url",
        Ty::Text,
        Need::Optional,
        "an endpoint that already runs (driver external): http or https, ws or wss where the transport is websocket",
        "\"http://127.0.0.1:8000/mcp\"",
    ),
    field(
        "urls",
        Ty::List(&Ty::Text),
        Need::Optional,
        "several of them; the clients are spread over them",
        "[\"http://127.0.0.1:8001/mcp\", \"http://127.0.0.1:8002/mcp\"]",
    ),
    field(
        "ca",
        Ty::Text,
        Need::Optional,
        "a PEM file with the certificates of the authorities that clients trust, relative to the scenario's directory; the system's if it is left out",
        "\"ca.pem\"",
    ),
    field(
        "insecure",
        Ty::Bool,
        Need::Optional,
        "whether clients take any certificate, unchecked",
        "true",
    ),
];
