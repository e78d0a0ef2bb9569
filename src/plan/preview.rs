//! `mcpload plan`: what a run would do, as text.
//!
//! Pure. Everything printed stands in the Plan; nothing is started to print it.

use std::fmt::Write as _;
use std::time::Duration;

use crate::load::profiles::PROFILES;
use crate::model::time::humane;
use crate::model::{Offset, SlotId};
use crate::plan::compile::{intended, promised_share, samples_needed};
use crate::plan::pinning::processors;
use crate::plan::timeline::widest;
use crate::plan::{EndpointPlan, Plan, Promise, budget};
use crate::registry::{Family, Spec, build};

mod clients;

/// The width of the time line, characters.
const WIDTH: usize = 60;
/// What bringing a fleet up and down takes beside the load, roughly.
const AROUND: Duration = Duration::from_secs(3);

/// The text of `mcpload plan`; `open_files` is the limit of a process of this machine.
pub fn preview(plan: &Plan, open_files: u64) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{}: seed {}{}, {}, about {} in all\n\n",
        plan.name,
        plan.seed.0,
        if plan
            .origins
            .get("seed")
            .is_some_and(|origin| origin == "drawn")
        {
            " (drawn)"
        } else {
            ""
        },
        plural(u64::from(plan.workers), "worker"),
        humane(plan.end().since(Offset::ZERO) + AROUND),
    );
    generator(&mut text, plan, open_files);
    fleet(&mut text, plan);
    clients::workloads(&mut text, plan);
    time_line(&mut text, plan);
    objectives(&mut text, plan);
    checks(&mut text, plan);
    files(&mut text, plan, open_files);
    text
}

fn plural(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

/// Who makes the load, with what, and what is written down of it.
fn generator(text: &mut String, plan: &Plan, open_files: u64) {
    let workers = plural(u64::from(plan.workers), "worker");
    let is_default = plan.origins.get("workers").map(String::as_str) == Some("default");
    let why = match plan.workers {
        _ if !is_default => "as the scenario says".to_owned(),
        many if many > 1 && budget::worker_files(plan, many - 1) > open_files => {
            format!("so many that each stays within {open_files} open files")
        }
        _ => "for half of the processors".to_owned(),
    };
    let _ = writeln!(text, "load from {workers} ({why})");
    if let Some(pinning) = &plan.pinning {
        let _ = writeln!(
            text,
            "  mcpload and its workers on {}, the fleet on {}",
            processors(&pinning.generator),
            processors(&pinning.fleet)
        );
    }
    if plan.record.is_sampled() {
        let _ = writeln!(
            text,
            "  rows of {} of the operations are kept, and of all that did not end ok or were too slow",
            plan.record.calls
        );
    }
    text.push('\n');
}

fn fleet(text: &mut String, plan: &Plan) {
    let _ = writeln!(text, "fleet ({})", plan.fleet.driver.kind);
    for role in &plan.fleet.roles {
        let standby = role.slots.iter().filter(|slot| slot.standby).count() as u64;
        let count = role.slots.len() as u64 - standby;
        let later = match standby {
            0 => String::new(),
            standby => format!(", {standby} on standby"),
        };
        let command = role.slots.first().map_or(String::new(), |slot| {
            let words: Vec<&str> = slot.command.iter().take(3).map(String::as_str).collect();
            words.join(" ")
        });
        let needs = match role.needs.as_slice() {
            [] => String::new(),
            needs => format!(", after {}", needs.join(", ")),
        };
        let _ = writeln!(
            text,
            "  {:<12} {}: {command}{needs}{later}",
            role.name,
            plural(count, "slot")
        );
    }
    let _ = match &plan.fleet.endpoint {
        EndpointPlan::Role { role, path } => writeln!(text, "  clients go to {role} at {path}"),
        EndpointPlan::Urls(urls) => {
            let trust = match (&plan.fleet.tls.ca, plan.fleet.tls.insecure) {
                (Some(_), _) => ", whose certificates are checked with a file of authorities",
                (None, true) => ", whose certificates are not checked",
                (None, false) => "",
            };
            writeln!(text, "  clients go to {}{trust}", urls.join(", "))
        }
    };
    text.push('\n');
}

fn describe(spec: &Spec) -> String {
    build(PROFILES, Family::Profile, spec)
        .map_or_else(|_| spec.kind.clone(), |profile| profile.describe())
}

fn time_line(text: &mut String, plan: &Plan) {
    let total = plan.end().since(Offset::ZERO).as_secs_f64().max(1e-9);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a column between 0 and the width"
    )]
    let column = |at: Offset| ((at.seconds() / total * WIDTH as f64) as usize).min(WIDTH - 1);
    let mut bar = vec!['-'; WIDTH];
    for phase in &plan.phases {
        if let Some(place) = bar.get_mut(column(phase.window.start)) {
            *place = '|';
        }
    }
    for fault in &plan.faults {
        if let Some(place) = bar.get_mut(column(fault.at)) {
            *place = 'X';
        }
    }
    let bar: String = bar.into_iter().collect();
    let _ = writeln!(text, "time line {bar}|");
    for phase in &plan.phases {
        let loads: Vec<String> = phase
            .loads
            .iter()
            .map(|(workload, spec)| {
                if plan.workloads.len() > 1 {
                    format!("{workload}: {}", describe(spec))
                } else {
                    describe(spec)
                }
            })
            .collect();
        let loads = if loads.is_empty() {
            "no load".to_owned()
        } else {
            loads.join("; ")
        };
        let measured = if phase.measure { "" } else { ", not measured" };
        let _ = writeln!(
            text,
            "  {:>9}  {:<12} {} at {loads}{measured}",
            phase.window.start.to_string(),
            phase.name,
            humantime::format_duration(phase.window.length()),
        );
        let inside = plan
            .faults
            .iter()
            .filter(|fault| phase.window.contains(fault.at));
        for fault in inside {
            let mut targets: Vec<&str> = fault.targets.iter().map(SlotId::as_str).collect();
            let owner = fault.owner.as_ref().map(|owner| {
                format!(
                    "the owner of the session of client {} of {}",
                    owner.client, owner.workload
                )
            });
            targets.extend(owner.as_deref());
            if fault.is_observed() {
                targets.insert(0, "from then on");
            } else if targets.is_empty() {
                targets.push("something outside of the fleet");
            }
            let lasts = fault
                .duration
                .map(|duration| format!(" for {}", humane(duration)));
            let _ = writeln!(
                text,
                "  {:>9}  X {}: {} {}{}",
                fault.at.to_string(),
                fault.name,
                fault.spec.kind,
                targets.join(", "),
                lasts.unwrap_or_default(),
            );
        }
    }
    let _ = writeln!(text, "  {:>9}  end", plan.end().to_string());
    text.push('\n');
}

