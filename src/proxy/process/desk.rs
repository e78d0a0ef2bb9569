//! The desk: owner of the listener, the rules and the connections; it does what the conductor asks.
//!
//! Impure. Invariant: rules are swapped as a whole, and what is told of a swap is told after every live connection took it over.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use super::connection::{self, Setting};
use super::door::Door;
use super::upstream::Upstream;
use crate::clock;
use crate::fault::link::fate::Facts;
use crate::fault::link::rules::{Armed, RuleSet};
use crate::fault::link::{LinkRule, Toxic};
use crate::model::Seed;
use crate::proxy::{Ask, RuleStatus, Start, Status, Tell};

/// How many rules that were lifted are still told of.
const MOST_LIFTED: usize = 64;
/// How long a swap waits for a connection that does not take it over, nanoseconds: far longer than any turn lasts.
const PATIENCE: i64 = 1_000_000_000;
/// The pause after a connection could not be accepted, mostly for want of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// What all connections count.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) unreached: AtomicU64,
    pub(super) to_server: AtomicU64,
    pub(super) to_client: AtomicU64,
}

/// See the head of the file.
pub(super) struct Desk {
    start: Start,
    door: Door,
    rules: watch::Sender<Arc<RuleSet>>,
    /// How many connections were accepted: the number of the next.
    accepted: u64,
    /// The generation that each live connection has taken over.
    live: HashMap<u64, Arc<AtomicU64>>,
    tasks: JoinSet<u64>,
    lifted: VecDeque<Arc<Armed>>,
    totals: Arc<Totals>,
    upstream: Upstream,
    /// A connection saw what it would see if nothing listened any more.
    doubts: Arc<Doubts>,
}

/// What connections tell of the upstream.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// It ended a connection, or could not be reached.
    pub(super) woken: Notify,
    /// It refused one.
    pub(super) refused: AtomicBool,
}

