//! The fleet: driver, endpoint, roles in start order.
//!
//! Pure.

use std::collections::BTreeMap;

use super::{Context, command, roles};
use crate::diag::{codes, suggest};
use crate::plan::{EndpointPlan, FleetPlan, RolePlan, TlsPlan};
use crate::scenario::written::Endpoint;

/// The header that the reference fleet sets.
const SERVED_BY: &str = "mcpload-instance";

pub(super) fn compile(context: &mut Context<'_>) -> FleetPlan {
    let written = &context.scenario.fleet;
    let external = written.driver.kind == "external";
    let roles = if external {
        Vec::new()
    } else {
        roles::compile(context)
    };
    let roles = start_order(context, roles);
    let endpoint = if external {
        external_endpoint(context)
    } else {
        role_endpoint(context, &roles)
    };
    let mut plan = FleetPlan {
        driver: written.driver.clone(),
        roles,
        endpoint,
        served_by: written.served_by.clone(),
        tls: tls(context),
    };
    if let Some(name) = &plan.served_by {
        if http::HeaderName::try_from(name.as_str()).is_err() {
            context.report(
                &codes::BAD_VALUE,
                "fleet.served_by",
                "this is no name of a header",
                "expected letters, digits and `-`",
                None,
            );
        }
    } else if plan
        .slots()
        .any(|(_, slot)| command::Reference::of(&slot.command).is_some())
    {
        plan.served_by = Some(SERVED_BY.to_owned());
        context.defaulted("fleet.served_by");
    }
    plan
}

/// Whom clients trust, where the endpoint is outside; what the run starts itself speaks no TLS.
fn tls(context: &mut Context<'_>) -> TlsPlan {
    let written = context.scenario.fleet.endpoint.clone().unwrap_or_default();
    let insecure = written.insecure.unwrap_or(false);
    let urls = written.url.iter().chain(written.urls.iter().flatten());
    let is_plain = urls
        .clone()
        .all(|url| !url.starts_with("https://") && !url.starts_with("wss://"));
    let given = [("ca", written.ca.is_some()), ("insecure", insecure)];
    for (key, _) in given
        .iter()
        .filter(|(_, given)| *given && is_plain && urls.clone().count() > 0)
    {
        context.report(
            &codes::CONFLICT,
            &format!("fleet.endpoint.{key}"),
            format!("`{key}` is about TLS, and the endpoint speaks none"),
            "expected a URL with https:// or wss://",
            None,
        );
    }
    if written.ca.is_some() && insecure {
        context.report(
            &codes::CONFLICT,
            "fleet.endpoint.insecure",
            "who takes any certificate needs no authorities",
            "expected `ca` or `insecure`",
            None,
        );
    }
    let ca = context.inputs.get("fleet.endpoint.ca");
    TlsPlan {
        ca: ca.map(|input| input.path.clone()),
        insecure,
    }
}

fn external_endpoint(context: &mut Context<'_>) -> EndpointPlan {
    let written = context.scenario.fleet.endpoint.clone().unwrap_or_default();
    if !context.scenario.fleet.role.is_empty() {
        context.report(
            &codes::CONFLICT,
            "fleet.role",
            "the driver `external` starts nothing",
            "expected no roles",
            "leave `driver` out to start them as local processes".to_owned(),
        );
    }
    refuse_keys(context, &written, &["role", "path"]);
    let urls: Vec<(String, String)> = match (&written.url, &written.urls) {
        (Some(url), None) => vec![(url.clone(), "fleet.endpoint.url".to_owned())],
        (None, Some(urls)) if !urls.is_empty() => urls
            .iter()
            .enumerate()
            .map(|(number, url)| (url.clone(), format!("fleet.endpoint.urls[{number}]")))
            .collect(),
        (Some(_), Some(_)) => {
            context.report(
                &codes::CONFLICT,
                "fleet.endpoint.urls",
                "the endpoint has `url` and `urls`",
                "expected only one of them",
                None,
            );
            Vec::new()
        }
        _ => {
            context.report(
                &codes::MISSING_KEY,
                "fleet.endpoint",
                "the driver `external` needs to know where the fleet is",
                "expected `endpoint = { url = \"http://...\" }`",
                None,
            );
            Vec::new()
        }
    };
    for (url, path) in &urls {
        check_url(context, url, path);
    }
    EndpointPlan::Urls(urls.into_iter().map(|(url, _)| url).collect())
}

