//! `slow-close`: the end of a connection (FIN or RST) arrives late, its bytes in time.

use super::{DIRECTION, SHARE, build, duration};
use crate::fault::Fault;
use crate::fault::link::toxic::{SlowClose, Toxic};
use crate::registry::{Acts, Kind, KindInfo, Need, no_further_check};

/// Holds the end of connections to the target.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "slow-close",
        summary: "holds the end of connections to the target",
        example: "[[fault]]\nname = \"late-end\"\nkind = \"slow-close\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\ndelay = \"200ms\"",
        fields: &[
            DIRECTION,
            SHARE,
            duration(
                "delay",
                Need::Required,
                "how long the end is held",
                "\"200ms\"",
            ),
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| build::<SlowClose>(spec, Toxic::SlowClose),
};
