//! Tests of scenarios that are made.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalog::Catalog;
use crate::plan::Transport;
use crate::plan::compile::{Host, compile};
use crate::scenario::{Overrides, load};

const CATALOG: Catalog = Catalog::new(&[], &[]);

fn plan(text: &str) -> crate::plan::Plan {
    let host = Host {
        cores: 2,
        processors: Vec::new(),
        open_files: 20_000,
        seed: 1,
    };
    let overrides = Overrides {
        set: Vec::new(),
        variants: Vec::new(),
        files: &|_| Err("no file".to_owned()),
        env: &|_| Some("leaked".to_owned()),
    };
    let loaded = load("made", text, &overrides, &CATALOG).unwrap_or_else(|wrong| panic!("{wrong}"));
    compile(&loaded, &CATALOG, &host).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn tool(name: &str, read_only: bool, input_schema: Value) -> ToolInfo {
    ToolInfo {
        name: name.to_owned(),
        description: "does\nthings".to_owned(),
        read_only,
        input_schema,
    }
}

fn existing() -> Existing<'static> {
    Existing {
        url: "http://127.0.0.1:1/mcp",
        protocol: None,
        rate: "20/s".parse().unwrap(),
        clients: None,
        length: Duration::from_secs(30),
        allow: &[],
    }
}

#[test]
fn a_tool_that_is_allowed_is_called_and_a_rate_that_is_asked_for_is_allowed() {
    let allow = ["delete".to_owned()];
    let made = Existing {
        rate: "500/s".parse().unwrap(),
        allow: &allow,
        ..existing()
    };
    let plan = plan(&for_existing(&made, &[tool("delete", false, json!({}))]));
    assert_eq!(plan.workloads[0].operations[0].name, "delete");
}

#[test]
fn the_url_says_how_clients_travel() {
    let transport = |url| {
        let made = Existing { url, ..existing() };
        let plan = plan(&for_existing(&made, &[]));
        plan.workloads[0].transport
    };
    assert_eq!(transport("wss://a:1/mcp"), Transport::Websocket);
    assert_eq!(transport("ws://a:1/mcp"), Transport::Websocket);
    assert_eq!(transport("https://a:1/mcp"), Transport::StreamableHttp);
}

#[test]
fn the_template_compiles() {
    assert_eq!(plan(template()).faults.len(), 1);
}

#[test]
fn a_scenario_from_a_url_compiles_and_promises_what_its_samples_can_show() {
    let made = |rate: &str, seconds| {
        let rate = rate.parse().unwrap();
        let length = Duration::from_secs(seconds);
        plan(&for_existing(
            &Existing {
                rate,
                clients: Some(5),
                length,
                ..existing()
            },
            &[],
        ))
    };
    assert_eq!(made("50/s", 30).objectives.len(), 1);
    assert_eq!(made("10/s", 10).objectives.len(), 1);
    assert!(made("1/s", 10).objectives.is_empty());
    assert_eq!(made("1/s", 10).workloads[0].clients, 5);
}

#[test]
fn each_tool_has_an_operation_and_only_read_only_ones_are_called() {
    let schema = json!({
        "type": "object",
        "required": ["q", "n", "kind", "when", "tags", "deep"],
        "properties": {
            "q": { "type": "string", "minLength": 6 },
            "n": { "type": "integer", "minimum": 10, "multipleOf": 4 },
            "kind": { "enum": ["a", "b"] },
            "when": { "type": ["null", "string"], "format": "date" },
            "tags": { "type": "array", "minItems": 2, "items": { "type": "boolean" } },
            "deep": { "anyOf": [{ "type": "null" }, { "type": "object", "required": ["x"], "properties": { "x": { "default": 1.5 } } }] },
            "optional": { "type": "string" },
        },
    });
    let tools = [
        tool("search", true, schema),
        tool("delete", false, json!({})),
        tool("sea rch", true, json!(null)),
    ];
    let text = for_existing(&existing(), &tools);
    assert!(text.contains("# tool = \"delete\""), "{text}");
    let operations = &plan(&text).workloads[0].operations;
    let names: Vec<&str> = operations.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["search", "sea-rch"]);
    assert_eq!(
        operations[0].steps[0].arguments,
        json!({ "q": "textxx", "n": 12, "kind": "a", "when": "2026-01-01", "tags": [false, false], "deep": { "x": 1.5 } })
    );
}

#[test]
fn a_server_cannot_read_the_environment_through_its_names() {
    let schema =
        json!({ "required": ["a"], "properties": { "a": { "default": "{{{{ env.TOKEN }}}}" } } });
    let text = for_existing(&existing(), &[tool("{{ env.TOKEN }}", true, schema)]);
    let stored = serde_json::to_string(&plan(&text)).unwrap();
    assert!(!stored.contains("leaked"), "{stored}");
}

proptest! {
    #[test]
    fn whatever_a_server_says_the_scenario_compiles(name in any::<String>(), description in any::<String>(), value in any::<String>(), read_only in any::<bool>()) {
        let schema = json!({ "required": [value], "properties": { value.clone(): { "default": value } } });
        let tools = [ToolInfo { name, description, read_only, input_schema: schema }];
        plan(&for_existing(&existing(), &tools));
    }
}
