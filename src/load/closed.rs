//! Closed load: goose decides when a user acts, and nothing else.
//!
//! Impure: a thread with a runtime of its own carries one goose attack over the whole run, so that sessions live across the edges
//! of phases. A goose transaction says "user u acts", and sleeps until the hot thread tells it that the operation has ended and
//! the think time is over; the client, its clock and its records are those of open load. Invariants: goose's own HTTP client is
//! never used and its metrics are off; every wait of a transaction ends when the run does.
//!
//! Traps of goose 0.19: it stops only between transactions (so each wait races the end of the run); its switch to stop is global
//! to the process (so there is one attack per process); it prints to stdout (a worker's is a log file); it builds an HTTP client that
//! wants a CA bundle, unless it is told to accept any certificate. That client is one for all users, and sends nothing. goose also
//! takes Ctrl-C for itself: in a worker, which is in a process group of its own, so that the conductor hears it and goose does not.
//!
//! `tests/goose.rs` lets goose measure by itself: 10 users of it and 10 of ours ask one stub with a delay of 20 ms, and the medians and
//! 95th percentiles of both are held against the stub's own log (not below it but for the resolution of the histograms, at most
//! twice as long), and the counts of calls are the same.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{Scenario, Transaction, TransactionFunction};
use goose::{GooseAttack, GooseError};
use rand_chacha::ChaCha8Rng;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::Model;
use super::client::{Job, Shared};
use super::crew::Crew;
use super::pacer::Stretch;
use super::recording::Arrived;
use super::recording::second::Label;
use super::table::nanos;
use crate::clock::{self, Clock};

/// The pause of a transaction that has nothing more to do, until goose ends it.
const IDLE: Duration = Duration::from_millis(50);

/// A user acts.
#[derive(Debug)]
struct Act {
    /// Which, by place.
    user: usize,
    /// Told the raw reading at which the user acts next.
    next: oneshot::Sender<i64>,
}

/// A user of closed load that lives on this worker.
struct User {
    workload: u32,
    client: u32,
    generator: ChaCha8Rng,
    /// How often the user has acted.
    acts: u64,
}

/// The users of a worker, and the attack that makes them act.
pub(crate) struct Closed {
    users: Vec<User>,
    acts: mpsc::Receiver<Act>,
    over: CancellationToken,
}

