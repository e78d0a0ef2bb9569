//! The token request and its answer (RFC 6749, sections 4.4 and 5; RFC 8707).
//!
//! Pure. Decides how to authenticate, writes the form, and reads what comes back. What a server says of an error is reduced to
//! the codes that are known, because a text of its own might repeat the secret. Next: `auth::authority` sends it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::address;
use super::error::{AuthError, said};
use super::fetch::FetchKind;
use super::scope::Scopes;
use super::{Credentials, TokenAuthentication};

/// The longest token that is taken, bytes: what fits into a header that servers commonly accept.
const MAX_TOKEN: usize = 16 << 10;
/// The longest life of a token that is believed, seconds: ten years, so that sums of nanoseconds stay in range.
const MAX_LIFETIME: u64 = 10 * 366 * 86_400;
/// What RFC 7523 calls an assertion that is a signed token.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The error codes that a message may repeat: RFC 6749, section 5.2, and the extensions that servers use here.
const CODES: &[&str] = &[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "access_denied",
    "server_error",
    "temporarily_unavailable",
    "slow_down",
];

/// A token request as it goes out. It holds the secret, so it has no `Debug`.
pub struct Request {
    /// The form.
    pub body: String,
    /// The `authorization` header, if the credentials stand there.
    pub authorization: Option<HeaderValue>,
}

/// A token as it came.
#[derive(Clone, Debug)]
pub struct Token {
    /// `Bearer …`, marked sensitive.
    pub value: HeaderValue,
    /// How long it lives, nanoseconds; `None` if the server does not say.
    pub lifetime: Option<i64>,
}

/// How to authenticate: what the credentials prescribe, else the best of what the server offers and they allow.
///
/// A server that says nothing takes `client_secret_basic` (RFC 8414, section 2); where no server was asked, the credentials
/// decide.
///
/// # Errors
/// If there is no such way.
pub fn method(
    credentials: &Credentials,
    offered: Option<&[String]>,
) -> Result<TokenAuthentication, AuthError> {
    if let Some(prescribed) = credentials.authentication {
        return Ok(prescribed);
    }
    let allowed: &[TokenAuthentication] = match credentials {
        Credentials {
            private_key_pem: Some(_),
            ..
        } => &[TokenAuthentication::PrivateKeyJwt],
        Credentials {
            secret: Some(_), ..
        } => &[
            TokenAuthentication::SecretBasic,
            TokenAuthentication::SecretPost,
        ],
        _ => &[TokenAuthentication::None],
    };
    let Some(offered) = offered else {
        return allowed.first().copied().ok_or(AuthError::NoMethod {
            offered: "nothing".to_owned(),
        });
    };
    allowed
        .iter()
        .find(|method| offered.iter().any(|one| one == method.name()))
        .copied()
        .ok_or_else(|| AuthError::NoMethod {
            offered: said(&offered.join(", ")),
        })
}

/// The request for a token that is good at `resource`. `assertion` is needed for `private_key_jwt`.
///
/// # Errors
/// If the credentials lack what the method needs.
pub fn request(
    credentials: &Credentials,
    method: TokenAuthentication,
    assertion: Option<&str>,
    resource: &str,
    scopes: &Scopes,
) -> Result<Request, AuthError> {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    let lacking = |what| AuthError::Credentials { what };
    let secret = || {
        credentials
            .secret
            .as_deref()
            .ok_or_else(|| lacking("have no secret"))
    };
    let mut authorization = None;
    match method {
        TokenAuthentication::SecretBasic => {
            authorization = Some(basic(&credentials.client_id, secret()?)?);
        }
        TokenAuthentication::SecretPost => {
            form.append_pair("client_id", &credentials.client_id);
            form.append_pair("client_secret", secret()?);
        }
        TokenAuthentication::None => {
            form.append_pair("client_id", &credentials.client_id);
        }
        // The id stands in the assertion (MCP extension "OAuth Client Credentials").
        TokenAuthentication::PrivateKeyJwt => {
            let assertion = assertion.ok_or_else(|| lacking("have no private key"))?;
            form.append_pair("client_assertion_type", ASSERTION_TYPE);
            form.append_pair("client_assertion", assertion);
        }
    }
    form.append_pair("resource", resource);
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.to_string());
    }
    Ok(Request {
        body: form.finish(),
        authorization,
    })
}

/// `Basic`, with id and secret encoded as in a form before they are joined (RFC 6749, section 2.3.1).
fn basic(id: &str, secret: &str) -> Result<HeaderValue, AuthError> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(id), encoded(secret));
    sensitive(&format!("Basic {}", STANDARD.encode(pair))).ok_or(AuthError::Credentials {
        what: "do not fit into a header",
    })
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[derive(Deserialize)]
struct Written {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: Option<Value>,
}

#[derive(Deserialize)]
struct WrittenError {
    error: String,
}

/// Reads the answer of the token endpoint `url`.
///
/// # Errors
/// If it is no token: a refusal with its code, another status, or an answer that is no valid one.
pub fn answer(url: &Url, status: u16, bytes: &[u8]) -> Result<Token, AuthError> {
    if status != 200 {
        return Err(refusal(url, status, bytes));
    }
    let invalid = |what| AuthError::Invalid {
        kind: FetchKind::Token,
        url: address::shown(url),
        what,
    };
    // The reason of the parser is left out: it might quote the token.
    let written: Written = serde_json::from_slice(bytes).map_err(|_| {
        invalid("it is no JSON object with the texts `access_token` and `token_type`")
    })?;
    if !written.token_type.eq_ignore_ascii_case("bearer") {
        return Err(invalid("its type is not Bearer"));
    }
    let token = &written.access_token;
    let fits =
        (1..=MAX_TOKEN).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
    let value = sensitive(&format!("Bearer {token}"))
        .filter(|_| fits)
        .ok_or_else(|| invalid("its token does not fit into a header"))?;
    Ok(Token {
        value,
        lifetime: written.expires_in.as_ref().and_then(lifetime),
    })
}

fn refusal(url: &Url, status: u16, bytes: &[u8]) -> AuthError {
    let said: Option<WrittenError> = serde_json::from_slice(bytes).ok();
    match said {
        Some(WrittenError { error }) => AuthError::Refused {
            url: address::shown(url),
            status,
            code: CODES
                .iter()
                .find(|known| **known == error)
                .copied()
                .unwrap_or("a code of its own"),
        },
        None => AuthError::Status {
            kind: FetchKind::Token,
            url: address::shown(url),
            status,
        },
    }
}

/// `expires_in` in nanoseconds. A number, by the specification; a text with one, as some servers write it. `None` if it is
/// neither, or below zero.
fn lifetime(value: &Value) -> Option<i64> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    if seconds.is_nan() {
        return None;
    }
    let longest = Duration::from_secs(MAX_LIFETIME);
    let lifetime = Duration::try_from_secs_f64(seconds.min(longest.as_secs_f64())).ok()?;
    i64::try_from(lifetime.as_nanos()).ok()
}

#[cfg(test)]
mod tests;
