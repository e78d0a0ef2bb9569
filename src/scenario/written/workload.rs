//! `[[workload]]` as written: who the clients are and what they do.
//!
//! Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{OneOrMany, TextOrSecret};
use crate::model::quantity::{duration_text, optional_duration_text};
use crate::model::{Class, Share};
use crate::plan::{
    CancelPlan, CredentialsPlan, HttpVersion, Method, Pick, Secret, Transport, VanishPlan,
};

/// `[[workload]]`.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::workload`")]
pub struct Workload {
    pub name: Option<String>,
    pub clients: Option<u32>,
    pub protocol: Protocol,
    pub transport: Transport,
    pub http: HttpVersion,
    pub connections: Connections,
    pub cold: Share,
    pub source: Option<OneOrMany>,
    pub cookies: bool,
    pub listen: Share,
    pub vanish: Option<VanishPlan>,
    pub recovery: Recovery,
    pub goodbye: bool,
    #[serde(with = "duration_text")]
    pub max_lag: Duration,
    pub headers: BTreeMap<String, TextOrSecret>,
    pub auth: Option<Auth>,
    pub traceparent: bool,
    pub data: Vec<Data>,
    pub operation: Option<Vec<Operation>>,
}

/// `protocol` of a workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Protocol {
    /// One version.
    One(String),
    /// Versions with their weights.
    Mix(Map<String, Value>),
}

/// `auth` of a workload.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::workload`")]
pub struct Auth {
    pub bearer: Option<Bearers>,
    pub client_credentials: Option<CredentialsPlan>,
}

/// `bearer` of `auth`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Bearers {
    /// One token for all clients.
    One(Secret),
    /// Tokens that the clients take in turn.
    Many(Vec<Secret>),
}

/// `connections` of a workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Connections {
    /// `per-client`.
    Word(String),
    /// A pool, or an age, or both.
    Table {
        /// How many connections the clients of a worker share.
        pool: Option<u32>,
        /// The age at which one is replaced.
        #[serde(default, with = "optional_duration_text")]
        max_age: Option<Duration>,
    },
}

/// `recovery` of a workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Recovery {
    /// A preset.
    Preset(String),
    /// A preset and what is different from it.
    Settings(Box<RecoverySettings>),
}

/// A recovery policy of which single settings are changed.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::recovery`")]
pub struct RecoverySettings {
    pub preset: String,
    pub lost: Option<Vec<u16>>,
    pub reinitialise: Option<bool>,
    pub resend: Option<u32>,
    pub resume: Option<u32>,
    pub retry: Option<Retry>,
}

/// `retry` of a recovery policy.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::recovery`")]
pub struct Retry {
    pub attempts: u32,
    pub methods: Vec<Method>,
    pub classes: Vec<Class>,
    pub statuses: Vec<u16>,
    #[serde(with = "duration_text")]
    pub backoff: Duration,
    #[serde(with = "duration_text")]
    pub max_backoff: Duration,
    pub retry_after: bool,
}

/// `[[workload.data]]`.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is described in `tables::workload`")]
pub struct Data {
    pub name: String,
    pub file: String,
    pub pick: Pick,
}

/// `[[workload.operation]]`.
#[derive(Clone, Debug, Deserialize)]
#[expect(
    missing_docs,
    reason = "each field is described in `tables::operation`"
)]
pub struct Operation {
    pub name: Option<String>,
    pub tool: Option<String>,
    pub call: Option<String>,
    pub uri: Option<String>,
    pub prompt: Option<String>,
    pub steps: Option<Vec<String>>,
    pub arguments: Option<Map<String, Value>>,
    pub weight: u32,
    #[serde(with = "duration_text")]
    pub timeout: Duration,
    #[serde(default, with = "optional_duration_text")]
    pub think: Option<Duration>,
    pub pages: PageCount,
    pub progress: bool,
    pub keep: BTreeMap<String, String>,
    pub cancel: Option<CancelPlan>,
    pub expect: Option<Expect>,
}

/// `pages` of an operation.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum PageCount {
    /// So many.
    Some(u32),
    /// `all`.
    Word(String),
}

/// `expect` of an operation.
#[derive(Clone, Debug, Deserialize)]
#[expect(
    missing_docs,
    reason = "each field is described in `tables::operation`"
)]
pub struct Expect {
    pub equals: Option<String>,
    pub contains: Option<String>,
    pub length: Option<u64>,
    pub status: Option<u16>,
    #[serde(default)]
    pub json: Map<String, Value>,
    #[serde(default)]
    pub schema: bool,
}
