//! What the clients of a workload do about lost sessions and failed attempts.
//!
//! Pure.

use super::{HOUR, MILLISECOND, field, operation};
use crate::registry::{Field, Need, Ty};

const PRESET: Ty = Ty::OneOf(&["spec", "lenient", "never", "sdk-python", "rmcp"]);

const TIMES: Ty = Ty::Integer { min: 0, max: 100 };

const STATUSES: Ty = Ty::List(&Ty::Integer { min: 400, max: 599 });

pub(super) const RECOVERY: Field = field(
    "recovery",
    Ty::Either(&[PRESET, Ty::Table(SETTINGS)]),
    Need::Default("\"spec\""),
    "what clients do when the server has lost their session or a call fails: as the specification says (a new session after 404), lenient (also after 400, 409, 410), never, or as the Python SDK or rmcp do; or a preset with single settings changed",
    "{ preset = \"spec\", resend = 1, retry = { attempts = 2, classes = [\"connect\"] } }",
);

const SETTINGS: &[Field] = &[
    field(
        "preset",
        PRESET,
        Need::Default("\"spec\""),
        "the policy whose settings hold where no other is given",
        "\"rmcp\"",
    ),
    field(
        "lost",
        Ty::List(&Ty::Integer { min: 400, max: 499 }),
        Need::Optional,
        "the HTTP statuses that mean \"session lost\" when they answer a request with a session header",
        "[404, 400]",
    ),
    field(
        "reinitialise",
        Ty::Bool,
        Need::Optional,
        "whether a lost session is replaced by a new one",
        "true",
    ),
    field(
        "resend",
        TIMES,
        Need::Optional,
        "how often the call that found the session lost is sent again in the new one",
        "1",
    ),
    field(
        "resume",
        TIMES,
        Need::Optional,
        "how often a stream that ended without its answer is resumed with `Last-Event-ID`, per call",
        "2",
    ),
    field(
        "retry",
        Ty::Table(RETRY),
        Need::Optional,
        "which failed calls are sent again, and when; none if it is left out",
        "{ attempts = 2, methods = [\"tools/list\"], classes = [\"connect\", \"transport\"] }",
    ),
];

const RETRY: &[Field] = &[
    field(
        "attempts",
        TIMES,
        Need::Default("1"),
        "how often a call is sent again at most",
        "2",
    ),
    field(
        "methods",
        Ty::List(&Ty::OneOf(operation::METHODS)),
        Need::Default("[]"),
        "the methods that are sent again; all if it is empty",
        "[\"tools/list\"]",
    ),
    field(
        "classes",
        Ty::List(&Ty::OneOf(&[
            "connect",
            "transport",
            "truncated",
            "timeout",
            "json-rpc",
            "tool",
            "malformed",
        ])),
        Need::Default("[]"),
        "the classes of failures after which it is sent again",
        "[\"connect\", \"transport\"]",
    ),
    field(
        "statuses",
        STATUSES,
        Need::Default("[]"),
        "the HTTP statuses after which it is sent again",
        "[502, 503]",
    ),
    field(
        "backoff",
        Ty::Duration { min: 0, max: HOUR },
        Need::Default("\"100ms\""),
        "the pause before the first repetition; it doubles with each further one, and is drawn evenly from its half to its whole",
        "\"200ms\"",
    ),
    field(
        "max_backoff",
        Ty::Duration {
            min: MILLISECOND,
            max: HOUR,
        },
        Need::Default("\"5s\""),
        "the longest pause",
        "\"10s\"",
    ),
    field(
        "retry_after",
        Ty::Bool,
        Need::Default("false"),
        "whether `Retry-After` of 429 and 503 is honoured; such an answer is then sent again like those of `statuses`",
        "true",
    ),
];
