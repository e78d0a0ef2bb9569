//! The members and what the balancer knows of them: [`Fleet`] chooses, learns, judges, adds and removes.
//!
//! Does no I/O and reads no clock (time is a parameter), but holds the one lock of the balancer.
//!
//! Invariants: the lock is held for a few lookups and never across an await; members stand in the order of their ordinals;
//! a [`Lease`] counts as one active request of its member until it is dropped, however the request ends.
//! Next: `proxy.rs` uses all of this, `policy.rs`, `health.rs` and `sessions.rs` decide.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;
use tokio::sync::Notify;

use super::args::Switch;
use super::health::{Health, Rules, State};
use super::member::{MemberSpec, Ordinal};
use super::policy::{Candidate, Facts, Kind, Policy};
use super::sessions::{Lesson, SessionTable};
use super::upstream::{Pool, PoolLimits};

/// Most members of a balancer; the API refuses more.
pub(super) const MEMBER_LIMIT: usize = 1024;

/// How the fleet behaves.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) policy: &'static Kind,
    pub(super) sticky: Switch,
    /// Off: members are used whatever their health.
    pub(super) failover: Switch,
    pub(super) rules: Rules,
    /// Whether active checks run.
    pub(super) checks: Switch,
    /// Most sessions that are remembered.
    pub(super) session_capacity: usize,
    pub(super) pool: PoolLimits,
}

/// The fleet has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a balancer has at most {MEMBER_LIMIT} members")]
pub struct FleetFull;

/// What adding a member did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// The name is new.
    Joined,
    /// The name was there with another address or weight, and its old holder has left.
    Replaced,
    /// The very same member was there, and nothing changed.
    Unchanged,
}

/// One member, from its joining to the end of its last request.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) spec: MemberSpec,
    pub(super) ordinal: Ordinal,
    pub(super) pool: Pool,
    pub(super) counters: Counters,
}

/// What happened at a member since it joined.
#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    active: AtomicU32,
    failures: AtomicU64,
    cancelled: AtomicU64,
    pub(super) truncated: AtomicU64,
}

/// The right to send one request to a member.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) member: Arc<Member>,
    ended: bool,
}

impl Lease {
    fn new(member: Arc<Member>) -> Self {
        member.counters.requests.fetch_add(1, Ordering::Relaxed);
        member.counters.active.fetch_add(1, Ordering::Relaxed);
        Self {
            member,
            ended: false,
        }
    }

    /// The request ended by the member's doing. A lease dropped without this counts as cancelled by the client.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.member.counters.active.fetch_sub(1, Ordering::Relaxed);
        if !self.ended {
            self.member
                .counters
                .cancelled
                .fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A member as `/stats` and the members API show it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    spec: MemberSpec,
    state: State,
    requests: u64,
    active: u32,
    failures: u64,
    cancelled: u64,
    truncated: u64,
    sessions: u64,
}

/// The session table as `/stats` shows it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct SessionReport {
    held: usize,
    evicted: u64,
}

#[derive(Debug)]
struct Entry {
    member: Arc<Member>,
    health: Health,
}

#[derive(Debug)]
struct Inner {
    entries: Vec<Entry>,
    policy: Box<dyn Policy>,
    sessions: SessionTable,
    joined: u64,
}

/// All members. Shared by every connection.
#[derive(Debug)]
pub(super) struct Fleet {
    settings: Settings,
    inner: Mutex<Inner>,
    /// Wakes the active checks when a member joins.
    pub(super) joined: Notify,
}

impl Fleet {
    /// A fleet without members.
    pub(super) fn new(settings: Settings) -> Self {
        let inner = Inner {
            entries: Vec::new(),
            policy: (settings.policy.build)(),
            sessions: SessionTable::new(settings.session_capacity),
            joined: 0,
        };
        Self {
            settings,
            inner: Mutex::new(inner),
            joined: Notify::new(),
        }
    }

    /// How it behaves.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code under the lock panics; were one to, the tables are still the best that there is.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a member, or replaces the one of the same name.
    pub(super) fn add(&self, spec: MemberSpec) -> Result<Added, FleetFull> {
        let mut inner = self.lock();
        let same_name = inner
            .entries
            .iter()
            .position(|entry| entry.member.spec.name() == spec.name());
        if let Some(entry) = same_name.and_then(|index| inner.entries.get(index))
            && entry.member.spec == spec
        {
            return Ok(Added::Unchanged);
        }
        if let Some(index) = same_name {
            inner.entries.remove(index);
        } else if inner.entries.len() >= MEMBER_LIMIT {
            return Err(FleetFull);
        }
        inner.joined += 1;
        let member = Arc::new(Member {
            spec,
            ordinal: Ordinal(inner.joined),
            pool: Pool::new(self.settings.pool),
            counters: Counters::default(),
        });
        let health = Health::new(self.settings.rules, self.settings.checks == Switch::On);
        inner.entries.push(Entry { member, health });
        drop(inner);
        self.joined.notify_one();
        Ok(if same_name.is_some() {
            Added::Replaced
        } else {
            Added::Joined
        })
    }

