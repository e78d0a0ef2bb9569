//! The links of a fleet that have a proxy before them, as the conductor's side of the proxies' sockets sees them.
//!
//! Impure. A proxy is in place from before the slots start until after they ended; so putting it there and taking it away are no
//! part of what is measured. A link looks like its slot: the proxy refuses connections as long as nothing listens behind it. It
//! sees that by itself where it can, and is told to look whenever the slot's supervisor does something. When the conductor is gone
//! its socket closes, and the proxy lifts every rule by itself. A proxy that ends by itself is told as a fact: what follows on its
//! link says nothing about the fleet.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::canary::{self, Canary};
use super::proc::marks;
use super::process::Place;
use super::slot::{Fact, State};
use crate::clock;
use crate::fault::link::LinkRule;
use crate::fault::{FaultError, LinkHands, Way};
use crate::model::{EventKind, InstanceId, SlotId};
use crate::plan::Probe;
use crate::proxy::{Ask, RuleStatus, Start, Tell};

/// How long a proxy may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// What a link is made of.
pub(super) struct LinkPlan {
    /// The slot behind it.
    pub(super) slot: SlotId,
    /// What its proxy is told first.
    pub(super) start: Start,
    /// Whether answers are named after the instance.
    pub(super) names: bool,
    /// What the canary asks.
    pub(super) probe: Probe,
    /// Which instance runs behind it.
    pub(super) state: watch::Receiver<State>,
}

/// The links with proxies.
#[derive(Default)]
pub(super) struct Links(BTreeMap<SlotId, Arc<Link>>);

/// A running proxy.
struct Link {
    orders: mpsc::Sender<Order>,
    pid: u32,
    proxied: SocketAddr,
    direct: SocketAddr,
    probe: Probe,
    ended: watch::Receiver<bool>,
}

/// A request, and where its answer goes; without one, none is expected.
type Order = (Ask, Option<oneshot::Sender<Tell>>);

impl Links {
    /// Starts every proxy; returns when all of them listen.
    ///
    /// # Errors
    /// The slot and the reason of the first that does not.
    pub(super) async fn start(
        plans: Vec<LinkPlan>,
        place: &Place,
        facts: &mpsc::Sender<Fact>,
    ) -> Result<Self, (SlotId, String)> {
        let mut links = BTreeMap::new();
        for plan in plans {
            let slot = plan.slot.clone();
            let link = Link::start(plan, place, facts.clone())
                .await
                .map_err(|reason| (slot.clone(), reason))?;
            links.insert(slot, Arc::new(link));
        }
        Ok(Self(links))
    }

    /// The processes, by slot.
    pub(super) fn pids(&self) -> impl Iterator<Item = (&SlotId, u32)> {
        self.0.iter().map(|(slot, link)| (slot, link.pid))
    }

    /// Lets the proxy before this slot look whether it listens; returns when the link is as the slot. Nothing, if it has none.
    pub(super) async fn settle(&self, slot: &SlotId) {
        if let Some(link) = self.0.get(slot) {
            // One that has ended is told by its own task.
            let _ = link.ask(Ask::Look).await;
        }
    }

    /// Ends every proxy.
    pub(super) async fn stop(&self) {
        for link in self.0.values() {
            // One that ended already listens no more.
            let _ = link.orders.send((Ask::Stop, None)).await;
        }
        for link in self.0.values() {
            let mut ended = link.ended.clone();
            // The task behind it kills a proxy that does not end.
            let _ = timeout(ANSWER * 2, ended.wait_for(|ended| *ended)).await;
        }
    }

    fn of(&self, slot: &SlotId) -> Result<&Arc<Link>, FaultError> {
        self.0
            .get(slot)
            .ok_or_else(|| FaultError::Fleet(format!("there is no proxy before {slot}")))
    }
}

