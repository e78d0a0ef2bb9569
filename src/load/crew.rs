//! [`Crew`]: the clients that live on a worker, and the operations that wait for them.
//!
//! Impure: it starts a task for a client that has something to do. Invariants: a client carries out one operation at a time, in the
//! order of release; an operation that has waited for longer than its timeout is ended as unsent, even while its client is busy.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::client::{Client, Job, Shared, never_sent};
use super::draw;
use super::frames::Ready;
use super::table::nanos;
use crate::clock;
use crate::model::ProtocolVersion;
use crate::model::protocol::Era;
use crate::plan::{Expectation, Method, WorkloadPlan};

/// Clients that are set up, or say goodbye, at the same time.
const AT_ONCE: usize = 32;
/// How often a worker tries to learn the tools of a server, and the pause between.
const LEARNING: u32 = 3;
const BETWEEN: Duration = Duration::from_millis(300);
/// How many bytes of the first failure of set-up are told.
const MAX_FAILURE: usize = 200;

/// What became of looking after a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// It needs none.
    Unneeded,
    /// It does something, which may be what it was told the last time.
    Busy,
    /// It sees to its session now.
    Given,
}

/// A place where a client lives.
struct Slot {
    number: u32,
    protocol: ProtocolVersion,
    /// The client, unless it is busy.
    client: Option<Box<Client>>,
    queue: VecDeque<Job>,
}

/// When an operation that waits has waited too long.
struct Expiry {
    at: i64,
    client: u32,
    arrival: u64,
}

/// The clients of one workload.
struct Group {
    slots: Vec<Slot>,
    /// By the place of the operation: as all have the same timeout, the oldest is the first to expire.
    expiries: BTreeMap<u32, VecDeque<Expiry>>,
}

/// Whether calls of the workload depend on the definitions of its tools.
pub(super) fn needs_tools(plan: &WorkloadPlan) -> bool {
    let may_be_modern = plan
        .protocols
        .iter()
        .any(|(dialect, weight)| *weight > 0 && dialect.first().era() == Era::Modern);
    let mut steps = plan
        .operations
        .iter()
        .flat_map(|operation| &operation.steps);
    steps.any(|step| {
        (may_be_modern && step.method == Method::ToolsCall)
            || step.expect.contains(&Expectation::Schema)
    })
}

/// All clients of a worker.
pub(crate) struct Crew {
    shared: Rc<Shared>,
    groups: RefCell<Vec<Group>>,
}

impl Crew {
    /// Makes the clients that live on this worker.
    pub(crate) fn new(shared: &Rc<Shared>) -> Rc<Self> {
        let table = &shared.table;
        let group = |(number, plan): (u32, &WorkloadPlan)| {
            let slots = (0..plan.clients).filter(|client| table.is_mine(*client));
            let slots = slots.filter_map(|client| {
                let traits = draw::traits(table.plan.seed, plan, client)?;
                let made = Client::new(shared, number, client, traits)?;
                Some(Slot {
                    number: client,
                    protocol: traits.dialect.first(),
                    client: Some(Box::new(made)),
                    queue: VecDeque::new(),
                })
            });
            Group {
                slots: slots.collect(),
                expiries: BTreeMap::new(),
            }
        };
        let groups = (0_u32..).zip(&table.plan.workloads).map(group).collect();
        Rc::new(Self {
            shared: Rc::clone(shared),
            groups: RefCell::new(groups),
        })
    }

    /// How many there are.
    pub(crate) fn clients(&self) -> usize {
        self.groups
            .borrow()
            .iter()
            .map(|group| group.slots.len())
            .sum()
    }

    /// The version that a client speaks, if it lives here.
    pub(crate) fn protocol(&self, workload: u32, client: u32) -> Option<ProtocolVersion> {
        self.with_slot(workload, client, |slot| slot.protocol)
    }

