//! The plan as a worker uses it: names by number, templates compiled, headers built.
//!
//! Impure in one place only: [`Table::new`] reads the secrets of request headers and the data files. Nothing changes after that; the hot thread and
//! the sender thread share it. Invariant: numbers of workloads, operations, steps and phases are places in the plan's lists.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

use super::data::{DataError, DataSet, DataTable};
use super::draw::Arrivals;
use super::template::{Context, FillError, Template, TemplateError};
use crate::mcp::capabilities::Capabilities;
use crate::mcp::header;
use crate::mcp::message::{Expected, RequestKind, modern_meta};
use crate::model::protocol::Era;
use crate::model::{Offset, ProtocolVersion};
use crate::plan::{self, Counted, Expectation, Method, Plan, Promise, Secret};

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
    pub(crate) headers: HeaderMap,
    /// The rows of its data files.
    pub(crate) data: DataSet,
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
}

/// A step.
#[derive(Debug)]
pub(crate) struct Step {
    /// The method of the plan.
    method: Method,
    /// The pause before it.
    pub(crate) think: Option<Duration>,
    /// Parameters for the legacy era.
    legacy: Template,
    /// Parameters for the modern era.
    modern: Template,
    /// What a right answer holds.
    expect: Vec<(Expectation, Template)>,
    /// What the modern era mirrors into `Mcp-Name`.
    pub(crate) mirrored: Option<HeaderValue>,
}

/// A request, filled in.
#[derive(Clone, Debug)]
pub(crate) struct Filled {
    /// What is asked.
    pub(crate) kind: RequestKind,
    /// Its parameters, JSON.
    pub(crate) params: String,
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
    /// A data file is not there.
    #[error("the data file {path} cannot be read")]
    DataFile {
        /// The file.
        path: String,
        /// What the file system says.
        source: std::io::Error,
    },
    /// A data file is none.
    #[error("the data file {path} is no table")]
    Data {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: DataError,
    },
}

impl Step {
    /// Fills in the request; equal generators make equal requests.
    ///
    /// # Errors
    /// If it needs what no earlier step kept.
    pub(crate) fn fill(
        &self,
        era: Era,
        context: &Context<'_>,
        generator: &mut rand_chacha::ChaCha8Rng,
    ) -> Result<Filled, FillError> {
        // The expectation takes the same draws as the arguments.
        let mut again = self
            .expect
            .iter()
            .any(|(_, template)| !template.is_constant())
            .then(|| generator.clone());
        let mut params = String::new();
        let template = match era {
            Era::Legacy => &self.legacy,
            Era::Modern => &self.modern,
        };
        template.fill(context, generator, &mut params)?;
        let expected = self.expect.iter().map(|(expectation, template)| {
            let mut text = String::new();
            template.fill(context, again.as_mut().unwrap_or(generator), &mut text)?;
            Ok(match expectation {
                Expectation::TextEquals(_) => Expected::Equals(text),
                Expectation::TextContains(_) => Expected::Contains(text),
                Expectation::TextLength(length) => Expected::Length(*length),
                Expectation::Status(status) => Expected::Status(*status),
                Expectation::Json { .. } | Expectation::Schema => Expected::Schema(None),
            })
        });
        let expected = expected.collect::<Result<_, FillError>>()?;
        Ok(Filled {
            kind: self.kind(era),
            params,
            expected,
        })
    }

    /// What is asked of a server of this era.
    pub(crate) fn kind(&self, era: Era) -> RequestKind {
        kind(self.method, era)
    }

    fn new(step: &plan::StepPlan, data: &[plan::DataPlan]) -> Result<Self, TemplateError> {
        let target = serde_json::Value::from(step.target.as_str()).to_string();
        let mut arguments = Template::default();
        let before = match step.method {
            Method::ToolsCall | Method::PromptsGet => {
                arguments = match &step.arguments {
                    serde_json::Value::Null => Template::json(&serde_json::json!({}), data)?,
                    value => Template::json(value, data)?,
                };
                format!(r#""name":{target},"arguments":"#)
            }
            Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
                format!(r#""uri":{target}"#)
            }
            Method::ToolsList
            | Method::ResourcesList
            | Method::ResourceTemplatesList
            | Method::PromptsList
            | Method::Complete
            | Method::Discover
            | Method::Ping => String::new(),
        };
        let bare = before.is_empty();
        let legacy = if bare {
            Template::default()
        } else {
            arguments.wrapped(&format!("{{{before}"), "}")
        };
        let meta = modern_meta(ProtocolVersion::V2026_07_28, Capabilities::default());
        let meta = format!(r#""_meta":{{{meta}}}"#);
        let comma = if bare { "" } else { "," };
        let modern = arguments.wrapped(&format!("{{{meta}{comma}{before}"), "}");
        let expect = step
            .expect
            .iter()
            .map(|expectation| {
                let template = match expectation {
                    Expectation::TextEquals(text) | Expectation::TextContains(text) => {
                        Template::text(text, data)?
                    }
                    _ => Template::default(),
                };
                Ok::<_, TemplateError>((expectation.clone(), template))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            method: step.method,
            think: step.think,
            legacy,
            modern,
            expect,
            mirrored: (!step.target.is_empty()).then(|| header::mirrored(&step.target)),
        })
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
                    .map(|step| Step::new(step, &workload.data))
                    .collect::<Result<_, _>>();
                Ok(Operation {
                    timeout: operation.timeout,
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
            data: data(plan, workload)?,
            upkeep_timeout,
        })
    }
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

fn data(plan: &Plan, workload: &plan::WorkloadPlan) -> Result<DataSet, TableError> {
    let read = |file: &plan::DataPlan| {
        let path = file.file.clone();
        let bytes = std::fs::read(&path).map_err(|source| TableError::DataFile {
            path: path.clone(),
            source,
        })?;
        DataTable::parse(&bytes).map_err(|source| TableError::Data { path, source })
    };
    let tables = workload.data.iter().map(read).collect::<Result<_, _>>()?;
    Ok(DataSet::new(plan.seed, workload, tables))
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
