//! The plan as a worker uses it: names by number, templates compiled, headers built.
//!
//! Impure in one place only: [`Table::new`] reads the secrets of request headers. Nothing changes after that; the hot thread and
//! the sender thread share it. Invariant: numbers of workloads, operations, steps and phases are places in the plan's lists.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use serde_json_path::JsonPath;
use thiserror::Error;

use super::draw::Arrivals;
use super::template::{Context, Template, TemplateError};
use crate::mcp::auth::Credentials;
use crate::mcp::header;
use crate::mcp::message::{Expected, RequestKind};
use crate::model::Offset;
use crate::model::protocol::Era;
use crate::plan::{
    self, AuthPlan, CancelPlan, Counted, Expectation, Method, Pages, Plan, Promise, Secret,
};

/// The plan as one worker uses it.
#[derive(Debug)]
pub(crate) struct Table {
    /// The plan.
    pub(crate) plan: Plan,
    /// This worker's number, from 0.
    pub(crate) index: u32,
    /// How many workers there are, at least 1.
    pub(crate) of: u32,
    /// The workloads.
    pub(crate) workloads: Vec<Workload>,
    /// The objectives with a latency threshold, in the order of the columns of `counts.csv`.
    pub(crate) thresholds: Vec<Threshold>,
    /// The header that names the instance.
    pub(crate) served_by: Option<HeaderName>,
}

/// A workload.
#[derive(Debug)]
pub(crate) struct Workload {
    /// The draws of its arrivals.
    pub(crate) arrivals: Arrivals,
    /// Its operations.
    pub(crate) operations: Vec<Operation>,
    /// Headers of every request.
    headers: HeaderMap,
    /// The values of `authorization` that its clients take in turn.
    bearers: Vec<HeaderValue>,
    /// What its clients get tokens with.
    pub(crate) credentials: Option<Credentials>,
    /// The bound of a request that keeps sessions: the longest of its operations' timeouts.
    pub(crate) upkeep_timeout: Duration,
}

/// An operation.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The bound of one Call, and of the wait for the client.
    pub(crate) timeout: Duration,
    /// Its steps.
    pub(crate) steps: Vec<Step>,
    /// Which of its calls are cancelled.
    pub(crate) cancel: Option<CancelPlan>,
}

/// A step.
#[derive(Debug)]
pub(crate) struct Step {
    /// The method of the plan.
    method: Method,
    /// Tool, prompt or resource.
    target: String,
    /// The pause before it.
    pub(crate) think: Option<Duration>,
    /// The members of its parameters.
    members: Template,
    /// What a right answer holds.
    expect: Vec<Expectable>,
    /// What the modern era mirrors into `Mcp-Name`.
    pub(crate) mirrored: Option<HeaderValue>,
    /// How many pages are asked for at most.
    pub(crate) pages: u32,
    /// Whether progress is asked for.
    progress: bool,
    /// What is kept of the result, by name.
    keep: Vec<(String, JsonPath)>,
}

/// An expectation, compiled.
#[derive(Debug)]
enum Expectable {
    Equals(Template),
    Contains(Template),
    Length(u64),
    Json(Arc<JsonPath>, Template),
    Schema,
    Status(u16),
}

/// A request, filled in.
#[derive(Clone, Debug)]
pub(crate) struct Filled {
    /// What is asked.
    pub(crate) kind: RequestKind,
    /// Tool, prompt or resource.
    pub(crate) target: String,
    /// The members of its parameters, JSON.
    pub(crate) members: String,
    /// Whether progress is asked for.
    pub(crate) progress: bool,
    /// What a right answer holds.
    pub(crate) expected: Vec<Expected>,
}

/// A latency threshold that counts.
#[derive(Debug)]
pub(crate) struct Threshold {
    /// Nanoseconds; what took longer exceeds it.
    pub(crate) under_ns: i64,
    /// What it counts.
    pub(crate) of: Counted,
    /// The operations that it counts, by name; empty: all.
    pub(crate) operations: Vec<String>,
}

