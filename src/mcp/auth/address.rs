//! Addresses: where metadata may be, and where a client lets itself be sent.
//!
//! Pure. Places are tried in the order of the specification (MCP 2026-07-28, "Authorization Server Discovery"). What a server
//! names is followed only over TLS, on loopback if the server itself is there, or, for what is no secret, at the server's own
//! origin; so no remote server makes a client ask this machine's own ports. Next: `auth::directory` asks there.

use url::{Host, Origin, Url};

/// The longest URL that is followed, bytes.
const MAX_URL: usize = 2048;
/// The well-known name of RFC 9728.
const RESOURCE: &str = "/.well-known/oauth-protected-resource";
/// The well-known name of RFC 8414.
const SERVER: &str = "/.well-known/oauth-authorization-server";
/// The well-known name of `OpenID` Connect Discovery 1.0.
const OPENID: &str = "/.well-known/openid-configuration";

/// A URL of `http` or `https` with a host and without a user; its fragment is dropped.
pub fn read(text: &str) -> Option<Url> {
    if text.len() > MAX_URL {
        return None;
    }
    let mut url = Url::parse(text).ok()?;
    url.set_fragment(None);
    let plain = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none();
    plain.then_some(url)
}

/// The URL for messages: without user and query, in which a secret may stand.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    // A URL that can have neither has none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// Where the metadata of a resource are if no challenge says it: at its path, then at the root (RFC 9728, section 3.1).
pub fn resource_places(endpoint: &Url) -> Vec<Url> {
    let mut root = endpoint.clone();
    root.set_query(None);
    root.set_path(RESOURCE);
    if endpoint.path() == "/" && endpoint.query().is_none() {
        return vec![root];
    }
    let path = endpoint.path();
    let inserted = if path == "/" { "" } else { path };
    vec![at(endpoint, &format!("{RESOURCE}{inserted}")), root]
}

/// Where the metadata of an authorization server are: RFC 8414 with its path inserted, then `OpenID` Connect with the path
/// inserted, then appended.
pub fn issuer_places(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let mut places = vec![
        at(issuer, &format!("{SERVER}{path}")),
        at(issuer, &format!("{OPENID}{path}")),
    ];
    if !path.is_empty() {
        places.push(at(issuer, &format!("{path}{OPENID}")));
    }
    places
}

fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url
}

/// Whether the host is this machine: `localhost`, 127.0.0.0/8 or `::1`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            address.is_loopback()
                || address
                    .to_ipv4_mapped()
                    .is_some_and(|old| old.is_loopback())
        }
        None => false,
    }
}

/// Whether a secret may go to `url`, which a server at `endpoint` named: TLS, or loopback to loopback.
pub fn may_have_secrets(endpoint: &Url, url: &Url) -> bool {
    if is_loopback(url) {
        return is_loopback(endpoint);
    }
    url.scheme() == "https"
}

/// Whether metadata may be read at `url`, which a server at `endpoint` named: as for secrets, or at its own origin.
pub fn may_be_asked(endpoint: &Url, url: &Url) -> bool {
    may_have_secrets(endpoint, url) || same_origin(endpoint, url)
}

fn same_origin(one: &Url, other: &Url) -> bool {
    matches!(one.origin(), Origin::Tuple(..)) && one.origin() == other.origin()
}

