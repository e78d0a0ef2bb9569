//! Workloads: populations, protocol mixes, recovery policies, headers.
//!
//! Pure.

use std::collections::BTreeMap;

use super::phases::workload_name;
use super::{Context, operations};
use crate::diag::{Diagnostic, codes, suggest};
use crate::load::{Model, Profile, profiles::PROFILES};
use crate::model::ProtocolVersion;
use crate::plan::{
    ConnectionPlan, Dialect, FleetPlan, HeaderValue, PhasePlan, RecoveryPlan, WorkloadPlan,
};
use crate::registry::{Family, build};
use crate::scenario::written::{Protocol, TextOrSecret, Workload};

/// The fewest clients of a workload that does not say how many it has.
const FEWEST_CLIENTS: u32 = 10;
/// The versions that clients speak.
const SPOKEN: [ProtocolVersion; 2] = [ProtocolVersion::V2025_11_25, ProtocolVersion::V2026_07_28];

pub(super) fn compile(
    context: &mut Context<'_>,
    phases: &[PhasePlan],
    fleet: &FleetPlan,
) -> Vec<WorkloadPlan> {
    let scenario = context.scenario;
    let mut names = Vec::new();
    let mut plans = Vec::new();
    for (number, workload) in (0_u32..).zip(&scenario.workload) {
        let at = number as usize;
        let name = workload_name(context, at);
        let path = format!("workload[{at}]");
        names.push((name.clone(), format!("{path}.name")));
        if workload.name.is_none() && scenario.workload.len() > 1 {
            context.report(
                &codes::MISSING_KEY,
                &path,
                "one of several workloads has no name",
                "expected `name`",
                None,
            );
        }
        if workload.transport != "streamable-http" {
            context.report(
                &codes::NOT_YET,
                &format!("{path}.transport"),
                format!("the transport `{}` does not act yet", workload.transport),
                "not yet",
                "this version acts on: streamable-http".to_owned(),
            );
        }
        plans.push(WorkloadPlan {
            number,
            protocols: protocols(context, workload, &path),
            connections: ConnectionPlan {
                cold: workload.cold,
                ..ConnectionPlan::default()
            },
            recovery: RecoveryPlan::preset(&workload.recovery),
            goodbye: workload.goodbye,
            headers: headers(context, workload, &path),
            max_lag: workload.max_lag,
            ..WorkloadPlan::new(
                &name,
                clients(context, phases, workload, &name, &path),
                operations::compile(context, workload, &path, fleet),
            )
        });
    }
    context.unique("workload", &names);
    plans
}

/// The profiles of a workload with the number of their phase.
fn profiles(phases: &[PhasePlan], name: &str) -> Vec<(usize, Box<dyn Profile>)> {
    phases
        .iter()
        .enumerate()
        .filter_map(|(number, phase)| {
            let spec = phase.loads.get(name)?;
            Some((number, build(PROFILES, Family::Profile, spec).ok()?))
        })
        .collect()
}

/// How many clients the workload has; refuses a mixture of open and closed load.
fn clients(
    context: &mut Context<'_>,
    phases: &[PhasePlan],
    workload: &Workload,
    name: &str,
    path: &str,
) -> u32 {
    let profiles = profiles(phases, name);
    let mut peak: f64 = 0.0;
    let mut users = 0;
    let mut models = [None, None];
    for (number, profile) in &profiles {
        let [open, closed] = &mut models;
        match profile.model() {
            Model::Open => {
                *open = Some(*number);
                peak = peak.max(profile.peak().unwrap_or(0.0));
            }
            Model::Closed { users: count, .. } => {
                *closed = Some(*number);
                users = users.max(count);
            }
        }
    }
    match models {
        [Some(open), Some(closed)] => {
            let later = open.max(closed);
            context.report(
                &codes::MIXED_MODELS,
                &format!("phase[{later}]"),
                format!("the workload `{name}` has open arrivals in one phase and closed users in another"),
                "expected one model over the whole run",
                "use two workloads".to_owned(),
            );
        }
        [None, None] if phases.iter().all(|phase| phase.loads.is_empty()) => {}
        [None, None] => context.report(
            &codes::NO_LOAD,
            path,
            format!("the workload `{name}` has no load in any phase"),
            "expected `loads` of a phase to name it",
            None,
        ),
        [_, Some(_)] => {
            if let Some(clients) = workload.clients.filter(|clients| *clients < users) {
                context.report(
                    &codes::CONFLICT,
                    &format!("{path}.clients"),
                    format!("{users} users need {users} clients"),
                    format!("there are only {clients}"),
                    None,
                );
            }
        }
        [Some(_), None] => {}
    }
    if let Some(clients) = workload.clients {
        return clients;
    }
    context.defaulted(&format!("{path}.clients"));
    if users > 0 {
        return users;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float is cut to the range when it is cast, and a rate is positive"
    )]
    let one_second = peak.ceil() as u32;
    one_second.max(FEWEST_CLIENTS)
}

