//! Driver `process`: every slot a local process below a shim, on a loopback address of the run's own.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::ports::Ports;
use super::address::Network;
use super::bind::Roll;
use super::link::{LinkPlan, Links};
use super::members::Register;
use super::outfit::{Now, Outfit};
use super::probe;
use super::slot::{Fact, Post, Request, Standing, State};
use crate::model::{Seed, SlotId};
use crate::plan::{FleetPlan, ReadyPlan, RolePlan, SlotPlan};
use crate::proxy::Start;

mod changes;
mod hands;
mod ports;

/// Why the fleet could not be brought up.
#[derive(Debug, Error)]
pub enum FleetError {
    /// No addresses, or no HTTP client for the probes.
    #[error("cannot prepare the fleet")]
    Prepare(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A slot did not become ready.
    #[error("{slot} is not ready: {reason}")]
    NotReady {
        /// The slot.
        slot: SlotId,
        /// Why.
        reason: String,
        /// The last lines of its standard error.
        log: Vec<String>,
    },
}

/// Where things are that the fleet needs.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory of the scenario, from which relative paths count.
    pub scenario_dir: PathBuf,
    /// `instances/` of the run directory; both are absolute, as what is started carries the latter as its mark.
    pub instances: PathBuf,
    /// This program, which is also the shim and the reference fleet.
    pub binary: PathBuf,
    /// The processors that the fleet may use; empty: those of mcpload itself.
    pub processors: Vec<u32>,
}

impl Place {
    /// The run directory, which marks everything that is started.
    pub(super) fn run(&self) -> &Path {
        self.instances.parent().unwrap_or(&self.instances)
    }
}

/// A slot as its users see it.
struct Slot {
    /// What its instances are started with, and where they listen.
    outfit: Arc<Outfit>,
    /// The proxy before it, if it has one.
    proxy: Option<SocketAddr>,
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<State>,
    grace: Duration,
    ready: ReadyPlan,
    directory: PathBuf,
    role: String,
}

impl Slot {
    /// Where others reach it: its proxy, or itself.
    fn link(&self) -> SocketAddr {
        self.proxy.unwrap_or_else(|| self.outfit.address())
    }
}

/// A fleet of local processes.
pub struct ProcessFleet {
    place: Place,
    slots: BTreeMap<SlotId, Slot>,
    http: reqwest::Client,
    /// What a proxy is before which slots; started with the fleet.
    planned_links: std::sync::Mutex<Vec<LinkPlan>>,
    links: std::sync::OnceLock<Links>,
    facts: mpsc::Sender<Fact>,
    supervisors: tokio::sync::Mutex<JoinSet<()>>,
    /// Supervisors that were not started yet.
    waiting: std::sync::Mutex<BTreeMap<SlotId, (Post, mpsc::Receiver<Request>)>>,
    /// Roles in the order in which they are started.
    roles: Vec<RolePlan>,
    network: Network,
    /// The ports that slots and proxies have or had.
    used: std::sync::Mutex<BTreeSet<u16>>,
    /// Who is a member of which role.
    register: Arc<Register>,
    /// The weights that balancers gave to members which left them.
    weights: std::sync::Mutex<BTreeMap<(SlotId, SlotId), u32>>,
    /// Held while balancers are told: two at once would render the same files.
    telling: tokio::sync::Mutex<()>,
}

