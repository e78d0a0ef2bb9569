//! Signed assertions for `private_key_jwt` (RFC 7523, section 2.2).
//!
//! Reads no clock and draws nothing itself: time and id are given. Signing is `jsonwebtoken`'s. An assertion names the issuer as its
//! audience (draft-ietf-oauth-rfc7523bis) and lives for two minutes, long enough for clocks that differ. Next: `auth::grant`
//! puts it into the form.

use std::str::FromStr;

use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey, Header, encode};
use serde::Serialize;

use super::Credentials;
use super::error::AuthError;

/// How long an assertion is good, seconds.
const LIFETIME: u64 = 120;

/// The algorithms that are tried, in this order, if none is prescribed. None of them is symmetric.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::RS384,
    Algorithm::PS384,
    Algorithm::RS512,
    Algorithm::PS512,
];

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: u64,
    exp: u64,
}

/// What an assertion is about besides the client.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// For whom it is: the issuer, or the token endpoint where no issuer is known.
    pub audience: &'a str,
    /// The algorithms that the server takes; empty if it doesn't say.
    pub offered: &'a [String],
    /// When, seconds since 1970.
    pub issued_at: u64,
    /// What makes it unique.
    pub id: &'a str,
}

/// Signs an assertion that says who the client is.
///
/// # Errors
/// If there is no key, or it signs with no algorithm that is prescribed or offered.
pub fn sign(credentials: &Credentials, occasion: Occasion<'_>) -> Result<String, AuthError> {
    let pem = credentials
        .private_key_pem
        .as_deref()
        .ok_or(AuthError::Credentials {
            what: "have no private key",
        })?;
    let claims = Claims {
        iss: &credentials.client_id,
        sub: &credentials.client_id,
        aud: occasion.audience,
        jti: occasion.id,
        iat: occasion.issued_at,
        exp: occasion.issued_at.saturating_add(LIFETIME),
    };
    let prescribed = credentials
        .algorithm
        .as_deref()
        .map(algorithm)
        .transpose()?;
    let mut last = None;
    for one in ALGORITHMS {
        let wanted = prescribed.map_or_else(
            || occasion.offered.is_empty() || occasion.offered.contains(&format!("{one:?}")),
            |prescribed| one == prescribed,
        );
        if wanted {
            // Whether a key suits an algorithm is known only when it is tried; the first that suits it is found at once.
            match signed(pem, one, &claims) {
                Ok(assertion) => return Ok(assertion),
                Err(error) => last = Some(error),
            }
        }
    }
    Err(AuthError::Key {
        client: credentials.client_id.clone(),
        source: last,
    })
}

/// The algorithm of that name, if it is one for private keys.
///
/// # Errors
/// If it is none.
pub fn algorithm(name: &str) -> Result<Algorithm, AuthError> {
    Algorithm::from_str(name)
        .ok()
        .filter(|one| ALGORITHMS.contains(one))
        .ok_or(AuthError::Credentials {
            what: "name an algorithm that is none for private keys",
        })
}

/// Whether the text holds a private key of a known kind.
pub fn is_key(pem: &str) -> bool {
    let families = [
        AlgorithmFamily::Ec,
        AlgorithmFamily::Ed,
        AlgorithmFamily::Rsa,
    ];
    families.into_iter().any(|family| key(pem, family).is_ok())
}

fn signed(pem: &str, algorithm: Algorithm, claims: &Claims<'_>) -> Result<String, Error> {
    let key = key(pem, algorithm.family())?;
    encode(&Header::new(algorithm), claims, &key)
}

fn key(pem: &str, family: AlgorithmFamily) -> Result<EncodingKey, Error> {
    match family {
        AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem.as_bytes()),
        AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem.as_bytes()),
        AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(pem.as_bytes()),
        AlgorithmFamily::Hmac => Err(jsonwebtoken::errors::ErrorKind::InvalidAlgorithm.into()),
    }
}

#[cfg(test)]
mod tests;
