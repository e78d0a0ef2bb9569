//! The protocol side: which method leads where, measured and counted.
//!
//! It waits where a tool waits. Next: `subscribe` for who is told of changes, `ping` for pings. Invariant: every request that reaches the handler is in the duration histogram once, and
//! every tool call that ends is counted once, cancelled ones included.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, DiscoverResult,
    ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse, Implementation,
    InitializeRequestParams, InitializeResult, JsonObject, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, Reference, ServerCapabilities, ServerConfig,
    SetLevelRequestMethod, SubscribeRequestParams, SubscriptionFilter, Tool,
    UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use tokio_util::sync::CancellationToken;

use super::catalog;
use super::changes::can_subscribe;
use super::metrics::{ErrorKind, ToolStatus};
use super::page::page;
use super::state::Server;
use super::tools::{self, Kind, conformance};

mod ping;
mod subscribe;

/// The SDK makes one for each session and each stateless request, so it is no more than a pointer.
#[derive(Clone, Debug)]
pub(super) struct Handler(pub(super) Arc<Server>);

impl Handler {
    /// Counts the error, if it is one.
    fn count<T>(&self, result: Result<T, ErrorData>) -> Result<T, ErrorData> {
        if let Err(error) = &result {
            let kind = match error.code {
                ErrorCode::INVALID_PARAMS | ErrorCode::RESOURCE_NOT_FOUND => {
                    ErrorKind::InvalidParams
                }
                _ => ErrorKind::Internal,
            };
            self.0.metrics.error(kind);
        }
        result
    }

    /// A page of one of the lists.
    fn page<T: Clone>(
        &self,
        name: &str,
        all: &[T],
        request: Option<PaginatedRequestParams>,
    ) -> Result<(Vec<T>, Option<String>), ErrorData> {
        let cursor = request.and_then(|request| request.cursor);
        let result = page(name, all, self.0.args.page_size, cursor.as_deref());
        self.count(result)
            .map(|(entries, next)| (entries.to_vec(), next))
    }

    /// Runs a tool that has its kind, or that the conformance suite knows, until its end or until it is cancelled.
    async fn call(
        &self,
        kind: Option<Kind>,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.0.defects.fails_now() {
            return Err(ErrorData::internal_error("failed on purpose", None));
        }
        let execution = self.0.metrics.execution(label(kind));
        let stop = if self.0.defects.ignore_cancel {
            // The end of the process is no cancellation.
            self.0.life.cut.clone()
        } else {
            context.ct.clone()
        };
        tokio::select! {
            result = self.run(kind, request, context, &stop) => {
                execution.finish();
                result
            }
            () = stop.cancelled() => Err(ErrorData::internal_error("cancelled", None)),
        }
    }

    async fn run(
        &self,
        kind: Option<Kind>,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
        stop: &CancellationToken,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(kind) = kind else {
            let result = conformance::call(&self.0, &request, context).await;
            return result.unwrap_or_else(|| Err(ErrorData::invalid_params("unknown tool", None)));
        };
        if let Some(response) = self.0.rounds.round(kind, &request, context) {
            return response;
        }
        let arguments = request.arguments.unwrap_or_default();
        tools::run(&self.0, kind, arguments, context, stop)
            .await
            .map(CallToolResponse::from)
    }

    /// What a resource says.
    fn read(&self, uri: &str) -> Result<ReadResourceResponse, ErrorData> {
        let conformance = || self.0.args.sessions.conformance.then_some(uri);
        if let Some(name) = catalog::counter_name(uri) {
            let count = self.0.changes.count(name).to_string();
            return Ok(catalog::text(uri, count).into());
        }
        match conformance().and_then(conformance::read_resource) {
            Some(result) => result,
            None => catalog::read_resource(uri),
        }
        .map(ReadResourceResponse::from)
    }
}

/// What metrics call a tool. A name that a client sent is no label.
fn label(kind: Option<Kind>) -> &'static str {
    kind.map_or("conformance", Kind::name)
}