    /// Gives a client something to do, now or when it has done what came before.
    pub(crate) fn give(self: &Rc<Self>, workload: u32, client: u32, job: Job) {
        let timeout = self
            .shared
            .table
            .workloads
            .get(workload as usize)
            .and_then(|workload| workload.operations.get(job.operation as usize))
            .map_or(0, |operation| nanos(operation.timeout));
        let idle = self
            .with_slot(workload, client, |slot| slot.client.take())
            .flatten();
        if let Some(idle) = idle {
            tokio::task::spawn_local(Rc::clone(self).keep_busy(workload, client, idle, job));
            return;
        }
        let mut groups = self.groups.borrow_mut();
        let Some(group) = groups.get_mut(workload as usize) else {
            return;
        };
        group
            .expiries
            .entry(job.operation)
            .or_default()
            .push_back(Expiry {
                at: job.due.saturating_add(timeout),
                client,
                arrival: job.arrival,
            });
        let place = (client / self.shared.table.of) as usize;
        if let Some(slot) = group.slots.get_mut(place) {
            slot.queue.push_back(job);
        }
    }

    async fn keep_busy(
        self: Rc<Self>,
        workload: u32,
        number: u32,
        mut client: Box<Client>,
        first: Job,
    ) {
        let mut next = Some(first);
        while let Some(job) = next {
            let plan = self.shared.table.workloads.get(workload as usize);
            let stays = plan.and_then(|plan| plan.churn(job.phase));
            // Boxed, so that the task that is moved for each operation stays small: the operation itself is some 10 KB.
            Box::pin(client.carry_out(job)).await;
            if stays.is_some() {
                Box::pin(client.come_and_go(stays)).await;
            }
            next = self
                .with_slot(workload, number, |slot| slot.queue.pop_front())
                .flatten();
        }
        self.put_back(workload, number, client);
    }

