//! `[[fault]]`: what every fault has.
//!
//! Pure.

use super::{HOUR, MILLISECOND, field, later};
use crate::registry::{Field, Need, Ty};

/// The fields of `[[fault]]` beside `kind` and the kind's own.
pub(super) const FAULT: &[Field] = &[
    field(
        "name",
        Ty::Name,
        Need::Optional,
        "its name; its kind if it is left out",
        "\"one-dies\"",
    ),
    field(
        "target",
        Ty::Either(&[Ty::OneOf(&["owner-of-session"]), Ty::Table(TARGET)]),
        Need::Required,
        "the slots that it acts on; which of a role they are is drawn by the seed when the plan is made",
        "{ role = \"server\", count = 1 }",
    ),
    field(
        "at",
        Ty::Text,
        Need::Required,
        "when it acts: `PHASE`, `PHASE + DURATION` or `FAULT begins + DURATION`",
        "\"chaos + 3s\"",
    ),
    field(
        "duration",
        Ty::Duration {
            min: MILLISECOND,
            max: HOUR,
        },
        Need::Optional,
        "how long it acts before it is undone; for faults that last, and for no other",
        "\"5s\"",
    ),
    field(
        "heal_within",
        Ty::Duration {
            min: 100 * MILLISECOND,
            max: HOUR,
        },
        Need::Default("\"30s\""),
        "the longest that healing may take before it counts as failed",
        "\"30s\"",
    ),
    field(
        "every",
        Ty::Duration {
            min: 100 * MILLISECOND,
            max: 24 * HOUR,
        },
        Need::Optional,
        "how often it is repeated, from begin to begin; together with `trials`",
        "\"20s\"",
    ),
    field(
        "trials",
        Ty::Integer { min: 2, max: 200 },
        Need::Optional,
        "how many times it is played; each trial draws its targets anew, and windows and checks mean all of them",
        "5",
    ),
    field(
        "jitter",
        Ty::Duration {
            min: MILLISECOND,
            max: HOUR,
        },
        Need::Optional,
        "each begin is later by a time below this, drawn by the seed, so that it does not always meet the same moment of what goes on regularly",
        "\"2s\"",
    ),
];

const TARGET: &[Field] = &[
    field(
        "role",
        Ty::Name,
        Need::Optional,
        "slots of this role",
        "\"server\"",
    ),
    field(
        "count",
        Ty::Integer { min: 1, max: 500 },
        Need::Optional,
        "how many of the role; 1 if `share` is left out too",
        "1",
    ),
    field(
        "share",
        Ty::Share,
        Need::Optional,
        "which share of the role, rounded down",
        "\"34%\"",
    ),
    field(
        "slot",
        Ty::Either(&[Ty::Text, Ty::List(&Ty::Text)]),
        Need::Optional,
        "this slot, or these, and no drawing",
        "\"server-2\"",
    ),
    later(
        "label",
        Ty::Map(&Ty::Text),
        "slots that carry these labels",
        "{ category = \"db\" }",
    ),
    later(
        "follow",
        Ty::Any,
        "the targets of another fault",
        "\"one-dies\"",
    ),
];
