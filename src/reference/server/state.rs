//! What all connections, sessions and calls of one server share, and how far its life has come.
//!
//! It opens the ledger, nothing else. Invariant: the stages of a life come in the order running, draining, closing, cut,
//! and never go back.

use std::io;
use std::sync::Arc;

use rmcp::model::{Prompt, Resource, ResourceTemplate, Tool};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::args::Args;
use super::changes::Changes;
use super::defects::Defects;
use super::ledger::Ledger;
use super::lists::Lists;
use super::metrics::Metrics;
use super::sessions::Sessions;
use super::tools::{Rounds, conformance};
use super::{catalog, tools};

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) args: Args,
    pub(super) defects: Defects,
    pub(super) metrics: Metrics,
    pub(super) ledger: Ledger,
    pub(super) lists: Lists,
    pub(super) sessions: Arc<Sessions>,
    pub(super) changes: Changes,
    pub(super) rounds: Rounds,
    pub(super) tools: Vec<Tool>,
    pub(super) resources: Vec<Resource>,
    pub(super) templates: Vec<ResourceTemplate>,
    pub(super) prompts: Vec<Prompt>,
    pub(super) life: Life,
}

impl Server {
    pub(super) fn new(args: Args) -> io::Result<Self> {
        let metrics = Metrics::new();
        let mut tools = tools::list(args.dedup);
        let mut resources = catalog::resources();
        let mut templates = catalog::templates();
        let mut prompts = catalog::prompts();
        if args.sessions.conformance {
            tools.extend(conformance::tools());
            resources.extend(conformance::resources());
            templates.extend(conformance::templates());
            prompts.extend(conformance::prompts());
        }
        let private = args.defects.private_request_state;
        Ok(Self {
            defects: Defects::new(&args.defects),
            sessions: Arc::new(Sessions::new(&args, metrics.sessions())),
            changes: Changes::default(),
            rounds: Rounds::new(private.then(rand::random)),
            metrics,
            ledger: Ledger::open(
                &args.name,
                args.incarnation,
                args.ledger.as_deref(),
                args.dedup,
            )?,
            lists: Lists::default(),
            tools,
            resources,
            templates,
            prompts,
            life: Life::default(),
            args,
        })
    }
}

/// The stages of a server's end, each a token that is cancelled when the stage begins, and the calls that it waits for.
#[derive(Debug, Default)]
pub(super) struct Life {
    /// Not ready any more; connections are still accepted.
    pub(super) draining: CancellationToken,
    /// The listener is closed, and each connection closes after the answer that is under way. Subscriptions end.
    pub(super) closing: CancellationToken,
    /// Standing streams and sessions end, and so does what still runs.
    pub(super) cut: CancellationToken,
    /// What the server does by itself, such as pings. It ends with `cut`.
    pub(super) background: TaskTracker,
    /// A token of this is held by each call, from its request to the end of its answer.
    pub(super) calls: TaskTracker,
}
