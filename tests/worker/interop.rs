//! The worker against the reference server, which is built on the official SDK: every method in both eras is answered rightly.

use std::time::Duration;

use clap::Parser;
use mcpload::model::{Class, ProtocolVersion, Share};
use mcpload::plan::{Dialect, Method};
use mcpload::reference::server::{Args, serve_on};
use serde_json::json;

use crate::conductor::run;
use crate::plan::{self, operation, step};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

#[test]
fn the_reference_server_answers_every_method_in_both_eras() {
    let line = [
        "server",
        "--listen",
        "127.0.0.1:0",
        "--name",
        "server-1",
        "--lame-duck",
        "0s",
    ];
    let args = Line::parse_from(line).args;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    runtime.spawn(async move { serve_on(listener, args, std::future::pending()).await });

    let mut plan = plan::constant("100/s", Duration::from_secs(2));
    let workload = &mut plan.workloads[0];
    workload.protocols = vec![
        (Dialect::Version(ProtocolVersion::V2025_06_18), 1),
        (Dialect::Version(ProtocolVersion::V2025_11_25), 1),
        (Dialect::Version(ProtocolVersion::V2026_07_28), 2),
    ];
    workload.connections.cold = "20%".parse::<Share>().unwrap();
    let echo = step(
        Method::ToolsCall,
        "echo",
        json!({"text": "{{ random.hex(16) }}"}),
    );
    let text = mcpload::plan::Expectation::TextEquals("{{ random.hex(16) }}".to_owned());
    let echo = mcpload::plan::StepPlan {
        expect: vec![text],
        ..echo
    };
    workload.operations = vec![
        operation("echo", 3, vec![echo]),
        operation(
            "add",
            1,
            vec![step(Method::ToolsCall, "add", json!({"a": 1, "b": 2}))],
        ),
        operation(
            "stream",
            1,
            vec![step(
                Method::ToolsCall,
                "stream",
                json!({"n": 3, "interval_ms": 1}),
            )],
        ),
        operation("tools", 1, vec![step(Method::ToolsList, "", json!(null))]),
        operation(
            "resources",
            1,
            vec![step(Method::ResourcesList, "", json!(null))],
        ),
        operation(
            "prompts",
            1,
            vec![step(Method::PromptsList, "", json!(null))],
        ),
        operation("ping", 1, vec![step(Method::Ping, "", json!(null))]),
        operation("fail", 1, vec![step(Method::ToolsCall, "fail", json!({}))]),
    ];
    let record = run(&plan, &url);
    for call in record.of_arrivals() {
        let right = if call.operation == "fail" {
            call.class != Class::None
        } else {
            call.class == Class::None
        };
        assert!(right, "{call:?}");
        assert_eq!(call.instance.split('#').next(), Some("server-1"));
    }
    assert_eq!(record.of_arrivals().len(), 200);
}
