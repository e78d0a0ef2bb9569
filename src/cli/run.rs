//! `mcpload run`: the left half, then the right half on the directory just written.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rand::Rng;

use super::exit::Exit;
use super::prepare::{self, Prepared};
use super::{RunArgs, out, replay, report};
use crate::discover;
use crate::engine::{self, Ended, Figures, Job, Notice};
use crate::model::Rate;
use crate::model::event::Ending;
use crate::plan::{EndpointPlan, FORMAT, Method, Plan};
use crate::record::rows::{HostFacts, RunFacts};
use crate::record::writer::RunDirectory;
use crate::report::live::{Live, LiveStats};
use crate::scenario::Inputs;
use crate::scenario::init::{self, Existing, ToolInfo};

/// Plays a scenario and judges it.
pub(super) fn run(args: &RunArgs) -> Exit {
    raise_open_files();
    let prepared = match (&args.scenario, &args.url, &args.replay) {
        (Some(path), ..) => prepare::file(path, &args.change),
        (None, Some(url), _) => from_url(args, url),
        (None, None, Some(run)) => replay::of_run(run),
        (None, None, None) => Err(Exit::Usage),
    };
    match prepared.and_then(|prepared| play(args, prepared)) {
        Ok(exit) | Err(exit) => exit,
    }
}

/// Makes a scenario for a server that runs: its read-only tools, or its list of tools where none is marked.
fn from_url(args: &RunArgs, url: &str) -> Result<Prepared, Exit> {
    let usage = |message: String| {
        out::say(&format!("error: {message}"));
        Exit::Usage
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(usage(format!(
            "--url {url}: expected a URL such as http://127.0.0.1:8000/mcp"
        )));
    }
    let length = args.length.as_deref().unwrap_or("15s");
    let length = humantime::parse_duration(length)
        .map_err(|error| usage(format!("--for {length}: {error}")))?;
    let rate: Rate = args
        .rate
        .as_deref()
        .unwrap_or("20/s")
        .parse()
        .map_err(|error| usage(format!("--rate: {error}")))?;
    let found = discover::blocking(url).map_err(|error| {
        out::error(&error);
        Exit::NotReady
    })?;
    if let Some(unknown) = args
        .allow_tool
        .iter()
        .find(|name| found.tools.iter().all(|tool| tool.name != **name))
    {
        let names: Vec<&str> = found.tools.iter().map(|tool| tool.name.as_str()).collect();
        return Err(usage(format!(
            "--allow-tool {unknown}: the server has no such tool; it has {}",
            names.join(", ")
        )));
    }
    let existing = Existing {
        url,
        protocol: Some(found.protocol),
        rate,
        clients: Some(args.clients.unwrap_or(20)),
        length,
        allow: &args.allow_tool,
    };
    let text = init::for_existing(&existing, &found.tools);
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    prepare::text_from("--url".to_owned(), text, directory, &args.change)
}

fn play(args: &RunArgs, prepared: Prepared) -> Result<Exit, Exit> {
    let internal = |message: String| {
        out::say(&format!("error: {message}"));
        Exit::Internal
    };
    let plan = prepared.plan;
    guard(&plan)?;
    let unique: u16 = u16::try_from(rand::rng().next_u32() & 0xffff).unwrap_or_default();
    let started = jiff::Timestamp::now();
    let path = args
        .out
        .clone()
        .unwrap_or_else(|| default_directory(&plan.name, started, unique));
    let directory = RunDirectory::create(&path).map_err(|error| {
        out::say(&format!(
            "error: cannot create the run directory {}: {error}",
            path.display()
        ));
        Exit::Usage
    })?;
    copy_inputs(&prepared.inputs, &directory).map_err(|error| {
        internal(format!(
            "cannot copy the scenario's files into {}: {error}",
            path.display()
        ))
    })?;
    out::say(&opening(&plan, &path));
    let binary = std::env::current_exe()
        .map_err(|error| internal(format!("cannot find this program: {error}")))?;
    let facts = RunFacts {
        format: FORMAT.to_owned(),
        name: plan.name.clone(),
        id: directory.name(),
        seed: plan.seed,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        source: prepared.source,
        host: host_facts(),
    };
    let on_inconclusive = args.on_inconclusive;
    let job = Job {
        plan,
        directory,
        facts,
        scenario: prepared.text,
        scenario_dir: prepared.directory,
        binary,
        network: unique,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| internal(error.to_string()))?;
    let mut screen = Screen::default();
    let ended = runtime.block_on(engine::execute(job, &mut |notice| screen.show(&notice)));
    screen.clear();
    drop(runtime);
    let ended = ended.map_err(|error| {
        out::error(&error);
        // What was recorded is judged all the same; a disk that is full may refuse even that.
        let _ = report::render(&path);
        Exit::Internal
    })?;
    Ok(conclude(ended, &path, on_inconclusive))
}

fn conclude(ended: Ended, path: &Path, on_inconclusive: super::OnInconclusive) -> Exit {
    let of_signal = ended.signal_exit.map(Exit::of_code);
    if ended.at_once {
        out::say(&format!(
            "left at once; `mcpload report {}` judges what there is",
            path.display()
        ));
        return of_signal.unwrap_or(Exit::Interrupted);
    }
    let judged = match report::render(path) {
        Ok(judged) => report::conclude(&judged, path, on_inconclusive),
        Err(exit) => exit,
    };
    match ended.how {
        Ending::Completed | Ending::Aborted => judged,
        Ending::NotReady => Exit::NotReady,
        // An environment that may still be broken is worth more than the fact that somebody pressed a key, or than our own bug.
        Ending::Failed | Ending::Interrupted if judged == Exit::NotHealed => judged,
        Ending::Failed => Exit::Internal,
        Ending::Interrupted => of_signal.unwrap_or(Exit::Interrupted),
    }
}

