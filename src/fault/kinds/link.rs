//! Faults of links: rules that a proxy before the target applies to what passes it.
//!
//! One file each below `link/` holds a kind's parameters; this page plays them all. The act is an order to the proxy. Its
//! effect is proven by the proxy's own counts, which canaries make move where no load does, and for a delay by what the
//! canaries measure over the link and beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::fault::journal::Undo;
use crate::fault::link::toxic::Toxic;
use crate::fault::link::{Direction, LinkRule};
use crate::fault::{Fault, FaultError, LinkUse, Proof, Scene, Span, Way, each};
use crate::fleet::Capability;
use crate::fleet::canary::Canary;
use crate::model::event::Effect;
use crate::model::time::humane;
use crate::model::{Share, SlotId};
use crate::registry::{Acts, Field, Need, Spec, SpecError, Ty};

pub(super) mod answers;
pub(super) mod bandwidth;
pub(super) mod blackhole;
pub(super) mod half_open;
pub(super) mod latency;
pub(super) mod limit_bytes;
pub(super) mod refuse;
pub(super) mod reset;
pub(super) mod slicer;
pub(super) mod slow_close;
pub(super) mod stall;

/// How long one canary may take.
const CANARY: Duration = Duration::from_secs(3);
/// How often the proxy is asked what it counted: so late an effect may be told.
const LOOK: Duration = Duration::from_millis(10);
/// How long users have the link to themselves before a canary is sent over it.
const QUIET: Duration = Duration::from_secs(1);
/// The pause between canaries.
const PAUSE: Duration = Duration::from_millis(50);
/// So many canaries measure a delay; their median counts.
const MEASURED: usize = 5;
/// The greatest duration that a rule may name, nanoseconds: an hour.
const HOUR: u64 = 3_600_000_000_000;

/// Which ways a rule acts on.
const DIRECTION: Field = Field {
    key: "direction",
    ty: Ty::OneOf(&["both", "to-server", "to-client"]),
    need: Need::Default("\"both\""),
    summary: "on which way it acts; one way alone makes the link asymmetric",
    example: "\"to-client\"",
    acts: Acts::Now,
};
/// Which connections a rule acts on.
const SHARE: Field = Field {
    key: "share",
    ty: Ty::Share,
    need: Need::Default("\"100%\""),
    summary: "the share of the connections that it acts on, each drawn once by the seed",
    example: "\"50%\"",
    acts: Acts::Now,
};

const fn duration(
    key: &'static str,
    need: Need,
    summary: &'static str,
    example: &'static str,
) -> Field {
    Field {
        key,
        ty: Ty::Duration { min: 0, max: HOUR },
        need,
        summary,
        example,
        acts: Acts::Now,
    }
}

/// The parameters of a kind that acts on ways and shares.
#[derive(Deserialize)]
struct OnConnections<T> {
    #[serde(default)]
    direction: Direction,
    share: Share,
    #[serde(flatten)]
    toxic: T,
}

/// A rule on the links of the targets.
struct OnLink {
    rule: LinkRule,
    /// How long canaries took.
    trips: BTreeMap<SlotId, Trips>,
}

/// How long round trips of canaries took, milliseconds.
#[derive(Default)]
struct Trips {
    over: Vec<f64>,
    beside: Vec<f64>,
}

/// Builds a kind whose parameters are `toxic`'s own, with `direction` and `share` where it has them.
fn build<T: DeserializeOwned>(
    spec: &Spec,
    toxic: impl FnOnce(T) -> Toxic,
) -> Result<Box<dyn Fault>, SpecError> {
    let OnConnections {
        direction,
        share,
        toxic: own,
    } = spec.read::<OnConnections<T>>()?;
    let rule = LinkRule {
        direction,
        share,
        what: toxic(own),
    };
    Ok(Box::new(OnLink {
        rule,
        trips: BTreeMap::new(),
    }))
}

impl OnLink {
    /// What a round trip over the link should take longer, milliseconds; `None` if the fault is no delay of all connections.
    fn delay_ms(&self) -> Option<f64> {
        let Toxic::Latency(latency) = &self.rule.what else {
            return None;
        };
        let ways = if self.rule.direction == Direction::Both {
            2
        } else {
            1
        };
        (self.rule.share == Share::ONE).then(|| (latency.delay * ways).as_secs_f64() * 1e3)
    }

    async fn proof_of(&self, scene: &Scene<'_>, slot: &SlotId) -> Result<Proof, FaultError> {
        let links = scene.hands.links();
        let until = Instant::now() + scene.within;
        if self.rule.what == Toxic::Refuse && self.rule.share == Share::ONE {
            return refused(scene, slot, until).await;
        }
        // Users come first: what acts on nothing but a canary acts on nobody, and that is said. What a canary is answered is not
        // asked: that it passes makes the proxy act.
        let alone = Instant::now() + QUIET.min(scene.within / 2);
        let mut canary: BoxFuture<'_, ()> = Box::pin(tokio::time::sleep_until(alone));
        let counted = loop {
            let counted = links.counted(slot, scene.fault).await?;
            if let Some(counted) = counted.filter(|counted| counted.hits > 0) {
                break counted;
            }
            if Instant::now() >= until {
                return Err(FaultError::Unproven {
                    what: format!("an act of `{}` before {slot}", self.rule.what.name()),
                    within: scene.within,
                });
            }
            tokio::select! {
                () = &mut canary => canary = Box::pin(async move {
                    links.canary(slot, Way::Link, PAUSE * 4).await;
                    tokio::time::sleep(PAUSE).await;
                }),
                () = tokio::time::sleep(LOOK) => {}
            }
        };
        if Instant::now() > alone {
            return Ok(Proof::of(format!(
                "the proxy before {slot} acted on a canary; nobody else used the link for {}",
                humane(QUIET.min(scene.within / 2))
            )));
        }
        Ok(Proof::of(format!(
            "the proxy before {slot} acted on {} of its live connections, {} times so far",
            counted.connections, counted.hits
        )))
    }

