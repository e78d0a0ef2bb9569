//! `reset`: connections get a RST.

use super::{DIRECTION, SHARE, build, duration};
use crate::fault::Fault;
use crate::fault::link::toxic::{Reset, Toxic};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

/// Resets connections to the target: those that are open at once, new ones as soon as they are accepted.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "reset",
        summary: "resets connections to the target: those that are open at once, new ones as soon as they are accepted",
        example: "[[fault]]\nname = \"resets\"\nkind = \"reset\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"",
        fields: &[
            DIRECTION,
            SHARE,
            duration(
                "after",
                Need::Optional,
                "how long a new connection lives",
                "\"500ms\"",
            ),
            Field {
                key: "after_bytes",
                ty: Ty::Bytes,
                need: Need::Optional,
                summary: "how many bytes a new connection carries",
                example: "\"1KiB\"",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| build::<Reset>(spec, Toxic::Reset),
};
