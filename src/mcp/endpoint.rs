//! [`Endpoint`]: where clients go, cut into the parts that connecting and asking need.
//!
//! Pure.

use http::{HeaderValue, Uri};
use thiserror::Error;

/// Where a link goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    path: Uri,
    authority: HeaderValue,
}

/// How an endpoint is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// A WebSocket.
    Ws,
    /// A WebSocket over TLS.
    Wss,
}

impl Scheme {
    /// Whether it speaks TLS.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Wss)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    const fn default_port(self) -> u16 {
        if self.is_secure() { 443 } else { 80 }
    }
}

/// Why a URL is no endpoint.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// It cannot be read.
    #[error("{url:?} is no URL")]
    Form {
        /// The text.
        url: String,
        /// What is wrong.
        source: http::uri::InvalidUri,
    },
    /// It has no host, or another scheme.
    #[error(
        "{0:?} is no URL that mcpload can drive: expected http://HOST[:PORT]/PATH, or https, ws or wss"
    )]
    Scheme(String),
}

impl Endpoint {
    /// Reads `http://host[:port]/path`; the scheme may be https, ws or wss too.
    ///
    /// # Errors
    /// If it is of another form, or holds a user's name.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().map_err(|source| EndpointError::Form {
            url: url.to_owned(),
            source,
        })?;
        let refused = || EndpointError::Scheme(url.to_owned());
        let authority = uri.authority().ok_or_else(refused)?;
        let scheme = [Scheme::Http, Scheme::Https, Scheme::Ws, Scheme::Wss]
            .into_iter()
            .find(|scheme| uri.scheme_str() == Some(scheme.name()))
            .ok_or_else(refused)?;
        if authority.as_str().contains('@') {
            return Err(refused());
        }
        let host = authority.host();
        let path = uri
            .path_and_query()
            .cloned()
            .map_or_else(|| Uri::from_static("/"), Uri::from);
        Ok(Self {
            scheme,
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: authority
                .port_u16()
                .unwrap_or_else(|| scheme.default_port()),
            path,
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| refused())?,
        })
    }

    /// The URL.
    pub fn url(&self) -> String {
        let authority = self.authority.to_str().unwrap_or_default();
        format!("{}://{authority}{}", self.scheme.name(), self.path)
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The name or the address of its host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query.
    pub fn path(&self) -> &Uri {
        &self.path
    }

    /// The value of `host`.
    pub fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// The same server at another path. A `reference` is resolved against this one's path (RFC 3986, section 5.2, without dot
    /// segments); one that names a server must name this.
    ///
    /// # Errors
    /// If it cannot be read, or leads elsewhere.
    pub fn at(&self, reference: &str) -> Result<Self, EndpointError> {
        let scheme = self.scheme.name();
        let authority = self.authority.to_str().unwrap_or_default();
        let base = self.path.path();
        let whole = if reference.contains("://") && !reference.starts_with(['/', '?']) {
            reference.to_owned()
        } else if reference.starts_with("//") {
            format!("{scheme}:{reference}")
        } else if reference.starts_with('/') {
            format!("{scheme}://{authority}{reference}")
        } else if reference.starts_with('?') {
            format!("{scheme}://{authority}{base}{reference}")
        } else {
            let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{reference}")
        };
        let other = Self::parse(&whole)?;
        if (other.scheme, &other.host, other.port) == (self.scheme, &self.host, self.port) {
            Ok(other)
        } else {
            Err(EndpointError::Scheme(whole))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_cut_into_its_parts() {
        let endpoint = Endpoint::parse("http://127.0.0.1:8080/mcp?x=1").unwrap();
        assert_eq!((endpoint.host(), endpoint.port()), ("127.0.0.1", 8080));
        assert_eq!(endpoint.path(), "/mcp?x=1");
        assert_eq!(endpoint.authority(), "127.0.0.1:8080");
        let bare = Endpoint::parse("https://[::1]").unwrap();
        assert_eq!(
            (bare.host(), bare.port(), bare.path().path()),
            ("::1", 443, "/")
        );
        assert!(bare.scheme().is_secure());
    }

    #[test]
    fn what_cannot_be_driven_is_refused() {
        for url in ["ftp://a/", "/mcp", "http://user@a/", "http://", "a b"] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_reference_stays_on_its_server() {
        let endpoint = Endpoint::parse("http://a:81/x/sse?y").unwrap();
        for (reference, path) in [
            ("/messages?id=1", "/messages?id=1"),
            ("/messages?next=http://b/", "/messages?next=http://b/"),
            ("messages", "/x/messages"),
            ("?id=1", "/x/sse?id=1"),
            ("http://a:81/m", "/m"),
            ("//a:81/m", "/m"),
        ] {
            assert_eq!(endpoint.at(reference).unwrap().path(), path);
        }
        for elsewhere in [
            "http://b:81/m",
            "http://a:82/m",
            "https://a:81/m",
            "//b:81/m",
        ] {
            assert!(endpoint.at(elsewhere).is_err(), "{elsewhere}");
        }
    }
}
