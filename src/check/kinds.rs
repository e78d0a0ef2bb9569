//! The checks. Adding one: a file below `kinds/` that ends in `KIND`, and a line here.
//!
//! Pure.

use super::Check;
use crate::registry::Kind;

mod clean_change;
mod generator_lag;
mod recovery_time;
mod sessions_lost;
mod wrong_answers;

pub(crate) use clean_change::NAME as CLEAN_CHANGE;
pub use clean_change::wants_clean_change;
pub use recovery_time::{counts_from_heal, recovery_hold};

/// Every check, in the order of documents.
pub const CHECKS: &[Kind<dyn Check>] = &[
    recovery_time::KIND,
    sessions_lost::KIND,
    clean_change::KIND,
    wrong_answers::KIND,
    generator_lag::KIND,
];
