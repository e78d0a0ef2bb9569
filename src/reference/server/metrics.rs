//! What the server counts about itself, in Prometheus' text format on `/metrics`.
//!
//! It reads the monotonic clock for durations. Invariant: label values come from fixed sets, never from a client, so
//! that the number of series is bounded.

use std::fmt;
use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the duration buckets, in seconds: from half a millisecond, which an echo on loopback takes, to half a
/// minute, which outlasts the usual timeouts of clients.
const BUCKETS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// The `Content-Type` of what [`Metrics::render`] returns.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabel {
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToolLabels {
    tool: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    tool: &'static str,
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// How a tool call ended; the `status` of `mcp_tools_executed_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToolStatus {
    /// With a result.
    Ok,
    /// With a result that says `isError`.
    Error,
    /// With a JSON-RPC error.
    Rejected,
}

/// What went wrong; the `kind` of `mcp_errors_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// A tool answered `isError`.
    Tool,
    /// Parameters, a cursor, a name or a uri that do not fit.
    InvalidParams,
    /// Any other JSON-RPC error, injected ones included.
    Internal,
    /// A request named a session that this process does not know.
    UnknownSession,
    /// Any other answer on `/mcp` with a status from 400 on.
    Http,
}

/// What became of an execution of a tool; the `stage` of `mcp_executions_total`. One that is cut by the end of the process
/// is started only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Started,
    /// It ran to its end, whatever the result and whoever got it.
    Finished,
    /// It was stopped before.
    Cancelled,
}

/// What became of a ping to a client; the `status` of `mcp_pings_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ping {
    /// It was put on a standing stream.
    Sent,
    /// The client answered.
    Answered,
    /// It did not in time, or with an error.
    Unanswered,
}

/// All metrics of one process.
pub(super) struct Metrics {
    registry: Registry,
    durations: Family<MethodLabel, Histogram, fn() -> Histogram>,
    connections: Gauge,
    tools: Family<ToolLabels, Counter>,
    errors: Family<KindLabel, Counter>,
    executions: Family<StageLabels, Counter>,
    pings: Family<StatusLabel, Counter>,
    changes: Counter,
    sessions: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::default();
        let durations =
            Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let connections = Gauge::default();
        let tools = Family::default();
        let errors = Family::default();
        registry.register(
            "mcp_request_duration_seconds",
            "Time from the dispatch of a request to its result, by JSON-RPC method",
            durations.clone(),
        );
        registry.register(
            "mcp_active_connections",
            "TCP connections that are accepted and open",
            connections.clone(),
        );
        // The encoder puts "_total" behind the name of a counter.
        registry.register(
            "mcp_tools_executed",
            "Tool calls that ended, by tool and status",
            tools.clone(),
        );
        registry.register(
            "mcp_errors",
            "Errors that were answered, by kind",
            errors.clone(),
        );
        let executions = Family::default();
        let pings = Family::default();
        let changes = Counter::default();
        let sessions = Gauge::default();
        registry.register(
            "mcp_executions",
            "Executions of tools that started, finished, or were cancelled before",
            executions.clone(),
        );
        registry.register(
            "mcp_pings",
            "Pings to clients that were sent, answered, or not answered",
            pings.clone(),
        );
        registry.register(
            "mcp_changes",
            "Changes of resources, each of which is notified to its subscribers",
            changes.clone(),
        );
        registry.register(
            "mcp_sessions",
            "Sessions of the legacy era that are alive",
            sessions.clone(),
        );
        Self {
            registry,
            durations,
            connections,
            tools,
            errors,
            executions,
            pings,
            changes,
            sessions,
        }
    }

    /// The gauge of living sessions.
    pub(super) fn sessions(&self) -> Gauge {
        self.sessions.clone()
    }

    /// Counts an execution that starts, and with the guard how it ends.
    pub(super) fn execution(&self, tool: &'static str) -> Execution {
        let execution = Execution {
            executions: self.executions.clone(),
            tool,
            finished: false,
        };
        execution.count(Stage::Started);
        execution
    }

    /// Counts a ping to a client.
    pub(super) fn ping(&self, ping: Ping) {
        let status = match ping {
            Ping::Sent => "sent",
            Ping::Answered => "answered",
            Ping::Unanswered => "unanswered",
        };
        self.pings.get_or_create(&StatusLabel { status }).inc();
    }

    /// Counts a change of a resource.
    pub(super) fn change(&self) {
        self.changes.inc();
    }

    /// Counts an open connection until the guard is dropped.
    pub(super) fn connection(&self) -> ConnectionGuard {
        self.connections.inc();
        ConnectionGuard(self.connections.clone())
    }

    /// Measures a request for `method` until the guard is dropped.
    pub(super) fn time(&self, method: &'static str) -> Timer {
        let histogram = self
            .durations
            .get_or_create(&MethodLabel { method })
            .clone();
        Timer {
            histogram,
            start: Instant::now(),
        }
    }

    /// Counts a tool call that ended.
    pub(super) fn tool(&self, tool: &'static str, status: ToolStatus) {
        let status = match status {
            ToolStatus::Ok => "ok",
            ToolStatus::Error => "error",
            ToolStatus::Rejected => "rejected",
        };
        self.tools.get_or_create(&ToolLabels { tool, status }).inc();
    }

    /// Counts an error.
    pub(super) fn error(&self, kind: ErrorKind) {
        let kind = match kind {
            ErrorKind::Tool => "tool",
            ErrorKind::InvalidParams => "invalid_params",
            ErrorKind::Internal => "internal",
            ErrorKind::UnknownSession => "unknown_session",
            ErrorKind::Http => "http",
        };
        self.errors.get_or_create(&KindLabel { kind }).inc();
    }

    /// All of it as text.
    pub(super) fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// An open connection, counted.
