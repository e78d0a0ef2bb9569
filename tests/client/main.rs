//! The load client against servers that misbehave: the reference server with rules for the wire and with its defects switched on.
//! What each file asserts is what a load worker wrote down, or what the server counted.

// The attributes tell clippy that helpers beside the tests may panic like tests.
#[cfg(test)]
mod answers;
#[cfg(test)]
mod cancel;
#[cfg(test)]
#[path = "../worker/conductor.rs"]
#[expect(
    dead_code,
    reason = "the tests of the worker look at more of its record"
)]
mod conductor;
#[cfg(test)]
mod eras;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod hold;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod independent;
#[cfg(test)]
mod listen;
#[cfg(test)]
mod ours;
#[cfg(test)]
mod pages;
#[cfg(test)]
#[path = "../worker/plan.rs"]
mod plan;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod support;
