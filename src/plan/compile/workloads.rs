//! Workloads: populations and what they speak; the rest of a workload stands in the files beside this one.
//!
//! Pure.

use super::phases::workload_name;
use super::{Context, auth, connections, data, operations, recovery};
use crate::diag::{Diagnostic, Place, codes, suggest};
use crate::load::{Model, Profile, profiles::PROFILES};
use crate::model::ProtocolVersion;
use crate::model::protocol::Era;
use crate::plan::{Dialect, FleetPlan, PhasePlan, Transport, WorkloadPlan};
use crate::registry::{Family, build};
use crate::scenario::written::{Protocol, Workload};

/// The fewest clients of a workload that does not say how many it has.
const FEWEST_CLIENTS: u32 = 10;

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
        let data = data::compile(context, workload, &path);
        let profiles = profiles(phases, &name);
        let population = population(context, phases, &profiles, workload, &name, &path);
        // Who only keeps a session does nothing that would have to be said.
        let rests = !profiles.is_empty() && population.is_idle && workload.operation.is_none();
        let operations = if rests {
            Vec::new()
        } else {
            operations::compile(context, workload, &path, fleet, &data)
        };
        plans.push(WorkloadPlan {
            number,
            held: population.held,
            protocols: protocols(context, workload, &path),
            transport: workload.transport,
            connections: connections::compile(context, workload, &path, fleet),
            recovery: recovery::compile(context, workload, &path),
            goodbye: workload.goodbye,
            listen: workload.listen,
            vanish: workload.vanish,
            headers: auth::headers(context, workload, &path),
            auth: auth::compile(context, workload, &path),
            traceparent: workload.traceparent,
            cookies: workload.cookies,
            max_lag: workload.max_lag,
            ..WorkloadPlan::new(&name, population.clients, operations)
        });
        if let Some(plan) = plans.last_mut() {
            plan.data = data;
        }
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

/// Who is there.
struct Population {
    clients: u32,
    /// How many of them keep a stream whatever the others do.
    held: u32,
    /// Whether nobody does anything else, in any phase.
    is_idle: bool,
}

/// How many clients the workload has, and how many of them are held; refuses a mixture of open and closed load.
fn population(
    context: &mut Context<'_>,
    phases: &[PhasePlan],
    profiles: &[(usize, Box<dyn Profile>)],
    workload: &Workload,
    name: &str,
    path: &str,
) -> Population {
    let mut peak: f64 = 0.0;
    let mut users = 0;
    let mut sessions = 0;
    let mut holds_all = false;
    let mut models = [None, None];
    for (number, profile) in profiles {
        let [open, closed] = &mut models;
        match profile.model() {
            Model::Open => {
                *open = Some(*number);
                peak = peak.max(profile.peak());
            }
            Model::Closed(all) => {
                *closed = Some(*number);
                users = users.max(all.most);
            }
            Model::Idle { sessions: some } => {
                sessions = sessions.max(some.unwrap_or(0));
                holds_all |= some.is_none();
            }
        }
    }
    if let [Some(open), Some(closed)] = models {
        let later = open.max(closed);
        context.report(
            &codes::MIXED_MODELS,
            &format!("phase[{later}]"),
            format!(
                "the workload `{name}` has open arrivals in one phase and closed users in another"
            ),
            "expected one model over the whole run",
            "use two workloads".to_owned(),
        );
    }
    if profiles.is_empty() && phases.iter().any(|phase| !phase.loads.is_empty()) {
        context.report(
            &codes::NO_LOAD,
            path,
            format!("the workload `{name}` has no load in any phase"),
            "expected `loads` of a phase to name it",
            None,
        );
    }
    for (needed, noun) in [(users, "users"), (sessions, "idle sessions")] {
        if let Some(clients) = workload.clients.filter(|clients| *clients < needed) {
            context.report(
                &codes::CONFLICT,
                &format!("{path}.clients"),
                format!("{needed} {noun} need {needed} clients"),
                format!("there are only {clients}"),
                None,
            );
        }
    }
    let clients = workload.clients.unwrap_or_else(|| {
        context.defaulted(&format!("{path}.clients"));
        by_default(peak, users, sessions)
    });
    Population {
        clients,
        held: if holds_all { clients } else { sessions },
        is_idle: models == [None, None],
    }
}

/// The clients of a workload that does not say how many it has.
fn by_default(peak: f64, users: u32, sessions: u32) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float is cut to the range when it is cast, and a rate is positive"
    )]
    let one_second = peak.ceil() as u32;
    let people = users.max(sessions);
    if peak > 0.0 || people == 0 {
        one_second.max(people).max(FEWEST_CLIENTS)
    } else {
        people
    }
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
    let mut versions: Vec<(Dialect, u32)> = Vec::new();
    let before = context.wrong.len();
    let mixed = matches!(workload.protocol, Protocol::Mix(_));
    for (name, weight, path) in written {
        let place = if mixed {
            context.spans.key_place(&path)
        } else {
            context.spans.place(&path)
        };
        match name.parse::<Dialect>() {
            Ok(dialect) => {
                if weight > 0 && workload.transport == Transport::Sse {
                    fits_sse(context, dialect, &place);
                }
                versions.push((dialect, weight));
            }
            Err(message) => {
                let names = ProtocolVersion::ALL.map(ProtocolVersion::name);
                context.wrong.push(
                    Diagnostic::new(
                        &codes::UNKNOWN_WORD,
                        place,
                        message,
                        "expected a protocol version, or \"auto\"",
                    )
                    .hint(suggest(
                        &name,
                        "version",
                        names.into_iter().chain(["auto"]),
                    )),
                );
            }
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

/// Reports a version that HTTP+SSE does not carry. The legacy ones are not bound to a transport.
fn fits_sse(context: &mut Context<'_>, dialect: Dialect, place: &Place) {
    if dialect.first().era() == Era::Legacy {
        return;
    }
    let (message, hint) = match dialect {
        Dialect::Auto => (
            "\"auto\" begins with the modern era, which HTTP+SSE does not carry".to_owned(),
            Some("name the version that the server speaks".to_owned()),
        ),
        Dialect::Version(version) => (
            format!("HTTP+SSE does not carry {version}, which has no sessions"),
            None,
        ),
    };
    let wrong = Diagnostic::new(
        &codes::CONFLICT,
        place.clone(),
        message,
        "expected versions up to 2025-11-25 with the transport `sse`",
    );
    context.wrong.push(wrong.hint(hint));
}
