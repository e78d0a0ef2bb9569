//! `half-open`: one side of a connection is gone and the other is not told; new connections pass.

use super::{SHARE, build};
use crate::fault::Fault;
use crate::fault::link::toxic::{HalfOpen, Toxic};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

/// Takes one side away from the open connections to the target, and does not tell the other.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "half-open",
        summary: "takes one side away from the open connections to the target, and does not tell the other",
        example: "[[fault]]\nname = \"half-gone\"\nkind = \"half-open\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"",
        fields: &[
            SHARE,
            Field {
                key: "gone",
                ty: Ty::OneOf(&["server", "client"]),
                need: Need::Default("\"server\""),
                summary: "the side that is gone",
                example: "\"client\"",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| build::<HalfOpen>(spec, Toxic::HalfOpen),
};