/// Why a plan cannot be executed by a worker.
#[derive(Debug, Error)]
pub enum TableError {
    /// The arguments or the expectation of a step.
    #[error("operation {operation:?} has a template that is none")]
    Template {
        /// The operation.
        operation: String,
        /// What is wrong.
        source: TemplateError,
    },
    /// A request header.
    #[error("{0:?} is no name of a header, or its value is none")]
    Header(String),
    /// A secret is not there.
    #[error("the secret of header {0:?} cannot be read")]
    Secret(String),
}

impl Step {
    /// Fills in the request; equal generators make equal requests.
    pub(crate) fn fill(
        &self,
        era: Era,
        context: &Context,
        generator: &mut rand_chacha::ChaCha8Rng,
    ) -> Filled {
        // The expectations take the same draws as the arguments.
        let again = self
            .expect
            .iter()
            .any(Expectable::draws)
            .then(|| generator.clone());
        let mut members = String::new();
        self.members.fill(context, generator, &mut members);
        let expected = self.expect.iter().map(|expectable| {
            let mut generator = again.clone().unwrap_or_else(|| generator.clone());
            expectable.fill(context, &mut generator)
        });
        Filled {
            expected: expected.collect(),
            kind: kind(self.method, era),
            target: self.target.clone(),
            members,
            progress: self.progress,
        }
    }

    /// Whether the result is needed as it came.
    pub(crate) fn wants_result(&self) -> bool {
        !self.keep.is_empty()
    }

    /// What is kept of a result, by name; `None` if something of it is not there.
    pub(crate) fn kept(&self, result: Option<&str>) -> Option<Vec<(String, Value)>> {
        if self.keep.is_empty() {
            return Some(Vec::new());
        }
        let result: Value = serde_json::from_str(result?).ok()?;
        let found = self.keep.iter().map(|(name, path)| {
            let first = path.query(&result).first()?;
            Some((name.clone(), first.clone()))
        });
        found.collect()
    }

    fn new(step: &plan::StepPlan) -> Result<Self, TemplateError> {
        let expect = step.expect.iter().map(Expectable::new);
        let keep = step
            .keep
            .iter()
            .map(|(name, path)| Ok((name.clone(), json_path(path)?)));
        Ok(Self {
            method: step.method,
            think: step.think,
            members: members(step)?,
            expect: expect.collect::<Result<_, _>>()?,
            // A name that the modern era mirrors is that of what is called, got or read.
            mirrored: matches!(
                step.method,
                Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead
            )
            .then(|| header::mirrored(&step.target)),
            target: step.target.clone(),
            pages: match step.pages {
                Pages::First => 1,
                Pages::UpTo(most) => most.max(1),
            },
            progress: step.progress,
            keep: keep.collect::<Result<_, TemplateError>>()?,
        })
    }
}

