//! [`Authority`]: one client's way to a token: what to ask whom for, when `auth::holding` says that something is to be asked.
//!
//! Does I/O through [`Directory`]. Invariants: credentials are shown to one authorization server in the life of an
//! authority; what a challenge says is kept for the next time something has to be discovered. Next: `auth::directory` finds
//! the server, `auth::grant` writes the request.

use std::fmt;
use std::rc::Rc;

use rand::Rng;
use url::Url;

use super::address;
use super::assertion::{self, Occasion};
use super::challenge::{self, Challenge};
use super::directory::{self, Directory, Known, Question};
use super::error::{AuthError, said_address};
use super::fetch::{Fetch, Fetches, Reason};
use super::grant::{self, Token};
use super::holding::{Answer, Holding, Next};
use super::scope::Scopes;
use super::{Bearer, Credentials, TokenAuthentication};

/// One client's authority. Not for several threads. `Debug` shows neither token nor secret.
pub struct Authority {
    directory: Rc<Directory>,
    credentials: Rc<Credentials>,
    /// The scopes that were configured.
    configured: Option<Scopes>,
    endpoint: Url,
    /// What is known without discovery, if the token endpoint was configured.
    fixed: Option<Rc<Known>>,
    /// Whether discovery may begin before there was a challenge.
    eager: bool,
    /// Whether there was a challenge.
    met: bool,
    /// Where the last challenge said that the metadata are.
    hint: Option<String>,
    /// The authorization server that was shown the credentials; no other will be.
    bound: Option<String>,
    holding: Holding,
    fetches: Fetches,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("endpoint", &address::shown(&self.endpoint))
            .field("credentials", &self.credentials)
            .field("holding", &self.holding)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// An authority that shares nothing, for a client of its own.
    ///
    /// # Errors
    /// If endpoint or credentials are unusable, or the HTTP client cannot be built.
    pub fn new(
        credentials: impl Into<Rc<Credentials>>,
        endpoint_url: &str,
    ) -> Result<Self, AuthError> {
        Self::sharing(&Directory::new()?, credentials, endpoint_url)
    }

    /// An authority for one of many clients, which share what is known of the endpoint; each has a token of its own.
    ///
    /// # Errors
    /// If endpoint or credentials are unusable.
    pub fn sharing(
        directory: &Rc<Directory>,
        credentials: impl Into<Rc<Credentials>>,
        endpoint_url: &str,
    ) -> Result<Self, AuthError> {
        let credentials = credentials.into();
        let endpoint = address::read(endpoint_url).ok_or(AuthError::NoUrl { what: "endpoint" })?;
        check(&credentials)?;
        let configured = credentials
            .scope
            .as_deref()
            .map(|text| {
                Scopes::parse(text).ok_or(AuthError::Credentials {
                    what: "name a scope that is none",
                })
            })
            .transpose()?;
        let fixed = credentials
            .token_url
            .as_deref()
            .map(|text| {
                let token_endpoint =
                    address::read(text).ok_or(AuthError::NoUrl { what: "token URL" })?;
                Ok(Rc::new(Known {
                    resource: directory::canonical(&endpoint),
                    scopes: Scopes::default(),
                    issuer: credentials.issuer.clone(),
                    token_endpoint,
                    methods: None,
                    algorithms: Vec::new(),
                }))
            })
            .transpose()?;
        Ok(Self {
            directory: Rc::clone(directory),
            credentials,
            configured,
            endpoint,
            fixed,
            eager: false,
            met: false,
            hint: None,
            bound: None,
            holding: Holding::new(),
            fetches: Fetches::new(),
        })
    }

    /// Discovers before the first request instead of waiting for a 401, which the specification has clients do.
    #[must_use]
    pub fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    /// The token to send with the next request: the one that is held, or a new one if that is about to expire. `None` before the
    /// first challenge, unless the token endpoint was configured or the authority is eager.
    ///
    /// # Errors
    /// If there is no token that still counts, and no new one to be had.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing but that a fetch has no end.
    pub async fn token(&mut self, now: i64) -> Result<Option<Bearer>, AuthError> {
        let may_begin = self.eager || self.met || self.fixed.is_some();
        if let Next::Fetch(reason) = self.holding.next(now, may_begin)
            && let Err(error) = self.obtain(reason, None, now).await
            && !self.holding.still_good(now)
        {
            return Err(error);
        }
        Ok(self.holding.hand())
    }