#[derive(Debug)]
#[must_use = "the connection counts as closed when this is dropped"]
pub(super) struct ConnectionGuard(Gauge);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// An execution of a tool. It counts as cancelled unless it is said to have finished.
#[derive(Debug)]
#[must_use = "the execution counts as cancelled when this is dropped"]
pub(super) struct Execution {
    executions: Family<StageLabels, Counter>,
    tool: &'static str,
    finished: bool,
}

impl Execution {
    /// It ran to its end.
    pub(super) fn finish(mut self) {
        self.finished = true;
    }

    fn count(&self, stage: Stage) {
        let stage = match stage {
            Stage::Started => "started",
            Stage::Finished => "finished",
            Stage::Cancelled => "cancelled",
        };
        let tool = self.tool;
        self.executions
            .get_or_create(&StageLabels { tool, stage })
            .inc();
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.count(if self.finished {
            Stage::Finished
        } else {
            Stage::Cancelled
        });
    }
}

/// A request under way, measured.
#[derive(Debug)]
#[must_use = "the request counts as ended when this is dropped"]
pub(super) struct Timer {
    histogram: Histogram,
    start: Instant,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.histogram.observe(self.start.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_come_out_as_documented() {
        let metrics = Metrics::new();
        drop(metrics.time("tools/call"));
        let open = metrics.connection();
        metrics.tool("echo", ToolStatus::Ok);
        metrics.error(ErrorKind::Internal);
        let text = metrics.render().unwrap();
        for line in [
            "mcp_request_duration_seconds_count{method=\"tools/call\"} 1",
            "mcp_request_duration_seconds_bucket{le=\"0.0005\",method=\"tools/call\"}",
            "mcp_active_connections 1",
            "mcp_tools_executed_total{tool=\"echo\",status=\"ok\"} 1",
            "mcp_errors_total{kind=\"internal\"} 1",
        ] {
            assert!(
                text.lines().any(|have| have.starts_with(line)),
                "{line} in\n{text}"
            );
        }
        drop(open);
        assert!(
            metrics
                .render()
                .unwrap()
                .contains("mcp_active_connections 0\n")
        );
    }
}
