//! The faults. Adding one: a file below `kinds/` that ends in `KIND`, and a line here.

use super::Fault;
use crate::registry::Kind;

mod kill;
pub(crate) mod observed;
mod pause;

/// Every fault, in the order of documents.
pub const FAULTS: &[Kind<dyn Fault>] = &[kill::KIND, pause::KIND, observed::KIND];
