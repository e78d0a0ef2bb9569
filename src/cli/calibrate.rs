//! `mcpload calibrate`: measures what this machine can generate, and proves that the instrument tells what happened.
//!
//! It plays scenarios against stubs that it deploys, through the path of `mcpload run`: planned, executed, recorded, read back.
//! What is played and how it is judged stands in `crate::calibrate`, which is pure. Next: [`player`] plays one, [`place`] is where.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::{out, prepare, run};
use crate::calibrate::proofs::{self, Delayed, Paused};
use crate::calibrate::reading::{Held, measured, refusals};
use crate::calibrate::scenario::{
    CLIENTS, DELAYS_MS, Era, FIXED, PER_RATE, Probe, RATE_CLIENTS, Shape,
};
use crate::calibrate::search::Search;
use crate::calibrate::{Calibration, ClientsFound, NOT_MEASURED, RateFound, VERSION, tables};
use crate::check::Answer;
use crate::report::words as say;

mod place;
mod player;

use place::Place;
use player::{Played, Player};

const EXAMPLES: &str = "Examples:
  mcpload calibrate
  mcpload calibrate --only proofs
  mcpload calibrate --for 5m --out calibration --json > calibration.json

Exit codes: 0 the instrument tells what happened · 2 wrong usage · 3 the stub cannot be started · 7 it does not, or that cannot be
told because the machine is busy";

/// Where the first search begins, calls a second.
const FIRST_RATE: u64 = 8_000;
/// Probes of a rate in one search, at least and at most.
const PROBES: (u64, u64) = (3, 12);
/// Files that a worker has open besides those of its clients, with room.
const OWN_FILES: u64 = 128;

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CalibrateArgs {
    /// About how long it may take in all; with more time more rates are tried.
    #[arg(long = "for", value_name = "DURATION", default_value = "75s", value_parser = humantime::parse_duration)]
    length: Duration,
    /// Only this part. Repeatable.
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// Keep the run directories and calibration.json here; must not exist, or be empty [default: a temporary directory that is removed].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON instead of tables (`mcpload schema --calibration` describes it).
    #[arg(long)]
    json: bool,
}

/// A part of a calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Does a pause show where it must, do known delays come out, is every call counted?
    Proofs,
    /// The highest rates whose numbers can be trusted, and what a call costs.
    Rates,
    /// How many clients memory and open files are enough for.
    Clients,
}

/// Calibrates and prints what came out.
pub(super) fn calibrate(args: &CalibrateArgs) -> Exit {
    match measure(args).and_then(|found| print(args, &found)) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn print(args: &CalibrateArgs, found: &Calibration) -> Result<Exit, Exit> {
    let json = serde_json::to_string_pretty(found).map_err(|error| {
        out::error(&error);
        Exit::Internal
    })?;
    if let Some(directory) = &args.out {
        let path = directory.join("calibration.json");
        std::fs::write(&path, format!("{json}\n")).map_err(|error| {
            out::say(&format!("error: cannot write {}: {error}", path.display()));
            Exit::Internal
        })?;
    }
    if args.json {
        out::data(&format!("{json}\n"));
    } else {
        out::data(&tables::render(found, out::width(), out::color()));
    }
    Ok(match found.answer() {
        Answer::Pass => Exit::Pass,
        Answer::Inconclusive | Answer::Fail => Exit::Inconclusive,
    })
}

fn measure(args: &CalibrateArgs) -> Result<Calibration, Exit> {
    run::raise_open_files();
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);
    let place = Place::make(args.out.as_deref())?;
    let player = Player::start(place.path())?;
    let mut bench = Bench {
        workers: player.default_workers()?,
        player,
        counts: Vec::new(),
    };
    let mut found = Calibration {
        version: VERSION.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        host: run::host_facts(),
        workers: bench.workers,
        proofs: Vec::new(),
        rates: Vec::new(),
        clients: Vec::new(),
        not_measured: NOT_MEASURED.iter().copied().map(str::to_owned).collect(),
    };
    let began = Instant::now();
    if wanted(Part::Proofs) {
        bench.prove(&mut found)?;
    }
    if wanted(Part::Clients) {
        bench.clients(&mut found)?;
    }
    if wanted(Part::Rates) {
        let left = if args.only.is_empty() {
            args.length.saturating_sub(began.elapsed().max(FIXED))
        } else {
            args.length.saturating_sub(began.elapsed())
        };
        bench.rates(&mut found, left)?;
    }
    if !bench.counts.is_empty() || wanted(Part::Proofs) {
        found.proofs.push(proofs::counts(&bench.counts));
    }
    Ok(found)
}

/// What plays, and what it has counted so far.
struct Bench {
    player: Player,
    /// Workers by default.
    workers: u32,
    /// Of each run in which every call was answered: its name, our count of calls, the stub's.
    counts: Vec<(String, u64, u64)>,
}

impl Bench {
    fn play(&mut self, probe: &Probe) -> Result<Played, Exit> {
        let played = self.player.play(probe)?;
        if let (0, Some(log)) = (played.reading.bad(), &played.log) {
            let counted = (probe.name.clone(), played.reading.sent(), log.calls);
            self.counts.push(counted);
        }
        Ok(played)
    }

