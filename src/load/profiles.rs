//! The profiles. Adding one: a file below `profiles/` that ends in `KIND`, and a line here.
//!
//! Pure.

use super::Profile;
use crate::registry::Kind;

mod constant;
mod users;

/// Every profile, in the order of documents.
pub const PROFILES: &[Kind<dyn Profile>] = &[constant::KIND, users::KIND];
