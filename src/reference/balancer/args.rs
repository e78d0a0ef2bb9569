//! The arguments of `mcpload serve balancer`.
//!
//! Does no I/O. Invariant: whatever clap accepts can be served; only members may still contradict each other.
//! Where to look next: `fleet.rs`, which gets them as settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, ValueEnum};
use http::Uri;
use serde::Serialize;

use super::checks;
use super::fleet::Settings;
use super::health::Rules;
use super::member::MemberSpec;
use super::policy::{self, Kind, POLICIES};
use super::upstream::PoolLimits;

/// Something is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// It is on.
    On,
    /// It is off.
    Off,
}

impl Switch {
    fn on_if(condition: bool) -> Self {
        if condition { Self::On } else { Self::Off }
    }
}

/// A reverse proxy for MCP servers: HTTP/1.1, sticky sessions, failover, unbuffered streams
///
/// Answers /health, /stats and /_mcpload/members itself and passes everything else on. Every answer carries the header
/// mcpload-instance, which names the member that served it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  mcpload serve balancer --listen 127.0.0.1:8080 --members server-1=127.0.0.1:9001,server-2=127.0.0.1:9002
  mcpload serve balancer --listen 127.0.0.1:8080 --policy weighted --member big=127.0.0.1:9001*3 --member small=127.0.0.1:9002
  curl -X POST http://127.0.0.1:8080/_mcpload/members -d '{\"name\": \"server-3\", \"address\": \"127.0.0.1:9003\"}'
  curl -X DELETE http://127.0.0.1:8080/_mcpload/members/server-3")]
pub struct Args {
    /// Address to accept clients on
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// A server to pass requests to, with its weight from 1 to 1000; may be given more than once
    #[arg(long, value_name = "NAME=HOST:PORT[*WEIGHT]")]
    pub member: Vec<MemberSpec>,

    /// Several servers at once, separated by commas
    #[arg(long, value_name = "MEMBER,...", value_delimiter = ',')]
    pub members: Vec<MemberSpec>,

    /// A file with a member on each line, which is read again at SIGHUP; empty lines and those that begin with `#` say nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["member", "members"])]
    pub members_file: Option<PathBuf>,

    /// How a member is chosen for a request that no session binds
    #[arg(long, default_value = "least-connections", value_parser = policy_parser())]
    pub policy: &'static Kind,

    /// Send requests with a session to the member that created it (the default)
    #[arg(long, overrides_with = "no_sticky")]
    pub sticky: bool,

    /// Send requests with a session wherever the policy says
    #[arg(long)]
    pub no_sticky: bool,

    /// Most sessions that are remembered; the least recently used one makes room
    #[arg(long, value_name = "COUNT", default_value_t = 65_536)]
    pub session_capacity: usize,

    /// Keep sending to members that are down: no other member is tried, and no health is kept
    #[arg(long)]
    pub no_failover: bool,

    /// Failures within the fail timeout that put a member aside; 0 turns this off
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub max_fails: u32,

    /// How long a member is put aside, and the time in which the failures must happen
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    pub fail_timeout: Duration,

    /// Path that active checks ask every member for
    #[arg(long, value_name = "PATH", default_value = "/health/ready", value_parser = path)]
    pub check_path: Uri,

    /// Time between active checks; 0s turns them off
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = humantime::parse_duration)]
    pub check_interval: Duration,

    /// Time within which an active check must be answered
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = humantime::parse_duration)]
    pub check_timeout: Duration,

    /// Passed checks in a row that bring a member back
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub check_rise: u32,

    /// Failed checks in a row that take a member down
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub check_fall: u32,

    /// Time within which a member must accept a connection
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    pub upstream_timeout: Duration,

    /// Most idle connections that are kept to each member
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    pub idle_connections: usize,

    /// Longest time that a connection is idle and used again; below the 5 s after which many servers close theirs
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = humantime::parse_duration)]
    pub idle_timeout: Duration,

    /// Whether members can be listed, added and removed under /_mcpload/members
    #[arg(long, default_value = "on", default_missing_value = "on", num_args = 0..=1, require_equals = true,
          action = ArgAction::Set)]
    pub admin: Switch,

    /// Time for requests in flight to end after SIGTERM
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub drain: Duration,
}

impl Args {
    /// How the fleet behaves.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            policy: self.policy,
            sticky: Switch::on_if(!self.no_sticky),
            failover: Switch::on_if(!self.no_failover),
            rules: Rules {
                max_fails: self.max_fails,
                fail_timeout: self.fail_timeout,
                rise: self.check_rise,
                fall: self.check_fall,
            },
            checks: Switch::on_if(self.check_plan().is_some()),
            session_capacity: self.session_capacity,
            pool: PoolLimits {
                idle: self.idle_connections,
                idle_timeout: self.idle_timeout,
            },
        }
    }

    /// The active checks, if there are any.
    pub(super) fn check_plan(&self) -> Option<checks::Plan> {
        let is_on = !self.no_failover && !self.check_interval.is_zero();
        is_on.then(|| checks::Plan {
            path: self.check_path.clone(),
            interval: self.check_interval,
            limit: self.check_timeout,
        })
    }
}

fn policy_parser() -> impl TypedValueParser<Value = &'static Kind> {
    PossibleValuesParser::new(
        POLICIES
            .iter()
            .map(|kind| clap::builder::PossibleValue::new(kind.name).help(kind.summary)),
    )
    .try_map(|name| policy::find(&name).ok_or("no such policy"))
}

fn path(text: &str) -> Result<Uri, String> {
    match text.parse::<Uri>() {
        Ok(uri) if text.starts_with('/') && uri.authority().is_none() => Ok(uri),
        _ => Err("expected a path such as \"/health\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn parse(further: &[&str]) -> Result<Args, clap::Error> {
        let all = ["balancer", "--listen", "127.0.0.1:0"]
            .iter()
            .chain(further);
        Command::try_parse_from(all).map(|command| command.args)
    }

    #[test]
    fn the_first_policy_is_the_default() {
        let settings = parse(&[]).unwrap().settings();
        assert_eq!(settings.policy.name, POLICIES[0].name);
        assert_eq!(
            (settings.sticky, settings.failover, settings.checks),
            (Switch::On, Switch::On, Switch::On)
        );
    }

    #[test]
    fn switches_make_it_worse() {
        let settings = parse(&["--no-sticky", "--no-failover"]).unwrap().settings();
        assert_eq!(
            (settings.sticky, settings.failover, settings.checks),
            (Switch::Off, Switch::Off, Switch::Off)
        );
        let args = parse(&["--check-interval", "0s"]).unwrap();
        assert!(args.check_plan().is_none());
        let last_wins = parse(&["--no-sticky", "--sticky"]).unwrap().settings();
        assert_eq!(last_wins.sticky, Switch::On);
    }

    #[test]
    fn the_members_api_is_on_unless_switched_off() {
        let admin = |further: &[&str]| parse(further).unwrap().admin;
        assert_eq!(
            (admin(&[]), admin(&["--admin"]), admin(&["--admin=off"])),
            (Switch::On, Switch::On, Switch::Off)
        );
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for further in [
            ["--policy", "random"],
            ["--member", "a"],
            ["--check-path", "x"],
            ["--check-fall", "0"],
        ] {
            assert!(parse(&further).is_err(), "{further:?}");
        }
    }
}
