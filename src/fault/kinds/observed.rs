//! `observed`: a fault that others do. Its window opens when somebody says so (`mcpload mark RUN_DIR begin NAME`) or when a target
//! ends by itself, and closes likewise; checks and windows name it as any other.
//!
//! Pure. The moment of the scenario is only that from which on it is awaited, and without targets it opens by a mark alone; so it
//! works on a fleet outside. mcpload does nothing to anything, so there is nothing to undo, and the steps are empty: the conductor stamps them when it
//! hears of the window.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::fault::journal::Undo;
use crate::fault::{Fault, FaultError, Proof, Scene, Span};
use crate::fleet::Capability;
use crate::model::SlotId;
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

/// The name of the kind.
pub(crate) const NAME: &str = "observed";

#[derive(Debug, Serialize, Deserialize)]
struct Observed {}

impl Fault for Observed {
    fn needs(&self) -> &'static [Capability] {
        &[]
    }

    fn span(&self) -> Span {
        Span::Once
    }

    fn aims(&self) -> bool {
        false
    }

    fn acts(&self) -> bool {
        false
    }

    fn undo(&self, _: &Scene<'_>) -> Undo {
        Undo::Nothing
    }

    fn by_hand(&self, _: &[SlotId]) -> String {
        "whoever did it undoes it".to_owned()
    }

    fn inject<'a>(&'a mut self, _: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async { Ok(()) })
    }

    fn prove<'a>(&'a mut self, _: &'a Scene<'a>) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async { Ok(Proof::of("marked by hand".to_owned())) })
    }

    fn heal<'a>(&'a mut self, _: &'a Scene<'a>) -> BoxFuture<'a, Result<(), FaultError>> {
        Box::pin(async { Ok(()) })
    }

    fn prove_healed<'a>(
        &'a mut self,
        _: &'a Scene<'a>,
    ) -> BoxFuture<'a, Result<Proof, FaultError>> {
        Box::pin(async { Ok(Proof::of("marked by hand".to_owned())) })
    }
}

/// A window that somebody else opens.
pub(super) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: NAME,
        summary: "does nothing itself: `mcpload mark RUN_DIR begin NAME` or a target that ends by itself opens its window, from `at` or else the begin of the load on, and `end` or the target's return closes it",
        example: "[[fault]]\nname = \"database-down\"\nkind = \"observed\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos\"",
        fields: &[],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Observed>()?)),
};