fn check_url(context: &mut Context<'_>, url: &str, path: &str) {
    let parsed = url.parse::<http::Uri>().ok();
    let scheme = parsed.as_ref().and_then(http::Uri::scheme_str);
    let host = parsed.as_ref().and_then(http::Uri::host).unwrap_or("");
    match scheme {
        Some("http" | "https" | "ws" | "wss") if !host.is_empty() => {}
        _ => context.report(
            &codes::BAD_VALUE,
            path,
            "this is no URL of an endpoint",
            "expected http://HOST:PORT/PATH, or https, ws or wss",
            None,
        ),
    }
}

fn refuse_keys(context: &mut Context<'_>, written: &Endpoint, keys: &[&str]) {
    let given = [
        ("role", written.role.is_some()),
        ("path", written.path.is_some()),
        ("url", written.url.is_some()),
        ("urls", written.urls.is_some()),
        ("ca", written.ca.is_some()),
        ("insecure", written.insecure.is_some()),
    ];
    let driver = context.scenario.fleet.driver.kind.clone();
    for (key, _) in given
        .iter()
        .filter(|(key, given)| *given && keys.contains(key))
    {
        context.report(
            &codes::CONFLICT,
            &format!("fleet.endpoint.{key}"),
            format!("an endpoint of the driver `{driver}` has no `{key}`"),
            if driver == "external" {
                "expected `url` or `urls`"
            } else {
                "expected `role` and `path`"
            },
            (driver != "external")
                .then(|| "for a fleet that already runs write `driver = \"external\"`".to_owned()),
        );
    }
}

fn role_endpoint(context: &mut Context<'_>, roles: &[RolePlan]) -> EndpointPlan {
    let written = context.scenario.fleet.endpoint.clone().unwrap_or_default();
    refuse_keys(context, &written, &["url", "urls", "ca", "insecure"]);
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    let path = written.path.unwrap_or_else(|| "/mcp".to_owned());
    if !path.starts_with('/') || path.contains(char::is_whitespace) {
        context.report(
            &codes::BAD_VALUE,
            "fleet.endpoint.path",
            "this is no path",
            "expected a `/` and no blanks",
            None,
        );
    }
    let role = if let Some(role) = written.role {
        if !names.contains(&role.as_str()) {
            context.report(
                &codes::UNKNOWN_ROLE,
                "fleet.endpoint.role",
                format!("the fleet has no role `{role}`"),
                "expected the name of a role",
                suggest(&role, "role", names.iter().copied()),
            );
        }
        role
    } else {
        context.defaulted("fleet.endpoint.role");
        let preferred = ["balancer", "server"]
            .into_iter()
            .find(|name| names.contains(name));
        match (preferred, names.as_slice()) {
            (Some(name), _) => name.to_owned(),
            (None, [only]) => (*only).to_owned(),
            _ => {
                context.report(
                    &codes::MISSING_KEY,
                    "fleet",
                    "it is not clear which role the clients go to",
                    "expected `endpoint = { role = ... }`",
                    suggest("", "role", names.iter().copied()),
                );
                String::new()
            }
        }
    };
    EndpointPlan::Role { role, path }
}

/// The roles so that each comes after those that it needs; a circle is refused.
fn start_order(context: &mut Context<'_>, mut roles: Vec<RolePlan>) -> Vec<RolePlan> {
    let mut ordered: Vec<RolePlan> = Vec::new();
    loop {
        let next = roles.iter().position(|role| {
            role.needs
                .iter()
                .all(|need| ordered.iter().any(|done| done.name == *need))
        });
        let Some(next) = next else { break };
        ordered.push(roles.remove(next));
    }
    if !roles.is_empty() {
        let waits: BTreeMap<&str, &str> = roles
            .iter()
            .filter_map(|role| {
                let need = role
                    .needs
                    .iter()
                    .find(|need| roles.iter().any(|one| one.name == **need))?;
                Some((role.name.as_str(), need.as_str()))
            })
            .collect();
        if let Some((role, need)) = waits.iter().next() {
            let path = format!("fleet.role.{role}.needs");
            let path = if context.spans.given(&path) {
                path
            } else {
                format!("fleet.role.{role}")
            };
            let names: Vec<&str> = waits.keys().copied().collect();
            context.report(
                &codes::CYCLE,
                &path,
                format!("roles wait for each other: {}", names.join(", ")),
                format!("`{role}` waits for `{need}`"),
                "a `{{ links.ROLE }}` in a command makes the role wait, too".to_owned(),
            );
        }
        ordered.append(&mut roles);
    }
    ordered
}
