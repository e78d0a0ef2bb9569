//! Switches for sessions, streams and who may call.
//!
//! Pure. Invariant: the defaults are those of a server that behaves.

use std::time::Duration;

use serde::Serialize;

use super::as_text;

/// Switches of the reference server for sessions and streams of the legacy era.
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(next_help_heading = "Sessions and streams")]
pub struct SessionArgs {
    /// Events of each stream that are kept for Last-Event-ID; 0: events have no ids, and a cut stream is lost
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = parse_event_store)]
    pub event_store: usize,
    /// How long a client is asked to wait before it resumes a stream
    #[arg(long, default_value = "3s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    #[serde(serialize_with = "as_text")]
    pub sse_retry: Duration,
    /// How long a session lives with nothing said and no request running
    #[arg(long, default_value = "5m", value_name = "DURATION", value_parser = parse_ttl)]
    #[serde(serialize_with = "as_text")]
    pub session_ttl: Duration,
    /// Sessions at a time; with one more `initialize` is answered 503
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = parse_sessions)]
    pub max_sessions: usize,
    /// How often a session is pinged on its standing stream; never if left out
    #[arg(long, value_name = "DURATION", value_parser = parse_interval)]
    #[serde(serialize_with = "as_optional_text")]
    pub ping_interval: Option<Duration>,
    /// Host that requests may name, HOST or HOST:PORT, others are refused with 403; any host if left out
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// Offer the tools, prompts and resources that the official conformance suite calls
    #[arg(long)]
    pub conformance: bool,
}

fn parse_event_store(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(events @ 0..=1_000_000) => Ok(events),
        _ => Err("expected a number from 0 to 1000000".to_owned()),
    }
}

fn parse_sessions(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(sessions @ 1..=10_000_000) => Ok(sessions),
        _ => Err("expected a number from 1 to 10000000".to_owned()),
    }
}

/// A year is as good as for ever, and no sum of times overflows.
fn parse_ttl(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time.is_zero() || time > Duration::from_hours(365 * 24) {
        return Err("expected more than 0 and at most a year".to_owned());
    }
    Ok(time)
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let time = parse_ttl(text)?;
    if time < Duration::from_millis(10) {
        return Err("expected at least 10ms".to_owned());
    }
    Ok(time)
}

/// For a defect's time, with the bounds of a session's.
pub(in super::super) fn parse_lifetime(text: &str) -> Result<Duration, String> {
    parse_ttl(text)
}

/// Prints a duration that may be missing.
#[expect(
    clippy::ref_option,
    reason = "serde calls it with a reference to the field"
)]
pub(in super::super) fn as_optional_text<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => as_text(duration, serializer),
        None => serializer.serialize_none(),
    }
}
