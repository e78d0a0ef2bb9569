//! Wire rules as clients meet them: the reference server with `--wire`, and the bytes that come out of its sockets.

// The attributes tell clippy that helpers beside the tests may panic like tests.
#[cfg(test)]
mod answers;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod support;
#[cfg(test)]
mod time;
