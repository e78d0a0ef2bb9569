//! Who the clients are: a workload, how its clients connect, prove themselves and recover.
//!
//! Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Method, OperationPlan, Secret};
use crate::model::quantity::{duration_text, optional_duration_text};
use crate::model::{ProtocolVersion, Share};

/// A workload: a fixed population of clients and what they do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadPlan {
    /// Its name; `main` for the only one.
    pub name: String,
    /// Its number, from 0; part of every draw.
    pub number: u32,
    /// How many clients there are, from 0 to `clients - 1`; client c lives on worker c mod n.
    pub clients: u32,
    /// What the clients speak, and the weights; each client draws one.
    pub protocols: Vec<(Dialect, u32)>,
    /// How messages travel.
    pub transport: Transport,
    /// How clients connect.
    pub connections: ConnectionPlan,
    /// What a client does about lost sessions and failed attempts.
    pub recovery: RecoveryPlan,
    /// Whether clients end their sessions with DELETE.
    pub goodbye: bool,
    /// The share of the clients that keep a stream of the server's messages open: GET in the legacy era, `subscriptions/listen` in
    /// the modern one.
    pub listen: Share,
    /// The clients below this number keep one whatever `listen` draws, and have their session looked after while they do nothing
    /// (profile `hold`).
    #[serde(default)]
    pub held: u32,
    /// Clients that leave without a word; `None`: none do.
    pub vanish: Option<VanishPlan>,
    /// The operations; journeys refer to others by index.
    pub operations: Vec<OperationPlan>,
    /// Extra request headers; values may be secrets.
    pub headers: BTreeMap<String, HeaderValue>,
    /// How clients prove who they are.
    pub auth: AuthPlan,
    /// Whether each Call carries a `traceparent` (W3C Trace Context), drawn from the seed.
    pub traceparent: bool,
    /// Whether clients send cookies back.
    pub cookies: bool,
    /// Files whose rows fill in arguments.
    pub data: Vec<DataPlan>,
    /// Arrivals later than this through our fault are shed.
    #[serde(with = "duration_text")]
    pub max_lag: Duration,
}

impl WorkloadPlan {
    /// A workload of this many clients of 2025-11-25 with the defaults of everything else.
    pub fn new(name: &str, clients: u32, operations: Vec<OperationPlan>) -> Self {
        Self {
            name: name.to_owned(),
            number: 0,
            clients,
            protocols: vec![(Dialect::Version(ProtocolVersion::V2025_11_25), 1)],
            transport: Transport::default(),
            connections: ConnectionPlan::default(),
            recovery: RecoveryPlan::preset("spec"),
            goodbye: true,
            listen: Share::ZERO,
            held: 0,
            vanish: None,
            operations,
            headers: BTreeMap::new(),
            auth: AuthPlan::None,
            traceparent: true,
            cookies: false,
            data: Vec::new(),
            max_lag: Duration::from_secs(1),
        }
    }
}

/// What a client asks to speak: one version, or whatever it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Dialect {
    /// This version; a server that offers another one that we speak is taken at its word within the legacy era.
    Version(ProtocolVersion),
    /// The newest version first; what the server's refusal says decides what is tried next.
    Auto,
}

impl Dialect {
    /// The version that is asked for first.
    pub const fn first(self) -> ProtocolVersion {
        match self {
            Self::Version(version) => version,
            Self::Auto => ProtocolVersion::V2026_07_28,
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version(version) => version.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl std::str::FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        text.parse().map(Self::Version)
    }
}

impl TryFrom<String> for Dialect {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Dialect> for String {
    fn from(dialect: Dialect) -> Self {
        dialect.to_string()
    }
}

/// How messages travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// One endpoint, POST for each message (2025-03-26 and later).
    #[default]
    StreamableHttp,
    /// HTTP+SSE: answers come on a GET stream (2024-11-05, deprecated).
    Sse,
    /// A child process for each client. Not at load yet.
    Stdio,
    /// JSON-RPC text frames, subprotocol `mcp`. In no specification, but deployments have it.
    Websocket,
}

/// The version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpVersion {
    /// HTTP/1.1.
    #[default]
    #[serde(rename = "1.1")]
    Http1,
    /// HTTP/2: by ALPN with TLS, with prior knowledge without.
    #[serde(rename = "2")]
    Http2,
}

/// How clients connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionPlan {
    /// The version of HTTP.
    pub http: HttpVersion,
    /// Who shares connections.
    pub sharing: Sharing,
    /// The age at which a connection is replaced before the next request.
    #[serde(default, with = "optional_duration_text")]
    pub max_age: Option<Duration>,
    /// The share of the clients that open a new connection for each call.
    pub cold: Share,
    /// The addresses that clients connect from, in turn; empty: as the system chooses.
    pub sources: Vec<SourceRange>,
}

/// Who shares connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// Nobody: each client has its own.
    #[default]
    PerClient,
    /// The clients of a worker share so many, as behind a gateway.
    Pool(u32),
}

/// A range of local addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRange {
    /// The first.
    pub first: IpAddr,
    /// How many there are, at least 1.
    pub count: u32,
}

