//! A protected resource and its authorization server in one process, on 127.0.0.1, each on a port of its own; and a client that
//! does what a simulated one does with an `Authority`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use mcpload::mcp::auth::{AuthError, Authority, Credentials, Directory, FetchKind};
use serde_json::{Value, json};

/// What a place answers instead of what it should.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Document(Value),
    Text(&'static str),
    Status(u16),
    Redirect(String),
    /// Bytes without end.
    Flood,
    /// A head of 200 and then nothing.
    Stall,
    /// Nothing at all.
    Hang,
}

#[derive(Default)]
pub(crate) struct Seen {
    /// What was asked for, in order: verb and path of everything but the endpoint itself.
    pub(crate) asked: Vec<String>,
    /// The forms of token requests, with the `authorization` header beside them.
    pub(crate) forms: Vec<(BTreeMap<String, String>, Option<String>)>,
    /// Requests to the endpoint.
    pub(crate) requests: u32,
    /// Tokens that are good, with their scopes.
    pub(crate) good: HashMap<String, HashSet<String>>,
    given: u32,
    /// What certain paths answer.
    pub(crate) answers: HashMap<String, Answer>,
    /// `expires_in` of tokens.
    pub(crate) lifetime: Option<u64>,
    /// The scope that the endpoint wants; with `names` it says so in its challenges.
    pub(crate) needs: Option<String>,
    /// The resource is never content: it answers every token with this status.
    pub(crate) never: Option<u16>,
    /// Whether a challenge of the endpoint says where the metadata are, and where.
    pub(crate) hint: Option<String>,
}

type Shared = Arc<Mutex<Seen>>;

/// Both servers.
pub(crate) struct World {
    /// The origin of the protected resource; its endpoint is `/mcp`.
    pub(crate) resource: String,
    /// The issuer.
    pub(crate) issuer: String,
    seen: Shared,
    _tasks: tokio::task::JoinSet<()>,
}

impl World {
    /// Starts both. Metadata of the resource at its path, of the server in the place of RFC 8414.
    pub(crate) async fn start() -> Self {
        let seen = Shared::default();
        let mut tasks = tokio::task::JoinSet::new();
        let resource = listen(&mut tasks, &seen).await;
        let issuer = listen(&mut tasks, &seen).await;
        let world = Self {
            resource,
            issuer,
            seen,
            _tasks: tasks,
        };
        world.answer(
            "/.well-known/oauth-protected-resource/mcp",
            Answer::Document(world.resource_document()),
        );
        world.answer(
            "/.well-known/oauth-authorization-server",
            Answer::Document(world.server_document()),
        );
        world
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.seen().answers.insert(path.to_owned(), answer);
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("{}/mcp", self.resource)
    }

    pub(crate) fn resource_document(&self) -> Value {
        json!({ "resource": self.endpoint(), "authorization_servers": [self.issuer] })
    }

    pub(crate) fn server_document(&self) -> Value {
        json!({ "issuer": self.issuer, "token_endpoint": format!("{}/token", self.issuer) })
    }

    /// How often something was asked for.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.seen().asked.iter().filter(|one| *one == what).count()
    }

    pub(crate) fn authority(&self) -> Authority {
        Authority::sharing(&quick(), credentials(), &self.endpoint()).unwrap()
    }

    /// Revokes all tokens.
    pub(crate) fn revoke(&self) {
        self.seen().good.clear();
    }
}

/// A directory that doesn't wait long.
pub(crate) fn quick() -> Rc<Directory> {
    Directory::with(None, Duration::from_secs(5)).unwrap()
}

/// A directory that gives up almost at once, for servers that never answer.
pub(crate) fn impatient() -> Rc<Directory> {
    Directory::with(None, Duration::from_millis(200)).unwrap()
}

pub(crate) fn credentials() -> Credentials {
    Credentials {
        client_id: "me".to_owned(),
        secret: Some("hidden-secret".to_owned()),
        ..Credentials::default()
    }
}

/// How a request of a client went.
#[derive(Debug)]
pub(crate) struct Went {
    /// The last status.
    pub(crate) status: u16,
    /// How many requests it took.
    pub(crate) requests: u32,
}

