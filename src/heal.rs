//! Healing without the conductor: what a run did is undone, and what it started is ended, whatever became of the run.
//!
//! Impure. Three undo each other's omissions: the conductor itself (its players, on every way out), owners (a shim ends its
//! instance when its socket closes), and this. [`guard`] is a process beside the conductor that undoes when the conductor cannot;
//! [`guarding`] is the conductor's side of it; [`cleanup`] finds what is left later, with nothing else running. All of them
//! read the undo journal ([`crate::fault::journal`]) and may do the same twice. Invariant: only what the journal of a run names
//! and processes that carry its mark ([`crate::fleet::proc::marks`]) are touched, and a process only if it is still the same.

pub mod cleanup;
pub mod guard;
pub mod guarding;
pub mod leftovers;
pub mod open_runs;
pub mod trust;
pub mod undo;
