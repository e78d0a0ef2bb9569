//! `[[slo]]`: a service level objective.
//!
//! Pure.

use super::{HOUR, field};
use crate::registry::{Field, Need, Ty};

/// An objective.
pub(super) const SLO: &[Field] = &[
    field(
        "name",
        Ty::Name,
        Need::Optional,
        "its name; `latency`, `errors` or `throughput` if it is left out",
        "\"fast\"",
    ),
    field(
        "latency",
        Ty::Table(&[
            field(
                "share",
                Ty::Share,
                Need::Required,
                "the share of the operations that must end ok in time",
                "\"99%\"",
            ),
            field(
                "under",
                Ty::Duration {
                    min: 1000,
                    max: HOUR,
                },
                Need::Required,
                "the time, from the moment at which the operation was due",
                "\"250ms\"",
            ),
        ]),
        Need::Optional,
        "so many end ok within this time",
        "{ share = \"99%\", under = \"250ms\" }",
    ),
    field(
        "errors",
        Ty::Table(&[field(
            "under",
            Ty::Share,
            Need::Required,
            "the share of the operations that may end otherwise than ok",
            "\"0.1%\"",
        )]),
        Need::Optional,
        "fewer than this do not end ok",
        "{ under = \"0.1%\" }",
    ),
    field(
        "throughput",
        Ty::Table(&[field(
            "share",
            Ty::Share,
            Need::Required,
            "the share of the intended operations that must end ok",
            "\"95%\"",
        )]),
        Need::Optional,
        "so many of the intended operations are done",
        "{ share = \"95%\" }",
    ),
    field(
        "windows",
        Ty::List(&Ty::Text),
        Need::Default("[\"measured\"]"),
        "where it is judged, each on its own: `measured`, a phase, `before FAULT` (from the begin of the measured time), `during FAULT` (from its begin until it is healed), `after FAULT` (once it is healed, to the end of the measured time)",
        "[\"steady\", \"after one-dies\"]",
    ),
    field(
        "of",
        Ty::OneOf(&["operations", "calls"]),
        Need::Default("\"operations\""),
        "whether operations are counted, or every attempt",
        "\"operations\"",
    ),
    field(
        "operations",
        Ty::List(&Ty::Name),
        Need::Default("[]"),
        "which operations are counted, by name; all if it is empty",
        "[\"echo\"]",
    ),
];