/// Sends a request to the endpoint, and repeats it as long as the authority says that this is worth it.
pub(crate) async fn call(
    authority: &mut Authority,
    url: &str,
    now: i64,
) -> Result<Went, AuthError> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for requests in 1..=20 {
        let bearer = authority.token(now).await?;
        let mut request = client.post(url);
        if let Some(bearer) = &bearer {
            request = request.header("authorization", bearer.value.clone());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let header = answer.headers().get("www-authenticate");
        let header = header.map(|value| value.to_str().unwrap().to_owned());
        if !matches!(status, 401 | 403) {
            authority.accepted();
            return Ok(Went { status, requests });
        }
        if !authority.challenged(status, header.as_deref(), now).await? {
            return Ok(Went { status, requests });
        }
    }
    panic!("a loop");
}

/// The kinds of what was fetched since the last look, with their status.
pub(crate) fn fetched(authority: &mut Authority) -> Vec<(FetchKind, Option<u16>)> {
    let fetches = authority.take_fetches();
    assert!(fetches.iter().all(|one| one.end.unwrap() >= one.start));
    fetches.iter().map(|one| (one.kind, one.status)).collect()
}

async fn listen(tasks: &mut tokio::task::JoinSet<()>, seen: &Shared) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::clone(seen));
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    origin
}

async fn answer(
    State(shared): State<Shared>,
    verb: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let canned = {
        let mut seen = shared.lock().unwrap();
        let canned = seen.answers.get(&path).cloned();
        match (path.as_str(), &canned) {
            ("/mcp", None) => return endpoint(&mut seen, &headers),
            ("/token", _) => {
                seen.asked.push("POST /token".to_owned());
                let form = url::form_urlencoded::parse(&body).into_owned().collect();
                let header = headers.get("authorization");
                let header = header.map(|value| value.to_str().unwrap().to_owned());
                seen.forms.push((form, header));
                if canned.is_none() {
                    return token(&mut seen);
                }
            }
            _ => seen.asked.push(format!("{verb} {path}")),
        }
        canned
    };
    match canned {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Answer::Document(document)) => document.to_string().into_response(),
        Some(Answer::Text(text)) => text.into_response(),
        Some(Answer::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Answer::Redirect(to)) => (StatusCode::FOUND, [("location", to)]).into_response(),
        Some(Answer::Flood) => {
            let part = Bytes::from_static(&[b' '; 16 << 10]);
            let parts = stream::repeat_with(move || Ok::<_, std::io::Error>(part.clone()));
            Body::from_stream(parts).into_response()
        }
        Some(Answer::Stall) => {
            Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()).into_response()
        }
        Some(Answer::Hang) => std::future::pending().await,
    }
}

/// The protected resource.
fn endpoint(seen: &mut Seen, headers: &HeaderMap) -> Response {
    seen.requests += 1;
    let sent = headers
        .get("authorization")
        .map(|value| value.to_str().unwrap());
    let token = sent.and_then(|text| text.strip_prefix("Bearer "));
    let scopes = token.and_then(|token| seen.good.get(token));
    let mut challenge = "Bearer realm=\"x\"".to_owned();
    if let Some(hint) = &seen.hint {
        challenge = format!("{challenge}, resource_metadata=\"{hint}\"");
    }
    let status = match (&seen.needs, scopes) {
        (_, None) => 401,
        (_, Some(_)) if seen.never.is_some() => seen.never.unwrap(),
        (Some(needed), Some(scopes)) if !scopes.contains(needed) => 403,
        _ => 200,
    };
    if status == 403 {
        challenge += ", error=\"insufficient_scope\"";
        if let Some(needed) = &seen.needs {
            challenge = format!("{challenge}, scope=\"{needed}\"");
        }
    }
    let status = StatusCode::from_u16(status).unwrap();
    if status == StatusCode::OK {
        return status.into_response();
    }
    (status, [("www-authenticate", challenge)]).into_response()
}

/// The token endpoint: gives what is asked for.
fn token(seen: &mut Seen) -> Response {
    seen.given += 1;
    let token = format!("hidden-token-{}", seen.given);
    let scope = seen.forms.last().unwrap().0.get("scope");
    let scopes = scope.map(|text| text.split(' ').map(str::to_owned).collect());
    seen.good.insert(token.clone(), scopes.unwrap_or_default());
    let mut document = json!({ "access_token": token, "token_type": "bearer" });
    if let Some(lifetime) = seen.lifetime {
        document["expires_in"] = json!(lifetime);
    }
    document.to_string().into_response()
}
