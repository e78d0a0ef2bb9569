//! Roles and their slots.
//!
//! Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::command::{self, Reference};
use super::{Context, faults, templates};
use crate::diag::{codes, suggest};
use crate::fleet::bind::Each;
use crate::model::SlotId;
use crate::plan::{
    Limits, Members, Probe, ReadyPlan, RestartPlan, RolePlan, Secret, SlotPlan, TextDuration,
    WirePlan,
};
use crate::scenario::is_name;
use crate::scenario::written::{self, Role, TextOrSecret};

/// The most slots of a fleet.
const MOST_SLOTS: usize = 2000;

pub(super) fn compile(context: &mut Context<'_>) -> Vec<RolePlan> {
    let written = &context.scenario.fleet.role;
    let roles = if written.is_empty() {
        context.defaulted("fleet.role");
        default_roles()
    } else {
        written.clone()
    };
    // A role has a slot for each that it ever gets; those beyond `replicas` are on standby at the begin.
    let scaled = faults::greatest(context);
    let sizes: BTreeMap<&str, u32> = roles
        .iter()
        .map(|(name, role)| {
            let most = scaled.get(name).copied().unwrap_or_default();
            (name.as_str(), role.replicas.max(most))
        })
        .collect();
    let slots: usize = sizes.values().map(|size| *size as usize).sum();
    if slots > MOST_SLOTS {
        context.report(
            &codes::OUT_OF_RANGE,
            "fleet.role",
            format!("the fleet has {slots} slots"),
            format!("expected at most {MOST_SLOTS}"),
            None,
        );
        return Vec::new();
    }
    roles
        .iter()
        .map(|(name, role)| compile_one(context, name, role, &sizes))
        .collect()
}

/// Three reference servers behind a reference balancer.
fn default_roles() -> BTreeMap<String, Role> {
    [("server", 3), ("balancer", 1)]
        .into_iter()
        .map(|(name, replicas)| {
            let role = Role {
                replicas,
                command: None,
                args: Vec::new(),
                env: BTreeMap::new(),
                directory: None,
                files: Vec::new(),
                ready: None,
                restart: written::Restart {
                    policy: crate::plan::RestartPolicy::Always,
                    backoff: Duration::from_secs(1),
                },
                needs: Vec::new(),
                limits: written::Limits {
                    open_files: None,
                    memory: None,
                },
                stop_grace: Duration::from_secs(5),
                proxy: false,
                members: None,
                labels: BTreeMap::new(),
                slot: BTreeMap::new(),
            };
            (name.to_owned(), role)
        })
        .collect()
}

fn compile_one(
    context: &mut Context<'_>,
    name: &str,
    role: &Role,
    sizes: &BTreeMap<&str, u32>,
) -> RolePlan {
    let path = format!("fleet.role.{name}");
    if !is_name(name) {
        // A slot's name is also that of its directory.
        context.report_key(
            &codes::BAD_VALUE,
            &path,
            format!("`{}` is no name of a role", name.escape_debug()),
            "expected a letter, then letters, digits, `-`, `_` or `.`, at most 64 in all",
            None,
        );
    }
    let own = role
        .slot
        .iter()
        .map(|(slot, own)| (format!("{path}.slot.{slot}"), &own.env));
    for (path, env) in own.chain([(path.clone(), &role.env)]) {
        for key in env
            .keys()
            .filter(|key| key.is_empty() || key.contains(['=', '\0']))
        {
            context.report_key(
                &codes::BAD_VALUE,
                &format!("{path}.env.{key}"),
                "this is no name of an environment variable",
                "expected no `=`, and not nothing",
                None,
            );
        }
    }
    let base = command::complete(name, role.command.as_deref(), &role.args);
    if base.as_ref().is_none_or(Vec::is_empty) {
        context.report(
            &codes::NO_COMMAND,
            &path,
            format!("the role `{name}` has no command"),
            "expected `command = [...]`",
            "only `server` and `balancer` have one by default".to_owned(),
        );
    }
    let base = base.unwrap_or_default();
    let size = sizes.get(name).copied().unwrap_or(role.replicas);
    let slots: Vec<SlotId> = (1..=size).map(|number| SlotId::new(name, number)).collect();
    for known in role.slot.keys() {
        if slots.iter().all(|slot| slot.as_str() != known) {
            context.report_key(
                &codes::UNKNOWN_SLOT,
                &format!("{path}.slot.{known}"),
                format!("the role `{name}` has no slot `{known}`"),
                "expected the name of a slot",
                suggest(known, "slot", slots.iter().map(SlotId::as_str)),
            );
        }
    }
    let slots: Vec<SlotPlan> = (0..)
        .zip(slots)
        .map(|(place, id)| slot_plan(role, id, &base, place >= role.replicas))
        .collect();
    let mut needs: BTreeSet<String> = role.needs.iter().cloned().collect();
    for (number, need) in role.needs.iter().enumerate() {
        if !sizes.contains_key(need.as_str()) {
            unknown_role(context, need, &format!("{path}.needs[{number}]"), sizes);
            needs.remove(need);
        }
    }
    for (text, place) in texts(role, &base, &path) {
        let used = check_templates(context, &text, &place, sizes);
        needs.extend(used.into_iter().filter(|other| other != name));
    }
    let reference = Reference::of(&base);
    RolePlan {
        name: name.to_owned(),
        needs: needs.into_iter().collect(),
        restart: RestartPlan {
            policy: role.restart.policy,
            backoff: role.restart.backoff,
        },
        ready: ready(context, role, reference, &path),
        stop_grace: TextDuration(role.stop_grace),
        members: members(context, role, reference, &path),
        slots,
    }
}

