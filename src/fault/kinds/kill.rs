//! `kill`: SIGKILL to the whole instance; the slot comes back as its restart policy says.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, FaultError, FleetHands, Proof};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kill {}

impl Fault for Kill {
    fn needs(&self) -> &'static [Capability] {
        &[Capability::Kill]
    }

    fn inject<'a>(
        &'a self,
        targets: &'a [SlotId],
        hands: &'a dyn FleetHands,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let proofs =
                futures_util::future::try_join_all(targets.iter().map(|slot| hands.kill(slot)))
                    .await?;
            Ok(join(proofs))
        })
    }

    fn heal<'a>(
        &'a self,
        targets: &'a [SlotId],
        hands: &'a dyn FleetHands,
        within: Duration,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async move {
            let waits = targets
                .iter()
                .map(|slot| hands.up_again(slot, None, within));
            Ok(join(futures_util::future::try_join_all(waits).await?))
        })
    }

    fn inverse(&self, targets: &[SlotId]) -> String {
        let names: Vec<&str> = targets.iter().map(SlotId::as_str).collect();
        format!(
            "{} is up again, or its restart policy gives it up",
            names.join(", ")
        )
    }
}

fn join(proofs: Vec<Proof>) -> Proof {
    Proof(
        proofs
            .into_iter()
            .map(|proof| proof.0)
            .collect::<Vec<_>>()
            .join("; "),
    )
}

/// Kills every process of the targets' instances.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "kill",
        summary: "ends every process of the target's instance with SIGKILL; the restart policy decides whether it comes back",
        example: "[[fault]]\nname = \"one-dies\"\nkind = \"kill\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 3s\"",
        fields: &[],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Kill>()?)),
};
