//! From a Scenario to a Plan: names resolved, times fixed, targets drawn; whatever cannot be, or can never be decided, refused.
//!
//! Pure. Each part is a file that takes the `Context` and reports into it; nothing stops at the first mistake. The order is:
//! phases, workloads, fleet, faults, objectives and checks, then what holds between them (`decidable`, `budget`).

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::diag::{Code, Diagnostic, Diagnostics, codes};
use crate::model::Seed;
use crate::plan::{AbortPlan, Counted, Pinning, Plan, RecordPlan, SteadyPlan, budget};
use crate::scenario::{Inputs, Loaded, Scenario, Spans};

mod auth;
mod blast;
mod checks;
mod command;
mod connections;
mod data;
mod decidable;
mod expectations;
mod faults;
mod fleet;
mod objectives;
mod operations;
mod phases;
mod recovery;
mod roles;
mod templates;
mod workloads;

pub(super) use decidable::{intended, promised_share, samples_needed};

/// What the plan depends on beside the scenario.
#[derive(Clone, Debug)]
pub struct Host {
    /// How many processors this process may use, as far as quotas let it.
    pub cores: u32,
    /// Which processors they are, by the kernel's numbers; empty if unknown.
    pub processors: Vec<u32>,
    /// Open files that a process may have.
    pub open_files: u64,
    /// The seed to use if the scenario has none.
    pub seed: u64,
}

/// The scenario and what is wrong with it so far.
struct Context<'a> {
    scenario: &'a Scenario,
    spans: &'a Spans,
    inputs: &'a Inputs,
    catalog: &'a Catalog,
    host: &'a Host,
    origins: BTreeMap<String, String>,
    wrong: Vec<Diagnostic>,
}

impl Context<'_> {
    /// Reports something at the value of `path`.
    fn report(
        &mut self,
        code: &'static Code,
        path: &str,
        message: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        let place = self.spans.place(path);
        self.wrong
            .push(Diagnostic::new(code, place, message, expected).hint(hint));
    }

    /// Reports something at the key of `path`.
    fn report_key(
        &mut self,
        code: &'static Code,
        path: &str,
        message: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        let place = self.spans.key_place(path);
        self.wrong
            .push(Diagnostic::new(code, place, message, expected).hint(hint));
    }

    /// Notes that the value at `path` is a default that depends on the rest of the scenario.
    fn defaulted(&mut self, path: &str) {
        self.origins.insert(path.to_owned(), "default".to_owned());
    }

    /// Reports each name that stands twice; `items` are names with their paths.
    fn unique(&mut self, noun: &str, items: &[(String, String)]) {
        let mut seen = BTreeMap::new();
        for (name, path) in items {
            if let Some(first) = seen.insert(name, path) {
                let line = self.spans.line(first);
                self.report(
                    &codes::DUPLICATE_NAME,
                    path,
                    format!("there are two {noun}s called `{name}`"),
                    format!("the first stands in line {line}"),
                    "give it a `name` of its own".to_owned(),
                );
            }
        }
    }
}

/// Makes the plan of a scenario.
///
/// # Errors
/// Everything that keeps it from being one.
pub fn compile(loaded: &Loaded, catalog: &Catalog, host: &Host) -> Result<Plan, Diagnostics> {
    let scenario = &loaded.scenario;
    let mut context = Context {
        scenario,
        spans: &loaded.spans,
        inputs: &loaded.inputs,
        catalog,
        host,
        origins: loaded.spans.origins().clone(),
        wrong: Vec::new(),
    };
    let seed = Seed(scenario.seed.unwrap_or(host.seed));
    if scenario.seed.is_none() {
        context
            .origins
            .insert("seed".to_owned(), "drawn".to_owned());
    }
    if scenario.workers.is_none() {
        context.defaulted("workers");
    }
    let phases = phases::compile(&mut context);
    let mut fleet = fleet::compile(&mut context);
    let workloads = workloads::compile(&mut context, &phases, &fleet);
    let blast_radius = blast::compile(&mut context, &fleet);
    let around = faults::Around {
        phases: &phases,
        fleet: &fleet,
        workloads: &workloads,
        blast_radius: blast_radius.as_ref(),
        seed,
    };
    let faults = faults::compile(&mut context, &around);
    faults::place_proxies(&context, &faults, &mut fleet);
    faults::reachable(&mut context, &faults, &fleet);
    let objectives = objectives::compile(&mut context, &phases, &faults, &workloads);
    let checks = checks::compile(&mut context, &faults);
    let mut plan = Plan {
        name: scenario.name.clone(),
        seed,
        workers: scenario.workers.unwrap_or(1),
        pinning: None,
        record: RecordPlan {
            calls: scenario.record.calls,
        },
        fleet,
        workloads,
        phases,
        faults,
        steady: SteadyPlan {
            share: scenario.steady.share,
            over: scenario.steady.over,
        },
        abort: abort(&mut context),
        blast_radius,
        objectives,
        checks,
        origins: BTreeMap::new(),
    };
    if scenario.workers.is_none() {
        plan.workers = budget::workers(&plan, host.cores, host.open_files);
    }
    let pins = plan.fleet.driver.with.get("pin");
    if pins.and_then(serde_json::Value::as_bool) == Some(true) {
        plan.pinning = Pinning::divide(&host.processors, plan.workers);
    }
    // What holds between the parts is only asked when each part by itself is right: the rest would be echoes.
    if context.wrong.is_empty() {
        decidable::check(&mut context, &plan);
        budget_check(&mut context, &plan);
        sampling_check(&mut context, &plan);
    }
    plan.origins = std::mem::take(&mut context.origins);
    if context.wrong.is_empty() {
        Ok(plan)
    } else {
        Err(loaded.spans.diagnostics(context.wrong))
    }
}

