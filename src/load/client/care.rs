//! What a client does about its session outside operations, because its profile wants it: beginning anew (`churn`), and keeping
//! what it has (`hold`).
//!
//! Impure, as its parent. Next: `load::keeper` decides who is looked after when.

use super::Client;
use crate::load::place::Place;
use crate::model::Class;

impl Client {
    /// After an operation: begins anew if it was the last of so many. What that costs is seen as client wait of what comes
    /// next, and as Calls that keep sessions.
    pub(crate) async fn come_and_go(&mut self, operations: Option<u32>) {
        let Some(most) = operations else {
            return;
        };
        self.operations += 1;
        if self.operations < most {
            return;
        }
        self.operations = 0;
        self.say_goodbye().await;
        // One that is not ended by DELETE is left.
        self.abandon_session();
        self.listener = None;
        self.link.close();
    }

    /// Whether a client that does nothing has no session, or lost its stream for good without having asked why.
    pub(crate) fn needs_care(&self) -> bool {
        let has_none = self.is_legacy() && self.session.is_none();
        has_none
            || self
                .listener
                .as_ref()
                .is_some_and(super::Listener::is_refused)
    }

    /// Sees to it that the client has its session and its stream, as its recovery policy says.
    pub(crate) async fn tend(&mut self) {
        let refused = self
            .listener
            .as_mut()
            .and_then(super::Listener::take_refusal);
        let Some((class, code)) = refused else {
            self.has_session().await;
            return;
        };
        let mut call = Place::upkeep().blank(self.who(), crate::clock::now());
        (call.class, call.code) = (class, code);
        let plans = &self.shared.table.plan.workloads;
        let policy = plans.get(self.workload as usize).map(|plan| &plan.recovery);
        let replaces = policy.is_some_and(|policy| policy.reinitialise);
        if self.is_legacy() && self.finds_lost(&call) {
            if replaces {
                self.establish(None).await;
            }
        } else if !is_final(class, code) {
            // Whoever refused it, it was for now: who holds a stream asks again.
            self.listener = None;
            self.listen();
        }
    }
}

/// Whether a server that refuses the stream so has none: 405 in the legacy era, an unknown method in the modern one.
fn is_final(class: Class, code: Option<i64>) -> bool {
    matches!(
        (class, code),
        (Class::Http, Some(405)) | (Class::JsonRpc, Some(-32_601))
    )
}
