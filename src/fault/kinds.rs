//! The faults. Adding one: a file below `kinds/` that ends in `KIND`, and a line here.

use super::Fault;
use crate::registry::Kind;

mod change;
mod command;
mod cpu_hog;
mod crash_loop;
mod kill;
mod link;
mod memory_hog;
pub(crate) mod observed;
mod open_files;
mod pause;
mod restart;
mod stop;
mod terminate;

/// Every fault, in the order of documents.
pub const FAULTS: &[Kind<dyn Fault>] = &[
    kill::KIND,
    terminate::KIND,
    restart::KIND,
    crash_loop::KIND,
    stop::KIND,
    pause::KIND,
    cpu_hog::KIND,
    memory_hog::KIND,
    open_files::KIND,
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
    command::KIND,
    change::scale::KIND,
    change::rolling_restart::KIND,
    change::rolling_update::KIND,
    change::rollback::KIND,
    change::reload::KIND,
    change::re_create::KIND,
    observed::KIND,
];
