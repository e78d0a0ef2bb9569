//! `refuse`: new connections are refused, as if nobody listened.

use super::{SHARE, build};
use crate::fault::Fault;
use crate::fault::link::toxic::Toxic;
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

/// It has no parameters of its own.
#[derive(serde::Deserialize)]
struct Nothing {}

/// Refuses new connections to the target; those that are open go on.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "refuse",
        summary: "refuses new connections to the target; those that are open go on",
        example: "[[fault]]\nname = \"refused\"\nkind = \"refuse\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"",
        fields: &[SHARE],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| build::<Nothing>(spec, |_| Toxic::Refuse),
};
