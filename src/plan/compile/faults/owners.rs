//! Faults on the owner of a session: which client's session it is, and whether its owner can be known.
//!
//! Pure. The client is drawn when the plan is made, among all clients that may have a session; whom it belongs to is found when
//! the fault acts.

use rand::Rng;

use super::Trial;
use crate::diag::codes;
use crate::load::draw;
use crate::model::Seed;
use crate::model::protocol::Era;
use crate::model::seed::Purpose;
use crate::plan::compile::Context;
use crate::plan::{Dialect, FleetPlan, OwnerPlan, WorkloadPlan};

/// After so many draws that met no client with a session there is none worth looking for.
const DRAWS: usize = 10_000;

/// Draws a client that may have a session; `None` if (nearly) no client has one.
pub(super) fn draw(
    seed: Seed,
    workloads: &[WorkloadPlan],
    number: usize,
    trial: u32,
) -> Option<OwnerPlan> {
    let group = trial.saturating_sub(1);
    let mut stream = seed.stream(Purpose::Owner, group, number as u64);
    let all: u64 = workloads
        .iter()
        .map(|workload| u64::from(workload.clients))
        .sum();
    for _ in 0..DRAWS {
        let wide = u128::from(stream.next_u64()) * u128::from(all);
        let mut client = u32::try_from(wide >> 64).unwrap_or(0);
        for workload in workloads {
            if client >= workload.clients {
                client -= workload.clients;
                continue;
            }
            if may_have_a_session(seed, workload, client) {
                return Some(OwnerPlan {
                    workload: workload.name.clone(),
                    client,
                });
            }
            break;
        }
    }
    None
}

fn may_have_a_session(seed: Seed, workload: &WorkloadPlan, client: u32) -> bool {
    draw::traits(seed, workload, client).is_some_and(|traits| match traits.dialect {
        Dialect::Auto => true,
        Dialect::Version(version) => version.era() == Era::Legacy,
    })
}

/// Refuses a fault whose owner cannot be known.
pub(super) fn check(
    context: &mut Context<'_>,
    fleet: &FleetPlan,
    trials: &[Trial],
    is_owner: impl Fn(usize) -> bool,
) {
    for trial in trials {
        if trial.plan.trial != 1 || !is_owner(trial.number) {
            continue;
        }
        let path = format!("fault[{}].target", trial.number);
        if fleet.served_by.is_none() {
            context.report(
                &codes::NO_TARGET,
                &path,
                "nothing tells who serves a session",
                "expected `served_by` in [fleet]: the header that names the instance",
                None,
            );
        } else if trial.plan.owner.is_none() {
            context.report(
                &codes::NO_TARGET,
                &path,
                "no client has a session",
                "expected a workload with a protocol up to 2025-11-25",
                None,
            );
        }
        if trial.looks_on() {
            context.report(
                &codes::NO_TARGET,
                &path,
                "others do this fault, so nobody asks who owns a session when it acts",
                "expected slots, or no `target`",
                None,
            );
        }
    }
}
