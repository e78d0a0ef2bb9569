//! `[[check]]`: what every check has.
//!
//! Pure.

use super::field;
use crate::registry::{Field, Need, Ty};

/// The fields of `[[check]]` beside `kind` and the kind's own.
pub(super) const CHECK: &[Field] = &[
    field(
        "name",
        Ty::Name,
        Need::Optional,
        "its name; its kind and fault if it is left out",
        "\"back-in-time\"",
    ),
    field(
        "fault",
        Ty::Name,
        Need::Optional,
        "the fault that it speaks of",
        "\"one-dies\"",
    ),
];
