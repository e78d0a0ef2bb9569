//! Metadata documents: of a protected resource (RFC 9728) and of an authorization server (RFC 8414, `OpenID` Connect).
//!
//! Pure. Strict where it protects the credentials: the document must be that of the endpoint that was asked about, or of the
//! issuer that was asked; a duplicate field is an error; the token endpoint must be safe for secrets. Lenient elsewhere: what
//! a client doesn't need is not read. Next: `auth::directory` fetches them and keeps them.

use serde::Deserialize;
use url::Url;

use super::address;
use super::error::{AuthError, said_address};
use super::fetch::FetchKind;
use super::scope::Scopes;

/// The most entries of a list in a document.
const MAX_ENTRIES: usize = 64;

/// What a protected resource says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its identifier, as it writes it: the `resource` of token requests.
    pub resource: String,
    /// The issuers of the tokens that it takes, in its order; at least one.
    pub servers: Vec<String>,
    /// The scopes that it supports; empty if it doesn't say.
    pub scopes: Scopes,
}

/// What an authorization server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its identifier.
    pub issuer: String,
    /// Where tokens are given.
    pub token_endpoint: Url,
    /// How clients may authenticate there; `None` if it doesn't say.
    pub methods: Option<Vec<String>>,
    /// The algorithms for signed assertions; empty if it doesn't say.
    pub algorithms: Vec<String>,
}

