//! `slicer`: bytes arrive in small pieces, as readers seldom see in tests and often in the field.

use super::{DIRECTION, SHARE, build, duration};
use crate::fault::Fault;
use crate::fault::link::toxic::{Slicer, Toxic};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

/// Passes bytes to and from the target in small pieces.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "slicer",
        summary: "passes bytes to and from the target in small pieces",
        example: "[[fault]]\nname = \"small-pieces\"\nkind = \"slicer\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\naverage = 16\ndelay = \"1ms\"",
        fields: &[
            DIRECTION,
            SHARE,
            Field {
                key: "average",
                ty: Ty::Integer {
                    min: 1,
                    max: 1 << 20,
                },
                need: Need::Required,
                summary: "the average size of a piece, bytes",
                example: "16",
                acts: Acts::Now,
            },
            Field {
                key: "variation",
                ty: Ty::Integer {
                    min: 0,
                    max: 1 << 20,
                },
                need: Need::Default("0"),
                summary: "how much smaller or larger pieces may be, bytes",
                example: "8",
                acts: Acts::Now,
            },
            duration(
                "delay",
                Need::Default("\"0s\""),
                "the wait between one piece and the next",
                "\"1ms\"",
            ),
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| build::<Slicer>(spec, Toxic::Slicer),
};
