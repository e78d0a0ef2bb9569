//! Active health checks: asks every member for a path, again and again, and tells the fleet.
//!
//! Does network I/O. Each check opens a connection of its own, because a member that accepts no new ones is not well,
//! however good its old ones are. Where to look next: `health.rs` for what the results do.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Uri, header};
use http_body_util::{Either, Empty};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Balancer;
use super::fleet::Member;
use super::upstream::Connection;

/// What is asked, and how often.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Path and query.
    pub(super) path: Uri,
    /// From one round to the next; not zero.
    pub(super) interval: Duration,
    /// Within which a check must pass.
    pub(super) limit: Duration,
}

/// Checks all members each interval, and at once when one joins. Runs until dropped.
pub(super) async fn run(balancer: &Balancer, plan: Plan) {
    let mut ticks = interval(plan.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = balancer.fleet.joined.notified() => {}
        }
        let members = balancer.fleet.members();
        join_all(members.iter().map(|member| async {
            let passed = timeout(plan.limit, passes(member, &plan))
                .await
                .unwrap_or(false);
            balancer.fleet.checked(member, passed);
        }))
        .await;
    }
}

/// Does the member answer the path with success?
async fn passes(member: &Member, plan: &Plan) -> bool {
    let Ok(mut connection) = Connection::open(member.spec.address(), plan.limit).await else {
        return false;
    };
    let request = Request::get(plan.path.clone())
        .header(header::HOST, member.spec.address())
        .header(header::USER_AGENT, "mcpload-balancer")
        .header(header::CONNECTION, "close")
        .body(Either::Right(Empty::<Bytes>::new()));
    let Ok(request) = request else { return false };
    connection
        .send(request)
        .await
        .is_ok_and(|response| response.status().is_success())
}
