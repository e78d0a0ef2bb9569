//! `latency`: what passes a link arrives later, in order; the end of a connection does too.

use super::{DIRECTION, SHARE, build, duration};
use crate::fault::Fault;
use crate::fault::link::toxic::{Latency, Toxic};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

/// Delays what passes to and from the target.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "latency",
        summary: "delays what passes to and from the target",
        example: "[[fault]]\nname = \"slow-link\"\nkind = \"latency\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\ndelay = \"50ms\"",
        fields: &[
            DIRECTION,
            SHARE,
            duration("delay", Need::Required, "the delay of each way", "\"50ms\""),
            duration(
                "jitter",
                Need::Default("\"0s\""),
                "how much the delay varies",
                "\"10ms\"",
            ),
            Field {
                key: "distribution",
                ty: Ty::OneOf(&["uniform", "normal", "pareto"]),
                need: Need::Default("\"uniform\""),
                summary: "how it varies: evenly within `jitter`, normally with `jitter` as its standard deviation, or upwards with a heavy tail",
                example: "\"normal\"",
                acts: Acts::Now,
            },
            Field {
                key: "connect",
                ty: Ty::Bool,
                need: Need::Default("false"),
                summary: "whether new connections wait too",
                example: "true",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| build::<Latency>(spec, Toxic::Latency),
};