/// What ends the run early.
fn abort(context: &mut Context<'_>) -> Option<AbortPlan> {
    let written = context.scenario.abort.as_ref()?;
    let (errors, url, file) = (written.errors, &written.url, &written.file);
    if errors.is_none() && url.is_none() && file.is_none() {
        context.report(
            &codes::MISSING_KEY,
            "abort",
            "nothing is said that would end the run early",
            "expected `errors`, `url` or `file`",
            None,
        );
    }
    let is_http = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if url.as_ref().is_some_and(|url| !is_http(url)) {
        context.report(
            &codes::BAD_VALUE,
            "abort.url",
            "this is no URL that can be asked",
            "expected http:// or https://",
            None,
        );
    }
    Some(AbortPlan {
        errors,
        over: written.over,
        url: url.clone(),
        file: file.clone(),
    })
}

/// Where rows are left out, nothing is promised that only all of them can tell.
fn sampling_check(context: &mut Context<'_>, plan: &Plan) {
    if !plan.record.is_sampled() {
        return;
    }
    let share = plan.record.calls;
    if let Some(fault) = plan.faults.first() {
        context.report(
            &codes::CONFLICT,
            "record.calls",
            format!(
                "what `{}` does to the users is told by the rows of all operations, and {share} of them are kept",
                fault.name
            ),
            "expected \"100%\" where there are faults",
            "leave `calls` of [record] out, or play the faults in a run of their own".to_owned(),
        );
    }
    for (number, objective) in plan.objectives.iter().enumerate() {
        if objective.of == Counted::Calls {
            context.report(
                &codes::CONFLICT,
                &format!("slo[{number}].of"),
                format!(
                    "`{}` counts calls, which is told by the rows of all operations, and {share} of them are kept",
                    objective.name
                ),
                "expected \"operations\" where rows are left out",
                "let the objective count operations, or leave `calls` of [record] out".to_owned(),
            );
        }
    }
}

fn budget_check(context: &mut Context<'_>, plan: &Plan) {
    for need in budget::needs(plan, context.host.open_files) {
        if need.files <= need.limit {
            continue;
        }
        let path = match &need.role {
            Some(role) => format!("fleet.role.{role}"),
            None if context.spans.given("workers") => "workers".to_owned(),
            None => "workload[0].clients".to_owned(),
        };
        let files = need.files;
        let hint = match (&need.role, need.is_own_limit) {
            (Some(_), true) => format!(
                "use more replicas or fewer clients, or raise it to `limits = {{ open_files = {files} }}`"
            ),
            (Some(_), false) => format!(
                "use more replicas or fewer clients, or raise the limit (`ulimit -n {files}`)"
            ),
            (None, _) => {
                let more = budget::workers(plan, plan.workers, need.limit);
                let workers = if more > plan.workers {
                    format!("`workers = {more}`")
                } else {
                    "more `workers`".to_owned()
                };
                format!("use {workers} or fewer clients, or raise the limit (`ulimit -n {files}`)")
            }
        };
        context.report(
            &codes::TOO_MANY_FILES,
            &path,
            format!("{} would need {} open files", need.process, need.files),
            format!("expected at most {}, its limit", need.limit),
            hint,
        );
    }
}