/// Whether `resource`, as metadata name it, is the endpoint or holds it: the same origin, and a path above it.
pub fn holds_endpoint(resource: &str, endpoint: &Url) -> bool {
    if resource.contains('#') {
        return false;
    }
    let Some(resource) = read(resource) else {
        return false;
    };
    if resource.query().is_some() && resource.query() != endpoint.query() {
        return false;
    }
    let above = resource.path().trim_end_matches('/');
    let below = endpoint.path().strip_prefix(above);
    same_origin(&resource, endpoint)
        && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        read(text).unwrap()
    }

    fn texts(urls: &[Url]) -> Vec<&str> {
        urls.iter().map(Url::as_str).collect()
    }

    #[test]
    fn a_resource_is_looked_for_at_its_path_and_then_at_the_root() {
        assert_eq!(
            texts(&resource_places(&url("https://h:8443/public/mcp#part"))),
            [
                "https://h:8443/.well-known/oauth-protected-resource/public/mcp",
                "https://h:8443/.well-known/oauth-protected-resource",
            ]
        );
        assert_eq!(
            texts(&resource_places(&url("https://h"))),
            ["https://h/.well-known/oauth-protected-resource"]
        );
        assert_eq!(
            texts(&resource_places(&url("https://h/?tenant=a"))),
            [
                "https://h/.well-known/oauth-protected-resource?tenant=a",
                "https://h/.well-known/oauth-protected-resource",
            ]
        );
    }

    #[test]
    fn an_issuer_is_looked_for_in_the_order_of_the_specification() {
        for issuer in ["https://a/tenant1", "https://a/tenant1/"] {
            assert_eq!(
                texts(&issuer_places(&url(issuer))),
                [
                    "https://a/.well-known/oauth-authorization-server/tenant1",
                    "https://a/.well-known/openid-configuration/tenant1",
                    "https://a/tenant1/.well-known/openid-configuration",
                ]
            );
        }
        for issuer in ["https://a", "https://a/"] {
            assert_eq!(
                texts(&issuer_places(&url(issuer))),
                [
                    "https://a/.well-known/oauth-authorization-server",
                    "https://a/.well-known/openid-configuration",
                ]
            );
        }
    }

    #[test]
    fn what_is_no_plain_url_is_not_read() {
        for text in [
            "",
            "mcp.example.com",
            "ftp://h/x",
            "file:///etc/passwd",
            "data:text/plain,x",
            "http://user@h/",
            "http://:pass@h/",
            "http://",
            "javascript:alert(1)",
            &format!("http://h/{}", "x".repeat(MAX_URL)),
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(shown(&url("https://h/p?key=secret#f")), "https://h/p");
        let with_user = Url::parse("https://user:pass@h/p").unwrap();
        assert_eq!(shown(&with_user), "https://h/p");
    }

    #[test]
    fn secrets_go_over_tls_or_stay_on_this_machine() {
        let here = url("http://127.0.0.1:8080/mcp");
        let remote = url("http://10.0.0.1:8080/mcp");
        for safe in [
            "https://auth.example/token",
            "http://127.9.9.9/t",
            "http://[::1]:1/t",
            "http://LOCALHOST/t",
        ] {
            assert!(may_have_secrets(&here, &url(safe)), "{safe}");
        }
        for unsafe_one in [
            "http://auth.example/token",
            "http://10.0.0.1:8080/token",
            "http://localhost.example/t",
        ] {
            assert!(!may_have_secrets(&here, &url(unsafe_one)), "{unsafe_one}");
            assert!(!may_have_secrets(&remote, &url(unsafe_one)), "{unsafe_one}");
        }
        for ours in [
            "http://127.0.0.1:2375/",
            "https://localhost/",
            "http://[::ffff:127.0.0.1]/",
            "http://a.localhost./",
            "http://0x7f000001/",
        ] {
            assert!(!may_be_asked(&remote, &url(ours)), "{ours}");
        }
        // What is no secret may come from where the endpoint itself is.
        assert!(may_be_asked(&remote, &url("http://10.0.0.1:8080/metadata")));
        assert!(!may_be_asked(
            &remote,
            &url("http://10.0.0.1:8081/metadata")
        ));
    }

    #[test]
    fn a_resource_is_the_endpoint_or_a_path_above_it() {
        let endpoint = url("https://h/a/mcp");
        for right in [
            "https://h/a/mcp",
            "https://h/a/mcp/",
            "https://h/a",
            "https://h/",
            "https://h",
            "HTTPS://H:443/a",
        ] {
            assert!(holds_endpoint(right, &endpoint), "{right}");
        }
        for wrong in [
            "https://evil.example/a/mcp",
            "http://h/a/mcp",
            "https://h:444/a/mcp",
            "https://h/a/mc",
            "https://h/a/mcp/more",
            "https://h/a/mcp#f",
            "https://h/a/mcp?other",
            "https://user@h/a/mcp",
            "h",
            "",
        ] {
            assert!(!holds_endpoint(wrong, &endpoint), "{wrong}");
        }
    }
}
