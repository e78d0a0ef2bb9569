//! `re-create`: ends the instance as asked and starts the next under another address, as a container does that is made anew.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::super::terminate::GRACE;
use super::{DRAIN, Order, Pace, Renewed, let_go, names, proof_of, settled};
use crate::fault::change::Change;
use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::plan::TextDuration;
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

#[derive(Debug, Deserialize)]
struct ReCreate {
    drain: TextDuration,
    grace: Option<TextDuration>,
    /// Where the targets listened before.
    #[serde(skip)]
    before: Vec<Option<SocketAddr>>,
    #[serde(skip)]
    renewed: Vec<Renewed>,
}

impl Fault for ReCreate {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Kill, Capability::Deploy]
    }

    fn span(&self) -> Span {
        Span::Once
    }

    fn planned(&self) -> bool {
        true
    }

    fn change(&self) -> Option<Change> {
        Some(Change::Move)
    }

    fn takes(&self, targets: usize) -> Duration {
        self.pace().takes(targets)
    }

    fn undo(&self, _scene: &Scene<'_>) -> Undo {
        Undo::Nothing
    }

    fn by_hand(&self, targets: &[SlotId]) -> String {
        format!("{} are up again, at other addresses", names(targets))
    }

    fn inject<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async move {
            let address = |slot| scene.hands.address(slot);
            self.before = scene.targets.iter().map(address).collect();
            let changes = scene.hands.changes();
            let move_away = |slot: &SlotId| changes.move_away(slot).map(drop);
            let pace = self.pace();
            self.renewed = pace.roll(scene, scene.targets, move_away).await?;
            Ok(())
        })
    }

    fn prove<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        // Each new instance was ready before the next slot left; there is nothing to wait for.
        Box::pin(async move {
            let mut proof = proof_of(scene, &self.renewed)?;
            for (slot, before) in scene.targets.iter().zip(&self.before) {
                let now = scene.hands.address(slot);
                let (Some(before), Some(now)) = (before, now.filter(|now| Some(*now) != *before))
                else {
                    return Err(FaultError::Fleet(format!("{slot} kept its address")));
                };
                // Writing to a String cannot fail.
                let _ = write!(proof.words, "; {slot} is at {now}, before at {before}");
            }
            Ok(proof)
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(let_go(scene))
    }

    fn prove_healed<'a>(
        &'a mut self,
        scene: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(settled(scene, scene.targets))
    }
}

impl ReCreate {
    /// One after the other.
    const fn pace(&self) -> Pace {
        Pace {
            batch: 1,
            pause: TextDuration(Duration::ZERO),
            drain: self.drain,
            order: Order::TellFirst,
            grace: self.grace,
        }
    }
}

/// Starts the targets under other addresses.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "re-create",
        summary: "ends the instance of the target and starts the next under another address; the balancer is told",
        example: "[[fault]]\nname = \"new-address\"\nkind = \"re-create\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\ndrain = \"300ms\"",
        fields: &[DRAIN, GRACE],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<ReCreate>()?)),
};
