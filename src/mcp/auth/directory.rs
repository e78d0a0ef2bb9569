//! What the clients of a worker share: who gives tokens for an endpoint, and the HTTP client to ask with.
//!
//! Does I/O. Discovery is made once for an endpoint, however many clients meet a 401 at the same time: one asks, the others wait
//! and take its answer or its failure. What is known stays until a token request shows that it is out of date.
//! Invariant: nothing is known that `auth::document` did not validate. Next: `auth::authority` uses it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use url::Url;

use super::address;
use super::document;
use super::error::{AuthError, said_address};
use super::fetch::{Asker, FetchKind, Fetches, PATIENCE};
use super::scope::Scopes;
use crate::clock;

/// What is shared. Not for several threads: each worker's thread has its own. `Debug` shows no addresses: a secret may stand in them.
pub struct Directory {
    asker: Asker,
    /// Held by the client whose assertion is being signed.
    signing: Mutex<()>,
    /// Bounded by the scenario: one entry for each endpoint and issuer that it names.
    entries: RefCell<HashMap<Key, Rc<Entry>>>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("entries", &self.entries.borrow().len())
            .finish_non_exhaustive()
    }
}

/// An endpoint, and who issued the credentials for it, if that is known.
type Key = (Url, Option<String>);

/// Where tokens for an endpoint come from.
pub(super) struct Known {
    /// What to name as `resource`.
    pub(super) resource: String,
    /// The scopes that the resource supports; empty if unknown.
    pub(super) scopes: Scopes,
    /// Who gives tokens; `None` if only the token endpoint is known.
    pub(super) issuer: Option<String>,
    /// Where.
    pub(super) token_endpoint: Url,
    /// How clients may authenticate; `None` if unknown.
    pub(super) methods: Option<Vec<String>>,
    /// The algorithms for assertions; empty if unknown.
    pub(super) algorithms: Vec<String>,
}

/// What a client asks for.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// For tokens for this endpoint.
    pub(super) endpoint: &'a Url,
    /// Where the challenge says that the metadata are.
    pub(super) hint: Option<&'a str>,
    /// Who issued the credentials, if that is known.
    pub(super) issuer: Option<&'a str>,
}

#[derive(Default)]
struct Entry {
    /// Held by the client that asks, across its requests on purpose: the others wait for its answer.
    turn: Mutex<()>,
    known: RefCell<Option<Rc<Known>>>,
    /// The last failure, and when it was known, raw.
    failed: RefCell<Option<(i64, AuthError)>>,
}

impl Entry {
    fn known(&self) -> Option<Rc<Known>> {
        self.known.borrow().clone()
    }
}

impl Directory {
    /// A directory that knows nothing yet and trusts the certificates of the system.
    ///
    /// # Errors
    /// If the HTTP client cannot be built.
    pub fn new() -> Result<Rc<Self>, AuthError> {
        Self::with(None, PATIENCE)
    }

    /// A directory that trusts `roots` (certificates, PEM) instead of the system's, and waits for an answer for `timeout`.
    ///
    /// # Errors
    /// If the certificates are none, or the HTTP client cannot be built.
    pub fn with(roots: Option<&[u8]>, timeout: Duration) -> Result<Rc<Self>, AuthError> {
        Ok(Rc::new(Self {
            asker: Asker::new(roots, timeout)?,
            signing: Mutex::default(),
            entries: RefCell::default(),
        }))
    }

    pub(super) fn asker(&self) -> &Asker {
        &self.asker
    }

