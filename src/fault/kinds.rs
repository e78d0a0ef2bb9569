//! The faults. Adding one: a file below `kinds/` that ends in `KIND`, and a line here.

use super::Fault;
use crate::registry::Kind;

mod kill;
mod link;
mod pause;

/// Every fault, in the order of documents.
pub const FAULTS: &[Kind<dyn Fault>] = &[
    kill::KIND,
    pause::KIND,
    link::latency::KIND,
    link::bandwidth::KIND,
    link::stall::KIND,
    link::slicer::KIND,
    link::slow_close::KIND,
    link::blackhole::KIND,
    link::half_open::KIND,
    link::reset::KIND,
    link::refuse::KIND,
    link::limit_bytes::KIND,
    link::answers::KIND,
];
