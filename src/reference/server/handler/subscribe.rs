//! Subscriptions to resources: of sessions in the legacy era, of requests that stay open in the modern one.
//!
//! It waits for changes. Invariant: a subscription of the modern era ends with its result when the server closes, and
//! with an error when it was too slow.

use rmcp::RoleServer;
use rmcp::model::{ErrorData, SubscriptionFilter};
use rmcp::service::{RequestContext, SubscriptionContext};

use super::super::catalog::no_such_resource;
use super::super::changes::can_subscribe;
use super::super::tools::session;
use super::Handler;

/// Resources of one subscription of the modern era.
pub(super) const MOST_URIS: usize = 1000;

impl Handler {
    /// `resources/subscribe`.
    ///
    /// # Errors
    /// -32002 if there is no such resource, -32600 without a session, -32603 with too many subscriptions.
    pub(super) fn subscribe_session(
        &self,
        uri: String,
        context: &RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let session = session_of(context)?;
        if !can_subscribe(&uri, self.0.args.sessions.conformance) {
            return Err(no_such_resource(&uri));
        }
        if self.0.defects.forgets_now() {
            return Ok(());
        }
        if self.0.sessions.subscribe(&session, uri) {
            return Ok(());
        }
        Err(ErrorData::internal_error("too many subscriptions", None))
    }

    /// `resources/unsubscribe`. Ending a subscription that is not there changes nothing.
    pub(super) fn unsubscribe_session(
        &self,
        uri: &str,
        context: &RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let session = session_of(context)?;
        self.0.sessions.unsubscribe(&session, uri);
        Ok(())
    }

    /// `subscriptions/listen`, after it was acknowledged.
    pub(super) async fn serve_subscription(
        &self,
        context: SubscriptionContext,
    ) -> Result<(), ErrorData> {
        let forgotten = SubscriptionFilter::new();
        let filter = if self.0.defects.forgets_now() {
            &forgotten
        } else {
            context.accepted()
        };
        let mut changes = self.0.changes.listen(filter);
        loop {
            tokio::select! {
                // What has changed is told before the end.
                biased;
                () = context.cancelled() => return Ok(()),
                change = changes.recv() => {
                    let Some(change) = change else {
                        return Err(ErrorData::internal_error("the subscriber is too slow", None));
                    };
                    if context.sink().send(change).await.is_err() {
                        return Ok(());
                    }
                }
                // Returning sends the result that tells the client of a graceful end.
                () = self.0.life.closing.cancelled() => return Ok(()),
            }
        }
    }
}

fn session_of(context: &RequestContext<RoleServer>) -> Result<String, ErrorData> {
    session(context)
        .ok_or_else(|| ErrorData::invalid_request("a subscription needs a session", None))
}