impl Closed {
    /// Starts the attack, if the plan has users that live on this worker; they wait until the run takes up their acts.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub(crate) fn start(shared: &Shared, stretches: &[Stretch]) -> std::io::Result<Option<Self>> {
        let users = users(shared, stretches);
        if users.is_empty() {
            return Ok(None);
        }
        let (told, acts) = mpsc::channel(users.len());
        let over = CancellationToken::new();
        let token = over.clone();
        let count = users.len();
        std::thread::Builder::new()
            .name("goose".to_owned())
            .spawn(move || attack(count, told, &token))?;
        Ok(Some(Self { users, acts, over }))
    }

    /// The next act: carries it out and lets the user think; a user who has no part in the phase waits for one.
    /// Never ends when there is none.
    ///
    /// # Errors
    /// If the attack ended by itself: its users would be missing without a word.
    ///
    /// # Cancel safety
    /// Safe: an act is taken whole or not at all.
    pub(crate) async fn next(
        this: &mut Option<Self>,
        shared: &Rc<Shared>,
        crew: &Rc<Crew>,
        clock: Clock,
        stretches: &[Stretch],
    ) -> std::io::Result<()> {
        let Some(closed) = this else {
            return std::future::pending().await;
        };
        let Some(act) = closed.acts.recv().await else {
            return Err(std::io::Error::other("goose ended before the load"));
        };
        closed.take_up(act, shared, crew, clock, stretches);
        Ok(())
    }

    fn take_up(
        &mut self,
        act: Act,
        shared: &Rc<Shared>,
        crew: &Rc<Crew>,
        clock: Clock,
        stretches: &[Stretch],
    ) {
        let Some(user) = self.users.get_mut(act.user) else {
            return;
        };
        let now = clock::now();
        let (phase, think) = match part_of(user, clock.offset(now), stretches) {
            Part::Acts { phase, think } => (phase, think),
            Part::Waits { until } => {
                // Nobody hears it when the run is over.
                let _ = act.next.send(until.saturating_add(clock.t0()));
                return;
            }
            Part::IsDone => {
                let _ = act.next.send(i64::MAX);
                return;
            }
        };
        let table = &shared.table;
        let plan = table.plan.workloads.get(user.workload as usize);
        let (Some(workload), Some(plan)) = (table.workloads.get(user.workload as usize), plan)
        else {
            return;
        };
        let Some(operation) = workload.arrivals.operation(&mut user.generator) else {
            return;
        };
        let operation = u32::try_from(operation).unwrap_or(u32::MAX);
        let protocol = crew.protocol(user.workload, user.client);
        let Some(protocol) = protocol else { return };
        let label = Label {
            workload: user.workload,
            operation: Some(operation),
            protocol,
            phase: Some(phase),
        };
        let released = Arrived {
            taken: now,
            due: now,
            label,
        };
        shared.recorder.borrow_mut().acted(released);
        let (ended, end) = oneshot::channel();
        let job = Job {
            // Act number n of client c: the same for any number of workers.
            arrival: user.acts * u64::from(plan.clients) + u64::from(user.client),
            operation,
            phase: Some(phase),
            due: now,
            taken: now,
            generator: argument_draws(&mut user.generator),
            ended: Some(ended),
        };
        user.acts += 1;
        crew.give(user.workload, user.client, job);
        tokio::task::spawn_local(async move {
            // Told or dropped, the operation has ended.
            let _ = end.await;
            let _ = act.next.send(clock::now().saturating_add(nanos(think)));
        });
    }

    /// Lets no user act any more.
    pub(crate) fn stop(&self) {
        self.over.cancel();
        goose::trigger_killswitch("the run is over");
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A generator for the arguments of one act, so that how many they draw does not move the user's later draws.
fn argument_draws(generator: &mut ChaCha8Rng) -> ChaCha8Rng {
    use rand::{Rng, SeedableRng};
    let mut seed = [0; 32];
    generator.fill_bytes(&mut seed);
    ChaCha8Rng::from_seed(seed)
}

/// What a user does now.
enum Part {
    Acts {
        phase: u32,
        think: Duration,
    },
    /// Until this offset, nanoseconds.
    Waits {
        until: i64,
    },
    IsDone,
}

fn part_of(user: &User, now: crate::model::Offset, stretches: &[Stretch]) -> Part {
    let mine = stretches
        .iter()
        .filter(|stretch| stretch.workload == user.workload && now < stretch.end);
    for stretch in mine {
        if let Model::Closed { users, think } = stretch.profile.model()
            && user.client < users
        {
            return if now < stretch.start {
                Part::Waits {
                    until: stretch.start.nanos(),
                }
            } else {
                Part::Acts {
                    phase: stretch.phase,
                    think,
                }
            };
        }
    }
    Part::IsDone
}

/// The users who act in any phase and live here.
fn users(shared: &Shared, stretches: &[Stretch]) -> Vec<User> {
    let mut most: BTreeMap<u32, u32> = BTreeMap::new();
    for stretch in stretches {
        if let Model::Closed { users, .. } = stretch.profile.model() {
            let seen = most.entry(stretch.workload).or_default();
            *seen = users.max(*seen);
        }
    }
    let table = &shared.table;
    let mut all = Vec::new();
    for (number, users) in most {
        let (Some(workload), Some(plan)) = (
            table.workloads.get(number as usize),
            table.plan.workloads.get(number as usize),
        ) else {
            continue;
        };
        let mine = (0..users.min(plan.clients)).filter(|client| table.is_mine(*client));
        all.extend(mine.map(|client| User {
            workload: number,
            client,
            generator: workload.arrivals.user(client),
            acts: 0,
        }));
    }
    all
}

/// The thread of the attack. What goose says of it is of no use: it measured nothing.
fn attack(users: usize, told: mpsc::Sender<Act>, over: &CancellationToken) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    if let Ok(runtime) = runtime {
        runtime.block_on(async {
            if let Ok(attack) = prepare(users, told, over) {
                let _ = Box::pin(attack.execute()).await;
            }
        });
        runtime.shutdown_background();
    }
}

fn prepare(
    users: usize,
    told: mpsc::Sender<Act>,
    over: &CancellationToken,
) -> Result<GooseAttack, Box<GooseError>> {
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some("http://127.0.0.1/".to_owned());
    configuration.users = Some(users);
    // All within about half a second; they wait for the start of the run then.
    configuration.increase_rate = Some((users * 2).to_string());
    configuration.quiet = 2;
    configuration.no_metrics = true;
    configuration.no_print_metrics = true;
    configuration.no_telnet = true;
    let client = GooseClientBuilder::new()
        .without_cookies()
        .accept_invalid_certs(true);
    let count = Arc::new(AtomicUsize::new(0));
    let number: TransactionFunction = Arc::new(move |user| {
        let count = Arc::clone(&count);
        Box::pin(async move {
            user.set_session_data(count.fetch_add(1, Ordering::Relaxed));
            Ok(())
        })
    });
    let over = over.clone();
    let act: TransactionFunction = Arc::new(move |user| {
        let (told, over) = (told.clone(), over.clone());
        Box::pin(async move {
            let user = user.get_session_data::<usize>().copied();
            if over.is_cancelled() {
                tokio::time::sleep(IDLE).await;
            } else if let Some(user) = user {
                over.run_until_cancelled(act(user, &told)).await;
            }
            Ok(())
        })
    });
    let scenario = Scenario::new("users")
        .register_transaction(Transaction::new(number).set_on_start())
        .register_transaction(Transaction::new(act));
    Ok(GooseAttack::initialize_with_config(configuration)?
        .set_client_builder_without_cookies(client)?
        .register_scenario(scenario))
}

/// Acts once, and waits until it is time to act again.
async fn act(user: usize, told: &mpsc::Sender<Act>) {
    let (next, answer) = oneshot::channel();
    let act = Act { user, next };
    let until = match told.send(act).await {
        Ok(()) => answer.await.unwrap_or(i64::MAX),
        Err(_over) => i64::MAX,
    };
    let wait = until.saturating_sub(clock::now());
    tokio::time::sleep(Duration::from_nanos(u64::try_from(wait).unwrap_or(0))).await;
}
