//! The reference server as its clients see it: an independent SDK client in both eras, and plain HTTP beside it.

// The attributes tell clippy that helpers beside the tests may panic like tests.
#[cfg(test)]
mod drain;
#[cfg(test)]
mod http;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tools;