fn protocols(context: &mut Context<'_>, workload: &Workload, path: &str) -> Vec<(Dialect, u32)> {
    let path = format!("{path}.protocol");
    let written: Vec<(String, u32, String)> = match &workload.protocol {
        Protocol::One(name) => vec![(name.clone(), 1, path.clone())],
        Protocol::Mix(mix) => mix
            .iter()
            .map(|(name, weight)| {
                let weight = weight
                    .as_u64()
                    .and_then(|weight| u32::try_from(weight).ok());
                (name.clone(), weight.unwrap_or(0), format!("{path}.{name}"))
            })
            .collect(),
    };
    let mut versions = Vec::new();
    let before = context.wrong.len();
    let mixed = matches!(workload.protocol, Protocol::Mix(_));
    for (name, weight, path) in written {
        let place = if mixed {
            context.spans.key_place(&path)
        } else {
            context.spans.place(&path)
        };
        match name.parse::<ProtocolVersion>() {
            Ok(version) if SPOKEN.contains(&version) => {
                versions.push((Dialect::Version(version), weight))
            }
            Ok(version) => context.wrong.push(
                Diagnostic::new(
                    &codes::NOT_YET,
                    place,
                    format!("clients do not speak {version} yet"),
                    "not yet",
                )
                .hint("this version speaks 2025-11-25 and 2026-07-28".to_owned()),
            ),
            Err(message) => context.wrong.push(
                Diagnostic::new(
                    &codes::UNKNOWN_WORD,
                    place,
                    message,
                    "expected a protocol version",
                )
                .hint(suggest(
                    &name,
                    "version",
                    ProtocolVersion::ALL.map(ProtocolVersion::name),
                )),
            ),
        }
    }
    let all_known = context.wrong.len() == before;
    if all_known && versions.iter().all(|(_, weight)| *weight == 0) {
        context.report(
            &codes::BAD_VALUE,
            &path,
            "no protocol version has a weight",
            "expected at least one weight above 0",
            None,
        );
    }
    versions
}

fn headers(
    context: &mut Context<'_>,
    workload: &Workload,
    path: &str,
) -> BTreeMap<String, HeaderValue> {
    let mut headers = BTreeMap::new();
    for (name, value) in &workload.headers {
        let path = format!("{path}.headers.{name}");
        let reserved = [
            "host",
            "content-length",
            "mcp-session-id",
            "transfer-encoding",
        ];
        if http::HeaderName::try_from(name.as_str()).is_err() {
            context.report_key(
                &codes::BAD_VALUE,
                &path,
                format!("`{}` is no name of a header", name.escape_debug()),
                "expected letters, digits and `-`",
                None,
            );
        } else if reserved.contains(&name.to_ascii_lowercase().as_str()) {
            context.report_key(
                &codes::BAD_VALUE,
                &path,
                format!("the header `{name}` belongs to mcpload"),
                "expected another header",
                None,
            );
        }
        let value = match value {
            TextOrSecret::Text(text) => {
                if http::HeaderValue::from_str(text).is_err() {
                    context.report(
                        &codes::BAD_VALUE,
                        &path,
                        "the value cannot stand in a header",
                        "expected visible characters",
                        None,
                    );
                }
                HeaderValue::Plain(text.clone())
            }
            TextOrSecret::Secret(secret) => HeaderValue::Secret {
                prefix: String::new(),
                secret: secret.clone(),
            },
        };
        headers.insert(name.to_ascii_lowercase(), value);
    }
    if let Some(auth) = &workload.auth {
        if headers.contains_key("authorization") {
            context.report(
                &codes::CONFLICT,
                &format!("{path}.auth"),
                "the workload has `auth` and an authorization header",
                "expected only one of them",
                None,
            );
        }
        let value = HeaderValue::Secret {
            prefix: "Bearer ".to_owned(),
            secret: auth.bearer.clone(),
        };
        headers.insert("authorization".to_owned(), value);
    }
    headers
}
