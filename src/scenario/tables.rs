//! The tables of a scenario: every key with its type, need, default, meaning and example.
//!
//! Pure. The only description of the scenario's syntax: the reader, `mcpload schema`, `mcpload explain` and the README are all
//! made from it. What belongs to one kind only stands with the kind (`registry::KindInfo::fields`).

use crate::registry::{Acts, Family, Field, Need, Ty};

mod auth;
mod check;
mod connection;
mod fault;
mod fleet;
mod operation;
mod phase;
mod recovery;
mod role;
mod slo;
mod top;
mod workload;

pub use top::TOP;

/// The top-level lists of tables of which one may stand alone: `[workload]` for the only `[[workload]]`.
pub const STAND_ALONE: [&str; 5] = ["workload", "phase", "fault", "slo", "check"];

/// The fields that every kind of the family has.
pub const fn common(family: Family) -> &'static [Field] {
    match family {
        Family::Driver => fleet::FLEET,
        Family::Fault => fault::FAULT,
        Family::Check => check::CHECK,
        Family::Profile | Family::Report => &[],
    }
}

/// The kind that is meant where the tag is left out.
pub const fn default_kind(family: Family) -> Option<&'static str> {
    match family {
        Family::Driver => Some("process"),
        Family::Profile | Family::Fault | Family::Check | Family::Report => None,
    }
}

/// A millisecond, in nanoseconds.
const MILLISECOND: u64 = 1_000_000;
/// A second, in nanoseconds.
const SECOND: u64 = 1_000_000_000;
/// An hour, in nanoseconds.
const HOUR: u64 = 3600 * SECOND;

/// A key that this version acts on.
const fn field(
    key: &'static str,
    ty: Ty,
    need: Need,
    summary: &'static str,
    example: &'static str,
) -> Field {
    Field {
        key,
        ty,
        need,
        summary,
        example,
        acts: Acts::Now,
    }
}

/// A key that is refused with "not yet".
const fn later(key: &'static str, ty: Ty, summary: &'static str, example: &'static str) -> Field {
    Field {
        key,
        ty,
        need: Need::Optional,
        summary,
        example,
        acts: Acts::NotYet,
    }
}