    /// Removes a member; requests that it has go on. True if there was one of this name.
    pub(super) fn remove(&self, name: &str) -> bool {
        let mut inner = self.lock();
        let before = inner.entries.len();
        inner
            .entries
            .retain(|entry| entry.member.spec.name() != name);
        inner.entries.len() < before
    }

    /// Has these members and no others; one that stays as it is keeps what is known of it.
    pub(super) fn replace(&self, specs: Vec<MemberSpec>) -> Result<(), FleetFull> {
        let left = self.members().into_iter();
        for gone in left.filter(|member| specs.iter().all(|spec| spec.name() != member.spec.name()))
        {
            self.remove(gone.spec.name());
        }
        for spec in specs {
            self.add(spec)?;
        }
        Ok(())
    }

    /// Every member.
    pub(super) fn members(&self) -> Vec<Arc<Member>> {
        self.lock()
            .entries
            .iter()
            .map(|entry| Arc::clone(&entry.member))
            .collect()
    }

    /// Chooses a member for a request: the one that holds its session, else by policy; none of `tried`, and none that is unfit.
    pub(super) fn choose(
        &self,
        now: Duration,
        facts: &Facts<'_>,
        tried: &[Ordinal],
    ) -> Option<Lease> {
        let mut inner = self.lock();
        let Inner {
            entries,
            policy,
            sessions,
            ..
        } = &mut *inner;
        let holder = match (self.settings.sticky, facts.session) {
            (Switch::On, Some(id)) => sessions.holder(id),
            _ => None,
        };
        let fit = || {
            entries.iter().filter(|entry| {
                let is_usable =
                    self.settings.failover == Switch::Off || entry.health.state(now).is_usable();
                is_usable && !tried.contains(&entry.member.ordinal)
            })
        };
        let bound = fit().find(|entry| Some(entry.member.ordinal) == holder);
        let chosen = bound.or_else(|| {
            let candidates: Vec<Candidate<'_>> =
                fit().map(|entry| candidate(&entry.member)).collect();
            let ordinal = policy.choose(&candidates, facts)?;
            fit().find(|entry| entry.member.ordinal == ordinal)
        })?;
        Some(Lease::new(Arc::clone(&chosen.member)))
    }

    /// `member` answered a request, and the answer teaches `lesson`.
    pub(super) fn answered(&self, now: Duration, member: &Member, lesson: Lesson<'_>) {
        let mut inner = self.lock();
        if let Some(entry) = inner.entry(member) {
            entry.health.answered(now);
        }
        if self.settings.sticky == Switch::Off {
            return;
        }
        match lesson {
            Lesson::Nothing => {}
            Lesson::Holds(id) => inner.sessions.bind(id, member.ordinal),
            Lesson::HoldsNot(id) => inner.sessions.unbind(id, member.ordinal),
        }
    }

    /// A request found no connection to `member`, or lost it before the head of the answer.
    pub(super) fn failed(&self, now: Duration, member: &Member) {
        member.counters.failures.fetch_add(1, Ordering::Relaxed);
        if let Some(entry) = self.lock().entry(member) {
            entry.health.failed(now);
        }
    }

    /// An active check of `member` ended.
    pub(super) fn checked(&self, member: &Member, passed: bool) {
        let changed = self
            .lock()
            .entry(member)
            .is_some_and(|entry| entry.health.checked(passed));
        if changed && !passed {
            member.pool.clear();
        }
    }

    /// Is there a member that is known to be fit?
    pub(super) fn is_ready(&self, now: Duration) -> bool {
        let is_ready = |entry: &Entry| {
            self.settings.failover == Switch::Off || entry.health.state(now) == State::Up
        };
        self.lock().entries.iter().any(is_ready)
    }

    /// Every member's state and counts.
    pub(super) fn report(&self, now: Duration) -> (Vec<Report>, SessionReport) {
        let inner = self.lock();
        let report = |entry: &Entry| {
            let Member {
                spec,
                ordinal,
                counters,
                ..
            } = &*entry.member;
            Report {
                spec: spec.clone(),
                state: entry.health.state(now),
                requests: counters.requests.load(Ordering::Relaxed),
                active: counters.active.load(Ordering::Relaxed),
                failures: counters.failures.load(Ordering::Relaxed),
                cancelled: counters.cancelled.load(Ordering::Relaxed),
                truncated: counters.truncated.load(Ordering::Relaxed),
                sessions: inner.sessions.held_by(*ordinal),
            }
        };
        let sessions = SessionReport {
            held: inner.sessions.len(),
            evicted: inner.sessions.evicted(),
        };
        (inner.entries.iter().map(report).collect(), sessions)
    }
}

impl Inner {
    /// The entry of `member`, unless it has left.
    fn entry(&mut self, member: &Member) -> Option<&mut Entry> {
        self.entries
            .iter_mut()
            .find(|entry| entry.member.ordinal == member.ordinal)
    }
}

fn candidate(member: &Member) -> Candidate<'_> {
    Candidate {
        ordinal: member.ordinal,
        name: member.spec.name(),
        weight: member.spec.weight(),
        active: member.counters.active.load(Ordering::Relaxed),
    }
}

#[cfg(test)]
mod tests;
