//! One HTTP request for metadata or a token, and the record of it.
//!
//! Does I/O. No redirect is followed, no answer is read beyond a bound, every request has an end, and each has a connection of
//! its own, so that a stale one is never the reason of a failure. A [`Fetch`] is written down before the request goes out: one
//! whose future was dropped has no end. Next: `auth::directory` asks for metadata, `auth::authority` for tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use tokio::sync::Semaphore;
use url::Url;

use super::address;
use super::error::AuthError;
use super::grant::Request;
use crate::clock;

/// How long a request takes at most, if nothing else is asked for.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, bytes.
const MAX_ANSWER: usize = 256 << 10;
/// The most fetches of one worker that are under way at a time: each has a connection, and a process has only so many open files.
const MAX_UNDER_WAY: usize = 128;
/// The most fetches that are kept until they are taken.
const MAX_KEPT: usize = 256;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchKind {
    /// The metadata of the protected resource.
    ProtectedResource,
    /// The metadata of the authorization server.
    AuthorizationServer,
    /// A token.
    Token,
}

impl FetchKind {
    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProtectedResource => "protected-resource",
            Self::AuthorizationServer => "authorization-server",
            Self::Token => "token",
        }
    }
}

impl fmt::Display for FetchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProtectedResource => "metadata of a protected resource",
            Self::AuthorizationServer => "metadata of an authorization server",
            Self::Token => "token",
        })
    }
}

/// Why it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There was no token yet.
    First,
    /// The token was about to expire, or had.
    Renewal,
    /// The resource refused the token: 401.
    Refused,
    /// The token lacked a scope: 403 `insufficient_scope`.
    StepUp,
}

impl Reason {
    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Renewal => "renewal",
            Self::Refused => "refused",
            Self::StepUp => "step-up",
        }
    }
}

/// One request for metadata or a token. Stamps are raw readings of the clock, nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// What was asked for.
    pub kind: FetchKind,
    /// Why.
    pub reason: Reason,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// When it was asked for.
    pub start: i64,
    /// When the answer was whole or had failed; `None` if nobody waited for it any more.
    pub end: Option<i64>,
}

/// The fetches of one client since they were last taken.
#[derive(Debug)]
pub(super) struct Fetches {
    kept: Vec<Fetch>,
    /// The reason of the next ones.
    pub(super) reason: Reason,
}

impl Fetches {
    pub(super) fn new() -> Self {
        Self {
            kept: Vec::new(),
            reason: Reason::First,
        }
    }

    pub(super) fn take(&mut self) -> Vec<Fetch> {
        std::mem::take(&mut self.kept)
    }

    fn begin(&mut self, kind: FetchKind) {
        // Who never takes them loses the oldest.
        if self.kept.len() == MAX_KEPT {
            self.kept.remove(0);
        }
        self.kept.push(Fetch {
            kind,
            reason: self.reason,
            status: None,
            start: clock::now(),
            end: None,
        });
    }

    fn change(&mut self, change: impl FnOnce(&mut Fetch)) {
        if let Some(last) = self.kept.last_mut() {
            change(last);
        }
    }
}

/// Who asks for metadata and tokens.
#[derive(Debug)]
pub(super) struct Asker {
    client: reqwest::Client,
    /// How many may be under way; the others wait.
    places: Semaphore,
}

impl Asker {
    /// `roots` are the certificates, PEM, that are trusted instead of the system's.
    ///
    /// # Errors
    /// If the certificates are none, or the HTTP client cannot be built.
    pub(super) fn new(roots: Option<&[u8]>, timeout: Duration) -> Result<Self, AuthError> {
        let failed = |error| AuthError::Client(Arc::new(error));
        let builder = || {
            reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                // Compressed answers are not asked for: the bound is for what is sent, too.
                .no_gzip()
                .no_brotli()
                .no_deflate()
                .no_zstd()
                .timeout(timeout)
                .pool_max_idle_per_host(0)
        };
        let client = if let Some(pem) = roots {
            let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(failed)?;
            builder().tls_certs_only(roots).build()
        } else {
            // A machine may have no certificates at all: plain HTTP on loopback is possible all the same, and TLS fails where
            // it is tried.
            builder()
                .build()
                .or_else(|_| builder().tls_certs_only([]).build())
        };
        Ok(Self {
            client: client.map_err(failed)?,
            places: Semaphore::new(MAX_UNDER_WAY),
        })
    }

    /// Asks for a document; its bytes.
    pub(super) async fn document(
        &self,
        kind: FetchKind,
        url: &Url,
        fetches: &mut Fetches,
    ) -> Result<Vec<u8>, AuthError> {
        let request = self
            .client
            .get(url.clone())
            .header(ACCEPT, "application/json");
        match self.send(request, kind, url, fetches).await? {
            (200, bytes) => Ok(bytes),
            (status, _) => Err(AuthError::Status {
                kind,
                url: address::shown(url),
                status,
            }),
        }
    }

    /// Sends a token request; status and bytes of the answer.
    pub(super) async fn token(
        &self,
        url: &Url,
        request: Request,
        fetches: &mut Fetches,
    ) -> Result<(u16, Vec<u8>), AuthError> {
        let mut post = self
            .client
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(request.body);
        if let Some(authorization) = request.authorization {
            post = post.header(AUTHORIZATION, authorization);
        }
        self.send(post, FetchKind::Token, url, fetches).await
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        kind: FetchKind,
        url: &Url,
        fetches: &mut Fetches,
    ) -> Result<(u16, Vec<u8>), AuthError> {
        // Closed it never is; then there is simply no bound.
        let _place = self.places.acquire().await.ok();
        fetches.begin(kind);
        let answered = read(request, kind, url, fetches).await;
        fetches.change(|fetch| fetch.end = Some(clock::now()));
        answered
    }
}

async fn read(
    request: reqwest::RequestBuilder,
    kind: FetchKind,
    url: &Url,
    fetches: &mut Fetches,
) -> Result<(u16, Vec<u8>), AuthError> {
    let unreachable = |error: reqwest::Error| AuthError::Unreachable {
        kind,
        url: address::shown(url),
        // Its URL may have a query.
        source: Arc::new(error.without_url()),
    };
    let mut answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    fetches.change(|fetch| fetch.status = Some(status.as_u16()));
    if status.is_redirection() {
        return Err(AuthError::Redirected {
            kind,
            url: address::shown(url),
            status: status.as_u16(),
        });
    }
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(unreachable)? {
        if bytes.len() + part.len() > MAX_ANSWER {
            return Err(AuthError::TooLong {
                kind,
                url: address::shown(url),
                limit: MAX_ANSWER,
            });
        }
        bytes.extend_from_slice(&part);
    }
    Ok((status.as_u16(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetches_that_nobody_takes_are_bounded_and_the_latest_stay() {
        let mut fetches = Fetches::new();
        for _ in 0..MAX_KEPT {
            fetches.begin(FetchKind::Token);
        }
        fetches.reason = Reason::StepUp;
        fetches.begin(FetchKind::ProtectedResource);
        fetches.change(|fetch| fetch.status = Some(200));
        let kept = fetches.take();
        assert_eq!(kept.len(), MAX_KEPT);
        let last = kept.last().unwrap();
        assert_eq!(
            (last.kind, last.reason),
            (FetchKind::ProtectedResource, Reason::StepUp)
        );
        assert_eq!((last.status, last.end), (Some(200), None));
        assert!(fetches.take().is_empty());
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(Asker::new(Some(broken), PATIENCE).is_err());
        assert!(Asker::new(None, PATIENCE).is_ok());
    }
}
