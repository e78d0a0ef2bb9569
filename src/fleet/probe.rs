//! Readiness: asks an instance until it is ready. Does I/O.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::net::TcpStream;

use crate::plan::{Probe, ReadyPlan};

/// How long one question may take.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Asks one instance.
pub(super) struct Prober<'a> {
    plan: &'a ReadyPlan,
    address: SocketAddr,
    logs: [PathBuf; 2],
    /// How far each log was read.
    read: [u64; 2],
    http: &'a reqwest::Client,
}

impl<'a> Prober<'a> {
    pub(super) fn new(
        plan: &'a ReadyPlan,
        address: SocketAddr,
        logs: [PathBuf; 2],
        http: &'a reqwest::Client,
    ) -> Self {
        Self {
            plan,
            address,
            logs,
            read: [0, 0],
            http,
        }
    }

    /// Returns once the instance is ready; never, if it never is. The caller bounds it.
    ///
    /// # Cancel safety
    /// Dropping it at any await loses nothing but the current question.
    pub(super) async fn until_ready(&mut self) {
        let mut ticks = tokio::time::interval(self.plan.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if tokio::time::timeout(ATTEMPT, self.is_ready()).await == Ok(true) {
                return;
            }
        }
    }

    async fn is_ready(&mut self) -> bool {
        match &self.plan.probe {
            Probe::Tcp => TcpStream::connect(self.address).await.is_ok(),
            Probe::Http(path) => {
                let url = format!("http://{}{path}", self.address);
                self.http
                    .get(url)
                    .send()
                    .await
                    .is_ok_and(|answer| answer.status().is_success())
            }
            Probe::LogLine(text) => {
                for (log, read) in self.logs.iter().zip(&mut self.read) {
                    if has_new_line(log, read, text).await {
                        return true;
                    }
                }
                false
            }
        }
    }
}

/// Whether what was appended to the log since `read` holds `text`. Steps back by the text's length, so that a line which
/// was cut by the last look is not missed.
async fn has_new_line(log: &Path, read: &mut u64, text: &str) -> bool {
    let Ok(mut file) = tokio::fs::File::open(log).await else {
        return false;
    };
    let from = read.saturating_sub(text.len() as u64);
    if file.seek(std::io::SeekFrom::Start(from)).await.is_err() {
        return false;
    }
    let mut bytes = Vec::new();
    // At most 1 MiB a look: an instance that floods its log is read on at the next one.
    let Ok(count) = file.take(1 << 20).read_to_end(&mut bytes).await else {
        return false;
    };
    *read = from + count as u64;
    bytes
        .windows(text.len().max(1))
        .any(|window| window == text.as_bytes())
}

/// The HTTP client of the control plane: no proxy, no certificates of the system (a machine may have none), short waits.
///
/// # Errors
/// If the client cannot be built.
pub fn control_client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .timeout(ATTEMPT)
        .pool_max_idle_per_host(0)
        .build()
}