    fn prove(&mut self, found: &mut Calibration) -> Result<(), Exit> {
        out::say("a stub that pauses");
        let played = self.play(&Probe::pause())?;
        let log = played.log.clone().unwrap_or_default();
        let (phase, trust, _) = measured(&played.analysis).ok_or_else(unread)?;
        found.proofs.push(proofs::pause(&Paused {
            response: phase.response,
            service: phase.service,
            stub_max_ns: log.service_ns.max,
            trust,
        }));
        let mut delays = Vec::new();
        for delay in DELAYS_MS {
            out::say(&format!("a stub that answers after {delay} ms"));
            let played = self.play(&Probe::delay(delay))?;
            let (phase, trust, _) = measured(&played.analysis).ok_or_else(unread)?;
            delays.push(Delayed {
                delay_ns: delay * 1_000_000,
                response: phase.response,
                service: phase.service,
                shortest_ns: played.reading.shortest_ns(),
                stub: played.log.clone().unwrap_or_default(),
                trust,
            });
        }
        found.proofs.push(proofs::delays(&delays));
        Ok(())
    }

    /// Searches the highest valid rate of each shape of call, in about the time that is `left`.
    fn rates(&mut self, found: &mut Calibration, left: Duration) -> Result<(), Exit> {
        let mut numbers = vec![1, self.workers];
        numbers.dedup();
        let searches = u128::try_from(Shape::ALL.len() * numbers.len()).unwrap_or(1);
        let each = u64::try_from(left.as_millis() / PER_RATE.as_millis().max(1) / searches);
        let each = each.unwrap_or(PROBES.1).clamp(PROBES.0, PROBES.1);
        let mut start = FIRST_RATE;
        for shape in Shape::ALL {
            for workers in numbers.iter().copied() {
                let search = Search::new(start, u32::try_from(each).unwrap_or(u32::MAX));
                let rate = self.search(shape, workers, search)?;
                start = rate.valid_rate.unwrap_or(start);
                found.rates.push(rate);
            }
        }
        Ok(())
    }

    fn search(
        &mut self,
        shape: Shape,
        workers: u32,
        mut search: Search,
    ) -> Result<RateFound, Exit> {
        let mut cost = None;
        let mut because = Vec::new();
        while let Some(rate) = search.next() {
            let played = self.play(&Probe::rate(shape, workers, rate))?;
            let (phase, trust, reasons) = measured(&played.analysis).ok_or_else(unread)?;
            let reasons = refusals(phase, trust, reasons, played.reading.bad());
            let is_valid = reasons.is_empty();
            // The search closes in: the last valid rate is the highest, the last refused one the lowest.
            if is_valid {
                cost = Some(played.reading.cost(phase.window.end, phase));
            } else {
                because = reasons;
            }
            search.tell(rate, is_valid);
            out::say(&format!(
                "{}, {}: {}/s {}",
                shape.words(),
                say::plural(u64::from(workers), "worker"),
                say::count(rate),
                if is_valid { "valid" } else { "not valid" },
            ));
        }
        Ok(RateFound {
            shape,
            workers,
            clients: RATE_CLIENTS,
            probes: search.probes(),
            valid_rate: search.valid(),
            refused_rate: search.refused(),
            refused_because: because,
            cost,
        })
    }

    fn clients(&mut self, found: &mut Calibration) -> Result<(), Exit> {
        let [few, many] = CLIENTS;
        let limit = prepare::open_files();
        // A legacy client needs two files.
        let fit = u32::try_from(limit.saturating_sub(OWN_FILES) / 2).unwrap_or(u32::MAX);
        let many = many.min(fit);
        if many < 2 * few {
            let words = "the clients that memory is enough for: the limit on open files is too low to measure it";
            found.not_measured.push(words.to_owned());
            return Ok(());
        }
        let available = memory_available();
        for era in Era::ALL {
            let mut held = Vec::new();
            for clients in [few, many] {
                out::say(&format!(
                    "{} {} clients",
                    say::count(u64::from(clients)),
                    era.name()
                ));
                let played = self.play(&Probe::clients(era, clients))?;
                let (phase, _, _) = measured(&played.analysis).ok_or_else(unread)?;
                held.push(played.reading.held(phase.window.end).ok_or_else(unread)?);
            }
            if let [few, many] = held.as_slice() {
                let files = limit.saturating_mul(u64::from(self.workers));
                let own = OWN_FILES.saturating_mul(u64::from(self.workers));
                let all = compare(era, few, many, available, files.saturating_sub(own));
                found.clients.extend(all);
            }
        }
        Ok(())
    }
}

/// What one more client takes, and how many that leaves room for; none if the runs differ in nothing.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes and counts below 2^52, and none below zero"
)]
fn compare(era: Era, few: &Held, many: &Held, memory: u64, files: u64) -> Option<ClientsFound> {
    let more = many
        .clients
        .checked_sub(few.clients)
        .filter(|more| *more > 0)? as f64;
    let bytes = ((many.bytes - few.bytes) / more).max(1.0);
    let each = ((many.files - few.files) / more).max(0.1);
    Some(ClientsFound {
        era,
        few: few.clients,
        many: many.clients,
        few_bytes: few.bytes.max(0.0) as u64,
        many_bytes: many.bytes.max(0.0) as u64,
        bytes_per_client: bytes.round() as u64,
        files_per_client: each,
        by_memory: (memory as f64 / bytes) as u64,
        by_files: (files as f64 / each) as u64,
    })
}

fn unread() -> Exit {
    out::say("error: a run of the calibration has no measured phase");
    Exit::Internal
}

/// Memory that is available, bytes; zero if the system does not say.
fn memory_available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kibibytes.unwrap_or(0).saturating_mul(1024)
}