#[expect(
    deprecated,
    reason = "what the newest version deprecates, older ones have"
)]
impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_prompts()
            .build();
        if self.0.args.sessions.conformance {
            capabilities.logging = Some(JsonObject::new());
        }
        let implementation =
            Implementation::new(self.0.args.name.clone(), env!("CARGO_PKG_VERSION"))
                .with_title("mcpload reference server");
        ServerConfig::new(capabilities).with_server_info(implementation)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let _timer = self.0.metrics.time("initialize");
        let result = self.negotiate_initialize(&request);
        context.peer.set_peer_info(request);
        self.count(result)
    }

    async fn discover(
        &self,
        _context: RequestContext<RoleServer>,
    ) -> Result<DiscoverResult, ErrorData> {
        let _timer = self.0.metrics.time("server/discover");
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info()))
    }

    async fn ping(&self, _context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        let _timer = self.0.metrics.time("ping");
        Ok(())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let _timer = self.0.metrics.time("tools/list");
        let (entries, next_cursor) = self.page("tools", &self.0.tools, request)?;
        Ok(ListToolsResult {
            next_cursor,
            ..ListToolsResult::with_all_items(entries)
        })
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let _timer = self.0.metrics.time("tools/call");
        let kind = Kind::find(&request.name);
        if kind.is_none() && !self.0.args.sessions.conformance {
            self.0.metrics.tool("unknown", ToolStatus::Rejected);
            return self.count(Err(ErrorData::invalid_params("unknown tool", None)));
        }
        let result = self.call(kind, request, &context).await;
        let status = match &result {
            Ok(CallToolResponse::Complete(result)) if result.is_error == Some(true) => {
                self.0.metrics.error(ErrorKind::Tool);
                ToolStatus::Error
            }
            Ok(_) => ToolStatus::Ok,
            Err(_) => ToolStatus::Rejected,
        };
        self.0.metrics.tool(label(kind), status);
        self.count(result)
    }

    /// The SDK compares the headers that mirror arguments with the schema that it finds here.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.0.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let _timer = self.0.metrics.time("resources/list");
        let (entries, next_cursor) = self.page("resources", &self.0.resources, request)?;
        Ok(ListResourcesResult {
            next_cursor,
            ..ListResourcesResult::with_all_items(entries)
        })
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let _timer = self.0.metrics.time("resources/read");
        self.count(self.read(&request.uri))
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let _timer = self.0.metrics.time("resources/templates/list");
        let (entries, next_cursor) = self.page("templates", &self.0.templates, request)?;
        Ok(ListResourceTemplatesResult {
            next_cursor,
            ..ListResourceTemplatesResult::with_all_items(entries)
        })
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let _timer = self.0.metrics.time("resources/subscribe");
        self.count(self.subscribe_session(request.uri, &context))
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let _timer = self.0.metrics.time("resources/unsubscribe");
        self.count(self.unsubscribe_session(&request.uri, &context))
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let _timer = self.0.metrics.time("completion/complete");
        let for_suite = matches!(&request.r#ref, Reference::Prompt(prompt) if conformance::completes(&prompt.name));
        if self.0.args.sessions.conformance && for_suite {
            return Ok(CompleteResult::default());
        }
        self.count(catalog::complete(&request))
    }

    /// Only the conformance suite needs it: nothing else here logs to a client.
    async fn set_level(
        &self,
        _request: rmcp::model::SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if self.0.args.sessions.conformance {
            return Ok(());
        }
        Err(ErrorData::method_not_found::<SetLevelRequestMethod>())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.start_pings(context);
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let _timer = self.0.metrics.time("prompts/list");
        let (entries, next_cursor) = self.page("prompts", &self.0.prompts, request)?;
        Ok(ListPromptsResult {
            next_cursor,
            ..ListPromptsResult::with_all_items(entries)
        })
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let _timer = self.0.metrics.time("prompts/get");
        let arguments = request.arguments.as_ref();
        if self.0.args.sessions.conformance {
            if let Some(result) = conformance::prompt(&request) {
                return self.count(result);
            }
            if let Some(result) = conformance::get_prompt(&request.name, arguments) {
                return self.count(result).map(GetPromptResponse::from);
            }
        }
        let result = catalog::get_prompt(&request.name, arguments);
        self.count(result).map(GetPromptResponse::from)
    }

    /// A subscription is confirmed for the resources that are there; of others it would never hear.
    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let mut accepted = requested.clone();
        if let Some(uris) = &mut accepted.resource_subscriptions {
            uris.retain(|uri| can_subscribe(uri, self.0.args.sessions.conformance));
            uris.truncate(subscribe::MOST_URIS);
        }
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let _timer = self.0.metrics.time("subscriptions/listen");
        self.serve_subscription(context).await
    }
}
