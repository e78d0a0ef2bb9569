//! `blackhole`: no byte and no end passes, and nobody is told. Afterwards, connections that lost something are reset.

use super::{DIRECTION, SHARE, build, duration};
use crate::fault::Fault;
use crate::fault::link::toxic::{Blackhole, Toxic};
use crate::registry::{Acts, Kind, KindInfo, Need, no_further_check};

/// Drops everything to and from the target in silence: a cut that nobody is told of.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "blackhole",
        summary: "drops everything to and from the target in silence: a cut that nobody is told of",
        example: "[[fault]]\nname = \"silent-link\"\nkind = \"blackhole\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"",
        fields: &[
            DIRECTION,
            SHARE,
            duration(
                "close_after",
                Need::Optional,
                "closes a connection after so long; for ever open if it is left out",
                "\"1s\"",
            ),
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| build::<Blackhole>(spec, Toxic::Blackhole),
};