fn objectives(text: &mut String, plan: &Plan) {
    for objective in &plan.objectives {
        let promise = match objective.promise {
            Promise::Latency { share, under } => {
                format!("{share} within {}", humantime::format_duration(under))
            }
            Promise::Errors { under } => format!("less than {under} not ok"),
            Promise::Throughput { share } => format!("{share} of the intended done"),
        };
        for window in &objective.windows {
            let spans = widest(window, &plan.phases, &plan.faults);
            let samples = intended(plan, objective, &spans);
            let needed = promised_share(&objective.promise).map(samples_needed);
            let decided = match (samples, needed) {
                (Some(samples), Some(needed)) => {
                    format!("decidable: up to {samples} samples, {needed} needed")
                }
                (Some(samples), None) => format!("up to {samples} samples"),
                (None, Some(needed)) => {
                    format!(
                        "decidable with {needed} samples, which a closed model may reach or not"
                    )
                }
                (None, None) => "a closed model has no intended rate".to_owned(),
            };
            let _ = writeln!(
                text,
                "slo {} in {window}: {promise} ({decided})",
                objective.name
            );
        }
    }
}

fn checks(text: &mut String, plan: &Plan) {
    for check in &plan.checks {
        let mut settings: Vec<String> = Vec::new();
        for (key, value) in check.spec.with.as_object().into_iter().flatten() {
            settings.push(match value.as_str() {
                Some(text) => format!("{key} {text}"),
                None => format!("{key} {value}"),
            });
        }
        let of = check
            .fault
            .as_ref()
            .map_or(String::new(), |fault| format!(" of {fault}"));
        let own = if check.line == 0 { " (added)" } else { "" };
        let _ = writeln!(
            text,
            "check {}{of}: {}{own}",
            check.spec.kind,
            settings.join(", ")
        );
    }
    text.push('\n');
}

fn files(text: &mut String, plan: &Plan, open_files: u64) {
    text.push_str("open files and sockets, at most\n");
    for need in budget::needs(plan, open_files) {
        let _ = writeln!(
            text,
            "  {:<24} {} of {}",
            need.process, need.files, need.limit
        );
    }
}
