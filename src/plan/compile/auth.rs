//! How clients prove who they are: headers, tokens, client credentials.
//!
//! Pure. Secrets are named, never read: a worker reads them when it starts.

use std::collections::BTreeMap;

use super::Context;
use crate::diag::codes;
use crate::plan::{AuthPlan, CredentialsPlan, HeaderValue};
use crate::scenario::written::{Bearers, TextOrSecret, Workload};

/// The most tokens that clients take in turn.
const MOST_BEARERS: usize = 10_000;
/// Headers that belong to mcpload: what they say follows from the rest of the scenario.
const RESERVED: [&str; 13] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "upgrade",
    "accept",
    "last-event-id",
    "mcp-session-id",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "traceparent",
];

pub(super) fn headers(
    context: &mut Context<'_>,
    workload: &Workload,
    path: &str,
) -> BTreeMap<String, HeaderValue> {
    let mut headers = BTreeMap::new();
    for (name, value) in &workload.headers {
        let path = format!("{path}.headers.{name}");
        let lower = name.to_ascii_lowercase();
        if http::HeaderName::try_from(name.as_str()).is_err() {
            context.report_key(
                &codes::BAD_VALUE,
                &path,
                format!("`{}` is no name of a header", name.escape_debug()),
                "expected letters, digits and `-`",
                None,
            );
        } else if RESERVED.contains(&lower.as_str()) {
            context.report_key(
                &codes::BAD_VALUE,
                &path,
                format!("the header `{name}` belongs to mcpload"),
                "expected another header",
                None,
            );
        }
        let value = match value {
            TextOrSecret::Text(text) => {
                if http::HeaderValue::from_str(text).is_err() {
                    context.report(
                        &codes::BAD_VALUE,
                        &path,
                        "the value cannot stand in a header",
                        "expected visible characters",
                        None,
                    );
                }
                HeaderValue::Plain(text.clone())
            }
            TextOrSecret::Secret(secret) => HeaderValue::Secret {
                prefix: String::new(),
                secret: secret.clone(),
            },
        };
        headers.insert(lower, value);
    }
    if workload.auth.is_some() && headers.contains_key("authorization") {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.auth"),
            "the workload has `auth` and an authorization header",
            "expected only one of them",
            None,
        );
    }
    headers
}

pub(super) fn compile(context: &mut Context<'_>, workload: &Workload, path: &str) -> AuthPlan {
    let Some(auth) = &workload.auth else {
        return AuthPlan::None;
    };
    let path = format!("{path}.auth");
    match (&auth.bearer, &auth.client_credentials) {
        (Some(bearer), None) => {
            let secrets = match bearer {
                Bearers::One(secret) => vec![secret.clone()],
                Bearers::Many(secrets) => secrets.clone(),
            };
            if secrets.is_empty() || secrets.len() > MOST_BEARERS {
                context.report(
                    &codes::BAD_VALUE,
                    &format!("{path}.bearer"),
                    format!("there are {} tokens", secrets.len()),
                    format!("expected from 1 to {MOST_BEARERS}"),
                    None,
                );
            }
            AuthPlan::Bearers(secrets)
        }
        (None, Some(credentials)) => {
            let path = format!("{path}.client_credentials");
            check_credentials(context, credentials, &path);
            AuthPlan::ClientCredentials(credentials.clone())
        }
        (bearer, _) => {
            context.report(
                &codes::CONFLICT,
                &path,
                if bearer.is_some() {
                    "`auth` has `bearer` and `client_credentials`"
                } else {
                    "`auth` has neither `bearer` nor `client_credentials`"
                },
                "expected exactly one of them",
                None,
            );
            AuthPlan::None
        }
    }
}

fn check_credentials(context: &mut Context<'_>, credentials: &CredentialsPlan, path: &str) {
    let authentication = credentials.authentication.as_deref();
    let wanted = match authentication {
        Some("private_key_jwt") => Some("private_key"),
        Some("client_secret_basic" | "client_secret_post") => Some("secret"),
        _ => None,
    };
    let given = [
        ("secret", credentials.secret.is_some()),
        ("private_key", credentials.private_key.is_some()),
    ];
    let has = |key: &str| given.contains(&(key, true));
    if let Some(wanted) = wanted.filter(|wanted| !has(wanted)) {
        context.report(
            &codes::MISSING_KEY,
            &format!("{path}.authentication"),
            format!(
                "`{}` needs a `{wanted}`",
                authentication.unwrap_or_default()
            ),
            format!("expected `{wanted}` beside it"),
            None,
        );
    } else if authentication.is_none() && !has("secret") && !has("private_key") {
        context.report(
            &codes::MISSING_KEY,
            path,
            "the client has neither a `secret` nor a `private_key`",
            "expected one of them, or `authentication = \"none\"`",
            None,
        );
    }
    let needless = given.iter().find(|(key, given)| {
        let none = authentication == Some("none");
        let other = wanted.is_some_and(|wanted| wanted != *key);
        let both = *key == "private_key" && has("secret") && authentication.is_none();
        *given && (none || other || both)
    });
    if let Some((key, _)) = needless {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.{key}"),
            match authentication {
                Some(authentication) => format!("`{authentication}` takes no `{key}`"),
                None => "the client has a `secret` and a `private_key`".to_owned(),
            },
            "expected only what the client proves itself with",
            None,
        );
    }
    if credentials.algorithm.is_some() && !has("private_key") {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.algorithm"),
            "`algorithm` says how a private key signs, and there is none",
            "expected `private_key` beside it",
            None,
        );
    }
    if let Some(url) = &credentials.token_url
        && !is_safe(url)
    {
        context.report(
            &codes::BAD_VALUE,
            &format!("{path}.token_url"),
            "tokens are got over TLS, or from this machine",
            "expected https://HOST/PATH, or http:// with a loopback address",
            None,
        );
    }
    let spaced = |text: &str| {
        text.bytes()
            .all(|byte| (0x20..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\')
    };
    if credentials
        .scope
        .as_deref()
        .is_some_and(|text| !spaced(text))
    {
        context.report(
            &codes::BAD_VALUE,
            &format!("{path}.scope"),
            "these are no scopes",
            "expected words with blanks between them (RFC 6749)",
            None,
        );
    }
}

/// Whether secrets may be sent there.
fn is_safe(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or("").trim_matches(['[', ']']);
    let is_loopback = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_loopback,
        _ => false,
    }
}