    pub(super) async fn turn_to_sign(&self) -> MutexGuard<'_, ()> {
        self.signing.lock().await
    }

    fn entry(&self, question: Question<'_>) -> Rc<Entry> {
        let key = (
            question.endpoint.clone(),
            question.issuer.map(str::to_owned),
        );
        Rc::clone(self.entries.borrow_mut().entry(key).or_default())
    }

    /// Where tokens come from: known already, being asked for by another client, or asked for now.
    ///
    /// # Errors
    /// If it cannot be found out.
    ///
    /// # Cancel safety
    /// Dropping it lets the next client that waits ask.
    pub(super) async fn find(
        &self,
        question: Question<'_>,
        fetches: &mut Fetches,
    ) -> Result<Rc<Known>, AuthError> {
        let entry = self.entry(question);
        let since = clock::now();
        if let Some(known) = entry.known() {
            return Ok(known);
        }
        let _turn = entry.turn.lock().await;
        if let Some(known) = entry.known() {
            return Ok(known);
        }
        // Who waited while the one before failed has its answer: ten thousand clients don't try in turn.
        let shared = entry.failed.borrow().clone();
        if let Some((at, error)) = shared
            && at >= since
        {
            return Err(error);
        }
        match self.discover(question, fetches).await {
            Ok(known) => {
                let known = Rc::new(known);
                entry.known.replace(Some(Rc::clone(&known)));
                Ok(known)
            }
            Err(error) => {
                entry.failed.replace(Some((clock::now(), error.clone())));
                Err(error)
            }
        }
    }

    /// Forgets `known`, which did not lead to a token; what was found since stays.
    pub(super) fn forget(&self, question: Question<'_>, known: &Rc<Known>) {
        let entry = self.entry(question);
        let is_it = entry.known().is_some_and(|now| Rc::ptr_eq(&now, known));
        if is_it {
            entry.known.replace(None);
        }
    }

    async fn discover(
        &self,
        question: Question<'_>,
        fetches: &mut Fetches,
    ) -> Result<Known, AuthError> {
        let endpoint = question.endpoint;
        let found = match self.resource(question, fetches).await {
            Ok(resource) => (
                issuer_of(question, &resource.servers)?,
                resource.resource,
                resource.scopes,
            ),
            // Without metadata, what was configured (2026-07-28), else the origin itself (2025-03-26) gives tokens.
            Err(AuthError::NotFound { .. }) => {
                let origin = endpoint.origin().ascii_serialization();
                let issuer = question.issuer.map_or(origin, str::to_owned);
                (issuer, canonical(endpoint), Scopes::default())
            }
            Err(error) => return Err(error),
        };
        let (issuer, resource, scopes) = found;
        let server = self.server(endpoint, &issuer, fetches).await?;
        Ok(Known {
            resource,
            scopes,
            issuer: Some(server.issuer),
            token_endpoint: server.token_endpoint,
            methods: server.methods,
            algorithms: server.algorithms,
        })
    }

    async fn resource(
        &self,
        question: Question<'_>,
        fetches: &mut Fetches,
    ) -> Result<document::Resource, AuthError> {
        let endpoint = question.endpoint;
        let places = match question.hint {
            None => address::resource_places(endpoint),
            Some(hint) => {
                let place = address::read(hint)
                    .filter(|place| address::may_be_asked(endpoint, place))
                    .ok_or_else(|| AuthError::Unsafe {
                        by: address::shown(endpoint),
                        what: "place of its metadata",
                        named: said_address(hint),
                    })?;
                vec![place]
            }
        };
        let found = self
            .first(
                FetchKind::ProtectedResource,
                &places,
                fetches,
                |bytes, place| document::resource(bytes, endpoint, place),
            )
            .await?;
        match (found, question.hint, places.first()) {
            (Some(resource), _, _) => Ok(resource),
            // A place that the challenge names must have them.
            (None, Some(_), Some(place)) => Err(AuthError::Invalid {
                kind: FetchKind::ProtectedResource,
                url: address::shown(place),
                what: "the challenge names this place, and nothing is there",
            }),
            (None, _, _) => Err(AuthError::NotFound {
                kind: FetchKind::ProtectedResource,
                of: address::shown(endpoint),
            }),
        }
    }

    async fn server(
        &self,
        endpoint: &Url,
        issuer: &str,
        fetches: &mut Fetches,
    ) -> Result<document::Server, AuthError> {
        let url = address::read(issuer)
            .filter(|url| url.query().is_none() && !issuer.contains('#'))
            .filter(|url| address::may_be_asked(endpoint, url))
            .ok_or_else(|| AuthError::Unsafe {
                by: address::shown(endpoint),
                what: "authorization server",
                named: said_address(issuer),
            })?;
        let places = address::issuer_places(&url);
        self.first(
            FetchKind::AuthorizationServer,
            &places,
            fetches,
            |bytes, place| document::server(bytes, issuer, endpoint, place),
        )
        .await?
        .ok_or_else(|| AuthError::NotFound {
            kind: FetchKind::AuthorizationServer,
            of: address::shown(&url),
        })
    }

    /// The first document that one of the places has. A place that says 4xx, redirects or has something else there (many servers
    /// show a page for every path) is passed over; if there is none, what the first odd one had is the error. A document
    /// that fails validation ends the search: another one would not make it honest.
    async fn first<T>(
        &self,
        kind: FetchKind,
        places: &[Url],
        fetches: &mut Fetches,
        read: impl Fn(&[u8], &Url) -> Result<T, AuthError>,
    ) -> Result<Option<T>, AuthError> {
        let mut odd = None;
        for place in places {
            let answered = self.asker.document(kind, place, fetches).await;
            match answered.and_then(|bytes| read(&bytes, place)) {
                Ok(found) => return Ok(Some(found)),
                Err(AuthError::Status { status, .. }) if is_absence(status) => {}
                Err(error @ (AuthError::Invalid { .. } | AuthError::Redirected { .. })) => {
                    odd.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        odd.map_or(Ok(None), Err)
    }
}

/// Whether the status says that there is nothing, and not that the server is in trouble.
fn is_absence(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 408 | 421 | 425 | 429)
}

/// Which of the authorization servers gives the token: who issued the credentials, else the first.
fn issuer_of(question: Question<'_>, servers: &[String]) -> Result<String, AuthError> {
    let first = servers.first().map(String::as_str).unwrap_or_default();
    match question.issuer {
        None => Ok(first.to_owned()),
        Some(issuer) if servers.iter().any(|server| server == issuer) => Ok(issuer.to_owned()),
        Some(issuer) => Err(AuthError::Unbound {
            endpoint: address::shown(question.endpoint),
            bound: said_address(issuer),
            found: said_address(first),
        }),
    }
}

/// The endpoint as a resource identifier: without a slash that stands for no path (MCP, "Canonical Server URI").
pub(super) fn canonical(endpoint: &Url) -> String {
    let text = endpoint.as_str();
    if endpoint.path() == "/" && endpoint.query().is_none() {
        return text.trim_end_matches('/').to_owned();
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_that_stands_for_no_path_is_not_part_of_the_identifier() {
        let cases = [
            ("https://h", "https://h"),
            ("https://h/", "https://h"),
            ("https://h/mcp/", "https://h/mcp/"),
            ("https://h/?a=b", "https://h/?a=b"),
        ];
        for (endpoint, expected) in cases {
            assert_eq!(canonical(&Url::parse(endpoint).unwrap()), expected);
        }
    }

    #[test]
    fn credentials_go_to_their_issuer_or_nowhere() {
        let endpoint = Url::parse("https://h/mcp").unwrap();
        let servers = ["https://a".to_owned(), "https://b".to_owned()];
        let ask = |issuer| {
            let question = Question {
                endpoint: &endpoint,
                hint: None,
                issuer,
            };
            issuer_of(question, &servers).ok()
        };
        assert_eq!(ask(None).as_deref(), Some("https://a"));
        assert_eq!(ask(Some("https://b")).as_deref(), Some("https://b"));
        assert_eq!(ask(Some("https://b/")), None);
    }
}
