//! How the clients of a workload connect: what fits the transport, who shares, from which addresses.
//!
//! Pure. A stream transport (HTTP+SSE, WebSocket) keeps one connection for each client, which is its session; what is said of
//! connections that come and go does not fit it and is refused.

use std::net::IpAddr;

use super::Context;
use crate::diag::codes;
use crate::model::Share;
use crate::plan::{
    ConnectionPlan, EndpointPlan, FleetPlan, HttpVersion, Sharing, SourceRange, Transport,
    VanishHow, VanishPlan,
};
use crate::scenario::written::{Connections, OneOrMany, Workload};

/// What `spread` stands for.
const SPREAD: &str = "127.64.0.0/10";
/// The most ranges of source addresses.
const MOST_RANGES: usize = 64;

pub(super) fn compile(
    context: &mut Context<'_>,
    workload: &Workload,
    path: &str,
    fleet: &FleetPlan,
) -> ConnectionPlan {
    let (sharing, max_age) = match &workload.connections {
        Connections::Word(_) => (Sharing::PerClient, None),
        Connections::Table { pool, max_age } => {
            (pool.map_or(Sharing::PerClient, Sharing::Pool), *max_age)
        }
    };
    fits_transport(context, workload, path);
    if let (Sharing::Pool(_), true) = (sharing, workload.cold > Share::ZERO) {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.cold"),
            "clients that open a new connection for each call share none",
            "expected no `pool` in `connections`",
            "use two workloads".to_owned(),
        );
    }
    if let (Sharing::Pool(_), Some(_)) = (sharing, &workload.vanish) {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.vanish"),
            "a client that vanishes would take the connection of others with it",
            "expected no `pool` in `connections`",
            "use two workloads".to_owned(),
        );
    }
    check_schemes(context, workload, path, fleet);
    ConnectionPlan {
        http: workload.http,
        sharing,
        max_age,
        cold: workload.cold,
        sources: sources(context, workload, path, fleet),
    }
}

/// The word of a transport in scenarios.
const fn word(transport: Transport) -> &'static str {
    match transport {
        Transport::StreamableHttp => "streamable-http",
        Transport::Sse => "sse",
        Transport::Stdio => "stdio",
        Transport::Websocket => "websocket",
    }
}

/// Reports what does not fit a transport that keeps one stream for each client.
fn fits_transport(context: &mut Context<'_>, workload: &Workload, path: &str) {
    let transport = workload.transport;
    if transport == Transport::StreamableHttp {
        return;
    }
    let (pool, max_age) = match &workload.connections {
        Connections::Word(_) => (false, false),
        Connections::Table { pool, max_age } => (pool.is_some(), max_age.is_some()),
    };
    let vanish = workload.vanish.map(|vanish: VanishPlan| vanish.how);
    let given = [
        ("http", workload.http == HttpVersion::Http2),
        ("connections.pool", pool),
        ("connections.max_age", max_age),
        ("cold", workload.cold > Share::ZERO),
        ("cookies", workload.cookies),
        ("listen", workload.listen > Share::ZERO),
        (
            "vanish.how",
            vanish.is_some_and(|how| how != VanishHow::Close),
        ),
    ];
    for (key, _) in given.iter().filter(|(_, given)| *given) {
        let hint = match *key {
            "listen" => Some(
                "the one stream of each client carries the server's messages anyway".to_owned(),
            ),
            _ => None,
        };
        context.report(
            &codes::CONFLICT,
            &format!("{path}.{key}"),
            format!("`{key}` does not fit the transport `{}`", word(transport)),
            "expected it with streamable-http, whose connections come and go",
            hint,
        );
    }
}

/// Reports URLs outside that the transport does not speak.
fn check_schemes(context: &mut Context<'_>, workload: &Workload, path: &str, fleet: &FleetPlan) {
    let EndpointPlan::Urls(urls) = &fleet.endpoint else {
        return;
    };
    let is_websocket = workload.transport == Transport::Websocket;
    let speaks = |url: &String| url.starts_with("ws") == is_websocket;
    if let Some(url) = urls.iter().find(|url| !speaks(url)) {
        let path = format!("{path}.transport");
        let place = if context.spans.given(&path) {
            path
        } else if context.spans.given("fleet.endpoint.url") {
            "fleet.endpoint.url".to_owned()
        } else {
            "fleet.endpoint.urls".to_owned()
        };
        context.report(
            &codes::CONFLICT,
            &place,
            format!(
                "the transport `{}` does not go to {}",
                word(workload.transport),
                url.escape_debug()
            ),
            if is_websocket {
                "expected ws:// or wss:// in the endpoint"
            } else {
                "expected http:// or https:// in the endpoint, or the transport `websocket`"
            },
            None,
        );
    }
}