/// Copies the files that the scenario names: what runs reads the copies.
fn copy_inputs(inputs: &Inputs, directory: &RunDirectory) -> io::Result<()> {
    for input in inputs.iter() {
        std::fs::write(directory.path().join(&input.path), &input.bytes)?;
    }
    Ok(())
}

/// Refuses to call a tool of a fleet outside that is not marked read-only and not named in `allow_tools`.
fn guard(plan: &Plan) -> Result<(), Exit> {
    let EndpointPlan::Urls(urls) = &plan.fleet.endpoint else {
        return Ok(());
    };
    let steps = plan
        .workloads
        .iter()
        .flat_map(|workload| &workload.operations)
        .flat_map(|operation| &operation.steps);
    let called: BTreeSet<&str> = steps
        .filter(|step| step.method == Method::ToolsCall)
        .map(|step| step.target.as_str())
        .collect();
    let allowed = plan
        .fleet
        .driver
        .with
        .get("allow_tools")
        .and_then(serde_json::Value::as_array);
    let allowed =
        |name: &str| allowed.is_some_and(|names| names.iter().any(|allowed| allowed == name));
    // Where everything is allowed by name the server need not be asked: it may speak in a way that only the clients know.
    let asks = called.iter().any(|name| !allowed(name));
    let (Some(url), true) = (urls.first(), asks) else {
        return Ok(());
    };
    let found = discover::blocking(url).map_err(|error| {
        out::error(&error);
        out::say(
            "  hint: tools that are named in `allow_tools` of [fleet] are called without asking",
        );
        Exit::NotReady
    })?;
    let marked = |name: &str| {
        found
            .tools
            .iter()
            .any(|tool: &ToolInfo| tool.name == name && tool.read_only)
    };
    let refused: Vec<&str> = called
        .into_iter()
        .filter(|name| !allowed(name) && !marked(name))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    out::say(&format!(
        "error: {url} does not mark as read-only: {}",
        refused.join(", ")
    ));
    out::say("  hint: if they may be called under load, name them in `allow_tools` of [fleet]");
    Err(Exit::Usage)
}

/// One line before the start: what will be done to whom.
fn opening(plan: &Plan, path: &Path) -> String {
    let target = match &plan.fleet.endpoint {
        EndpointPlan::Role { role, .. } => {
            format!("{} slots, clients at {role}", plan.fleet.slots().count())
        }
        EndpointPlan::Urls(urls) => urls.join(", "),
    };
    let clients: u32 = plan.workloads.iter().map(|workload| workload.clients).sum();
    let tools: Vec<&str> = plan
        .workloads
        .iter()
        .flat_map(|workload| &workload.operations)
        .map(|operation| operation.name.as_str())
        .collect();
    let faults: Vec<&str> = plan
        .faults
        .iter()
        .map(|fault| fault.name.as_str())
        .collect();
    let faults = if faults.is_empty() {
        "none".to_owned()
    } else {
        faults.join(", ")
    };
    format!(
        "{}: {target}; {clients} clients; {} s; operations {}; faults {faults}; seed {}\nrun directory: {}",
        plan.name,
        plan.end().seconds(),
        tools.join(", "),
        plan.seed.0,
        path.display()
    )
}

fn default_directory(name: &str, started: jiff::Timestamp, unique: u16) -> PathBuf {
    PathBuf::from("reports").join(format!(
        "{name}-{}-{unique:04x}",
        started.strftime("%Y%m%dT%H%M%SZ")
    ))
}

/// Raises the soft limit of open files to the hard one, as every load tool must.
pub(super) fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // If it is refused, the plan counts with what there is.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

pub(super) fn host_facts() -> HostFacts {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kibibytes: u64 = memory
        .split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0);
    HostFacts {
        kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        processor: field(&read("/proc/cpuinfo"), "model name"),
        cores: prepare::cores(),
        memory_bytes: kibibytes * 1024,
        open_files: prepare::open_files(),
        pinning: None,
    }
}

/// The operator's view: one live line on a terminal, plain lines elsewhere.
#[derive(Default)]
struct Screen {
    /// Whether a live line stands on the terminal.
    drawn: bool,
    /// What was printed last elsewhere.
    plain: Live,
}

impl Screen {
    fn show(&mut self, notice: &Notice) {
        match notice {
            Notice::Line(line) => {
                self.clear();
                out::say(line);
            }
            Notice::Figures(figures) if io::stderr().is_terminal() => {
                let _ = write!(
                    io::stderr().lock(),
                    "\r\x1b[2K{}",
                    Live::line(&stats(figures))
                );
                self.drawn = true;
            }
            Notice::Figures(figures) => {
                if let Some(line) = self.plain.plain(&stats(figures)) {
                    out::say(&line);
                }
            }
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "operations of one second are far below 2^52"
)]
fn stats(figures: &Figures) -> LiveStats {
    LiveStats {
        phase: figures.phase.clone(),
        elapsed: figures.elapsed,
        total: figures.total,
        rate: figures.rate as f64,
        errors: (figures.rate > 0).then(|| figures.bad as f64 / figures.rate as f64),
        p99_ns: figures.p99_ns,
        slots_ready: u32::try_from(figures.slots_ready).unwrap_or(u32::MAX),
        slots_total: u32::try_from(figures.slots).unwrap_or(u32::MAX),
        marks: figures.marks.clone(),
    }
}
