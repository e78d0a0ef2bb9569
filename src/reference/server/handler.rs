//! The protocol side: which method leads where, measured and counted.
//!
//! It waits where a tool waits. Invariant: every request that reaches the handler is in the duration histogram once, and
//! every tool call that ends is counted once, cancelled ones included.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, DiscoverResult, ErrorCode, ErrorData,
    GetPromptRequestParams, GetPromptResponse, Implementation, InitializeRequestParams,
    InitializeResult, ListPromptsResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, SubscriptionFilter,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};

use super::catalog;
use super::metrics::{ErrorKind, ToolStatus};
use super::page::page;
use super::state::Server;
use super::tools::{self, Kind};

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

    async fn call(
        &self,
        kind: Kind,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        if self.0.defects.fails_now() {
            return Err(ErrorData::internal_error("failed on purpose", None));
        }
        tokio::select! {
            result = tools::run(&self.0, kind, request.arguments.unwrap_or_default(), context) => result,
            () = context.ct.cancelled() => Err(ErrorData::internal_error("cancelled", None)),
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_resources()
            .enable_prompts()
            .build();
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
        let Some(kind) = Kind::find(&request.name) else {
            self.0.metrics.tool("unknown", ToolStatus::Rejected);
            return self.count(Err(ErrorData::invalid_params("unknown tool", None)));
        };
        let result = self.call(kind, request, &context).await;
        let status = match &result {
            Ok(result) if result.is_error == Some(true) => {
                self.0.metrics.error(ErrorKind::Tool);
                ToolStatus::Error
            }
            Ok(_) => ToolStatus::Ok,
            Err(_) => ToolStatus::Rejected,
        };
        self.0.metrics.tool(kind.name(), status);
        self.count(result).map(CallToolResponse::from)
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
        self.count(catalog::read_resource(&request.uri))
            .map(ReadResourceResponse::from)
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
        let result = catalog::get_prompt(&request.name, request.arguments.as_ref());
        self.count(result).map(GetPromptResponse::from)
    }

    /// Subscriptions are accepted, although nothing ever changes: what a client can see of one is how it ends.
    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        tokio::select! {
            () = context.cancelled() => {}
            // Returning sends the result that tells the client of a graceful end.
            () = self.0.life.closing.cancelled() => {}
        }
        Ok(())
    }
}