impl ProcessFleet {
    /// Chooses addresses for every slot; nothing is started yet.
    ///
    /// # Errors
    /// If there are not enough free ports.
    pub fn prepare(
        plan: &FleetPlan,
        network: Network,
        place: &Place,
        facts: &mpsc::Sender<Fact>,
        seed: Seed,
    ) -> Result<Self, FleetError> {
        let Ports {
            used,
            addresses,
            proxies,
        } = Ports::choose(plan, network)?;
        let http = probe::control_client().map_err(|error| FleetError::Prepare(error.into()))?;
        let reached = |(slot, address): (&SlotId, &SocketAddr)| {
            let link = proxies.get(slot).unwrap_or(address);
            (slot.clone(), link.to_string())
        };
        let standby = plan.slots().filter(|(_, slot)| slot.standby);
        let register = Arc::new(Register::new(Roll {
            links: addresses.iter().map(reached).collect(),
            absent: standby.map(|(_, slot)| slot.id.clone()).collect(),
        }));
        let mut slots = BTreeMap::new();
        let mut waiting = BTreeMap::new();
        let mut planned_links = Vec::new();
        for (role, slot) in plan.slots() {
            let Some(address) = addresses.get(&slot.id).copied() else {
                continue;
            };
            let directory = place.instances.join(slot.id.as_str());
            let (state, watched) = watch::channel(State::first(slot));
            // A slot gets a handful of requests in a run; whoever sends one waits.
            let (requests, received) = mpsc::channel(8);
            let outfit = Arc::new(Outfit {
                plan: slot.clone(),
                directory: directory.to_string_lossy().into_owned(),
                scenario_dir: place.scenario_dir.clone(),
                binary: place.binary.clone(),
                run: place.run().to_path_buf(),
                processors: place.processors.clone(),
                register: Arc::clone(&register),
                now: Now::at(address),
            });
            let post = Post {
                outfit: Arc::clone(&outfit),
                restart: role.restart,
                ready: role.ready.clone(),
                grace: role.stop_grace.0,
                http: http.clone(),
                state,
                facts: facts.clone(),
            };
            waiting.insert(slot.id.clone(), (post, received));
            let proxy = proxies.get(&slot.id).copied();
            if let (Some(wire), Some(listen)) = (slot.wire, proxy) {
                let start = Start {
                    listen,
                    upstream: address,
                    seed: seed.of(slot.id.as_str()).0,
                    http: wire.http,
                    instance: None,
                    follows: true,
                };
                planned_links.push(link_plan(role, slot, start, wire.names, &watched));
            }
            let of_slot = Slot {
                outfit,
                proxy,
                requests,
                state: watched,
                grace: role.stop_grace.0,
                ready: role.ready.clone(),
                directory,
                role: role.name.clone(),
            };
            slots.insert(slot.id.clone(), of_slot);
        }
        let supervisors = tokio::sync::Mutex::new(JoinSet::new());
        Ok(Self {
            place: place.clone(),
            slots,
            http,
            planned_links: std::sync::Mutex::new(planned_links),
            links: std::sync::OnceLock::new(),
            facts: facts.clone(),
            supervisors,
            waiting: std::sync::Mutex::new(waiting),
            roles: plan.roles.clone(),
            network,
            used: std::sync::Mutex::new(used),
            register,
            weights: std::sync::Mutex::default(),
            telling: tokio::sync::Mutex::default(),
        })
    }

    /// Starts the roles one after the other, and returns when every slot is ready.
    ///
    /// # Errors
    /// The first slot that is not ready within its role's time limit, or that its policy gave up.
    pub async fn bring_up(&self) -> Result<(), FleetError> {
        let planned = self
            .planned_links
            .lock()
            .map(|mut planned| std::mem::take(&mut *planned));
        let started = Links::start(planned.unwrap_or_default(), &self.place, &self.facts);
        let links = started
            .await
            .map_err(|(slot, reason)| FleetError::NotReady {
                slot,
                reason: format!("the proxy before it: {reason}"),
                log: Vec::new(),
            })?;
        // The fleet is brought up once.
        let _ = self.links.set(links);
        for role in &self.roles {
            for slot in &role.slots {
                let post = self
                    .waiting
                    .lock()
                    .ok()
                    .and_then(|mut waiting| waiting.remove(&slot.id));
                if let Some((post, requests)) = post {
                    self.supervisors
                        .lock()
                        .await
                        .spawn(post.supervise(requests));
                }
            }
            let waits = role
                .slots
                .iter()
                .filter(|slot| !slot.standby)
                .map(|slot| self.ready(&slot.id, role.ready.timeout));
            futures_util::future::try_join_all(waits).await?;
            if let Some(links) = self.links.get() {
                // Who comes next finds the links open.
                let settled = role.slots.iter().map(|slot| links.settle(&slot.id));
                futures_util::future::join_all(settled).await;
            }
        }
        Ok(())
    }