impl Link {
    async fn start(
        plan: LinkPlan,
        place: &Place,
        facts: mpsc::Sender<Fact>,
    ) -> Result<Self, String> {
        let (proxied, direct) = (plan.start.listen, plan.start.upstream);
        let mut proxy = Proxy::start(place, plan.start)
            .await
            .map_err(|error| format!("cannot start a proxy: {error}"))?;
        match timeout(ANSWER, proxy.next()).await {
            Ok(Ok(Some(Tell::Listening { .. }))) => {}
            Ok(Ok(Some(Tell::NotStarted { reason }))) => return Err(reason),
            _ => return Err("its proxy ended, or said nothing".to_owned()),
        }
        let pid = proxy.child.id().unwrap_or_default();
        let (orders, received) = mpsc::channel(16);
        let (ends, ended) = watch::channel(false);
        let (slot, names, state) = (plan.slot, plan.names, plan.state);
        let mut behind = Behind {
            slot: slot.clone(),
            names,
            state: Some(state),
        };
        tokio::spawn(async move {
            let reason = proxy.serve(received, &mut behind).await;
            if let Some(reason) = reason {
                let lost = EventKind::LinkLost { slot, reason };
                let _ = facts.send((clock::now(), lost)).await;
            }
            proxy.reap().await;
            ends.send_replace(true);
        });
        Ok(Self {
            orders,
            pid,
            proxied,
            direct,
            probe: plan.probe,
            ended,
        })
    }

    async fn ask(&self, ask: Ask) -> Result<Tell, FaultError> {
        let gone = || FaultError::Fleet("its proxy has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        let sent = self.orders.send((ask, Some(answer))).await;
        sent.map_err(|_| gone())?;
        match timeout(ANSWER, answered).await {
            Ok(Ok(Tell::Refused { reason, .. })) => Err(FaultError::Fleet(reason)),
            Ok(Ok(tell)) => Ok(tell),
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err(FaultError::Unproven {
                what: "an answer of the proxy".to_owned(),
                within: ANSWER,
            }),
        }
    }
}

/// The process and the socket.
struct Proxy {
    child: Child,
    write: OwnedWriteHalf,
    read: Lines<BufReader<OwnedReadHalf>>,
}

impl Proxy {
    async fn start(place: &Place, start: Start) -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = Command::new(&place.binary)
            .arg("wire")
            .env(marks::RUN, place.run())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            // Out of the terminal's foreground group: Ctrl-C is the conductor's to answer.
            .process_group(0)
            .spawn()?;
        let (read, write) = UnixStream::from_std(ours)?.into_split();
        let mut proxy = Self {
            child,
            write,
            read: BufReader::new(read).lines(),
        };
        proxy.tell(&Ask::Start(start)).await?;
        Ok(proxy)
    }

    async fn tell(&mut self, ask: &Ask) -> io::Result<()> {
        let mut line = serde_json::to_vec(ask)?;
        line.push(b'\n');
        self.write.write_all(&line).await
    }

    async fn next(&mut self) -> io::Result<Option<Tell>> {
        let Some(line) = self.read.next_line().await? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_str(&line)?))
    }

    /// Passes orders on, one at a time, until it is told to stop; why it ended before that, if it did.
    async fn serve(
        &mut self,
        mut orders: mpsc::Receiver<Order>,
        behind: &mut Behind,
    ) -> Option<String> {
        loop {
            tokio::select! {
                order = orders.recv() => {
                    let (ask, answer) = order?;
                    if let Err(error) = self.tell(&ask).await {
                        return Some(format!("its proxy takes no orders: {error}"));
                    }
                    if ask == Ask::Stop {
                        return None;
                    }
                    let Some(answer) = answer else { continue };
                    match self.answer().await {
                        // Who asked may have given up.
                        Ok(tell) => drop(answer.send(tell)),
                        Err(reason) => return Some(reason),
                    }
                }
                // It says nothing unasked: this is its end.
                unasked = self.next() => match unasked {
                    Ok(None) | Err(_) => return Some(self.ended().await),
                    Ok(Some(_)) => {}
                },
                name = behind.changed() => {
                    if let Err(reason) = self.follow(name).await {
                        return Some(reason);
                    }
                }
            }
        }
    }

    /// Tells that the slot behind it has changed, and the name of what runs there now.
    async fn follow(&mut self, name: Option<String>) -> Result<(), String> {
        let name = name.map(|name| Ask::Instance { name: Some(name) });
        for ask in name.into_iter().chain([Ask::Look]) {
            let told = self.tell(&ask).await;
            told.map_err(|error| format!("its proxy takes no orders: {error}"))?;
        }
        // A name is not answered.
        self.answer().await.map(drop)
    }

    /// The answer to what was asked; else why there is none.
    async fn answer(&mut self) -> Result<Tell, String> {
        match self.next().await {
            Ok(Some(tell)) => Ok(tell),
            Ok(None) => Err(self.ended().await),
            Err(error) => Err(format!("its proxy speaks other words: {error}")),
        }
    }

    async fn ended(&mut self) -> String {
        match timeout(ANSWER, self.child.wait()).await {
            Ok(Ok(status)) => format!("its proxy ended: {status}"),
            _ => "its proxy closed its socket".to_owned(),
        }
    }

    async fn reap(&mut self) {
        if timeout(ANSWER, self.child.wait()).await.is_err() {
            // It is gone, or about to be.
            let _ = self.child.kill().await;
        }
    }
}

