//! `stall`: loss as those who use TCP see it.

use super::{DIRECTION, SHARE, build, duration};
use crate::fault::Fault;
use crate::fault::link::toxic::{Stall, Toxic};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

/// Makes what passes wait as if packets were lost: nothing is missing, but all of it waits for the repetition.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "stall",
        summary: "makes what passes wait as if packets were lost: nothing is missing, but all of it waits for the repetition",
        example: "[[fault]]\nname = \"lossy-link\"\nkind = \"stall\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\nprobability = \"20%\"",
        fields: &[
            DIRECTION,
            SHARE,
            Field {
                key: "probability",
                ty: Ty::Share,
                need: Need::Required,
                summary: "how likely a chunk is lost; and so its repetition, up to six times",
                example: "\"20%\"",
                acts: Acts::Now,
            },
            duration(
                "pause",
                Need::Default("\"200ms\""),
                "the first wait; it doubles with each further loss",
                "\"200ms\"",
            ),
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| build::<Stall>(spec, Toxic::Stall),
};
