//! `[[fault]]`: what every fault has.
//!
//! Pure.

use super::{HOUR, MILLISECOND, field};
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
        Need::Optional,
        "the slots that it acts on, which every kind needs but `command`, `observed` and `rollback`; which of a role they are is drawn by the seed when the plan is made, if possible such that no other fault acts on at the same time; `owner-of-session`: the slot that served the last call of a client with a session that the seed draws, found when the fault acts",
        "{ role = \"server\", count = 1 }",
    ),
    field(
        "at",
        Ty::Text,
        Need::Optional,
        "for every kind but `observed` needed: when it acts: `PHASE`, `PHASE + DURATION`, `FAULT begins + DURATION`, or `FAULT heals + DURATION` for a fault that has a `duration`",
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
        "how many of them; if `share` is left out too, 1, and for a rollout all",
        "1",
    ),
    field(
        "share",
        Ty::Share,
        Need::Optional,
        "which share of them, rounded down",
        "\"34%\"",
    ),
    field(
        "slot",
        Ty::Either(&[Ty::Text, Ty::List(&Ty::Text)]),
        Need::Optional,
        "this slot, or these, and no drawing",
        "\"server-2\"",
    ),
    field(
        "label",
        Ty::Map(&Ty::Text),
        Need::Optional,
        "slots that carry all of these labels; of `role`, or of any; `count` or `share` of them",
        "{ category = \"db\" }",
    ),
    field(
        "follow",
        Ty::Name,
        Need::Optional,
        "the targets of this other fault, trial by trial, and no drawing",
        "\"one-dies\"",
    ),
    field(
        "new_slots",
        Ty::OneOf(&["frozen", "follow"]),
        Need::Default("\"frozen\""),
        "whether slots of `role` that come into being while it lasts are targets too, whatever `count` and `share` say",
        "\"frozen\"",
    ),
];
