//! `mcpload wire` as a process: what it does to connections, and that it leaves them alone otherwise.
//!
//! Real sockets and real time: lower bounds are strict; upper bounds compare with an undisturbed path in the same run.

// `cfg(test)` tells clippy that helpers beside the tests may panic like tests.
#[cfg(test)]
mod behind;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod http;
#[cfg(test)]
mod noise;
#[cfg(test)]
mod order;
#[cfg(test)]
mod support;
#[cfg(test)]
mod time;
#[cfg(test)]
mod toggles;
#[cfg(test)]
mod words;
