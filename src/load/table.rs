//! The plan as a worker uses it: names by number, templates compiled, headers built.
//!
//! Impure in one place only: [`Table::new`] reads the secrets of request headers and the data files. Nothing changes after that; the hot thread and
//! the sender thread share it. Invariant: numbers of workloads, operations, steps and phases are places in the plan's lists.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use thiserror::Error;

use super::data::{DataError, DataSet, DataTable};
use super::draw::Arrivals;
use super::profiles::PROFILES;
use super::template::TemplateError;
use crate::mcp::auth::Credentials;
use crate::model::Offset;
use crate::plan::{self, AuthPlan, CancelPlan, Counted, Plan, Promise, Secret};
use crate::registry::{Family, build};

mod step;

pub(crate) use step::{Filled, Step, wire_name};

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
    /// By the place of the phase: after how many operations a client begins anew.
    churn: Vec<Option<u32>>,
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
    /// Which of its calls are cancelled.
    pub(crate) cancel: Option<CancelPlan>,
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
            churn: churn(plan, workload),
            data: data(plan, workload)?,
            upkeep_timeout,
        })
    }
}

impl Workload {
    /// After how many operations of this phase a client begins anew; `None`: it stays.
    pub(crate) fn churn(&self, phase: Option<u32>) -> Option<u32> {
        *self.churn.get(phase? as usize)?
    }

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

fn churn(plan: &Plan, workload: &plan::WorkloadPlan) -> Vec<Option<u32>> {
    let of = |phase: &plan::PhasePlan| {
        // A profile that cannot be built is an error of whoever plays it.
        let spec = phase.loads.get(&workload.name)?;
        build(PROFILES, Family::Profile, spec).ok()?.churn()
    };
    plan.phases.iter().map(of).collect()
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

/// Nanoseconds of a duration, at most 292 years.
pub(crate) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
