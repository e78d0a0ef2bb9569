//! Files and sockets that each process of a run needs, against what it may have.
//!
//! Pure. An upper bound from the plan alone: a client holds a connection for its calls (or a part in a pool) and one more for its
//! stream, for resumption and for cancelling. A balancer holds a second one to
//! a server for each.

use crate::model::Share;
use crate::model::protocol::Era;
use crate::plan::{Dialect, EndpointPlan, Plan, Sharing, Transport, WorkloadPlan};

/// Files that any process has open by itself: standard streams, logs, the event loop, listeners.
const OWN: u64 = 64;

/// What one process needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Which process, in words: `each of 2 workers`.
    pub process: String,
    /// The role, if it is of the fleet.
    pub role: Option<String>,
    /// Open files at most, sockets included.
    pub files: u64,
    /// How many it may have.
    pub limit: u64,
    /// Whether the scenario sets this limit itself.
    pub is_own_limit: bool,
}

/// The most workers there can be.
const MOST_WORKERS: u32 = 256;

/// How many workers there are if the scenario does not say: for half of the processors, or as many more as it takes for each to
/// stay within `host`, the limit of open files of a process. If nothing stays within it, as many as the processors ask for.
pub fn workers(plan: &Plan, cores: u32, host: u64) -> u32 {
    let least = (cores / 2).clamp(1, MOST_WORKERS);
    (least..=MOST_WORKERS)
        .find(|workers| worker_files(plan, *workers) <= host)
        .unwrap_or(least)
}

/// Files that each of so many workers needs at most.
pub fn worker_files(plan: &Plan, workers: u32) -> u64 {
    let workers = u64::from(workers.max(1));
    let connections = plan.workloads.iter();
    let connections: u64 = connections
        .map(|workload| connections_of(workload, workers))
        .sum();
    OWN + connections.div_ceil(workers)
}

/// What each kind of process needs; `host` is the limit of a process of this machine.
pub fn needs(plan: &Plan, host: u64) -> Vec<Need> {
    let workers = u64::from(plan.workers.max(1));
    let connections: u64 = plan
        .workloads
        .iter()
        .map(|workload| connections_of(workload, workers))
        .sum();
    let slots = plan.fleet.slots().count() as u64;
    let mut needs = vec![
        Need {
            process: "the conductor".to_owned(),
            role: None,
            files: OWN + 6 * slots + 4 * workers,
            limit: host,
            is_own_limit: false,
        },
        Need {
            process: count("worker", workers),
            role: None,
            files: worker_files(plan, plan.workers),
            limit: host,
            is_own_limit: false,
        },
    ];
    let front = match &plan.fleet.endpoint {
        EndpointPlan::Role { role, .. } => plan.fleet.role(role),
        EndpointPlan::Urls(_) => None,
    };
    for role in &plan.fleet.roles {
        // Those on standby carry nothing when there is least to carry it.
        let there = role.slots.iter().filter(|slot| !slot.standby);
        let replicas = (there.count() as u64).max(1);
        // While some slots are down, the others carry their connections; half of them is what is planned for.
        let carrying = replicas.div_ceil(2);
        let is_front = front.is_some_and(|front| front.name == role.name);
        let behind = front.is_some_and(|front| front.needs.contains(&role.name));
        let sockets = match (is_front, behind) {
            (true, _) if front.is_some_and(|front| !front.needs.is_empty()) => {
                2 * connections.div_ceil(replicas)
            }
            (true, _) => connections.div_ceil(replicas),
            (false, true) => connections.div_ceil(carrying),
            (false, false) => 0,
        };
        let own_limit = role
            .slots
            .iter()
            .filter_map(|slot| slot.limits.open_files)
            .min();
        needs.push(Need {
            process: count(&role.name, replicas),
            role: Some(role.name.clone()),
            files: OWN + sockets,
            limit: own_limit.unwrap_or(host),
            is_own_limit: own_limit.is_some(),
        });
    }
    needs
}

/// The connections that the clients of a workload hold at most, all together.
fn connections_of(workload: &WorkloadPlan, workers: u64) -> u64 {
    let clients = u64::from(workload.clients);
    // `auto` may end in the legacy era.
    let legacy = workload.protocols.iter().any(|(dialect, weight)| {
        *weight > 0 && (*dialect == Dialect::Auto || dialect.first().era() == Era::Legacy)
    });
    let calls = match workload.connections.sharing {
        Sharing::PerClient => clients,
        Sharing::Pool(size) => clients.min(u64::from(size) * workers),
    };
    let one_stream = workload.transport == Transport::Websocket;
    let beside = if one_stream {
        0
    } else if legacy || workload.listen > Share::ZERO {
        clients
    } else {
        u64::from(workload.held)
    };
    calls + beside
}

fn count(noun: &str, count: u64) -> String {
    if count == 1 {
        format!("the {noun}")
    } else {
        format!("each of {count} {noun}s")
    }
}
