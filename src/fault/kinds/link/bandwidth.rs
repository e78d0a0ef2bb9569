//! `bandwidth`: what passes a link passes no faster than this.

use serde_json::Value;

use super::{DIRECTION, SHARE, build};
use crate::fault::Fault;
use crate::fault::link::toxic::{Bandwidth, Toxic};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Problem, Ty};

fn is_a_rate(with: &Value) -> Result<(), Problem> {
    if with.get("bytes_per_second") == Some(&Value::from(0)) {
        return Err(Problem {
            key: "bytes_per_second",
            message: "nothing would pass, expected more than 0".to_owned(),
            hint: Some("`blackhole` lets nothing pass".to_owned()),
        });
    }
    Ok(())
}

/// Lets so many bytes a second pass to and from the target, each way.
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "bandwidth",
        summary: "lets so many bytes a second pass to and from the target, each way",
        example: "[[fault]]\nname = \"narrow-link\"\nkind = \"bandwidth\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\nbytes_per_second = \"16KiB\"",
        fields: &[
            DIRECTION,
            SHARE,
            Field {
                key: "bytes_per_second",
                ty: Ty::Bytes,
                need: Need::Required,
                summary: "the rate of each way, bytes a second, above 0",
                example: "\"16KiB\"",
                acts: Acts::Now,
            },
            Field {
                key: "scope",
                ty: Ty::OneOf(&["connection", "link"]),
                need: Need::Default("\"connection\""),
                summary: "whether each connection has the rate for itself, or all share it",
                example: "\"link\"",
                acts: Acts::Now,
            },
        ],
        validate: is_a_rate,
        acts: Acts::Now,
    },
    build: |spec| build::<Bandwidth>(spec, Toxic::Bandwidth),
};
