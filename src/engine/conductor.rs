//! The conductor: the only owner of a run's state. Brings the fleet up, starts the load, plays the time line, records, heals,
//! takes everything down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::newcomers::Newcomers;
use self::time_line::{Action, What, time_line};
use self::windows::Window;
use super::control::Control;
use super::live::Live;
use super::owners::Owners;
use super::player::Haste;
use super::signals::Signals;
use super::workers::{Heard, Workers};
use super::{Ended, ExecuteError, Job, Notice};
use crate::analysis::steady::SteadyGate;
use crate::clock::{self, Clock};
use crate::fault::journal::Journal;
use crate::fleet::address::Network;
use crate::fleet::affinity;
use crate::fleet::process::{Place, ProcessFleet};
use crate::fleet::slot::Fact;
use crate::heal::guarding::Guarding;
use crate::heal::open_runs;
use crate::load::frames::{FromWorker, ToWorker};
use crate::model::event::Ending;
use crate::model::{EventKind, Offset, SlotId};
use crate::plan::{Pinning, Plan};
use crate::record::layout;
use crate::record::writer::Recorder;

mod aborting;
mod acting;
mod aiming;
mod newcomers;
mod safety;
mod set_up;
mod telling;
mod time_line;
mod windows;

/// How far ahead of the moment of Start the time line begins, so that every worker has it in time.
const LEAD: Duration = Duration::from_millis(300);
/// A worker that was silent for so long is lost.
const SILENCE: Duration = Duration::from_secs(10);
/// How long the workers may take to set up their clients.
const SET_UP: Duration = Duration::from_mins(1);
/// How long operations may go on after a first signal.
const WIND_DOWN: Duration = Duration::from_secs(3);

/// Executes the plan and records it.
///
/// # Errors
/// If the run could not be set up or recorded. Whatever happens, the fleet that it deployed is down when this returns.
pub async fn execute(
    job: Job,
    notify: &mut (dyn FnMut(Notice) + Send),
) -> Result<Ended, ExecuteError> {
    let (pinning, trouble) = pin(&job.plan);
    let mut facts_at_start = job.facts.clone();
    facts_at_start.host.pinning.clone_from(&pinning);
    let recorder = Recorder::start(&job.directory, &facts_at_start, &job.plan, &job.scenario)
        .map_err(|source| record_error(&job, source))?;
    if let Some(trouble) = trouble {
        notify(Notice::Line(trouble));
    }
    open_runs::note(job.directory.path());
    let (halt, halted) = mpsc::channel(1);
    let signals = Signals::listen(halted).map_err(ExecuteError::SetUp)?;
    let control = Control::listen(job.directory.path(), halt).unwrap_or_else(|error| {
        let line = format!("the run takes no `mcpload halt` and no `mcpload mark`: {error}");
        notify(Notice::Line(line));
        Control::default()
    });
    let (facts, told) = mpsc::channel(1024);
    let network = Network::picked_by(job.network);
    let hands = deploy(&job, network, pinning.as_ref(), &facts)?;
    let is_ours = job.plan.fleet.driver.kind == "process";
    let fleet = is_ours.then(|| Arc::clone(&hands));
    let mut conductor = Conductor {
        recorder,
        notify,
        clock: None,
        pending: Vec::new(),
        live: Live::default(),
        gate: SteadyGate::default(),
        owners: Owners::of(&job.plan),
        heard_at: BTreeMap::new(),
        open_workers: 0,
        marks: Vec::new(),
        signals,
        stop: None,
        at_once: false,
        haste: watch::Sender::new(Haste::None),
        newcomers: Newcomers::default(),
        control,
        guard: None,
        unhealed: false,
        windows: BTreeMap::new(),
        broken: None,
        told,
        job: &job,
        fleet: fleet.clone(),
        hands,
        held: BTreeMap::new(),
        facts,
        how: Ending::Completed,
        given_up: false,
    };
    conductor.run(network).await;
    if let Some(fleet) = fleet {
        conductor.take_down(&fleet).await;
    }
    conductor.dismiss_guard().await;
    unpin(pinning);
    conductor.finish()
}

