//! OAuth for simulated clients: what a client credentials client does, from the first 401 to a token and its renewal.
//!
//! [`challenge`], [`address`], [`document`], [`scope`], [`grant`] and `holding` are pure; [`assertion`] signs; [`fetch`] and [`directory`] do
//! I/O. [`Authority`] is one client's part: it holds the token. A [`Directory`] is what the clients of a worker share: metadata
//! and the HTTP client. All of it is control plane: nothing here is a Call, and every request made is told as a [`Fetch`].
//! Invariants: a secret is in no message and in no `Debug`; it goes only to the authorization server that was validated, over
//! TLS or on loopback, and never along a redirect; one refusal by the resource leads to one new token at most.
//! Next: `holding` decides when to ask, [`authority`] asks.

use std::fmt;

use http::HeaderValue;
use serde::{Deserialize, Serialize};

pub mod address;
pub mod assertion;
pub mod authority;
pub mod challenge;
pub mod directory;
pub mod document;
pub mod error;
pub mod fetch;
pub mod grant;
mod holding;
pub mod scope;

pub use authority::Authority;
pub use directory::Directory;
pub use error::AuthError;
pub use fetch::{Fetch, FetchKind, Reason};

/// How a client proves who it is to the token endpoint (`token_endpoint_auth_methods_supported` of RFC 8414).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenAuthentication {
    /// Id and secret in an `Authorization: Basic` header.
    #[serde(rename = "client_secret_basic")]
    SecretBasic,
    /// Id and secret in the form.
    #[serde(rename = "client_secret_post")]
    SecretPost,
    /// The id alone: a public client.
    #[serde(rename = "none")]
    None,
    /// An assertion signed with a private key (RFC 7523).
    #[serde(rename = "private_key_jwt")]
    PrivateKeyJwt,
}

impl TokenAuthentication {
    /// The name in metadata documents and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::None => "none",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

/// How a client proves who it is. `Debug` shows neither secret nor key.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The id under which the authorization server knows the client.
    pub client_id: String,
    /// Its secret.
    pub secret: Option<String>,
    /// Its private key for `private_key_jwt`: PEM, PKCS #8 (RSA also PKCS #1).
    pub private_key_pem: Option<String>,
    /// The signature algorithm for that key (`ES256`, `RS256`, ...); without it, the first that suits key and server.
    pub algorithm: Option<String>,
    /// The scopes to ask for if the challenge names none, parted by spaces.
    pub scope: Option<String>,
    /// The token endpoint, if it is known: nothing is discovered then.
    pub token_url: Option<String>,
    /// The authorization server that issued these credentials, if it is known: they are shown to no other. With
    /// [`token_url`](Self::token_url) it is the audience of assertions.
    pub issuer: Option<String>,
    /// How to authenticate; without it, what the server offers and the credentials allow.
    pub authentication: Option<TokenAuthentication>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .field("secret", &self.secret.as_ref().map(|_| "…"))
            .field(
                "private_key_pem",
                &self.private_key_pem.as_ref().map(|_| "…"),
            )
            .field("algorithm", &self.algorithm)
            .field("scope", &self.scope)
            .field("issuer", &self.issuer)
            .field("authentication", &self.authentication)
            .finish_non_exhaustive()
    }
}

/// A token, ready for the `authorization` header. `Debug` does not show it.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// `Bearer …`, marked sensitive.
    pub value: HeaderValue,
    /// When it expires, raw nanoseconds of the clock; `None` if the server did not say.
    pub expires: Option<i64>,
    /// Tells the tokens of one [`Authority`] apart.
    serial: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_show_neither_secret_nor_key() {
        let credentials = Credentials {
            client_id: "visible".to_owned(),
            secret: Some("hidden-secret".to_owned()),
            private_key_pem: Some("hidden-key".to_owned()),
            token_url: Some("https://host/token?key=hidden-query".to_owned()),
            ..Credentials::default()
        };
        let shown = format!("{credentials:?}");
        assert!(shown.contains("visible"), "{shown}");
        assert!(!shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn methods_have_the_names_of_the_metadata() {
        for method in [
            TokenAuthentication::SecretBasic,
            TokenAuthentication::SecretPost,
            TokenAuthentication::None,
            TokenAuthentication::PrivateKeyJwt,
        ] {
            let written = serde_json::to_value(method).unwrap();
            assert_eq!(written, method.name());
        }
    }
}