    /// Says that a request with the token that was handed out last was accepted: answered with neither 401 nor 403. A token that
    /// worked and is refused later is replaced again.
    pub fn accepted(&mut self) {
        self.holding.accepted();
    }

    /// Takes a 401 or 403 that answered a request with the token that was handed out last: for clients with one request in flight.
    /// See [`challenged_for`](Self::challenged_for).
    ///
    /// # Errors
    /// If there is no new token to be had.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing but that a fetch has no end, and that a refused token is gone.
    pub async fn challenged(
        &mut self,
        status: u16,
        www_authenticate: Option<&str>,
        now: i64,
    ) -> Result<bool, AuthError> {
        let used = self.holding.handed();
        self.answer(used, status, www_authenticate, now).await
    }

    /// Takes a 401 or 403 that answered a request with `used`, and asks for a token that may do better. `true` says that there is one
    /// and that the request is worth repeating; `false` that there is none: the status is no challenge, or was
    /// dealt with before. Several `WWW-Authenticate` headers of one answer are to be joined by commas.
    ///
    /// # Errors
    /// If there is no new token to be had.
    ///
    /// # Cancel safety
    /// As of [`challenged`](Self::challenged).
    pub async fn challenged_for(
        &mut self,
        used: Option<&Bearer>,
        status: u16,
        www_authenticate: Option<&str>,
        now: i64,
    ) -> Result<bool, AuthError> {
        let used = used.map(|bearer| bearer.serial);
        self.answer(used, status, www_authenticate, now).await
    }

    /// What was fetched for this client since the last call, in order; the latest 256.
    pub fn take_fetches(&mut self) -> Vec<Fetch> {
        self.fetches.take()
    }

    async fn answer(
        &mut self,
        used: Option<u64>,
        status: u16,
        header: Option<&str>,
        now: i64,
    ) -> Result<bool, AuthError> {
        let challenge = header.and_then(challenge::bearer).unwrap_or_default();
        let lacks_scope = challenge.error.as_deref() == Some("insufficient_scope");
        let (scopes, answer) = match status {
            401 => (self.note(challenge), self.holding.refused(used, now)),
            403 if lacks_scope => {
                let scopes = self.note(challenge);
                let answer = self.holding.insufficient(used, scopes.as_ref());
                (scopes, answer)
            }
            _ => return Ok(false),
        };
        match answer {
            Answer::Repeat => Ok(true),
            Answer::Pointless => Ok(false),
            Answer::Fetch(reason) => self.obtain(reason, scopes, now).await,
        }
    }

    /// Keeps what a challenge says; its scopes, if it names any that can be asked for.
    fn note(&mut self, challenge: Challenge) -> Option<Scopes> {
        self.met = true;
        if challenge.resource_metadata.is_some() {
            self.hint = challenge.resource_metadata;
        }
        let scopes = challenge.scope.as_deref().and_then(Scopes::parse)?;
        (!scopes.is_empty()).then_some(scopes)
    }

    /// Gets a token and holds it; `false` if it could have nothing that was not asked for before.
    async fn obtain(
        &mut self,
        reason: Reason,
        challenged: Option<Scopes>,
        now: i64,
    ) -> Result<bool, AuthError> {
        self.fetches.reason = reason;
        let known = self.find().await?;
        let configured = self.configured.as_ref();
        let scopes = self
            .holding
            .wanted(reason, challenged.as_ref(), configured, &known.scopes);
        if reason == Reason::StepUp && !self.holding.begin_step_up(&scopes) {
            return Ok(false);
        }
        let granted = self.grant(&known, &scopes).await;
        if granted.as_ref().map_or_else(AuthError::is_final, |_| true) {
            self.holding.decided(&scopes);
        }
        match granted {
            Ok(token) => {
                let answers_challenge = self.met && reason != Reason::Renewal;
                self.holding.hold(token, scopes, answers_challenge, now);
                Ok(true)
            }
            Err(error) => {
                if self.fixed.is_none() && error.doubts_metadata() {
                    let question =
                        question(&self.endpoint, self.hint.as_deref(), &self.credentials);
                    self.directory.forget(question, &known);
                }
                Err(error)
            }
        }
    }