    async fn ready(&self, id: &SlotId, within: Duration) -> Result<(), FleetError> {
        let not_ready = |reason: String, log| FleetError::NotReady {
            slot: id.clone(),
            reason,
            log,
        };
        let Some(slot) = self.slots.get(id) else {
            return Err(not_ready("there is no such slot".to_owned(), Vec::new()));
        };
        let mut state = slot.state.clone();
        let settled = state
            .wait_for(|state| matches!(state.standing, Standing::Ready | Standing::Abandoned(_)));
        let reason = match tokio::time::timeout(within, settled).await {
            Ok(Ok(state)) => match &state.standing {
                Standing::Abandoned(reason) => reason.clone(),
                _ => return Ok(()),
            },
            Ok(Err(_)) => "its supervisor ended".to_owned(),
            Err(_) => format!(
                "its probe did not succeed within {}",
                humantime::format_duration(within)
            ),
        };
        let incarnation = slot.state.borrow().incarnation.max(1);
        let log = last_lines(&super::instance::logs(&slot.directory, incarnation)[1], 8);
        Err(not_ready(reason, log))
    }

    /// Every slot with its role and the address under which others reach it.
    pub fn addresses(&self) -> impl Iterator<Item = (&SlotId, &str, SocketAddr)> {
        self.slots
            .iter()
            .map(|(id, slot)| (id, slot.role.as_str(), slot.link()))
    }

    /// The addresses under which the members of a role are reached.
    pub fn members(&self, role: &str) -> Vec<SocketAddr> {
        let absent = self.register.roll().absent;
        self.addresses()
            .filter(|(slot, of, _)| *of == role && !absent.contains(slot))
            .map(|(_, _, link)| link)
            .collect()
    }

    /// How many slots are ready, and how many there are; those on standby do not count.
    pub fn readiness(&self) -> (usize, usize) {
        let standings = self.slots.values().map(|slot| {
            let state = slot.state.borrow();
            (
                state.standing == Standing::Ready,
                state.standing == Standing::Standby,
            )
        });
        standings.fold((0, 0), |(ready, all), (is_ready, is_on_standby)| {
            (
                ready + usize::from(is_ready),
                all + usize::from(!is_on_standby),
            )
        })
    }

    /// The shims of the running instances, by slot.
    pub fn shims(&self) -> Vec<(SlotId, u32)> {
        self.slots
            .iter()
            .filter_map(|(id, slot)| Some((id.clone(), slot.state.borrow().shim?)))
            .collect()
    }

    /// The proxies, by the slot behind them.
    pub fn proxies(&self) -> Vec<(SlotId, u32)> {
        let links = self.links.get().into_iter();
        let pids = links.flat_map(Links::pids);
        pids.map(|(slot, pid)| (slot.clone(), pid)).collect()
    }

    /// Takes everything down, in the reverse of the start order; at once if `hard`. Nothing is left when it returns.
    pub async fn take_down(&self, hard: bool) {
        for role in self.roles.iter().rev() {
            let of_role: Vec<&Slot> = role
                .slots
                .iter()
                .filter_map(|slot| self.slots.get(&slot.id))
                .collect();
            for slot in &of_role {
                // A supervisor that does not listen any more has nothing left to stop.
                let _ = slot.requests.send(Request::Stop { hard }).await;
            }
            let gone = of_role.iter().map(|slot| wait_gone(slot));
            futures_util::future::join_all(gone).await;
        }
        if let Some(links) = self.links.get() {
            links.stop().await;
        }
        self.supervisors.lock().await.shutdown().await;
    }
}

fn link_plan(
    role: &RolePlan,
    slot: &SlotPlan,
    start: Start,
    names: bool,
    state: &watch::Receiver<State>,
) -> LinkPlan {
    LinkPlan {
        slot: slot.id.clone(),
        start,
        names,
        probe: role.ready.probe.clone(),
        state: state.clone(),
    }
}

/// Waits until nothing runs in the slot, within its grace period and a little.
async fn wait_gone(slot: &Slot) {
    let mut state = slot.state.clone();
    let gone = state.wait_for(|state| state.shim.is_none());
    let _ = tokio::time::timeout(slot.grace + Duration::from_secs(6), gone).await;
}

/// The last lines of a log, each cut to 300 characters and without control characters.
fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let read = || -> io::Result<String> {
        let bytes = std::fs::read(path)?;
        let tail = bytes.len().saturating_sub(16 << 10);
        Ok(String::from_utf8_lossy(bytes.get(tail..).unwrap_or_default()).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<String> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.chars().filter(|c| !c.is_control()).take(300).collect())
        .collect();
    lines.into_iter().rev().take(count).rev().collect()
}
