//! A reference server in this process, plans for one client, and what the worker wrote down.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use clap::Parser;
use mcpload::model::session::Transition;
use mcpload::model::{Call, Class, ProtocolVersion};
use mcpload::plan::{Dialect, Method, OperationPlan, Plan, RecoveryPlan};
use mcpload::reference::server::{Args, serve_on};
use serde_json::Value;

use crate::conductor::Record;
use crate::plan;

/// Bound of every wait: far beyond what a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const LEGACY: ProtocolVersion = ProtocolVersion::V2025_11_25;
pub(crate) const MODERN: ProtocolVersion = ProtocolVersion::V2026_07_28;

/// How many cases of a table run at a time; each mostly waits.
const AT_ONCE: usize = 8;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// A server on a thread of this process, which ends when this is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// A server with these rules for the wire and these further words on its command line.
    pub(crate) fn start(rules: &[&str], words: &[&str]) -> Self {
        let mut line = vec!["server", "--listen", "127.0.0.1:0", "--name", "server-1"];
        line.extend(["--lame-duck", "0s"]);
        if !words.contains(&"--sse-retry") {
            line.extend(["--sse-retry", "20ms"]);
        }
        for rule in rules {
            line.extend(["--wire", rule]);
        }
        line.extend_from_slice(words);
        let args = Line::parse_from(line).args;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { serve_on(listener, args, std::future::pending()).await });
        Self {
            url: format!("http://{address}/mcp"),
            address,
            _runtime: runtime,
        }
    }

    /// The server's metrics, as text.
    pub(crate) fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// The value of this series, 0 if there is none.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = self.metrics();
        let mut values = text
            .lines()
            .filter_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        values.next().unwrap_or(0)
    }

    /// Waits until the series has this value.
    pub(crate) fn counted(&self, series: &str, value: u64) {
        let since = Instant::now();
        while self.metric(series) != value {
            assert!(
                since.elapsed() < PATIENCE,
                "{series} never was {value}:\n{}",
                self.metrics()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The series of the executions of a tool that came to this.
pub(crate) fn executions(tool: &str, stage: &str) -> String {
    format!("mcp_executions_total{{tool=\"{tool}\",stage=\"{stage}\"}}")
}

/// A plan in which one client of this version carries the operation out so many times, ten times a second.
pub(crate) fn times(count: u32, version: ProtocolVersion, operation: OperationPlan) -> Plan {
    let mut plan = plan::constant("10/s", Duration::from_millis(100) * count);
    let workload = &mut plan.workloads[0];
    workload.clients = 1;
    workload.protocols = vec![(Dialect::Version(version), 1)];
    workload.operations = vec![operation];
    workload.recovery = RecoveryPlan::preset("spec");
    plan
}

/// An operation that calls `echo` and expects its text back, within this time.
pub(crate) fn echo_within(timeout: Duration) -> OperationPlan {
    OperationPlan {
        timeout,
        ..plan::echo("echo", 1)
    }
}

/// An operation that calls `echo` and expects its text back.
pub(crate) fn echo() -> OperationPlan {
    echo_within(Duration::from_secs(20))
}

/// An operation that calls this tool, with progress.
pub(crate) fn tool(name: &str, arguments: Value) -> OperationPlan {
    let mut step = plan::step(Method::ToolsCall, name, arguments);
    step.progress = true;
    let mut operation = plan::operation(name, 1, vec![step]);
    operation.timeout = Duration::from_secs(20);
    operation
}

/// What the calls of operations ended with, without what keeps sessions.
pub(crate) fn classes(record: &Record) -> Vec<(Class, Option<i64>)> {
    steps(record)
        .iter()
        .map(|call| (call.class, call.code))
        .collect()
}

/// The calls of operations, without what keeps sessions.
pub(crate) fn steps(record: &Record) -> Vec<&Call> {
    let kept = ["initialize", "notifications/initialized"];
    let mut calls = record.of_arrivals();
    calls.retain(|call| !kept.contains(&call.method.as_str()));
    calls
}

/// What happened to sessions, in order.
pub(crate) fn transitions(record: &Record) -> Vec<Transition> {
    record.sessions.iter().map(|row| row.transition).collect()
}

/// Checks each case, some at a time.
pub(crate) fn each<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    for some in cases.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            for case in some {
                scope.spawn(|| check(case));
            }
        });
    }
}
