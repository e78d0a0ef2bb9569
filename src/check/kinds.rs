//! The checks. Adding one: a file below `kinds/` that ends in `KIND`, and a line here.
//!
//! Pure.

use super::Check;
use crate::registry::Kind;

mod generator_lag;
mod recovery_time;
mod sessions_lost;
mod wrong_answers;

pub use recovery_time::recovery_hold;

/// Every check, in the order of documents.
pub const CHECKS: &[Kind<dyn Check>] = &[
    recovery_time::KIND,
    sessions_lost::KIND,
    wrong_answers::KIND,
    generator_lag::KIND,
];
