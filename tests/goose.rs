//! goose's own measurement beside ours, against one stub with a known delay.
//!
//! In mcpload goose decides when a user of closed load acts, and never measures. Here it does: its own client and its own metrics,
//! after our closed model, ask the same stub in the same way, and both are held against the stub's own log. A process of its own,
//! with one test: goose allows one attack per process.

// `cfg(test)` tells clippy that helpers beside the test may panic like tests.
#[cfg(test)]
#[path = "runs/support.rs"]
#[expect(dead_code, reason = "shared with the tests of processes and scenarios")]
mod support;

#[cfg(test)]
mod beside {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::process::{Child, Command, Stdio};
    use std::sync::Arc;
    use std::time::Duration;

    use goose::GooseAttack;
    use goose::client::GooseClientBuilder;
    use goose::config::GooseConfiguration;
    use goose::goose::{Scenario, Transaction, TransactionFunction};
    use goose::metrics::GooseMetrics;
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use crate::support::{Run, within, written};

    /// What the stub waits before each answer.
    const DELAY_NS: u64 = 20_000_000;
    /// Users of both.
    const USERS: u64 = 10;
    /// How often a user of goose asks.
    const ASKS: u64 = 40;
    /// Half of the widest bucket of goose 0.19, in ten-thousandths of a value (1/128); our histograms and the stub's have 1/1000.
    const BUCKETS: u64 = 78 + 2 * 10;
    /// How many times the stub's own time a percentile may be. The stub can't see the way there and back, nor the wait for a
    /// processor that is busy with something else: a bound against mistakes (headers or whole seconds measured, another unit).
    const AT_MOST: u64 = 2;

    /// The stub, ended when it is dropped.
    struct Stub {
        child: Child,
        address: SocketAddr,
    }

    impl Stub {
        fn start() -> Self {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let child = Command::new(env!("CARGO_BIN_EXE_mcpload"))
                .args(["serve", "stub", "--delay", "20ms", "--listen"])
                .arg(address.to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let stub = Self { child, address };
            let serves = within(Duration::from_secs(20), || {
                TcpStream::connect(address).is_ok()
            });
            assert!(serves, "the stub does not listen on {address}");
            stub
        }

        /// Asks for its log and lets it begin anew.
        fn log(&self) -> Value {
            let log = serde_json::from_str(&self.ask("GET")).unwrap();
            assert_eq!(self.ask("DELETE"), "");
            log
        }

        fn ask(&self, verb: &str) -> String {
            let mut stream = TcpStream::connect(self.address).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            write!(stream, "{verb} /log HTTP/1.1\r\n\r\n").unwrap();
            let mut text = Vec::new();
            let mut chunk = [0; 4096];
            loop {
                let whole = String::from_utf8_lossy(&text).into_owned();
                if let Some((head, body)) = whole.split_once("\r\n\r\n") {
                    let length = head.split("content-length: ").nth(1).unwrap();
                    let length = length.lines().next().unwrap().trim();
                    if body.len() == length.parse::<usize>().unwrap() {
                        return body.to_owned();
                    }
                }
                let count = stream.read(&mut chunk).unwrap();
                assert!(count > 0, "the stub ended in its answer: {whole:?}");
                text.extend_from_slice(&chunk[..count]);
            }
        }
    }

    impl Drop for Stub {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// A measurement: how many calls, their median and 95th percentile, nanoseconds.
    #[derive(Debug)]
    struct Measured {
        calls: u64,
        p50: u64,
        p95: u64,
    }

    impl Measured {
        /// By the stub's log.
        fn by_stub(log: &Value) -> Self {
            let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{log}"));
            Self {
                calls: number(&log["calls"]),
                p50: number(&log["service_ns"]["p50"]),
                p95: number(&log["service_ns"]["p95"]),
            }
        }

        /// Asserts that these are the stub's times, with a way there and back.
        fn agrees_with(&self, stub: &Self, who: &str) {
            let both = format!("{who}: {self:?}\nstub: {stub:?}");
            assert_eq!(self.calls, stub.calls, "{both}");
            for (ours, theirs) in [(self.p50, stub.p50), (self.p95, stub.p95)] {
                assert!(theirs >= DELAY_NS, "{both}");
                assert!(ours >= theirs - theirs * BUCKETS / 10_000, "{both}");
                assert!(ours <= AT_MOST * theirs, "{both}");
            }
        }
    }

