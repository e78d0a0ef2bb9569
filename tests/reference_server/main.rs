//! The reference server as its clients see it: an independent SDK client in both eras, and plain HTTP beside it.

// The attributes tell clippy that helpers beside the tests may panic like tests.
#[cfg(test)]
mod cancel;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod http;
#[cfg(test)]
mod legacy;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tools;
