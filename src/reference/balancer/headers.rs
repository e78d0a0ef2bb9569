//! Header fields on their way through a proxy: what is dropped, what is added, and the two names that MCP fleets care about.
//!
//! Pure.

use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};

/// Says which instance served a response: `server-2#1`, or `server-2` where only the balancer knows.
pub(super) const INSTANCE: HeaderName = HeaderName::from_static("mcpload-instance");
/// The session of the Streamable HTTP transport (2025-03-26 to 2025-11-25).
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// The chain of clients that a request came from.
pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Fields that concern one connection only (RFC 9110, section 7.6.1), besides those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Drops what concerns only the connection on which the message came; hyper writes what the next one needs.
pub(super) fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Appends `client` (an address as text) to `X-Forwarded-For`.
pub(super) fn add_forwarded_for(headers: &mut HeaderMap, client: &str) {
    let before = headers
        .get(FORWARDED_FOR)
        .and_then(|value| value.to_str().ok());
    let chain = before.map_or_else(|| client.to_owned(), |before| format!("{before}, {client}"));
    if let Ok(value) = HeaderValue::from_str(&chain) {
        headers.insert(FORWARDED_FOR, value);
    }
}

/// The session id that a message carries, if it is text.
pub(super) fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION)?.to_str().ok()
}

/// Names `member` as the instance that served, unless the member named itself.
pub(super) fn name_instance(headers: &mut HeaderMap, member: &str) {
    if let (Entry::Vacant(entry), Ok(value)) =
        (headers.entry(INSTANCE), HeaderValue::from_str(member))
    {
        entry.insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn fields_of_one_hop_go_and_the_others_stay() {
        let mut headers = map(&[
            ("connection", "close, X-Private"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("mcp-session-id", "s"),
            ("content-length", "3"),
        ]);
        drop_hop_by_hop(&mut headers);
        assert_eq!(
            headers,
            map(&[("mcp-session-id", "s"), ("content-length", "3")])
        );
    }

    #[test]
    fn the_client_is_appended_to_the_chain() {
        let mut headers = HeaderMap::new();
        add_forwarded_for(&mut headers, "127.0.0.1");
        add_forwarded_for(&mut headers, "::1");
        assert_eq!(headers, map(&[("x-forwarded-for", "127.0.0.1, ::1")]));
    }

    #[test]
    fn a_member_that_names_itself_keeps_its_name() {
        let mut headers = map(&[("mcpload-instance", "server-2#4")]);
        name_instance(&mut headers, "server-2");
        assert_eq!(headers, map(&[("mcpload-instance", "server-2#4")]));
        let mut headers = HeaderMap::new();
        name_instance(&mut headers, "server-2");
        assert_eq!(headers, map(&[("mcpload-instance", "server-2")]));
    }
}