/// Keeps this process, and the workers that it will start, off the processors of the fleet; what of it is so, and why not.
fn pin(plan: &Plan) -> (Option<Pinning>, Option<String>) {
    let Some(pinning) = &plan.pinning else {
        return (None, None);
    };
    match affinity::confine_process(&pinning.generator) {
        Ok(()) => (Some(pinning.clone()), None),
        Err(error) => {
            // It may have been done by half.
            unpin(Some(pinning.clone()));
            let line = format!("load and fleet share all processors: {error}");
            (None, Some(line))
        }
    }
}

/// Lets this process use all processors again, as before the run.
fn unpin(pinning: Option<Pinning>) {
    if let Some(pinning) = pinning {
        // Whether it works or not, what is left to do is only slower.
        let _ = affinity::confine_process(&[pinning.generator, pinning.fleet].concat());
    }
}

/// The fleet that the run deploys; one without any slot where it deploys none.
fn deploy(
    job: &Job,
    network: Network,
    pinning: Option<&Pinning>,
    facts: &mpsc::Sender<Fact>,
) -> Result<Arc<ProcessFleet>, ExecuteError> {
    let place = Place {
        scenario_dir: job.scenario_dir.clone(),
        instances: job.directory.path().join(layout::INSTANCES),
        binary: job.binary.clone(),
        processors: pinning
            .map(|pinning| pinning.fleet.clone())
            .unwrap_or_default(),
    };
    let fleet = ProcessFleet::prepare(&job.plan.fleet, network, &place, facts, job.plan.seed)
        .map_err(ExecuteError::Fleet)?;
    Ok(Arc::new(fleet))
}

fn record_error(job: &Job, source: std::io::Error) -> ExecuteError {
    ExecuteError::Record {
        path: job.directory.path().to_owned(),
        source,
    }
}

struct Conductor<'a> {
    job: &'a Job,
    recorder: Recorder,
    notify: &'a mut (dyn FnMut(Notice) + Send),
    fleet: Option<Arc<ProcessFleet>>,
    /// What faults act through; there is nothing in its hands where the run deploys no fleet.
    hands: Arc<ProcessFleet>,
    /// The slots that each fault holds, from its begin until it is healed.
    held: BTreeMap<String, Vec<SlotId>>,
    facts: mpsc::Sender<Fact>,
    told: mpsc::Receiver<Fact>,
    signals: Signals,
    /// Set once `t0` is fixed; facts before that wait in `pending`.
    clock: Option<Clock>,
    pending: Vec<Fact>,
    live: Live,
    gate: SteadyGate,
    owners: Owners,
    /// When each worker that has not ended was heard last.
    heard_at: BTreeMap<u32, Instant>,
    /// Workers that take part in a second's figures.
    open_workers: u32,
    /// What faults did so far.
    marks: Vec<String>,
    /// Exit code of the signal that asked to stop.
    stop: Option<u8>,
    /// A second signal came.
    at_once: bool,
    /// Whether faults may be left as they are: the guard is then left without a word.
    given_up: bool,
    /// How much time the faults have that are being played.
    haste: watch::Sender<Haste>,
    /// Slots that came from standby.
    newcomers: Newcomers,
    control: Control,
    /// Stands by where there are faults.
    guard: Option<Guarding>,
    /// A fault could not be undone.
    unhealed: bool,
    /// The windows of observed faults that were opened.
    windows: BTreeMap<String, Window>,
    /// The first error of recording.
    broken: Option<std::io::Error>,
    how: Ending,
}

