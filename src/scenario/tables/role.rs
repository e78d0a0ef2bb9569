//! `[fleet.role.NAME]`: a program and how it is run.
//!
//! Pure.

use super::{HOUR, MILLISECOND, field, later};
use crate::registry::{Field, Need, Ty};

/// A role.
pub(super) const ROLE: &[Field] = &[
    field(
        "replicas",
        Ty::Integer { min: 1, max: 500 },
        Need::Default("1"),
        "how many slots it has; they are called ROLE-1, ROLE-2, …",
        "3",
    ),
    field(
        "command",
        Ty::List(&Ty::Text),
        Need::Optional,
        "program and arguments, with templates such as `{{ slot.port }}`; `server` and `balancer` have the reference fleet's by default",
        "[\"python3\", \"server.py\", \"--port\", \"{{ slot.port }}\"]",
    ),
    field(
        "args",
        Ty::List(&Ty::Text),
        Need::Default("[]"),
        "further arguments, appended to the command",
        "[\"--policy\", \"round-robin\"]",
    ),
    field(
        "env",
        ENVIRONMENT,
        Need::Default("{}"),
        "environment variables, added to those of mcpload; a value may be a secret",
        "{ LOG_LEVEL = \"warn\", TOKEN = { env = \"TOKEN\" } }",
    ),
    field(
        "directory",
        Ty::Text,
        Need::Optional,
        "the working directory; the slot's own directory below the run directory if it is left out",
        "\"/srv/app\"",
    ),
    field(
        "files",
        Ty::List(&Ty::Text),
        Need::Default("[]"),
        "template files, relative to the scenario, that are filled in and written into the slot's directory before each start and each reload; `{{ each.ROLE \"TEXT\" }}` is a line for every member, with its `{name}`, `{link}`, `{host}` and `{port}`",
        "[\"nginx.conf\"]",
    ),
    field(
        "ready",
        Ty::Table(READY),
        Need::Optional,
        "when an instance counts as ready; for a command of your own its port must accept a connection if it is left out",
        "{ http = \"/health/ready\", timeout = \"30s\" }",
    ),
    field(
        "restart",
        Ty::Table(RESTART),
        Need::Default("{}"),
        "whether an instance that ended is started again",
        "{ policy = \"always\", backoff = \"1s\" }",
    ),
    field(
        "needs",
        Ty::List(&Ty::Name),
        Need::Default("[]"),
        "roles that must be ready before it is started; those whose links it uses are added",
        "[\"server\"]",
    ),
    field(
        "limits",
        Ty::Table(LIMITS),
        Need::Default("{}"),
        "resource limits of each instance",
        "{ open_files = 4096, memory = \"2GiB\" }",
    ),
    field(
        "stop_grace",
        Ty::Duration { min: 0, max: HOUR },
        Need::Default("\"5s\""),
        "how long an instance has to end after SIGTERM before it is killed",
        "\"5s\"",
    ),
    field(
        "proxy",
        Ty::Bool,
        Need::Default("false"),
        "a proxy of mcpload before each slot, which names the slot in the header `mcpload-instance` of its answers; faults of links put theirs by themselves",
        "true",
    ),
    field(
        "members",
        Ty::Either(&[
            Ty::OneOf(&["api", "none"]),
            Ty::Table(&[field(
                "reload",
                Ty::List(&Ty::Text),
                Need::Required,
                "a command that makes the balancer read its members again, run in the slot's environment and directory after its files were rendered anew; `MCPLOAD_PID` is the number of the instance's first process",
                "[\"nginx\", \"-s\", \"reload\"]",
            )]),
        ]),
        Need::Optional,
        "how a balancer hears of members that come, go or move: by the members API of the reference balancer, by a command, or not at all; `api` for the reference balancer, else `none`",
        "\"api\"",
    ),
    field(
        "labels",
        Ty::Map(&Ty::Text),
        Need::Default("{}"),
        "labels of all its slots, by which faults select them",
        "{ category = \"db\" }",
    ),
    field(
        "slot",
        Ty::Map(&Ty::Table(SLOT)),
        Need::Default("{}"),
        "what is different in single slots, by their names",
        "{ server-1 = { args = [\"--echo-delay\", \"400ms\"] } }",
    ),
    later(
        "for_each",
        Ty::Any,
        "many alike: names, ports, limits and labels of each slot",
        "[{ name = \"a\", port = 9001 }]",
    ),
];

const ENVIRONMENT: Ty = Ty::Map(&Ty::Either(&[Ty::Text, Ty::Secret]));

const SLOT: &[Field] = &[
    field(
        "args",
        Ty::List(&Ty::Text),
        Need::Default("[]"),
        "further arguments of this slot, after those of the role",
        "[\"--echo-delay\", \"400ms\"]",
    ),
    field(
        "env",
        ENVIRONMENT,
        Need::Default("{}"),
        "further environment variables of this slot",
        "{ LOG_LEVEL = \"debug\" }",
    ),
    field(
        "labels",
        Ty::Map(&Ty::Text),
        Need::Default("{}"),
        "further labels of this slot",
        "{ rack = \"b\" }",
    ),
];

const READY: &[Field] = &[
    field(
        "http",
        Ty::Text,
        Need::Optional,
        "ready when GET of this path answers 2xx",
        "\"/health/ready\"",
    ),
    field(
        "tcp",
        Ty::Bool,
        Need::Optional,
        "ready when the port accepts a connection",
        "true",
    ),
    field(
        "log",
        Ty::Text,
        Need::Optional,
        "ready when a line of its output contains this",
        "\"listening on\"",
    ),
    field(
        "interval",
        Ty::Duration {
            min: 10 * MILLISECOND,
            max: HOUR,
        },
        Need::Default("\"100ms\""),
        "how often it is asked",
        "\"100ms\"",
    ),
    field(
        "timeout",
        Ty::Duration {
            min: 10 * MILLISECOND,
            max: HOUR,
        },
        Need::Default("\"30s\""),
        "how long an instance may take to become ready",
        "\"30s\"",
    ),
];

const RESTART: &[Field] = &[
    field(
        "policy",
        Ty::OneOf(&["always", "on-failure", "none"]),
        Need::Default("\"always\""),
        "when an instance that ended is started again",
        "\"always\"",
    ),
    field(
        "backoff",
        Ty::Duration { min: 0, max: HOUR },
        Need::Default("\"1s\""),
        "the pause before it is started again",
        "\"1s\"",
    ),
];

const LIMITS: &[Field] = &[
    field(
        "open_files",
        Ty::Integer {
            min: 16,
            max: 1_000_000_000,
        },
        Need::Optional,
        "open files, sockets included",
        "4096",
    ),
    field(
        "memory",
        Ty::Bytes,
        Need::Optional,
        "address space",
        "\"2GiB\"",
    ),
];