    /// Our closed model through the binary.
    fn ours(stub: &Stub) -> Measured {
        let directory = TempDir::new().unwrap();
        let text = format!(
            r#"
version = 1
name = "beside-goose"
[fleet]
driver = "external"
endpoint = {{ url = "http://{}/mcp" }}
max_rate = "1000/s"
allow_tools = ["echo"]
[workload]
clients = {USERS}
protocol = "2026-07-28"
[[workload.operation]]
tool = "echo"
arguments = {{ text = "hello" }}
expect = {{ equals = "ok" }}
[[phase]]
name = "steady"
duration = "2s"
load = {{ profile = "users", users = {USERS}, think = "10ms" }}
"#,
            stub.address
        );
        let mut run = Run::start(&written(&directory, &text), &["--on-inconclusive", "warn"]);
        assert_eq!(run.exit_code(), Some(0), "{}", run.printed());
        let summary = run.json("report/summary.json");
        let phase = &summary["analysis"]["phases"][0];
        assert_eq!(phase["closed"], true);
        assert_eq!(phase["tally"]["ok"], phase["service"]["samples"]);
        let number = |name: &str| phase["service"][name].as_u64().unwrap();
        Measured {
            calls: number("samples"),
            p50: number("p50_ns"),
            p95: number("p95_ns"),
        }
    }

    /// goose by itself.
    async fn theirs(stub: &Stub) -> Measured {
        let mut configuration = GooseConfiguration::default();
        configuration.host = Some(format!("http://{}/", stub.address));
        configuration.users = usize::try_from(USERS).ok();
        configuration.increase_rate = Some("100".to_owned());
        configuration.iterations = usize::try_from(ASKS).ok();
        configuration.quiet = 2;
        configuration.no_print_metrics = true;
        configuration.no_telnet = true;
        let ask: TransactionFunction = Arc::new(|user| {
            Box::pin(async move {
                let call = json!({
                    "jsonrpc": "2.0",
                    "id": 1,
                    "method": "tools/call",
                    "params": { "name": "echo", "arguments": { "text": "hello" } },
                });
                let answer = user.post_json("/mcp", &call).await?;
                // The connection is free again only when the body was read.
                if let Ok(response) = answer.response {
                    let _ = response.bytes().await;
                }
                Ok(())
            })
        });
        let pause = Duration::from_millis(10);
        let scenario = Scenario::new("ask")
            .register_transaction(Transaction::new(ask))
            .set_wait_time(pause, pause)
            .unwrap();
        // One client for all, that asks for no certificates; the default builds one for each user.
        let client = GooseClientBuilder::new()
            .without_cookies()
            .accept_invalid_certs(true);
        let attack = GooseAttack::initialize_with_config(configuration)
            .unwrap()
            .set_client_builder_without_cookies(client)
            .unwrap()
            .register_scenario(scenario);
        let bounded = tokio::time::timeout(Duration::from_mins(1), Box::pin(attack.execute()));
        percentiles(&bounded.await.unwrap().unwrap())
    }

    /// From goose's buckets, each by its middle, as goose itself reports them.
    fn percentiles(metrics: &GooseMetrics) -> Measured {
        assert_eq!(metrics.requests.len(), 1);
        let request = metrics.requests.values().next().unwrap();
        assert_eq!(request.fail_count, 0);
        let times = &request.raw_data;
        let total = times.counter;
        let at = |hundredths: usize| {
            let rank = (total * hundredths).div_ceil(100);
            let mut below = 0;
            let bucket = times.times_us.iter().find(|(_, count)| {
                below += **count;
                below >= rank
            });
            let lowest = *bucket.unwrap().0;
            // 64 buckets to a power of two.
            (lowest + (1 << lowest.ilog2().saturating_sub(6)) / 2) * 1_000
        };
        Measured {
            calls: u64::try_from(total).unwrap(),
            p50: at(50),
            p95: at(95),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn goose_and_our_closed_model_measure_the_same_stub_alike() {
        let stub = Stub::start();
        let ours = tokio::task::block_in_place(|| ours(&stub));
        let seen = Measured::by_stub(&stub.log());
        eprintln!("ours  {ours:?}\nstub  {seen:?}");
        ours.agrees_with(&seen, "ours");
        assert!(ours.calls > 200, "{ours:?}");

        let theirs = theirs(&stub).await;
        let seen = Measured::by_stub(&stub.log());
        eprintln!("goose {theirs:?}\nstub  {seen:?}");
        theirs.agrees_with(&seen, "goose");
        assert_eq!(theirs.calls, USERS * ASKS);
    }
}