/// What runs behind a link.
struct Behind {
    slot: SlotId,
    /// Whether answers are named after it.
    names: bool,
    /// `None` once the slot has no supervisor any more.
    state: Option<watch::Receiver<State>>,
}

impl Behind {
    /// Waits until the slot changes; the name for its answers, if they have one.
    ///
    /// # Cancel safety
    /// A change that was seen is returned; one that was not is still there.
    async fn changed(&mut self) -> Option<String> {
        let Some(state) = &mut self.state else {
            return std::future::pending().await;
        };
        if state.changed().await.is_err() {
            self.state = None;
            return std::future::pending().await;
        }
        let incarnation = Some(state.borrow_and_update().incarnation);
        let slot = self.slot.clone();
        self.names
            .then(|| InstanceId { slot, incarnation }.to_string())
    }
}

impl LinkHands for Links {
    fn apply<'a>(
        &'a self,
        slot: &'a SlotId,
        fault: &'a str,
        rule: &'a LinkRule,
    ) -> BoxFuture<'a, Result<u64, FaultError>> {
        Box::pin(async move {
            let ask = Ask::Apply {
                id: fault.to_owned(),
                rule: rule.clone(),
            };
            match self.of(slot)?.ask(ask).await? {
                Tell::Applied { connections, .. } => Ok(connections),
                other => Err(unexpected(&other)),
            }
        })
    }

    fn lift<'a>(
        &'a self,
        slot: &'a SlotId,
        fault: &'a str,
    ) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let id = fault.to_owned();
            match self.of(slot)?.ask(Ask::Lift { id }).await? {
                Tell::Lifted { .. } => Ok(()),
                other => Err(unexpected(&other)),
            }
        })
    }

    fn counted<'a>(
        &'a self,
        slot: &'a SlotId,
        fault: &'a str,
    ) -> BoxFuture<'a, Result<Option<RuleStatus>, FaultError>> {
        Box::pin(async move {
            match self.of(slot)?.ask(Ask::Status).await? {
                Tell::Status(status) => {
                    let mut rules = status.rules.into_iter();
                    Ok(rules.find(|rule| rule.id == fault))
                }
                other => Err(unexpected(&other)),
            }
        })
    }

    fn is_lost(&self, slot: &SlotId) -> bool {
        self.of(slot).is_ok_and(|link| *link.ended.borrow())
    }

    fn canary<'a>(&'a self, slot: &'a SlotId, way: Way, within: Duration) -> BoxFuture<'a, Canary> {
        Box::pin(async move {
            match self.of(slot) {
                Ok(link) => {
                    let address = match way {
                        Way::Link => link.proxied,
                        Way::Direct => link.direct,
                    };
                    canary::ask(address, &link.probe, within).await
                }
                Err(_) => Canary::Silent,
            }
        })
    }
}

fn unexpected(tell: &Tell) -> FaultError {
    FaultError::Fleet(format!("its proxy answered {tell:?}"))
}
