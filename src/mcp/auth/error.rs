//! [`AuthError`]: why there is no token.
//!
//! One type for the folder, because every step ends in the same place: an operation without a token. What servers said is
//! in it only cut and made harmless; no secret, no token and no query of a URL ever is. Cloned freely: the clients that waited
//! for one discovery share its failure.

use std::sync::Arc;

use thiserror::Error;
use url::Url;

use super::address;
use super::fetch::FetchKind;

/// The longest piece of a server's text in a message, characters.
const MAX_SAID: usize = 120;

/// Why there is no token.
#[derive(Clone, Debug, Error)]
pub enum AuthError {
    /// A URL of the scenario that is none, or holds a user.
    #[error("the {what} is no http or https URL without a user")]
    NoUrl {
        /// Which one.
        what: &'static str,
    },
    /// The credentials lack what they need, or hold what is unusable.
    #[error("the credentials {what}")]
    Credentials {
        /// What is wrong with them.
        what: &'static str,
    },
    /// The private key cannot sign.
    #[error(
        "the private key of client `{client}` does not sign with any algorithm that it and the server share"
    )]
    Key {
        /// The id of the client.
        client: String,
        /// What the last attempt said.
        #[source]
        source: Option<jsonwebtoken::errors::Error>,
    },
    /// The HTTP client could not be built.
    #[error("no HTTP client for metadata and tokens")]
    Client(#[source] Arc<reqwest::Error>),
    /// No connection, no answer in time, or a broken one.
    #[error("{url} gives no {kind}")]
    Unreachable {
        /// What was asked for.
        kind: FetchKind,
        /// Where.
        url: String,
        /// What the HTTP client says.
        #[source]
        source: Arc<reqwest::Error>,
    },
    /// An answer without what was asked for.
    #[error("{url} answers {status} instead of {kind}")]
    Status {
        /// What was asked for.
        kind: FetchKind,
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// A redirect, which is not followed.
    #[error("{url} redirects ({status}) instead of giving {kind}; redirects are not followed")]
    Redirected {
        /// What was asked for.
        kind: FetchKind,
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// More than is read.
    #[error("{url} answers with more than {limit} bytes instead of {kind}")]
    TooLong {
        /// What was asked for.
        kind: FetchKind,
        /// Where.
        url: String,
        /// What is read at most, bytes.
        limit: usize,
    },
    /// An answer that is not what it should be.
    #[error("{url} answers with no valid {kind}: {what}")]
    Invalid {
        /// What was asked for.
        kind: FetchKind,
        /// Where.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// No well-known place has it.
    #[error("no {kind} at any well-known place of {of}")]
    NotFound {
        /// What was looked for.
        kind: FetchKind,
        /// Whose.
        of: String,
    },
    /// A server names an address to which a client must not let itself be sent.
    #[error("{by} names a {what} that is neither reached by TLS nor on its own loopback: {named}")]
    Unsafe {
        /// Who names it.
        by: String,
        /// What it is.
        what: &'static str,
        /// The address.
        named: String,
    },
    /// The metadata are those of another resource.
    #[error("{endpoint} is not part of the resource that its metadata describe: {found}")]
    OtherResource {
        /// The endpoint.
        endpoint: String,
        /// The resource in the metadata.
        found: String,
    },
    /// The metadata are those of another authorization server.
    #[error("the metadata of {asked} are those of another authorization server: {found}")]
    OtherIssuer {
        /// Who was asked.
        asked: String,
        /// The issuer in the metadata.
        found: String,
    },
    /// The resource belongs to an authorization server that did not issue the credentials.
    #[error(
        "the credentials were issued by {bound}, but {endpoint} belongs to another authorization server: {found}"
    )]
    Unbound {
        /// The endpoint.
        endpoint: String,
        /// Who issued the credentials, or was shown them first.
        bound: String,
        /// Who the resource names.
        found: String,
    },
    /// The server offers no way to authenticate that the credentials allow.
    #[error("the token endpoint takes none of what the credentials allow; it offers {offered}")]
    NoMethod {
        /// What it offers.
        offered: String,
    },
    /// The token endpoint says no.
    #[error("{url} refuses a token: {status}, {code}")]
    Refused {
        /// The token endpoint.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The error code of RFC 6749, section 5.2, or of its extensions.
        code: &'static str,
    },
}

impl AuthError {
    /// Whether metadata that led here may be out of date, so that asking for them again may help.
    pub(super) fn doubts_metadata(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Redirected { .. } => true,
            Self::Status { status, .. } => matches!(status, 404 | 405 | 410),
            _ => false,
        }
    }

    /// Whether a server decided against this very request, so that repeating it is pointless.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if (400..=499).contains(status) && *status != 429)
    }
}

/// A server's text for a message: short, and without control characters.
pub(super) fn said(text: &str) -> String {
    text.chars()
        .filter(|one| !one.is_control())
        .take(MAX_SAID)
        .collect()
}

/// An address that a server gave, for a message: as it is written, so that a difference of one slash shows; but without user
/// and query if it is a URL that has them.
pub(super) fn said_address(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if url.query().is_some() || text.contains('@') => said(&address::shown(&url)),
        _ => said(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_is_cut_and_harmless() {
        assert_eq!(said("a\u{1b}[31mb\r\nc\0"), "a[31mbc");
        assert_eq!(said(&"ä".repeat(1_000)).chars().count(), MAX_SAID);
    }

    #[test]
    fn addresses_show_a_difference_of_one_slash_and_no_secret() {
        assert_eq!(said_address("https://a"), "https://a");
        assert_eq!(said_address("https://a/"), "https://a/");
        assert_eq!(
            said_address("https://me:hidden@a/p?k=hidden"),
            "https://a/p"
        );
    }

    #[test]
    fn only_what_may_change_is_asked_for_again() {
        let status = |status| AuthError::Status {
            kind: FetchKind::Token,
            url: String::new(),
            status,
        };
        assert!(status(404).doubts_metadata() && !status(503).doubts_metadata());
        let refused = |status| AuthError::Refused {
            url: String::new(),
            status,
            code: "invalid_scope",
        };
        assert!(refused(400).is_final() && !refused(429).is_final() && !refused(503).is_final());
    }
}
