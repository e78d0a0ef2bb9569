//! What `mcpload serve server` can be told, and how it prints in `/config`.
//!
//! Pure. Invariant: a name is fit for a header and a metric label.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::defects::DefectArgs;
use crate::fault::wire::{self, Rule};

mod sessions;

pub use sessions::SessionArgs;
pub(super) use sessions::{as_optional_text, parse_lifetime};

/// Serve a reference MCP server over Streamable HTTP, on /mcp, until SIGTERM or SIGINT.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct Args {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// Name that it calls itself: letters, digits, '.', '-' and '_'
    #[arg(long, default_value = "server", value_parser = parse_name)]
    pub name: String,
    /// Which start of this name it is, counted from 1
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub incarnation: u32,
    /// File to which `effect` appends a line of JSON for each execution
    #[arg(long, value_name = "PATH")]
    pub ledger: Option<PathBuf>,
    /// Do not execute an `effect` again whose operation id was executed before
    #[arg(long)]
    pub dedup: bool,
    /// Longest time from SIGTERM to exit
    #[arg(long, default_value = "5s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    #[serde(serialize_with = "as_text")]
    pub drain: Duration,
    /// How long it goes on accepting connections after SIGTERM, not ready; a part of --drain
    #[arg(long, default_value = "500ms", value_name = "DURATION", value_parser = humantime::parse_duration)]
    #[serde(serialize_with = "as_text")]
    pub lame_duck: Duration,
    /// Answer with plain JSON instead of an event stream, unless something comes before the answer
    #[arg(long, visible_alias = "json-response")]
    pub json: bool,
    /// Serve the legacy era without sessions too
    #[arg(long)]
    pub stateless: bool,
    /// Entries on a page of every list
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = parse_page_size)]
    pub page_size: usize,
    /// Sessions and streams.
    #[command(flatten)]
    pub sessions: SessionArgs,
    /// How it misbehaves on purpose.
    #[command(flatten)]
    pub defects: DefectArgs,
    /// Make some answers other bytes on the wire, such as status=503,share=10%; may be repeated, `mcpload explain wire-rules` has them
    #[arg(long, value_name = "RULE", long_help = wire::help(), help_heading = "Defects")]
    pub wire: Vec<Rule>,
}

impl Args {
    /// How it signs its answers: `NAME#INCARNATION`.
    pub fn instance(&self) -> String {
        format!("{}#{}", self.name, self.incarnation)
    }
}

/// Accepts what can stand in a header, in a label and before the `#` of an instance: 1 to 64 characters.
fn parse_name(text: &str) -> Result<String, String> {
    let fits =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        return Err("expected 1 to 64 letters, digits, '.', '-' or '_'".to_owned());
    }
    Ok(text.to_owned())
}

fn parse_page_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size @ 1..=10_000) => Ok(size),
        _ => Err("expected a number from 1 to 10000".to_owned()),
    }
}

/// Prints a duration as it is written on the command line: `1s 500ms`.
pub(super) fn as_text<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}", Humane(*duration)))
}

struct Humane(Duration);

impl fmt::Display for Humane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(words: &[&str]) -> Result<Args, clap::Error> {
        let line = ["server", "--listen", "127.0.0.1:0"].iter().chain(words);
        Line::try_parse_from(line).map(|line| line.args)
    }

    #[test]
    fn defaults_are_those_of_a_server_that_behaves() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.instance(), "server#1");
        assert_eq!((args.drain, args.page_size), (Duration::from_secs(5), 50));
        let config = serde_json::to_value(&args).unwrap();
        assert_eq!(config["drain"], "5s");
        assert_eq!(config["listen"], "127.0.0.1:0");
        assert_eq!(config["defects"]["error_rate"], "0%");
        assert_eq!(config["defects"]["unknown_session"], "404");
    }

    #[test]
    fn words_out_of_range_are_refused() {
        for words in [
            ["--name", "a b"],
            ["--name", ""],
            ["--name", "a#1"],
            ["--incarnation", "0"],
            ["--page-size", "0"],
            ["--drain", "5"],
            ["--error-rate", "101%"],
            ["--unknown-session", "500"],
            ["--session-ttl", "0s"],
            ["--max-sessions", "0"],
            ["--ping-interval", "1ms"],
        ] {
            assert!(parse(&words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn the_listen_address_is_required() {
        assert!(Line::try_parse_from(["server"]).is_err());
    }
}