    /// Sends a canary over each link and one beside it.
    async fn compare(&mut self, scene: &Scene<'_>) {
        let links = scene.hands.links();
        let pairs = scene.targets.iter().map(async |slot| {
            let over = links.canary(slot, Way::Link, CANARY).await;
            let beside = links.canary(slot, Way::Direct, CANARY).await;
            (slot, over, beside)
        });
        for (slot, over, beside) in futures_util::future::join_all(pairs).await {
            if let (Canary::Answered(over), Canary::Answered(beside)) = (over, beside) {
                let trips = self.trips.entry(slot.clone()).or_default();
                trips.over.push(over.as_secs_f64() * 1e3);
                trips.beside.push(beside.as_secs_f64() * 1e3);
            }
        }
    }

    /// How much longer a round trip over each link took than beside it: the difference of the medians.
    fn effects(&mut self) -> Vec<Effect> {
        let Some(requested) = self.delay_ms() else {
            return Vec::new();
        };
        let effect = |(slot, trips): (&SlotId, &mut Trips)| {
            let achieved = median(&mut trips.over)? - median(&mut trips.beside)?;
            let count = trips.over.len();
            Some(Effect {
                what: format!(
                    "round trip to {slot} over the link, longer than beside it, median of {count}"
                ),
                unit: "ms".to_owned(),
                requested,
                achieved,
            })
        };
        self.trips.iter_mut().filter_map(effect).collect()
    }
}

/// Sees that connections are refused over the link and not beside it. The proxy has closed its listener and counts nothing.
async fn refused(scene: &Scene<'_>, slot: &SlotId, until: Instant) -> Result<Proof, FaultError> {
    let links = scene.hands.links();
    loop {
        let over = links.canary(slot, Way::Link, CANARY).await;
        let beside = links.canary(slot, Way::Direct, CANARY).await;
        if over == Canary::Refused && beside != Canary::Refused {
            return Ok(Proof::of(format!(
                "a connection to {slot} is refused, and one beside its link is not"
            )));
        }
        if Instant::now() >= until {
            return Err(FaultError::Unproven {
                what: format!("a refused connection to {slot}"),
                within: scene.within,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

impl Fault for OnLink {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Proxy]
    }

    fn span(&self) -> Span {
        Span::Lasting
    }

    fn links(&self) -> Option<LinkUse> {
        let http = matches!(self.rule.what, Toxic::Answers(_));
        Some(LinkUse { http })
    }

    fn undo(&self, _scene: &Scene<'_>) -> Undo {
        // A proxy whose conductor is gone lifts every rule by itself.
        Undo::Nothing
    }

    fn by_hand(&self, targets: &[SlotId]) -> String {
        let names: Vec<&str> = targets.iter().map(SlotId::as_str).collect();
        format!(
            "no proxy is left before {} (mcpload wire)",
            names.join(", ")
        )
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let links = scene.hands.links();
            let apply = |slot| links.apply(slot, scene.fault, &self.rule);
            each(scene.targets, apply).await.map(drop)
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let proofs = each(scene.targets, |slot| self.proof_of(scene, slot));
            Ok(Proof::join(proofs.await?))
        })
    }

    fn measure<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.delay_ms().is_some() {
                for _ in 0..MEASURED {
                    self.compare(scene).await;
                }
            }
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let links = scene.hands.links();
            let lift = |slot| async move {
                // Its rules were the proxy's own, and are gone with it; that the link is lost is told.
                if links.is_lost(slot) {
                    return Ok(());
                }
                links.lift(slot, scene.fault).await
            };
            each(scene.targets, lift).await.map(drop)
        })
    }

    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let healed = each(scene.targets, |slot| passes(scene, slot));
            let mut proof = Proof::join(healed.await?);
            proof.effects = self.effects();
            Ok(proof)
        })
    }
}

/// Sees that the rule's counts stand still while a canary passes.
async fn passes(scene: &Scene<'_>, slot: &SlotId) -> Result<Proof, FaultError> {
    let links = scene.hands.links();
    if links.is_lost(slot) {
        return Ok(Proof::of(format!(
            "the proxy before {slot} has ended, and its rules with it"
        )));
    }
    let hits = async || -> Result<u64, FaultError> {
        let counted = links.counted(slot, scene.fault).await?;
        if counted.as_ref().is_some_and(|counted| counted.acts) {
            return Err(FaultError::Fleet(format!("it still acts before {slot}")));
        }
        Ok(counted.map_or(0, |counted| counted.hits))
    };
    let before = hits().await?;
    let until = Instant::now() + scene.within;
    loop {
        if let Canary::Answered(took) = links.canary(slot, Way::Link, CANARY).await {
            let after = hits().await?;
            if after != before {
                return Err(FaultError::Fleet(format!(
                    "it acted {} times on {slot} after it was lifted",
                    after - before
                )));
            }
            return Ok(Proof::of(format!(
                "a canary to {slot} passed in {:.1} ms, and nothing acted on it",
                took.as_secs_f64() * 1e3
            )));
        }
        if Instant::now() >= until {
            return Err(FaultError::Unproven {
                what: format!("an answer of {slot} over its link"),
                within: scene.within,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}