/// The members of the parameters of a step, templates compiled.
fn members(step: &plan::StepPlan) -> Result<Template, TemplateError> {
    let target = Value::from(step.target.as_str());
    let arguments = || match &step.arguments {
        Value::Null => Template::json(&serde_json::json!({})),
        value => Template::json(value),
    };
    match step.method {
        Method::ToolsCall | Method::PromptsGet => {
            Ok(arguments()?.wrapped(&format!(r#""name":{target},"arguments":"#), ""))
        }
        Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
            Ok(Template::default().wrapped(&format!(r#""uri":{target}"#), ""))
        }
        Method::Complete => {
            let reference = if step.target.contains("://") {
                serde_json::json!({"type": "ref/resource", "uri": target})
            } else {
                serde_json::json!({"type": "ref/prompt", "name": target})
            };
            Ok(arguments()?.wrapped(&format!(r#""ref":{reference},"argument":"#), ""))
        }
        Method::ToolsList
        | Method::ResourcesList
        | Method::ResourceTemplatesList
        | Method::PromptsList
        | Method::Discover
        | Method::Ping => Ok(Template::default()),
    }
}

fn json_path(text: &str) -> Result<JsonPath, TemplateError> {
    JsonPath::parse(text).map_err(|_| TemplateError::Unknown(text.to_owned()))
}

impl Expectable {
    fn new(expectation: &Expectation) -> Result<Self, TemplateError> {
        Ok(match expectation {
            Expectation::TextEquals(text) => Self::Equals(Template::text(text)?),
            Expectation::TextContains(text) => Self::Contains(Template::text(text)?),
            Expectation::TextLength(length) => Self::Length(*length),
            Expectation::Json { path, equals } => {
                Self::Json(Arc::new(json_path(path)?), Template::json(equals)?)
            }
            Expectation::Schema => Self::Schema,
            Expectation::Status(status) => Self::Status(*status),
        })
    }

    fn draws(&self) -> bool {
        match self {
            Self::Equals(template) | Self::Contains(template) | Self::Json(_, template) => {
                !template.is_constant()
            }
            Self::Length(_) | Self::Schema | Self::Status(_) => false,
        }
    }

    fn fill(&self, context: &Context, generator: &mut rand_chacha::ChaCha8Rng) -> Expected {
        let mut filled = |template: &Template| {
            let mut text = String::new();
            template.fill(context, generator, &mut text);
            text
        };
        match self {
            Self::Equals(template) => Expected::Equals(filled(template)),
            Self::Contains(template) => Expected::Contains(filled(template)),
            Self::Length(length) => Expected::Length(*length),
            Self::Json(path, template) => {
                let value = serde_json::from_str(&filled(template)).unwrap_or(Value::Null);
                Expected::Json(Arc::clone(path), value)
            }
            // The client puts in what it learnt of the tool.
            Self::Schema => Expected::Schema(None),
            Self::Status(status) => Expected::Status(*status),
        }
    }
}

impl Table {
    /// Compiles the plan for worker `index` of `of`, and reads the secrets.
    ///
    /// # Errors
    /// If a template, a header or a secret is wrong; the plan's compiler refuses the first two.
    pub(crate) fn new(plan: Plan, index: u32, of: u32) -> Result<Self, TableError> {
        let workloads = plan
            .workloads
            .iter()
            .map(|workload| Workload::new(&plan, workload))
            .collect::<Result<_, _>>()?;
        let thresholds = plan
            .latency_objectives()
            .filter_map(|objective| match objective.promise {
                Promise::Latency { under, .. } => Some(Threshold {
                    under_ns: nanos(under),
                    of: objective.of,
                    operations: objective.operations.clone(),
                }),
                Promise::Errors { .. } | Promise::Throughput { .. } => None,
            })
            .collect();
        let served_by = plan
            .fleet
            .served_by
            .as_ref()
            .map(|name| {
                HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes())
                    .map_err(|_| TableError::Header(name.clone()))
            })
            .transpose()?;
        Ok(Self {
            workloads,
            thresholds,
            served_by,
            plan,
            index,
            of: of.max(1),
        })
    }

    /// Whether client `client` lives on this worker.
    pub(crate) fn is_mine(&self, client: u32) -> bool {
        client % self.of == self.index
    }

    /// The place of the phase in which what is due at `at` counts: none before the first; the last one after it has ended.
    pub(crate) fn phase_at(&self, at: Offset) -> Option<u32> {
        let last = self.plan.phases.len().checked_sub(1)?;
        if at < Offset::ZERO {
            return None;
        }
        let place = self
            .plan
            .phases
            .iter()
            .position(|phase| phase.window.contains(at))
            .unwrap_or(last);
        u32::try_from(place).ok()
    }
}

impl Workload {
    fn new(plan: &Plan, workload: &plan::WorkloadPlan) -> Result<Self, TableError> {
        let operations: Vec<Operation> = workload
            .operations
            .iter()
            .map(|operation| {
                let steps = operation
                    .steps
                    .iter()
                    .map(Step::new)
                    .collect::<Result<_, _>>();
                Ok(Operation {
                    timeout: operation.timeout,
                    cancel: operation.cancel,
                    steps: steps.map_err(|source| TableError::Template {
                        operation: operation.name.clone(),
                        source,
                    })?,
                })
            })
            .collect::<Result<_, TableError>>()?;
        let upkeep_timeout = operations
            .iter()
            .map(|operation| operation.timeout)
            .max()
            .unwrap_or(Duration::from_secs(5));
        Ok(Self {
            arrivals: Arrivals::new(plan.seed, workload),
            operations,
            headers: headers(workload)?,
            bearers: bearers(workload)?,
            credentials: credentials(workload)?,
            upkeep_timeout,
        })
    }
}

impl Workload {
    /// The headers of every request of a client.
    pub(crate) fn headers_of(&self, client: u32) -> HeaderMap {
        let mut headers = self.headers.clone();
        let place = (client as usize).checked_rem(self.bearers.len());
        if let Some(bearer) = place.and_then(|place| self.bearers.get(place)) {
            headers.insert(AUTHORIZATION, bearer.clone());
        }
        headers
    }
}

fn bearers(workload: &plan::WorkloadPlan) -> Result<Vec<HeaderValue>, TableError> {
    let AuthPlan::Bearers(secrets) = &workload.auth else {
        return Ok(Vec::new());
    };
    let name = AUTHORIZATION.as_str();
    secrets
        .iter()
        .map(|secret| {
            let text = read_secret(secret).ok_or_else(|| TableError::Secret(name.to_owned()))?;
            let mut value = HeaderValue::from_str(&format!("Bearer {text}"))
                .map_err(|_| TableError::Header(name.to_owned()))?;
            value.set_sensitive(true);
            Ok(value)
        })
        .collect()
}

fn credentials(workload: &plan::WorkloadPlan) -> Result<Option<Credentials>, TableError> {
    let AuthPlan::ClientCredentials(plan) = &workload.auth else {
        return Ok(None);
    };
    let read = |secret: &Option<Secret>, what: &str| match secret {
        None => Ok(None),
        Some(secret) => match read_secret(secret) {
            Some(text) => Ok(Some(text)),
            None => Err(TableError::Secret(what.to_owned())),
        },
    };
    let authentication = plan.authentication.as_ref();
    Ok(Some(Credentials {
        client_id: plan.client_id.clone(),
        secret: read(&plan.secret, "client secret")?,
        private_key_pem: read(&plan.private_key, "private key")?,
        algorithm: plan.algorithm.clone(),
        scope: plan.scope.clone(),
        token_url: plan.token_url.clone(),
        issuer: None,
        // The name was checked when the plan was made.
        authentication: authentication
            .and_then(|name| serde_json::from_value(Value::from(name.as_str())).ok()),
    }))
}

fn headers(workload: &plan::WorkloadPlan) -> Result<HeaderMap, TableError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let both = HeaderValue::from_static("application/json, text/event-stream");
    headers.insert(ACCEPT, both);
    for (name, value) in &workload.headers {
        let wrong = || TableError::Header(name.clone());
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let value = match value {
            plan::HeaderValue::Plain(text) => HeaderValue::from_str(text).map_err(|_| wrong())?,
            plan::HeaderValue::Secret { prefix, secret } => {
                let text = read_secret(secret).ok_or_else(|| TableError::Secret(name.clone()))?;
                let mut value =
                    HeaderValue::from_str(&format!("{prefix}{text}")).map_err(|_| wrong())?;
                value.set_sensitive(true);
                value
            }
        };
        headers.insert(key, value);
    }
    Ok(headers)
}

fn read_secret(secret: &Secret) -> Option<String> {
    match secret {
        Secret::Env(name) => std::env::var(name).ok(),
        Secret::File(path) => {
            let text = std::fs::read_to_string(path).ok()?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}

fn kind(method: Method, era: Era) -> RequestKind {
    match (method, era) {
        // The modern era has no ping.
        (Method::Ping, Era::Modern) => RequestKind::Method(Method::Discover),
        (Method::Discover, Era::Legacy) => RequestKind::Method(Method::Ping),
        (method, _) => RequestKind::Method(method),
    }
}

/// The method as it goes out to a server of this era.
pub(crate) fn wire_name(method: Method, era: Era) -> &'static str {
    kind(method, era).name()
}

/// Nanoseconds of a duration, at most 292 years.
pub(crate) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