    async fn find(&mut self) -> Result<Rc<Known>, AuthError> {
        if let Some(fixed) = &self.fixed {
            return Ok(Rc::clone(fixed));
        }
        let question = question(&self.endpoint, self.hint.as_deref(), &self.credentials);
        let known = self.directory.find(question, &mut self.fetches).await?;
        if let (Some(bound), Some(found)) = (&self.bound, &known.issuer)
            && bound != found
        {
            return Err(AuthError::Unbound {
                endpoint: address::shown(&self.endpoint),
                bound: said_address(bound),
                found: said_address(found),
            });
        }
        Ok(known)
    }

    async fn grant(&mut self, known: &Known, scopes: &Scopes) -> Result<Token, AuthError> {
        let method = grant::method(&self.credentials, known.methods.as_deref())?;
        let assertion = match method {
            TokenAuthentication::PrivateKeyJwt => Some(self.assertion(known).await?),
            _ => None,
        };
        let request = grant::request(
            &self.credentials,
            method,
            assertion.as_deref(),
            &known.resource,
            scopes,
        )?;
        self.bound.clone_from(&known.issuer);
        let url = &known.token_endpoint;
        let asker = self.directory.asker();
        let (status, bytes) = asker.token(url, request, &mut self.fetches).await?;
        grant::answer(url, status, &bytes)
    }

    /// A signed assertion. Signing with RSA takes a millisecond, so it is done beside the thread that produces load.
    async fn assertion(&self, known: &Known) -> Result<String, AuthError> {
        let credentials = Credentials::clone(&self.credentials);
        let audience = known.issuer.clone();
        let audience = audience.unwrap_or_else(|| known.token_endpoint.to_string());
        let offered = known.algorithms.clone();
        // Unique beyond this run: servers remember ids to refuse replays. So it is drawn outside the seed.
        let mut generator = rand::rng();
        let id = format!("{:016x}{:016x}", generator.next_u64(), generator.next_u64());
        // One at a time, so that many clients don't start as many threads.
        let _turn = self.directory.turn_to_sign().await;
        let signing = tokio::task::spawn_blocking(move || {
            let occasion = Occasion {
                audience: &audience,
                offered: &offered,
                // The server compares it with its own wall clock; nothing of ours is measured by it.
                issued_at: jsonwebtoken::get_current_timestamp(),
                id: &id,
            };
            assertion::sign(&credentials, occasion)
        });
        signing.await.unwrap_or(Err(AuthError::Credentials {
            what: "could not be signed with, because the program is ending",
        }))
    }
}

/// What a client asks a directory. A function of parts, so that the fetches can be written down meanwhile.
fn question<'a>(
    endpoint: &'a Url,
    hint: Option<&'a str>,
    credentials: &'a Credentials,
) -> Question<'a> {
    Question {
        endpoint,
        hint,
        issuer: credentials.issuer.as_deref(),
    }
}

/// What is wrong with credentials that no server has seen yet.
fn check(credentials: &Credentials) -> Result<(), AuthError> {
    let wrong = |what| Err(AuthError::Credentials { what });
    if credentials.client_id.is_empty() {
        return wrong("have no client id");
    }
    let method = credentials.authentication;
    let needs_secret = matches!(
        method,
        Some(TokenAuthentication::SecretBasic | TokenAuthentication::SecretPost)
    );
    if needs_secret && credentials.secret.is_none() {
        return wrong("have no secret");
    }
    match &credentials.private_key_pem {
        Some(pem) if !assertion::is_key(pem) => {
            return wrong("hold a private key that is no PEM of a known kind");
        }
        None if method == Some(TokenAuthentication::PrivateKeyJwt) => {
            return wrong("have no private key");
        }
        _ => {}
    }
    if let Some(name) = &credentials.algorithm {
        assertion::algorithm(name)?;
    }
    match &credentials.issuer {
        Some(issuer) if address::read(issuer).is_none() => Err(AuthError::NoUrl { what: "issuer" }),
        _ => Ok(()),
    }
}