    /// Has a client that does nothing look after its session, if that is needed.
    pub(crate) fn tend(self: &Rc<Self>, workload: u32, client: u32) -> Care {
        let idle = self.with_slot(workload, client, |slot| match &slot.client {
            None => Err(Care::Busy),
            Some(_) => (slot.client.take_if(|client| client.needs_care())).ok_or(Care::Unneeded),
        });
        let mut idle = match idle {
            Some(Ok(idle)) => idle,
            Some(Err(care)) => return care,
            None => return Care::Unneeded,
        };
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            idle.tend().await;
            let next = this.with_slot(workload, client, |slot| slot.queue.pop_front());
            match next.flatten() {
                Some(job) => this.keep_busy(workload, client, idle, job).await,
                None => this.put_back(workload, client, idle),
            }
        });
        Care::Given
    }

    fn put_back(&self, workload: u32, number: u32, client: Box<Client>) {
        self.with_slot(workload, number, |slot| {
            slot.protocol = client.protocol();
            slot.client = Some(client);
        });
    }

    /// When the next operation that waits will have waited too long, raw.
    pub(crate) fn next_expiry(&self) -> Option<i64> {
        let groups = self.groups.borrow();
        let queues = groups.iter().flat_map(|group| group.expiries.values());
        queues
            .filter_map(|queue| queue.front())
            .map(|expiry| expiry.at)
            .min()
    }

    /// Ends what has waited too long at the raw reading `now`.
    pub(crate) fn expire(&self, now: i64) {
        let of = self.shared.table.of;
        for (number, group) in (0_u32..).zip(self.groups.borrow_mut().iter_mut()) {
            for queue in group.expiries.values_mut() {
                while let Some(expiry) = queue.pop_front_if(|expiry| expiry.at <= now) {
                    let Some(slot) = group.slots.get_mut((expiry.client / of) as usize) else {
                        continue;
                    };
                    // One that is no longer in the queue is being carried out.
                    let place = slot
                        .queue
                        .iter()
                        .position(|job| job.arrival == expiry.arrival);
                    if let Some(job) = place.and_then(|place| slot.queue.remove(place)) {
                        never_sent(&self.shared, number, slot.number, slot.protocol, &job);
                    }
                }
            }
        }
    }

    /// Ends everything that waits.
    pub(crate) fn drop_waiting(&self) {
        for (number, group) in (0_u32..).zip(self.groups.borrow_mut().iter_mut()) {
            for slot in &mut group.slots {
                for job in slot.queue.drain(..) {
                    never_sent(&self.shared, number, slot.number, slot.protocol, &job);
                }
            }
            group.expiries.clear();
        }
    }

    /// Whether no client does anything.
    pub(crate) fn is_idle(&self) -> bool {
        let groups = self.groups.borrow();
        let mut slots = groups.iter().flat_map(|group| &group.slots);
        slots.all(|slot| slot.client.is_some())
    }

    /// Establishes the sessions of legacy clients, within `limit`; a client that gets none tries again with its next operation.
    pub(crate) async fn set_up(&self, limit: Duration) -> Ready {
        let until = clock::now().saturating_add(nanos(limit));
        let mut ready = Ready {
            clients: u32::try_from(self.clients()).unwrap_or(u32::MAX),
            sessions: 0,
            failed: 0,
            first_failure: String::new(),
        };
        let has_learnt = self.learn(limit).await;
        let set_up = async |mut client: Box<Client>| {
            let left = until.saturating_sub(clock::now());
            let result = if left <= 0 {
                Err("no time left to set up".to_owned())
            } else {
                let left = Duration::from_nanos(left.unsigned_abs());
                match tokio::time::timeout(left, client.set_up()).await {
                    Ok(result) => result,
                    Err(_elapsed) => {
                        client.forget_session();
                        Err("no time left to set up".to_owned())
                    }
                }
            };
            (client, result)
        };
        self.for_each_idle(
            async |client| set_up(client).await,
            |result| match result {
                Ok(established) => ready.sessions += u32::from(established),
                Err(cause) => {
                    ready.failed += 1;
                    if ready.first_failure.is_empty() {
                        ready.first_failure = cause.chars().take(MAX_FAILURE).collect();
                    }
                }
            },
        )
        .await;
        if !has_learnt && ready.first_failure.is_empty() {
            ready
                .first_failure
                .push_str("the tools could not be listed");
        }
        ready
    }

    /// Has one client of each workload that needs it learn the tools: definitions decide what modern calls carry in headers, and
    /// what structured content must look like.
    /// Whether all of them could.
    async fn learn(&self, limit: Duration) -> bool {
        let mut failed = false;
        let table = Arc::clone(&self.shared.table);
        for (number, plan) in (0_u32..).zip(&table.plan.workloads) {
            if !needs_tools(plan) {
                continue;
            }
            let Some(mut client) = self.take_first(number) else {
                continue;
            };
            let learning = async {
                let mut learnt = false;
                for _ in 0..LEARNING {
                    learnt = client.set_up().await.is_ok() && client.learn().await;
                    if learnt {
                        break;
                    }
                    tokio::time::sleep(BETWEEN).await;
                }
                learnt
            };
            match tokio::time::timeout(limit / 2, learning).await {
                Ok(true) => {}
                Ok(false) => failed = true,
                Err(_elapsed) => {
                    client.forget_session();
                    failed = true;
                }
            }
            let first = client.number();
            self.put_back(number, first, client);
        }
        !failed
    }

    fn take_first(&self, workload: u32) -> Option<Box<Client>> {
        let mut groups = self.groups.borrow_mut();
        let slot = groups.get_mut(workload as usize)?.slots.first_mut()?;
        slot.client.take()
    }

    /// Ends the sessions of the clients of the workloads that do so.
    pub(crate) async fn say_goodbye(&self) {
        let goodbye = async |mut client: Box<Client>| {
            client.say_goodbye().await;
            (client, ())
        };
        self.for_each_idle(goodbye, |()| {}).await;
    }

    /// Does something with every idle client, some at a time.
    async fn for_each_idle<T>(
        &self,
        work: impl AsyncFn(Box<Client>) -> (Box<Client>, T),
        mut each: impl FnMut(T),
    ) {
        let mut left: Vec<(u32, u32)> = Vec::new();
        for (number, group) in (0_u32..).zip(self.groups.borrow().iter()) {
            left.extend(group.slots.iter().map(|slot| (number, slot.number)));
        }
        let mut left = left.into_iter();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < AT_ONCE
                && let Some((workload, number)) = left.next()
            {
                let idle = self
                    .with_slot(workload, number, |slot| slot.client.take())
                    .flatten();
                if let Some(idle) = idle {
                    let work = &work;
                    under_way.push(async move { (workload, number, work(idle).await) });
                }
            }
            let Some((workload, number, (client, result))) = under_way.next().await else {
                return;
            };
            self.put_back(workload, number, client);
            each(result);
        }
    }

    fn with_slot<T>(
        &self,
        workload: u32,
        client: u32,
        work: impl FnOnce(&mut Slot) -> T,
    ) -> Option<T> {
        let mut groups = self.groups.borrow_mut();
        let place = (client / self.shared.table.of) as usize;
        let slot = groups.get_mut(workload as usize)?.slots.get_mut(place)?;
        (slot.number == client).then(|| work(slot))
    }
}
