//! One client outside any worker, for a person who asks why a scenario fails: the same client as at load, with somebody who looks
//! on. Its Calls are shown, not recorded.
//!
//! Impure, as `load::client`. Everything is bounded by the timeouts of the plan.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{channel, sync_channel};
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use super::client::{Client, Job, Shared, Tap};
use super::crew::needs_tools;
use super::draw;
use super::links::Ways;
use super::recording::Recorder;
use super::table::{Table, TableError};
use crate::clock;
use crate::mcp::auth::AuthError;
use crate::mcp::capabilities::Capabilities;
use crate::mcp::endpoint::{Endpoint, EndpointError};
use crate::mcp::message;
use crate::mcp::tls::TlsError;
use crate::model::protocol::Era;
use crate::model::{ProtocolVersion, Seed, Share};
use crate::plan::{
    EndpointPlan, FleetPlan, Method, Plan, RecordPlan, SteadyPlan, TlsPlan, WorkloadPlan,
};
use crate::registry::Spec;

/// What one client is to do, and where.
pub(crate) struct Errand {
    /// The server.
    pub(crate) url: String,
    /// The program that is the server, where there is one in place of a URL: it speaks over its standard streams.
    pub(crate) command: Vec<String>,
    /// Whom it trusts.
    pub(crate) tls: TlsPlan,
    /// The header that names the instance.
    pub(crate) served_by: Option<String>,
    /// Who it is, and its operations, which it carries out in order.
    pub(crate) workload: WorkloadPlan,
    /// What it says that it can do.
    pub(crate) capabilities: Capabilities,
    /// How long it stays after its last operation.
    pub(crate) linger: Duration,
}

/// Why one client cannot set out.
#[derive(Debug, Error)]
pub(crate) enum ErrandError {
    /// The URL.
    #[error("this server cannot be called")]
    Endpoint(#[source] EndpointError),
    /// An argument, a header or a secret.
    #[error("the call cannot be made")]
    Table(#[source] TableError),
    /// Whom to trust.
    #[error("the certificates that are to be trusted cannot be used")]
    Trust(#[source] TlsError),
    /// Where tokens come from.
    #[error("no tokens can be had")]
    Tokens(#[source] AuthError),
    /// The workload asks for what a client cannot do.
    #[error("no client can do this: the transport does not fit the URL")]
    Client,
}

/// What came of an errand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// The client did all that it was to do.
    All,
    /// It could not reach the server or get a session; why.
    NotReady(String),
}

/// Has one client carry out its operations; `tap` sees each Call.
///
/// # Errors
/// If it cannot set out.
pub(crate) async fn run(errand: Errand, tap: Box<dyn Tap>) -> Result<Done, ErrandError> {
    let mut endpoints = Vec::new();
    if errand.command.is_empty() {
        let endpoint = Endpoint::parse(&errand.url).map_err(ErrandError::Endpoint)?;
        endpoints.push(Rc::new(endpoint));
    }
    let command = errand.command.clone();
    let linger = errand.linger;
    let capabilities = errand.capabilities;
    let plan = plan(errand);
    let workload = plan.workloads.first().ok_or(ErrandError::Client)?;
    let lists_tools = workload
        .operations
        .iter()
        .flat_map(|operation| &operation.steps)
        .any(|step| step.method == Method::ToolsList);
    let learns = needs_tools(workload) && !lists_tools;
    let traits = draw::traits(plan.seed, workload, 0).ok_or(ErrandError::Client)?;
    let operations = u32::try_from(workload.operations.len()).unwrap_or(u32::MAX);
    let table = Arc::new(Table::new(plan, 0, 1).map_err(ErrandError::Table)?);
    let workloads = table.plan.workloads.iter();
    let tls = &table.plan.fleet.tls;
    let ways = workloads
        .map(|plan| Ok(Ways::new(plan, tls, &endpoints, None)?.with_child(command.clone())));
    let ways = ways.collect::<Result<_, _>>().map_err(ErrandError::Trust)?;
    // Nobody takes the seconds: the clock never starts, and what is early is dropped with the recorder.
    let (sender, _parcels) = sync_channel(1);
    let (_histograms, returned) = channel();
    let recorder = Recorder::new(Arc::clone(&table), sender, returned);
    let mut shared = Shared::new(table, recorder, ways).map_err(ErrandError::Tokens)?;
    shared.capabilities = capabilities;
    shared.modern_meta = message::modern_meta(ProtocolVersion::V2026_07_28, capabilities);
    shared.tap = Some(tap);
    let shared = Rc::new(shared);
    let mut client = Client::new(&shared, 0, 0, traits).ok_or(ErrandError::Client)?;
    if let Err(cause) = client.set_up().await {
        return Ok(Done::NotReady(cause));
    }
    if learns && client.protocol().era() == Era::Modern {
        client.learn().await;
    }
    for operation in 0..operations {
        let now = clock::now();
        let job = Job {
            arrival: u64::from(operation),
            operation,
            phase: None,
            due: now,
            taken: now,
            generator: ChaCha8Rng::seed_from_u64(u64::from(operation)),
            ended: None,
        };
        client.carry_out(job).await;
    }
    tokio::time::sleep(linger).await;
    client.say_goodbye().await;
    Ok(Done::All)
}

fn plan(errand: Errand) -> Plan {
    Plan {
        name: "call".to_owned(),
        seed: Seed(rand::random()),
        workers: 1,
        pinning: None,
        record: RecordPlan::default(),
        fleet: FleetPlan {
            driver: Spec {
                kind: "external".to_owned(),
                with: serde_json::Value::Null,
            },
            roles: Vec::new(),
            endpoint: EndpointPlan::Urls(vec![errand.url]),
            served_by: errand.served_by,
            tls: errand.tls,
        },
        workloads: vec![errand.workload],
        phases: Vec::new(),
        faults: Vec::new(),
        steady: SteadyPlan {
            share: Share::ZERO,
            over: Duration::from_secs(1),
        },
        abort: None,
        blast_radius: None,
        objectives: Vec::new(),
        checks: Vec::new(),
        origins: BTreeMap::new(),
    }
}