/// Holds the templates of a command to the fleet; the roles that they name.
pub(super) fn check_templates(
    context: &mut Context<'_>,
    text: &str,
    place: &str,
    sizes: &BTreeMap<&str, u32>,
) -> Vec<String> {
    let mut used = Vec::new();
    for template in templates::templates(text) {
        match linked(template, sizes) {
            Ok(other) => used.extend(other),
            Err(Linked::Role(other)) => unknown_role(context, &other, place, sizes),
            Err(Linked::Form) => context.report(
                &codes::BAD_TEMPLATE,
                place,
                format!("`{{{{ {} }}}}` means nothing here", template.escape_debug()),
                "expected slot.address, slot.port, slot.name, slot.dir, slot.incarnation, link.SLOT, links.ROLE, each.ROLE \"TEXT\" or env.NAME",
                None,
            ),
        }
    }
    used
}

fn unknown_role(context: &mut Context<'_>, role: &str, path: &str, sizes: &BTreeMap<&str, u32>) {
    context.report(
        &codes::UNKNOWN_ROLE,
        path,
        format!("the fleet has no role or slot `{}`", role.escape_debug()),
        "expected the name of a role, or a slot of one",
        suggest(role, "role", sizes.keys().copied()),
    );
}

fn slot_plan(role: &Role, id: SlotId, base: &[String], standby: bool) -> SlotPlan {
    let mut command = base.to_vec();
    let mut env = BTreeMap::new();
    let mut secret_env: BTreeMap<String, Secret> = BTreeMap::new();
    let own = role.slot.get(id.as_str());
    if let Some(own) = own {
        command.extend_from_slice(&own.args);
    }
    for (key, value) in role.env.iter().chain(own.iter().flat_map(|own| &own.env)) {
        // A slot's own value wins, whichever sort it is.
        env.remove(key);
        secret_env.remove(key);
        match value {
            TextOrSecret::Text(text) => {
                env.insert(key.clone(), text.clone());
            }
            TextOrSecret::Secret(secret) => {
                secret_env.insert(key.clone(), secret.clone());
            }
        }
    }
    // A slot's own label wins.
    let mut labels = role.labels.clone();
    labels.extend(own.iter().flat_map(|own| own.labels.clone()));
    SlotPlan {
        id,
        command,
        env,
        secret_env,
        directory: role.directory.clone(),
        files: role.files.clone(),
        limits: Limits {
            open_files: role.limits.open_files,
            memory: role.limits.memory,
        },
        wire: role.proxy.then_some(WirePlan {
            http: true,
            names: true,
        }),
        labels,
        standby,
    }
}

