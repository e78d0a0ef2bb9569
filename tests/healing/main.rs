//! Healing when the conductor cannot: `kill -9` of the run, of its guard, of both; what `mcpload cleanup`, `halt` and `mark` say
//! and do. Afterwards nothing of a run is left, and nothing is stopped.

#[cfg(test)]
mod cleanup;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod lost;
#[cfg(test)]
#[path = "../runs/support.rs"]
#[expect(dead_code, reason = "shared with the tests of scenarios and processes")]
mod runs;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod steered;
