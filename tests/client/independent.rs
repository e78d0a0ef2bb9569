//! The client of the official SDK and ours see the same of the same server.

use mcpload::model::ProtocolVersion;
use mcpload::model::protocol::Era;
use mcpload::plan::Method;
use rmcp::model::{
    CallToolRequestParams, ClientConfig, GetPromptRequestParams, ProtocolVersion as SdkVersion,
    ReadResourceRequestParams,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::ours::Ours;
use crate::support::{LEGACY, MODERN, PATIENCE, Server};

/// The SDK's client.
type Theirs = RunningService<RoleClient, ClientConfig>;

async fn theirs(url: &str, version: ProtocolVersion) -> Theirs {
    let http = reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .build()
        .unwrap();
    let config = StreamableHttpClientTransportConfig::with_uri(url.to_owned());
    let transport = StreamableHttpClientTransport::with_client(http, config);
    let lifecycle = match version.era() {
        Era::Legacy => ClientLifecycleMode::Initialize,
        Era::Modern => ClientLifecycleMode::Discover {
            preferred_versions: vec![SdkVersion::V_2026_07_28],
        },
    };
    ClientConfig::default()
        .serve_with_lifecycle(transport, lifecycle)
        .await
        .unwrap()
}

/// Holds that these members of two results are the same, and that the first of them is there.
fn same(ours: &Value, theirs: &Value, members: &[&str]) {
    assert!(!ours[members[0]].is_null(), "{ours}");
    for member in members {
        assert_eq!(ours[member], theirs[member], "{member}");
    }
}

async fn lists(ours: &mut Ours, theirs: &Theirs) {
    let tools = theirs.list_tools(None).await.unwrap();
    let found = ours.result(Method::ToolsList, None, "").await;
    same(&found, &json!(tools), &["tools", "nextCursor"]);
    let resources = theirs.list_resources(None).await.unwrap();
    let found = ours.result(Method::ResourcesList, None, "").await;
    same(&found, &json!(resources), &["resources", "nextCursor"]);
    let templates = theirs.list_resource_templates(None).await.unwrap();
    let found = ours.result(Method::ResourceTemplatesList, None, "").await;
    same(&found, &json!(templates), &["resourceTemplates"]);
    let prompts = theirs.list_prompts(None).await.unwrap();
    let found = ours.result(Method::PromptsList, None, "").await;
    same(&found, &json!(prompts), &["prompts", "nextCursor"]);
}

async fn calls(ours: &mut Ours, theirs: &Theirs) {
    for (tool, arguments) in [
        ("echo", json!({"text": "né \u{1f600} \"quoted\"\n"})),
        ("add", json!({"a": -3, "b": 45})),
        ("payload", json!({"bytes": 100_000})),
        ("stream", json!({"n": 5})),
    ] {
        let arguments = arguments.as_object().unwrap().clone();
        let params = CallToolRequestParams::new(tool).with_arguments(arguments.clone());
        let expected = theirs.call_tool(params).await.unwrap();
        let members = format!(
            r#""name":"{tool}","arguments":{}"#,
            Value::Object(arguments)
        );
        let found = ours.result(Method::ToolsCall, Some(tool), &members).await;
        let members = ["content", "structuredContent", "isError"];
        same(&found, &json!(expected), &members);
    }
}

async fn reads(ours: &mut Ours, theirs: &Theirs) {
    let resources = theirs.list_resources(None).await.unwrap().resources;
    for uri in resources.iter().take(3).map(|resource| &resource.uri) {
        let params = ReadResourceRequestParams::new(uri.clone());
        let expected = theirs.read_resource(params).await.unwrap();
        let members = format!(r#""uri":{}"#, json!(uri));
        let found = ours.result(Method::ResourcesRead, Some(uri), &members);
        same(&found.await, &json!(expected), &["contents"]);
    }
    let arguments = json!({"name": "Ada"});
    let params = GetPromptRequestParams::new("greeting")
        .with_arguments(arguments.as_object().unwrap().clone());
    let expected = theirs.get_prompt(params).await.unwrap();
    let members = format!(r#""name":"greeting","arguments":{arguments}"#);
    let found = ours.result(Method::PromptsGet, Some("greeting"), &members);
    same(&found.await, &json!(expected), &["messages"]);
}

#[tokio::test]
async fn an_independent_client_and_ours_see_the_same() {
    for version in [LEGACY, MODERN] {
        for words in [&[][..], &["--json"]] {
            // Its runtime cannot be dropped on a thread of another one.
            let words = words.to_owned();
            let server = tokio::task::spawn_blocking(move || Server::start(&[], &words));
            let server = server.await.unwrap();
            let compared = async {
                let theirs = theirs(&server.url, version).await;
                let mut ours = Ours::start(&server.url, version).await;
                lists(&mut ours, &theirs).await;
                calls(&mut ours, &theirs).await;
                reads(&mut ours, &theirs).await;
            };
            let compared = LocalSet::new()
                .run_until(timeout(PATIENCE, Box::pin(compared)))
                .await;
            compared.unwrap();
            tokio::task::spawn_blocking(|| drop(server)).await.unwrap();
        }
    }
}
