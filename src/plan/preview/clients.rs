//! Who the clients are, as text: what they speak, how they connect and prove themselves, what they do.
//!
//! Pure.

use std::fmt::Write as _;

use super::plural;
use crate::load::{Model, profiles::PROFILES};
use crate::model::Share;
use crate::plan::{
    AuthPlan, Dialect, HttpVersion, Pages, Pick, Plan, Sharing, StepPlan, Transport, VanishHow,
    WorkloadPlan,
};
use crate::registry::{Family, build};

/// The workloads of a plan.
pub(super) fn workloads(text: &mut String, plan: &Plan) {
    for workload in &plan.workloads {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "workload {}: {}, {}, {}, recovery {}",
            workload.name,
            plural(u64::from(workload.clients), "client"),
            load(plan, workload),
            versions(workload),
            workload.recovery.name,
        );
        let _ = writeln!(text, "  {}", connections(workload));
        let habits = habits(workload);
        if !habits.is_empty() {
            let _ = writeln!(text, "  {}", habits.join(", "));
        }
        for data in &workload.data {
            let pick = match data.pick {
                Pick::Sequential => "one after the other",
                Pick::Random => "drawn",
                Pick::Client => "one for each client",
            };
            let _ = writeln!(
                text,
                "  data {:<7} {} of {}: {pick}",
                data.name,
                plural(data.rows, "row"),
                data.columns.join(", "),
            );
        }
        for operation in workload.operations.iter().filter(|one| one.weight > 0) {
            let steps: Vec<String> = operation.steps.iter().map(step).collect();
            let cancelled = operation.cancel.map_or(String::new(), |cancel| {
                let after = humantime::format_duration(cancel.after);
                format!(", {} cancelled after {after}", cancel.share)
            });
            let _ = writeln!(
                text,
                "  {:<12} weight {}, timeout {}{cancelled}: {}",
                operation.name,
                operation.weight,
                humantime::format_duration(operation.timeout),
                steps.join(", "),
            );
        }
    }
    text.push('\n');
}

fn versions(workload: &WorkloadPlan) -> String {
    let spoken = workload.protocols.iter().filter(|(_, weight)| *weight > 0);
    let versions: Vec<String> = spoken
        .map(|(dialect, weight): &(Dialect, u32)| {
            if workload.protocols.len() > 1 {
                format!("{dialect} x{weight}")
            } else {
                dialect.to_string()
            }
        })
        .collect();
    versions.join(" + ")
}

fn load(plan: &Plan, workload: &WorkloadPlan) -> String {
    let profiles = plan.phases.iter().filter_map(|phase| {
        build(PROFILES, Family::Profile, phase.loads.get(&workload.name)?).ok()
    });
    let mut peak: f64 = 0.0;
    let mut closed = false;
    for profile in profiles {
        closed |= matches!(profile.model(), Model::Closed(_));
        peak = peak.max(profile.peak());
    }
    if closed {
        "closed model".to_owned()
    } else if peak > 0.0 {
        format!("peak rate {peak}/s")
    } else {
        "no operations".to_owned()
    }
}

fn step(step: &StepPlan) -> String {
    let name = step.method.name();
    match step.pages {
        Pages::First => name.to_owned(),
        Pages::UpTo(pages) => format!("{name} (up to {pages} pages)"),
    }
}

/// How the clients connect, in a line.
fn connections(workload: &WorkloadPlan) -> String {
    let connections = &workload.connections;
    let http = match connections.http {
        HttpVersion::Http1 => "HTTP/1.1",
        HttpVersion::Http2 => "HTTP/2",
    };
    let mut ways = vec![match workload.transport {
        Transport::StreamableHttp => format!("streamable-http over {http}"),
        Transport::Sse => format!("sse over {http}"),
        Transport::Stdio => "stdio".to_owned(),
        Transport::Websocket => "websocket".to_owned(),
    }];
    ways.push(match connections.sharing {
        Sharing::PerClient => "a connection for each client".to_owned(),
        Sharing::Pool(1) => "one connection for each worker".to_owned(),
        Sharing::Pool(size) => format!("{size} connections for each worker"),
    });
    if let Some(age) = connections.max_age {
        let age = humantime::format_duration(age);
        ways.push(format!("replaced after {age}"));
    }
    ways.extend(share(connections.cold, "cold"));
    if !connections.sources.is_empty() {
        let count = connections
            .sources
            .iter()
            .map(|range| u64::from(range.count));
        let count: u64 = count.sum();
        let noun = if count == 1 { "address" } else { "addresses" };
        ways.push(format!("from {count} {noun}"));
    }
    ways.join(", ")
}

fn share(share: Share, word: &str) -> Option<String> {
    (share > Share::ZERO).then(|| format!("{share} {word}"))
}

/// What else is peculiar to the clients.
fn habits(workload: &WorkloadPlan) -> Vec<String> {
    let mut habits = Vec::new();
    habits.extend(share(workload.listen, "listening"));
    if workload.held > 0 {
        let held = plural(u64::from(workload.held), "session");
        habits.push(format!("{held} held with a stream"));
    }
    if let Some(vanish) = workload.vanish {
        let how = match vanish.how {
            VanishHow::Close => "closed",
            VanishHow::Reset => "reset",
            VanishHow::HalfOpen => "left half-open",
            VanishHow::SlowReader => "read slowly",
        };
        habits.extend(share(vanish.share, &format!("vanishing ({how})")));
    }
    if workload.cookies {
        habits.push("cookies sent back".to_owned());
    }
    match &workload.auth {
        AuthPlan::None => {}
        AuthPlan::Bearers(tokens) => habits.push(plural(tokens.len() as u64, "bearer token")),
        AuthPlan::ClientCredentials(credentials) => {
            let id = credentials.client_id.escape_debug();
            habits.push(format!("client credentials of {id}"));
        }
    }
    habits
}