impl Desk {
    pub(super) fn new(start: Start, door: Door) -> Result<Self, String> {
        let instance = start.instance.as_deref().map(named).transpose()?;
        let rules = RuleSet {
            instance,
            ..RuleSet::default()
        };
        let upstream = Upstream::new(start.upstream, start.follows);
        let mut desk = Self {
            start,
            door,
            rules: watch::Sender::new(Arc::new(rules)),
            accepted: 0,
            live: HashMap::new(),
            tasks: JoinSet::new(),
            lifted: VecDeque::new(),
            totals: Arc::default(),
            upstream,
            doubts: Arc::default(),
        };
        desk.mind_the_door()?;
        Ok(desk)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// Whether there is no connection.
    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Accepts a connection, buries one, or follows what is behind.
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn work(&mut self) {
        tokio::select! {
            Some(ended) = self.tasks.join_next() => {
                if let Ok(connection) = ended {
                    self.live.remove(&connection);
                }
            }
            accepted = self.door.accept() => match accepted {
                Ok(client) => self.admit(client),
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            () = self.upstream.watch() => self.follow(),
            () = self.doubts.woken.notified() => {
                if self.doubts.refused.swap(false, Ordering::Relaxed) {
                    // Not taken for an answer: it was dialled a while ago, and another may listen by now.
                    self.upstream.look();
                }
                self.upstream.hint();
                self.follow();
            }
        }
    }

    /// Shuts or opens the listener, as the upstream's is.
    fn follow(&mut self) {
        if self.mind_the_door().is_err() {
            // Tried again at the next look.
            self.upstream.try_again();
        }
    }

    fn admit(&mut self, client: TcpStream) {
        let facts = Facts {
            connection: self.accepted,
            accepted: clock::now(),
            is_half: false,
        };
        self.accepted += 1;
        let taken_over = Arc::new(AtomicU64::new(0));
        self.live.insert(facts.connection, Arc::clone(&taken_over));
        let setting = Setting {
            upstream: self.start.upstream,
            http: self.start.http,
            rules: self.rules.subscribe(),
            taken_over,
            totals: Arc::clone(&self.totals),
            doubts: Arc::clone(&self.doubts),
        };
        self.tasks.spawn(connection::run(client, facts, setting));
    }

    /// Does what is asked; None where nothing is told.
    pub(super) async fn answer(&mut self, ask: Ask) -> Option<Tell> {
        match ask {
            Ask::Apply { id, rule } => Some(self.apply(id, rule).await),
            Ask::Lift { id } => Some(self.lift(id).await),
            Ask::Status => Some(Tell::Status(self.status())),
            Ask::Look => {
                self.upstream.look();
                self.upstream.hint();
                self.follow();
                let listens = self.upstream.listens();
                Some(Tell::Upstream { listens })
            }
            Ask::Instance { name } => {
                let instance = name.and_then(|name| named(&name).ok());
                self.swap(|rules| rules.instance = instance);
                None
            }
            // Asked once, and elsewhere.
            Ask::Start(_) | Ask::Stop => None,
        }
    }

    async fn apply(&mut self, id: String, rule: LinkRule) -> Tell {
        if matches!(rule.what, Toxic::Answers(_)) && !self.start.http {
            let reason = "the link carries no HTTP".to_owned();
            return Tell::Refused { id, reason };
        }
        let place = self.place(&id);
        let old = place.and_then(|place| self.rules.borrow().armed.get(place).cloned());
        if old.as_ref().is_none_or(|old| old.rule != rule) {
            // Whoever the kernel has let in came before the rule.
            while let Some(client) = self.door.waiting() {
                self.admit(client);
            }
            let (seed, since) = (Seed(self.start.seed), self.accepted);
            let revision = self.rules.borrow().generation + 1;
            let armed = Armed::new(id.clone(), rule, seed, revision, since);
            let armed = Arc::new(armed.applied_at(clock::now()));
            self.swap(
                |rules| match place.and_then(|place| rules.armed.get_mut(place)) {
                    Some(old) => *old = armed,
                    None => rules.armed.push(armed),
                },
            );
            self.remember(old);
        }
        if let Err(reason) = self.mind_the_door() {
            return Tell::Refused { id, reason };
        }
        self.taken_over().await;
        let rules = self.rules.borrow();
        let armed = rules.armed.iter().find(|armed| armed.id == id);
        Tell::Applied {
            at: clock::now(),
            connections: armed.map_or(0, |armed| self.selected(armed)),
            id,
        }
    }

    async fn lift(&mut self, id: String) -> Tell {
        if let Some(place) = self.place(&id) {
            let mut gone = None;
            self.swap(|rules| gone = Some(rules.armed.remove(place)));
            self.remember(gone);
        }
        if let Err(reason) = self.mind_the_door() {
            return Tell::Refused { id, reason };
        }
        self.taken_over().await;
        let at = clock::now();
        Tell::Lifted { id, at }
    }

    /// Lifts every rule.
    pub(super) async fn lift_all(&mut self) {
        self.swap(|rules| rules.armed.clear());
        // Whoever would care is gone.
        let _ = self.mind_the_door();
        self.taken_over().await;
    }

    fn place(&self, id: &str) -> Option<usize> {
        let rules = self.rules.borrow();
        rules.armed.iter().position(|armed| armed.id == id)
    }

    fn swap(&self, change: impl FnOnce(&mut RuleSet)) {
        let mut rules = RuleSet::clone(&self.rules.borrow());
        rules.generation += 1;
        change(&mut rules);
        self.rules.send_replace(Arc::new(rules));
    }

    fn remember(&mut self, gone: Option<Arc<Armed>>) {
        if let Some(gone) = gone {
            self.lifted.push_front(gone);
            self.lifted.truncate(MOST_LIFTED);
        }
    }

    /// Shuts or opens the listener, as the rules and the upstream want it.
    fn mind_the_door(&mut self) -> Result<(), String> {
        let (refuses, hides) = {
            let rules = self.rules.borrow();
            let any =
                |what: fn(&LinkRule) -> bool| rules.armed.iter().any(|armed| what(&armed.rule));
            (
                any(LinkRule::closes_the_listener),
                any(LinkRule::hides_the_upstream),
            )
        };
        if refuses || !(hides || self.upstream.listens()) {
            self.door.shut();
            return Ok(());
        }
        self.door
            .reopen()
            .map_err(|error| format!("cannot listen again: {error}"))
    }

    /// Waits until every live connection has taken over the newest rules. Their tasks were woken by the swap, so that each has its
    /// turn before this one has its next.
    async fn taken_over(&self) {
        let generation = self.rules.borrow().generation;
        let deadline = clock::now() + PATIENCE;
        let behind = || {
            self.live
                .values()
                .any(|seen| lives(seen) && seen.load(Ordering::Relaxed) < generation)
        };
        while behind() && clock::now() < deadline {
            yield_now().await;
        }
    }

    fn selected(&self, armed: &Armed) -> u64 {
        let selected = self
            .live
            .iter()
            .filter(|(connection, seen)| lives(seen) && armed.selects(**connection));
        selected.count() as u64
    }

    fn status(&self) -> Status {
        let of = |armed: &Arc<Armed>, acts: bool| {
            let counted = armed.tally.counted();
            RuleStatus {
                id: armed.id.clone(),
                acts,
                connections: if acts { self.selected(armed) } else { 0 },
                chunks: counted.chunks,
                bytes: counted.bytes,
                hits: counted.hits,
                first_hit: counted.first_hit,
                last_hit: counted.last_hit,
            }
        };
        let rules = self.rules.borrow();
        let acting = rules.armed.iter().map(|armed| of(armed, true));
        let lifted = self.lifted.iter().map(|armed| of(armed, false));
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Status {
            connections: self.live.values().filter(|seen| lives(seen)).count() as u64,
            accepted: self.accepted,
            unreached: read(&self.totals.unreached),
            bytes_to_server: read(&self.totals.to_server),
            bytes_to_client: read(&self.totals.to_client),
            rules: acting.chain(lifted).collect(),
        }
    }
}

/// Whether the connection that shares this lives: its task holds it until then.
fn lives(seen: &Arc<AtomicU64>) -> bool {
    Arc::strong_count(seen) > 1
}

/// A name that can stand in a header.
fn named(name: &str) -> Result<Bytes, String> {
    match HeaderValue::try_from(name) {
        Ok(value) if !name.is_empty() => Ok(Bytes::copy_from_slice(value.as_bytes())),
        _ => Err(format!("{name:?} cannot stand in a header")),
    }
}
