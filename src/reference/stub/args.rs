//! What `mcpload serve stub` can be told.
//!
//! Pure.

use std::net::SocketAddr;
use std::time::Duration;

/// Serve the cheapest server that still answers right, on /mcp, until SIGTERM or SIGINT: to measure a load generator.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// Answer calls as an event stream with one event, instead of plain JSON
    #[arg(long)]
    pub events: bool,
    /// Wait so long before each answer to a call
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub delay: Option<Duration>,
    /// Stop the whole process once for so long
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub pause: Option<Duration>,
    /// When the pause begins, counted from the first call
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = humantime::parse_duration)]
    pub pause_after: Duration,
}
