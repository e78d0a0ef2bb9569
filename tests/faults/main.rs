//! Every fault, as its own documentation shows it: the example of each kind is put into one scenario, run with the real binary,
//! and its effect is measured by something that the fault's code has no part in.

#[cfg(test)]
#[path = "../runs/support.rs"]
#[expect(dead_code, reason = "shared with the tests of scenarios and processes")]
mod runs;

#[cfg(test)]
mod absent;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod hogs;
#[cfg(test)]
mod judged;
#[cfg(test)]
mod link;
#[cfg(test)]
mod outside;
#[cfg(test)]
mod own;
#[cfg(test)]
mod played;
#[cfg(test)]
mod process;
