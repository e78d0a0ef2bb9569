//! The links over streams of messages, each against a server of a few lines that does exactly what the test says.

// `cfg(test)` tells clippy that helpers beside the tests may panic like tests.
#[cfg(test)]
#[path = "links_streams/http_sse.rs"]
mod http_sse;
#[cfg(test)]
#[path = "links_streams/secured.rs"]
mod secured;
#[cfg(test)]
#[path = "links_streams/stdio.rs"]
mod stdio;
#[cfg(test)]
#[path = "links_streams/support.rs"]
mod support;
#[cfg(test)]
#[path = "links_streams/websocket.rs"]
mod websocket;
