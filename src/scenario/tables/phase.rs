//! `[[phase]]`: a part of the run.
//!
//! Pure.

use super::{HOUR, MILLISECOND, field};
use crate::registry::{Family, Field, Need, Ty};

/// A phase.
pub(super) const PHASE: &[Field] = &[
    field(
        "name",
        Ty::Name,
        Need::Required,
        "its name; faults and windows speak of it",
        "\"chaos\"",
    ),
    field(
        "duration",
        Ty::Duration {
            min: 100 * MILLISECOND,
            max: 7 * 24 * HOUR,
        },
        Need::Required,
        "how long it lasts",
        "\"15s\"",
    ),
    field(
        "rate",
        Ty::Rate,
        Need::Optional,
        "operations that arrive per second, minute or hour; short for the constant profile of the only workload",
        "\"100/s\"",
    ),
    field(
        "load",
        Ty::Kind(Family::Profile),
        Need::Optional,
        "the load profile of the only workload",
        "{ profile = \"users\", users = 20 }",
    ),
    field(
        "loads",
        Ty::Map(&Ty::Kind(Family::Profile)),
        Need::Optional,
        "the load profile of each workload, by name; one without rests",
        "{ agents = { profile = \"constant\", rate = \"50/s\" }, people = { profile = \"users\", users = 20 } }",
    ),
    field(
        "measure",
        Ty::Bool,
        Need::Default("true"),
        "whether it counts for objectives that name no window",
        "false",
    ),
];