/// Every text of the role that may hold templates, with the path to point at.
fn texts(role: &Role, base: &[String], path: &str) -> Vec<(String, String)> {
    let mut texts: Vec<(String, String)> = Vec::new();
    let list = |key: &str, items: &[String]| -> Vec<(String, String)> {
        items
            .iter()
            .enumerate()
            .map(|(number, text)| (text.clone(), format!("{path}.{key}[{number}]")))
            .collect()
    };
    let written = role.command.as_deref().unwrap_or_default();
    texts.extend(list("command", written));
    texts.extend(list("args", &role.args));
    // What a reference command was completed with.
    let added = base
        .iter()
        .filter(|text| !written.contains(text) && !role.args.contains(text));
    texts.extend(added.map(|text| (text.clone(), path.to_owned())));
    let env = |env: &BTreeMap<String, TextOrSecret>, path: &str| -> Vec<(String, String)> {
        env.iter()
            .filter_map(|(key, value)| match value {
                TextOrSecret::Text(text) => Some((text.clone(), format!("{path}.env.{key}"))),
                TextOrSecret::Secret(_) => None,
            })
            .collect()
    };
    texts.extend(env(&role.env, path));
    for (slot, own) in &role.slot {
        let path = format!("{path}.slot.{slot}");
        texts.extend(list(&format!("slot.{slot}.args"), &own.args));
        texts.extend(env(&own.env, &path));
    }
    if let Some(written::Members::Command { reload }) = &role.members {
        texts.extend(list("members.reload", reload));
    }
    if let Some(directory) = &role.directory {
        texts.push((directory.clone(), format!("{path}.directory")));
    }
    texts
}

/// Why a template of a command is wrong.
enum Linked {
    /// It names a role or slot that does not exist.
    Role(String),
    /// It is of no known form.
    Form,
}

/// The role that a template of a command refers to.
fn linked(template: &str, sizes: &BTreeMap<&str, u32>) -> Result<Option<String>, Linked> {
    if let Some(part) = template.strip_prefix("slot.") {
        return match part {
            "address" | "port" | "name" | "dir" | "incarnation" => Ok(None),
            _ => Err(Linked::Form),
        };
    }
    let each = Each::parse(template).map(|each| each.role);
    if let Some(role) = each.or_else(|| template.strip_prefix("links.")) {
        return if sizes.contains_key(role) {
            Ok(Some(role.to_owned()))
        } else {
            Err(Linked::Role(role.to_owned()))
        };
    }
    if let Some(slot) = template.strip_prefix("link.") {
        let known = slot.rsplit_once('-').filter(|(role, number)| {
            let size = sizes.get(role).copied().unwrap_or(0);
            number
                .parse::<u32>()
                .is_ok_and(|number| (1..=size).contains(&number))
        });
        return known
            .map(|(role, _)| Some(role.to_owned()))
            .ok_or_else(|| Linked::Role(slot.to_owned()));
    }
    Err(Linked::Form)
}

fn ready(
    context: &mut Context<'_>,
    role: &Role,
    reference: Option<Reference>,
    path: &str,
) -> ReadyPlan {
    let path = format!("{path}.ready");
    let (interval, timeout) = role.ready.as_ref().map_or(
        (Duration::from_millis(100), Duration::from_secs(30)),
        |ready| (ready.interval, ready.timeout),
    );
    let mut probes = Vec::new();
    if let Some(ready) = &role.ready {
        probes.extend(ready.http.clone().map(Probe::Http));
        probes.extend(ready.tcp.filter(|on| *on).map(|_| Probe::Tcp));
        probes.extend(ready.log.clone().map(Probe::LogLine));
    }
    if probes.len() > 1 {
        context.report(
            &codes::CONFLICT,
            &path,
            "an instance is ready in more than one way",
            "expected one of `http`, `tcp` and `log`",
            None,
        );
    }
    let probe = probes.pop().unwrap_or_else(|| {
        context.defaulted(&path);
        reference.map_or(Probe::Tcp, |which| {
            Probe::Http(which.ready_path().to_owned())
        })
    });
    if matches!(&probe, Probe::Http(path) if !path.starts_with('/')) {
        context.report(
            &codes::BAD_VALUE,
            &format!("{path}.http"),
            "this is no path",
            "expected a `/` at its begin",
            None,
        );
    }
    ReadyPlan {
        probe,
        interval,
        timeout,
    }
}

fn members(
    context: &mut Context<'_>,
    role: &Role,
    reference: Option<Reference>,
    path: &str,
) -> Members {
    match &role.members {
        Some(written::Members::Command { reload }) => Members::Reload(reload.clone()),
        Some(written::Members::Word(word)) if word == "api" => {
            if reference != Some(Reference::Balancer) {
                context.report(
                    &codes::NOT_CAPABLE,
                    &format!("{path}.members"),
                    "only the reference balancer has the members API",
                    "expected { reload = [\"COMMAND\"] } or \"none\"",
                    None,
                );
            }
            Members::Api
        }
        None if reference == Some(Reference::Balancer) => Members::Api,
        Some(written::Members::Word(_)) | None => Members::None,
    }
}
