//! What the SDK's client gets: calls of several rounds, arguments in headers, completion, templates.

use reqwest::StatusCode;
use rmcp::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationCapability, ErrorData, ProtocolVersion, ReadResourceRequestParams,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RequestContext, RoleClient};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{ERAS, Era, PATIENCE, Server, call, http, modern, tool};

/// A client that is asked, and says yes.
struct Yes;

impl ClientHandler for Yes {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = Some(ElicitationCapability::default());
        let mut config = ClientConfig::default();
        config.capabilities = capabilities;
        config
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let asked = serde_json::to_value(&request).unwrap();
        assert_eq!(asked["message"], "Sure?");
        let content = json!({"confirmed": true});
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(content))
    }
}

#[tokio::test]
async fn the_sdks_client_goes_through_the_rounds() {
    let server = Server::start(&[]).await;
    let config = StreamableHttpClientTransportConfig::with_uri(server.url("/mcp"));
    let transport = StreamableHttpClientTransport::with_client(http(), config);
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions };
    let client = timeout(PATIENCE, Yes.serve_with_lifecycle(transport, lifecycle));
    let client = client.await.unwrap().unwrap();
    for (tool, arguments, expected) in [
        ("confirm", json!({"question": "Sure?"}), "confirmed"),
        ("postpone", json!({"rounds": 3}), "3"),
    ] {
        let result = timeout(PATIENCE, client.call_tool(call(tool, &arguments)));
        let result = result.await.unwrap().unwrap();
        assert_eq!(result.content[0].as_text().unwrap().text, expected);
    }
}

/// Calls a tool of the modern era once; gives status and answer.
async fn once(server: &Server, tool: &str, params: &Value, extra: &[(&str, &str)]) -> (u16, Value) {
    let mut params = params.clone();
    params["name"] = json!(tool);
    let (body, mut headers) = modern("tools/call", Some(tool), params);
    headers.extend_from_slice(extra);
    let response = server.post(&body, &headers).await;
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_client_that_cannot_be_asked_is_told_what_it_lacks() {
    let server = Server::start(&["--json"]).await;
    let arguments = json!({"arguments": {"question": "Sure?"}});
    let (status, answer) = once(&server, "confirm", &arguments, &[]).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32021)));
    let needed = &answer["error"]["data"]["requiredCapabilities"];
    assert!(needed["elicitation"].is_object(), "{answer}");
}

#[tokio::test]
async fn any_instance_continues_a_call_unless_its_state_is_private() {
    for (words, expected) in [
        (&["--json"][..], "complete"),
        (&["--json", "--private-request-state"][..], "error"),
    ] {
        let first = Server::start(words).await;
        let second = Server::start(words).await;
        let arguments = json!({"arguments": {"rounds": 1}});
        let (_, asked) = once(&first, "postpone", &arguments, &[]).await;
        let result = &asked["result"];
        assert_eq!(result["resultType"], "input_required");
        assert!(result.get("inputRequests").is_none());
        let mut again = arguments.clone();
        again["requestState"] = result["requestState"].clone();
        let (_, own) = once(&first, "postpone", &again, &[]).await;
        assert_eq!(own["result"]["resultType"], "complete");
        let (_, other) = once(&second, "postpone", &again, &[]).await;
        match expected {
            "error" => assert_eq!(other["error"]["code"], -32602),
            _ => assert_eq!(other["result"]["content"][0]["text"], "1"),
        }
        again["requestState"] = json!("1.altered");
        let (_, altered) = once(&first, "postpone", &again, &[]).await;
        assert_eq!(altered["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn arguments_in_headers_have_to_agree_with_the_body() {
    let server = Server::start(&["--json"]).await;
    let arguments = json!({"arguments": {"region": "e\u{fc}-west", "priority": 3}});
    let region = ("mcp-param-region", "=?base64?ZcO8LXdlc3Q=?=");
    let priority = ("mcp-param-priority", "3");
    let (status, answer) = once(&server, "route", &arguments, &[region, priority]).await;
    let echoed = json!({"region": "e\u{fc}-west", "priority": 3, "urgent": null});
    assert_eq!(
        (status, &answer["result"]["structuredContent"]),
        (200, &echoed)
    );
    for headers in [
        &[region][..],
        &[priority],
        &[region, ("mcp-param-priority", "4")],
        &[("mcp-param-region", "eu-west"), priority],
    ] {
        let (status, answer) = once(&server, "route", &arguments, headers).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!(-32020)),
            "{headers:?}"
        );
    }
    // The SDK's client mirrors them by itself, and the legacy era knows nothing of it.
    for era in ERAS {
        let client = server.client(era).await;
        client.list_all_tools().await.unwrap();
        let arguments = json!({"region": "north", "urgent": true});
        let content = json!({"region": "north", "priority": null, "urgent": true});
        assert_eq!(
            tool(&client, "route", arguments).await.1,
            Some(content),
            "{era:?}"
        );
    }
}

#[tokio::test]
async fn a_version_that_is_not_spoken_is_refused_with_those_that_are() {
    let server = Server::start(&["--json"]).await;
    let (mut body, mut headers) = modern("tools/list", None, json!({}));
    body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    headers[0].1 = "2099-01-01";
    let response = server.post(&body, &headers).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["error"]["code"], -32022);
    let supported = answer["error"]["data"]["supported"].as_array().unwrap();
    assert!(supported.contains(&json!("2026-07-28")), "{answer}");
}

#[tokio::test]
async fn templates_completion_and_counters_are_there_in_both_eras() {
    let server = Server::start(&["--page-size", "1"]).await;
    for era in ERAS {
        let client = server.client(era).await;
        let templates = client.list_all_resource_templates().await.unwrap();
        let uris: Vec<&str> = templates
            .iter()
            .map(|one| one.uri_template.as_str())
            .collect();
        assert_eq!(uris, ["mem://resource/{number}", "mem://counter/{name}"]);
        let names = client
            .complete_prompt_simple("greeting", "name", "Ad")
            .await;
        assert_eq!(names.unwrap(), ["Ada", "Adele"]);
        let numbers = client.complete_resource_simple("mem://resource/{number}", "number", "24");
        assert_eq!(numbers.await.unwrap().len(), 10);
        let read = ReadResourceRequestParams::new("mem://counter/never-touched");
        let read = serde_json::to_value(client.read_resource(read).await.unwrap()).unwrap();
        assert_eq!(read["contents"][0]["text"], "0");
    }
    let server = Server::start(&[]).await;
    let client = server.client(Era::Modern).await;
    assert_eq!(client.list_all_resources().await.unwrap().len(), 250);
}
