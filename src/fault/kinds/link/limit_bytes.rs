//! `limit-bytes`: connections break off in the middle of something.

use super::{DIRECTION, SHARE, build};
use crate::fault::Fault;
use crate::fault::link::toxic::{LimitBytes, Toxic};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

/// Ends connections to the target after so many bytes.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "limit-bytes",
        summary: "ends connections to the target after so many bytes",
        example: "[[fault]]\nname = \"cut-short\"\nkind = \"limit-bytes\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\ndirection = \"to-client\"\nbytes = 64",
        fields: &[
            DIRECTION,
            SHARE,
            Field {
                key: "bytes",
                ty: Ty::Integer {
                    min: 0,
                    max: i64::MAX,
                },
                need: Need::Required,
                summary: "how many bytes pass each way, from when it began to act",
                example: "400",
                acts: Acts::Now,
            },
            Field {
                key: "then",
                ty: Ty::OneOf(&["close", "reset"]),
                need: Need::Default("\"close\""),
                summary: "how the connection ends",
                example: "\"reset\"",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| build::<LimitBytes>(spec, Toxic::LimitBytes),
};