fn sources(
    context: &mut Context<'_>,
    workload: &Workload,
    path: &str,
    fleet: &FleetPlan,
) -> Vec<SourceRange> {
    let path = format!("{path}.source");
    let written: Vec<(&str, String)> = match &workload.source {
        None => return Vec::new(),
        Some(OneOrMany::One(text)) => vec![(text, path)],
        Some(OneOrMany::Many(texts)) => {
            if texts.is_empty() || texts.len() > MOST_RANGES {
                context.report(
                    &codes::BAD_VALUE,
                    &path,
                    format!("there are {} ranges of addresses", texts.len()),
                    format!("expected from 1 to {MOST_RANGES}"),
                    None,
                );
                return Vec::new();
            }
            texts
                .iter()
                .enumerate()
                .map(|(number, text)| (text.as_str(), format!("{path}[{number}]")))
                .collect()
        }
    };
    let mut ranges = Vec::new();
    for (text, path) in written {
        match range(if text == "spread" { SPREAD } else { text }) {
            Ok(range) => {
                check_reach(context, range, &path, fleet);
                ranges.push(range);
            }
            Err(expected) => context.report(
                &codes::BAD_VALUE,
                &path,
                "this is no address and no range of addresses",
                expected,
                None,
            ),
        }
    }
    ranges
}

/// Reports a range that cannot reach an endpoint: of the other family, or of loopback while the endpoint is elsewhere.
fn check_reach(context: &mut Context<'_>, range: SourceRange, path: &str, fleet: &FleetPlan) {
    let hosts: Vec<IpAddr> = match &fleet.endpoint {
        EndpointPlan::Role { .. } => vec![IpAddr::from([127, 0, 0, 1])],
        EndpointPlan::Urls(urls) => urls.iter().filter_map(|url| host(url)).collect(),
    };
    let unreached = hosts.iter().find(|host| {
        host.is_ipv4() != range.first.is_ipv4()
            || (range.first.is_loopback() && !host.is_loopback())
    });
    if let Some(host) = unreached {
        context.report(
            &codes::CONFLICT,
            path,
            format!("{} does not reach {host}", range.first),
            if host.is_loopback() && !range.first.is_loopback() {
                "expected addresses of the endpoint's family"
            } else {
                "expected addresses of this machine that reach the endpoint"
            },
            None,
        );
    }
}

/// The address in a URL; `None` where it has a name.
fn host(url: &str) -> Option<IpAddr> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host()?;
    if host == "localhost" {
        return Some(IpAddr::from([127, 0, 0, 1]));
    }
    host.trim_matches(['[', ']']).parse().ok()
}

/// Reads `ADDRESS` or `ADDRESS/PREFIX`. Of an IPv4 network the first and the last address are left out, which belong to nobody.
fn range(text: &str) -> Result<SourceRange, String> {
    let form = "expected an address or a range such as \"10.1.0.0/16\"";
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let first: IpAddr = address.trim().parse().map_err(|_| form.to_owned())?;
    let bits: u32 = if first.is_ipv4() { 32 } else { 128 };
    let prefix: u32 = match prefix {
        Some(prefix) => prefix.trim().parse().map_err(|_| form.to_owned())?,
        None => bits,
    };
    if prefix > bits {
        return Err(format!("expected a prefix from 0 to {bits}"));
    }
    let size = bits - prefix;
    let low = 1_u128.checked_shl(size).map_or(u128::MAX, |one| one - 1);
    match first {
        IpAddr::V4(first) => {
            let low = u32::try_from(low).unwrap_or(u32::MAX);
            if first.to_bits() & low != 0 {
                let network = std::net::Ipv4Addr::from_bits(first.to_bits() & !low);
                return Err(format!("expected {network}/{prefix}"));
            }
            Ok(match size {
                0 => SourceRange {
                    first: first.into(),
                    count: 1,
                },
                1 => SourceRange {
                    first: first.into(),
                    count: 2,
                },
                _ => SourceRange {
                    first: std::net::Ipv4Addr::from_bits(first.to_bits() + 1).into(),
                    count: low - 1,
                },
            })
        }
        IpAddr::V6(first) => {
            if first.to_bits() & low != 0 {
                let network = std::net::Ipv6Addr::from_bits(first.to_bits() & !low);
                return Err(format!("expected {network}/{prefix}"));
            }
            Ok(SourceRange {
                first: first.into(),
                count: u32::try_from(low).map_or(u32::MAX, |low| low.saturating_add(1)),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_without_the_addresses_of_nobody() {
        for (text, first, count) in [
            ("127.64.0.0/10", "127.64.0.1", 4_194_302),
            ("10.0.0.4", "10.0.0.4", 1),
            ("10.0.0.4/31", "10.0.0.4", 2),
            ("10.0.0.4/30", "10.0.0.5", 2),
            ("0.0.0.0/0", "0.0.0.1", u32::MAX - 1),
            ("::1", "::1", 1),
            ("fd00::/120", "fd00::", 256),
            ("fd00::/8", "fd00::", u32::MAX),
        ] {
            let found = range(text).unwrap();
            assert_eq!(found.first, first.parse::<IpAddr>().unwrap(), "{text}");
            assert_eq!(found.count, count, "{text}");
        }
    }

    #[test]
    fn what_is_no_range_says_what_was_expected() {
        for (text, expected) in [
            ("10.0.0.1/8", "expected 10.0.0.0/8"),
            ("10.0.0.0/33", "expected a prefix from 0 to 32"),
            ("fd00::1/64", "expected fd00::/64"),
            ("here", "expected an address"),
            ("10.0.0.0/x", "expected an address"),
        ] {
            let said = range(text).unwrap_err();
            assert!(said.starts_with(expected), "{text}: {said}");
        }
    }
}