impl Conductor<'_> {
    /// Takes the fleet down, its instances' grace periods included; a second signal cuts them short.
    async fn take_down(&mut self, fleet: &ProcessFleet) {
        let mut hard = self.at_once || self.how == Ending::Failed;
        loop {
            let down = fleet.take_down(hard);
            tokio::pin!(down);
            hard = loop {
                tokio::select! {
                    () = &mut down => return,
                    Some(fact) = self.told.recv() => self.fact(fact),
                    (name, code) = self.signals.next() => {
                        self.at_once = self.stop.is_some();
                        self.interrupted(name, code);
                        break self.at_once;
                    }
                }
            };
        }
    }

    async fn run(&mut self, network: Network) {
        if !self.bring_up().await {
            return;
        }
        let source = self.fleet.as_ref().map(|_| network.clients());
        let (heard, mut hearing) = mpsc::channel(64);
        let assignments = self.assignments(source);
        self.open_workers = self.job.plan.workers;
        if !self.post_guard().await {
            return;
        }
        let run = self.job.directory.path();
        let mut workers = match Workers::start(&self.job.binary, run, assignments, &heard).await {
            Ok(workers) => workers,
            Err(error) => return self.fail(format!("cannot start the load workers: {error}")),
        };
        drop(heard);
        if self.until_ready(&mut hearing).await {
            let clock = Clock::starting_at(
                clock::now() + i64::try_from(LEAD.as_nanos()).unwrap_or_default(),
            );
            workers.tell_all(&ToWorker::Start { t0: clock.t0() }).await;
            self.start_clock(clock);
            self.play(clock, &mut workers, &mut hearing).await;
        }
        workers.end().await;
    }

    /// Plays the time line until every worker has ended and every fault is healed.
    async fn play(
        &mut self,
        clock: Clock,
        workers: &mut Workers,
        hearing: &mut mpsc::Receiver<Heard>,
    ) {
        let plan = &self.job.plan;
        let now = Instant::now();
        let moment = |offset: Offset| now + LEAD + offset.since(Offset::ZERO);
        let mut due = time_line(plan);
        due.reverse();
        let journal = match Journal::open(&self.job.directory.path().join(layout::UNDO)) {
            Ok(journal) => Arc::new(Mutex::new(journal)),
            Err(error) => return self.broken = Some(error),
        };
        self.heard_at = (0..plan.workers)
            .map(|worker| (worker, now + LEAD))
            .collect();
        let mut faults: JoinSet<()> = JoinSet::new();
        let (mut stops, _watching) = self.watch();
        let mut tick = tokio::time::interval_at(now + LEAD, Duration::from_secs(1));
        let mut wind_down: Option<Instant> = None;
        // Nothing may keep a run alive for ever: at the latest now everything is given up.
        let last = moment(plan.end())
            + plan.longest_operation()
            + acting::patience(plan)
            + Duration::from_secs(20);
        loop {
            // What was begun is undone, however much of a hurry there is.
            if self.heard_at.is_empty() && faults.is_empty() {
                break;
            }
            let next = due
                .last()
                .filter(|_| self.stop.is_none() && self.how == Ending::Completed)
                .map(|action| moment(action.at));
            tokio::select! {
                Some((worker, message)) = hearing.recv() => self.hear(worker, message),
                Some(fact) = self.told.recv() => self.fact(fact),
                Some(ended) = faults.join_next() => self.ended(ended),
                marked = self.control.marked() => self.mark(marked),
                heard = safety::of_guard(&mut self.guard) => self.hear_guard(heard),
                _ = tick.tick() => {
                    self.sample(clock, workers);
                    self.lose_the_silent(workers).await;
                    if self.count_errors(clock, workers).await {
                        wind_down = Some(Instant::now() + WIND_DOWN);
                    }
                }
                () = until(next) => {
                    if let Some(action) = due.pop() {
                        self.act(action, clock, &journal, &mut faults, workers).await;
                    }
                }
                (name, code) = self.signals.next() => {
                    self.at_once = self.stop.is_some();
                    self.interrupted(name, code);
                    workers.tell_all(&ToWorker::Stop { hard: self.at_once }).await;
                    wind_down = Some(Instant::now() + WIND_DOWN);
                }
                Some(reason) = stops.recv() => {
                    self.abort(reason, workers).await;
                    wind_down = Some(Instant::now() + WIND_DOWN);
                }
                () = until(wind_down) => {
                    workers.tell_all(&ToWorker::Stop { hard: true }).await;
                    wind_down = None;
                }
                () = tokio::time::sleep_until(last) => {
                    self.give_up();
                    break;
                }
            }
            self.follow(clock, &journal, &mut faults);
            self.hurry();
            if self.broken.is_some() && self.how != Ending::Failed {
                self.how = Ending::Failed;
                workers.tell_all(&ToWorker::Stop { hard: true }).await;
            }
        }
        while let Ok(fact) = self.told.try_recv() {
            self.fact(fact);
        }
        self.miss();
    }

    /// Tells the faults that are being played when the run does not go on as planned.
    fn hurry(&self) {
        let haste = match (self.at_once, self.how) {
            (true, _) => Haste::AtOnce,
            (false, Ending::Completed) if self.heard_at.is_empty() => Haste::Over,
            (false, Ending::Completed) => Haste::None,
            (false, _) => Haste::Soon,
        };
        self.haste
            .send_if_modified(|told| std::mem::replace(told, haste) != haste);
    }

    async fn act(
        &mut self,
        action: Action<'_>,
        clock: Clock,
        journal: &Arc<Mutex<Journal>>,
        faults: &mut JoinSet<()>,
        workers: &mut Workers,
    ) {
        match action.what {
            What::PhaseEnds(phase) => self.fact((
                clock::now(),
                EventKind::PhaseEnded {
                    phase: phase.to_owned(),
                },
            )),
            What::PhaseBegins(phase) => self.fact((
                clock::now(),
                EventKind::PhaseBegan {
                    phase: phase.to_owned(),
                },
            )),
            What::Gate => {
                let asked = self.gate.decide(&self.job.plan.steady, clock.now());
                let needed_ratio = self.job.plan.steady.share.ratio();
                self.fact((
                    clock::now(),
                    EventKind::SteadyState {
                        steady: asked.steady,
                        good: asked.good,
                        total: asked.total,
                        needed_ratio,
                    },
                ));
                if !asked.steady {
                    self.line(format!("not steady before the first fault: {} of {} operations ended ok; nothing is injected", asked.good, asked.total));
                    self.how = Ending::NotReady;
                    workers.tell_all(&ToWorker::Stop { hard: false }).await;
                }
            }
            // From now on others may open its window.
            What::Fault(plan) if plan.is_observed() => {}
            What::Fault(plan) => self.begin(plan, clock, journal, faults),
        }
    }

    fn hear(&mut self, worker: u32, message: Result<FromWorker, String>) {
        if let Some(at) = self.heard_at.get_mut(&worker) {
            *at = Instant::now();
        }
        let result = match message {
            Ok(FromWorker::Calls(frame)) => {
                self.owners.observe(&frame);
                self.recorder.calls(&frame)
            }
            Ok(FromWorker::Sessions(frame)) => self.recorder.sessions(&frame),
            Ok(FromWorker::Counts(lines)) => self.recorder.counts(&lines),
            Ok(FromWorker::Histograms(lines)) => {
                self.live.histograms(worker, &lines);
                self.recorder.histograms(&lines)
            }
            Ok(FromWorker::Second(second)) => {
                // Shed arrivals count as ended: the right half, which replays the gate, sees them so.
                let ended = second.ok + second.bad + second.shed;
                self.gate.observe(second.second, second.ok, ended);
                if let Some(glance) = self.live.second(worker, &second, self.open_workers) {
                    self.figures(glance);
                }
                self.recorder.samples(&self.under_way(worker, &second))
            }
            Ok(FromWorker::End(totals)) => {
                self.heard_at.remove(&worker);
                self.open_workers = self.open_workers.saturating_sub(1);
                let (operations, calls) = (totals.operations, totals.calls);
                let (shed, unrecorded) = (totals.shed, totals.unrecorded);
                self.fact((
                    clock::now(),
                    EventKind::WorkerEnded {
                        worker,
                        operations,
                        calls,
                        shed,
                        unrecorded,
                        cookies: totals.cookies,
                    },
                ));
                Ok(())
            }
            Ok(FromWorker::Failed(failed)) => {
                self.lose(worker, failed.reason);
                Ok(())
            }
            Err(reason) => {
                // A stream that ends after End is the worker's exit.
                if self.heard_at.contains_key(&worker) {
                    self.lose(worker, reason);
                }
                Ok(())
            }
            Ok(FromWorker::Hello(_) | FromWorker::Ready(_)) => Ok(()),
        };
        self.recorded(result);
    }

    fn lose(&mut self, worker: u32, reason: String) {
        self.heard_at.remove(&worker);
        self.open_workers = self.open_workers.saturating_sub(1);
        self.line(format!(
            "worker {worker} is lost: {reason}; the run is invalid"
        ));
        self.fact((clock::now(), EventKind::WorkerLost { worker, reason }));
    }

    async fn lose_the_silent(&mut self, workers: &mut Workers) {
        let silent: Vec<u32> = self
            .heard_at
            .iter()
            .filter(|(_, at)| at.elapsed() > SILENCE)
            .map(|(worker, _)| *worker)
            .collect();
        for worker in silent {
            self.lose(worker, format!("silent for {} s", SILENCE.as_secs()));
            workers.kill(worker).await;
        }
    }
}

/// Sleeps until then; for ever if there is no then.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then).await,
        None => std::future::pending().await,
    }
}