#[derive(Deserialize)]
struct WrittenResource {
    resource: String,
    #[serde(default)]
    authorization_servers: Option<Vec<String>>,
    #[serde(default)]
    scopes_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct WrittenServer {
    issuer: String,
    token_endpoint: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
}

/// Reads the metadata of the resource that `endpoint` belongs to, which came from `place`.
///
/// # Errors
/// If it is no such document, or that of another resource.
pub fn resource(bytes: &[u8], endpoint: &Url, place: &Url) -> Result<Resource, AuthError> {
    let invalid = |what| AuthError::Invalid {
        kind: FetchKind::ProtectedResource,
        url: address::shown(place),
        what,
    };
    let written: WrittenResource = serde_json::from_slice(bytes)
        .map_err(|_| invalid("it is no JSON object with the text `resource`"))?;
    if !address::holds_endpoint(&written.resource, endpoint) {
        return Err(AuthError::OtherResource {
            endpoint: address::shown(endpoint),
            found: said_address(&written.resource),
        });
    }
    let servers = written.authorization_servers.unwrap_or_default();
    if !(1..=MAX_ENTRIES).contains(&servers.len()) {
        return Err(invalid("it names no authorization server, or too many"));
    }
    // Scopes that can't be asked for are as good as none.
    let scopes = written
        .scopes_supported
        .and_then(|names| Scopes::collect(names.iter().map(String::as_str)))
        .unwrap_or_default();
    Ok(Resource {
        resource: written.resource,
        servers,
        scopes,
    })
}

/// Reads the metadata of the authorization server `issuer`, which came from `place`; `endpoint` led there.
///
/// # Errors
/// If it is no such document, that of another server, or names a token endpoint that is not safe for secrets.
pub fn server(
    bytes: &[u8],
    issuer: &str,
    endpoint: &Url,
    place: &Url,
) -> Result<Server, AuthError> {
    let invalid = |what| AuthError::Invalid {
        kind: FetchKind::AuthorizationServer,
        url: address::shown(place),
        what,
    };
    let written: WrittenServer = serde_json::from_slice(bytes).map_err(|_| {
        invalid("it is no JSON object with the texts `issuer` and `token_endpoint`")
    })?;
    // Identical, not only equivalent (RFC 8414, section 3.3).
    if written.issuer != issuer {
        return Err(AuthError::OtherIssuer {
            asked: said_address(issuer),
            found: said_address(&written.issuer),
        });
    }
    let token_endpoint = address::read(&written.token_endpoint)
        .ok_or_else(|| invalid("its token endpoint is no http or https URL without a user"))?;
    if !address::may_have_secrets(endpoint, &token_endpoint) {
        return Err(AuthError::Unsafe {
            by: said_address(issuer),
            what: "token endpoint",
            named: said_address(&written.token_endpoint),
        });
    }
    let algorithms = written
        .token_endpoint_auth_signing_alg_values_supported
        .unwrap_or_default();
    let methods = written.token_endpoint_auth_methods_supported;
    let too_many = |list: &[String]| list.len() > MAX_ENTRIES;
    if too_many(&algorithms) || methods.as_deref().is_some_and(too_many) {
        return Err(invalid("its lists are too long"));
    }
    Ok(Server {
        issuer: written.issuer,
        token_endpoint,
        methods,
        algorithms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn url(text: &str) -> Url {
        address::read(text).unwrap()
    }

    fn read_resource(document: &Value) -> Result<Resource, AuthError> {
        let endpoint = url("https://h/mcp");
        resource(document.to_string().as_bytes(), &endpoint, &endpoint)
    }

    fn read_server(document: &Value) -> Result<Server, AuthError> {
        let place = url("https://a/.well-known/x");
        let endpoint = url("https://h/mcp");
        server(
            document.to_string().as_bytes(),
            "https://a",
            &endpoint,
            &place,
        )
    }

    #[test]
    fn a_resource_names_its_servers_and_scopes() {
        let whole = json!({
            "resource": "https://h", "authorization_servers": ["https://a", "https://b"],
            "scopes_supported": ["r", "w"], "anything": { "else": [] },
        });
        let found = read_resource(&whole).unwrap();
        assert_eq!(found.resource, "https://h");
        assert_eq!(found.servers, ["https://a", "https://b"]);
        assert_eq!(found.scopes.to_string(), "r w");
        let odd = json!({ "resource": "https://h/mcp", "authorization_servers": ["https://a"], "scopes_supported": ["a b", "\n"] });
        assert!(read_resource(&odd).unwrap().scopes.is_empty());
    }

    #[test]
    fn the_metadata_of_another_resource_are_refused() {
        for other in [
            "https://evil.example/mcp",
            "https://h/mcp2",
            "https://h/other",
            "",
            "https://evil\u{1b}[31m",
        ] {
            let document = json!({ "resource": other, "authorization_servers": ["https://a"] });
            let error = read_resource(&document).unwrap_err();
            assert!(
                matches!(error, AuthError::OtherResource { .. }),
                "{other}: {error}"
            );
            assert!(!error.to_string().contains('\u{1b}'));
        }
    }

    #[test]
    fn a_document_that_is_none_is_refused() {
        let servers = json!(["https://a"]);
        for document in [
            json!([]),
            json!("text"),
            json!({}),
            json!({ "resource": ["https://h/mcp"], "authorization_servers": servers }),
            json!({ "resource": "https://h/mcp" }),
            json!({ "resource": "https://h/mcp", "authorization_servers": [] }),
            json!({ "resource": "https://h/mcp", "authorization_servers": [1] }),
            json!({ "resource": "https://h/mcp", "authorization_servers": vec!["https://a"; MAX_ENTRIES + 1] }),
        ] {
            let error = read_resource(&document).unwrap_err();
            assert!(
                matches!(error, AuthError::Invalid { .. }),
                "{document}: {error}"
            );
        }
        let endpoint = url("https://h/mcp");
        let twice = br#"{"resource":"https://h/mcp","resource":"https://h/mcp","authorization_servers":["https://a"]}"#;
        let deep = format!("{{\"x\":{}", "[".repeat(50_000));
        for bytes in [&b""[..], b"<html>", b"\xff\xfe", twice, deep.as_bytes()] {
            assert!(resource(bytes, &endpoint, &endpoint).is_err());
            assert!(server(bytes, "https://a", &endpoint, &endpoint).is_err());
        }
    }

    #[test]
    fn a_server_must_be_the_one_that_was_asked() {
        let whole = json!({
            "issuer": "https://a", "token_endpoint": "https://t.example/token?x=1",
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        });
        let found = read_server(&whole).unwrap();
        assert_eq!(found.token_endpoint.as_str(), "https://t.example/token?x=1");
        assert_eq!(found.methods.unwrap(), ["private_key_jwt"]);
        assert_eq!(found.algorithms, ["ES256"]);
        for other in [
            "https://honest.example",
            "https://a/",
            "HTTPS://a",
            "https://A",
            "https://a/tenant",
        ] {
            let document = json!({ "issuer": other, "token_endpoint": "https://a/token" });
            let error = read_server(&document).unwrap_err();
            assert!(
                matches!(error, AuthError::OtherIssuer { .. }),
                "{other}: {error}"
            );
        }
    }

    #[test]
    fn a_token_endpoint_must_be_safe_for_secrets() {
        let with = |endpoint: &str| {
            read_server(&json!({ "issuer": "https://a", "token_endpoint": endpoint }))
        };
        assert!(with("https://elsewhere.example/token").is_ok());
        for endpoint in [
            "http://a/token",
            "http://127.0.0.1:1/token",
            "https://localhost/token",
        ] {
            let error = with(endpoint).unwrap_err();
            assert!(
                matches!(error, AuthError::Unsafe { .. }),
                "{endpoint}: {error}"
            );
        }
        for endpoint in ["", "/token", "ftp://a/token", "https://me:pass@a/token"] {
            let error = with(endpoint).unwrap_err();
            assert!(
                matches!(error, AuthError::Invalid { .. }),
                "{endpoint}: {error}"
            );
            assert!(!error.to_string().contains("pass@"));
        }
    }
}