impl SourceRange {
    /// The address of this number within the range, from 0 and around.
    pub fn address(self, number: u32) -> IpAddr {
        let step = number.checked_rem(self.count).unwrap_or(0);
        match self.first {
            IpAddr::V4(first) => IpAddr::V4(first.to_bits().wrapping_add(step).into()),
            IpAddr::V6(first) => IpAddr::V6(first.to_bits().wrapping_add(step.into()).into()),
        }
    }
}

/// Clients that come, do one operation, and leave without a word; another client takes the place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VanishPlan {
    /// The share of the clients that do so.
    pub share: Share,
    /// How long after their request was sent; sooner if it is answered.
    #[serde(with = "duration_text")]
    pub after: Duration,
    /// How.
    pub how: VanishHow,
}

/// How a client vanishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VanishHow {
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
    /// The connection stays open and nothing is read, as behind a cable that was pulled.
    HalfOpen,
    /// The answer is read a byte at a time, one in a second.
    SlowReader,
}

/// How clients prove who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthPlan {
    /// Not at all, or by a header.
    #[default]
    None,
    /// With one of these tokens: client c with token c mod n.
    Bearers(Vec<Secret>),
    /// With tokens of an authorization server (OAuth 2.1, client credentials).
    ClientCredentials(CredentialsPlan),
}

/// The credentials of the clients of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialsPlan {
    /// The client's id.
    pub client_id: String,
    /// Its secret.
    pub secret: Option<Secret>,
    /// Its private key, PEM, for `private_key_jwt`.
    pub private_key: Option<Secret>,
    /// The algorithm of that key (`ES256`).
    pub algorithm: Option<String>,
    /// The scopes that are asked for, apart from those that the server demands.
    pub scope: Option<String>,
    /// Where tokens are got, without discovery.
    pub token_url: Option<String>,
    /// `client_secret_basic`, `client_secret_post` or `private_key_jwt`; what the server offers, if it is left out.
    pub authentication: Option<String>,
}

/// A file whose rows fill in arguments (`{{ data.NAME.COLUMN }}`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataPlan {
    /// The name in templates.
    pub name: String,
    /// The CSV file, in the run directory ([`Plan::located`](super::Plan::located)).
    pub file: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// How many rows it had when the plan was made.
    pub rows: u64,
    /// Which row an arrival takes.
    pub pick: Pick,
}

/// Which row of a file an arrival takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// Arrival k takes row k mod n.
    #[default]
    Sequential,
    /// One drawn from the seed.
    Random,
    /// Client c always takes row c mod n.
    Client,
}

/// The value of a request header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderValue {
    /// As it stands.
    Plain(String),
    /// Read by each worker when it starts; stored nowhere. The text before it (`Bearer `).
    Secret {
        /// What stands before the secret.
        prefix: String,
        /// Where the secret is.
        secret: Secret,
    },
}

/// A recovery policy with every setting open to sight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoveryPlan {
    /// The preset's name, with `+` if settings differ from it.
    pub name: String,
    /// HTTP statuses that mean "session lost" when they answer a request with a session header.
    pub lost_statuses: Vec<u16>,
    /// Whether a lost session is replaced by a new one.
    pub reinitialise: bool,
    /// How often the call that found the session lost is sent again after re-initialisation.
    pub retries: u32,
    /// What is sent again after other failures.
    pub retry: RetryPlan,
    /// How often a stream that ended without its answer is resumed with `Last-Event-ID`, per call; 0: never.
    pub resumes: u32,
}

/// Which failed attempts are repeated, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPlan {
    /// How often a step is sent again at most; 0: never.
    pub attempts: u32,
    /// The methods that are sent again; empty: all.
    pub methods: Vec<Method>,
    /// The classes of failures after which it is (`connect`, `transport`, …).
    pub classes: Vec<crate::model::Class>,
    /// HTTP statuses after which it is.
    pub statuses: Vec<u16>,
    /// The pause before the first repetition; it doubles with each further one. A pause is drawn evenly from its half to its whole.
    #[serde(with = "duration_text")]
    pub backoff: Duration,
    /// The longest pause.
    #[serde(with = "duration_text")]
    pub max_backoff: Duration,
    /// Whether `Retry-After` of 429 and 503 is honoured; such an answer is then repeated like the statuses above.
    pub honour_retry_after: bool,
}

impl RecoveryPlan {
    /// The preset of this name; what the specification says for an unknown one.
    pub fn preset(name: &str) -> Self {
        let (lost_statuses, reinitialise, retries, resumes): (&[u16], bool, u32, u32) = match name {
            "lenient" => (&[400, 404, 409, 410], true, 0, 2),
            "never" => (&[404], false, 0, 0),
            "sdk-python" => (&[404], false, 0, 2),
            "rmcp" => (&[404], true, 1, 2),
            _ => (&[404], true, 0, 2),
        };
        Self {
            name: name.to_owned(),
            lost_statuses: lost_statuses.to_vec(),
            reinitialise,
            retries,
            retry: RetryPlan::default(),
            resumes,
        }
    }
}

impl Default for RetryPlan {
    /// Nothing is repeated.
    fn default() -> Self {
        Self {
            attempts: 0,
            methods: Vec::new(),
            classes: Vec::new(),
            statuses: Vec::new(),
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            honour_retry_after: false,
        }
    }
}
