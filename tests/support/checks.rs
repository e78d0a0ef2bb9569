//! Checks with the names and fields of the real ones, so that these tests do not move with them.

use mcpload::check::Check;
use mcpload::registry::{Acts, Field, Kind, KindInfo, Need, SpecError, Ty, no_further_check};

const DURATION: Ty = Ty::Duration {
    min: 1,
    max: 3_600_000_000_000,
};

const fn field(key: &'static str, ty: Ty, need: Need, example: &'static str) -> Field {
    Field {
        key,
        ty,
        need,
        summary: "a parameter of a check",
        example,
        acts: Acts::Now,
    }
}

const fn kind(
    name: &'static str,
    example: &'static str,
    fields: &'static [Field],
) -> Kind<dyn Check> {
    Kind {
        info: KindInfo {
            name,
            summary: "a check",
            example,
            fields,
            validate: no_further_check,
            acts: Acts::Now,
        },
        build: |spec| {
            Err(SpecError::Unknown {
                noun: "check",
                kind: spec.kind.clone(),
            })
        },
    }
}

pub(crate) const CHECKS: &[Kind<dyn Check>] = &[
    kind(
        "recovery-time",
        "[[check]]\nkind = \"recovery-time\"\nfault = \"one-dies\"\nmax = \"3s\"",
        &[
            field("max", DURATION, Need::Required, "\"3s\""),
            field(
                "of",
                Ty::OneOf(&["service", "performance", "redundancy"]),
                Need::Default("\"redundancy\""),
                "\"service\"",
            ),
            field("hold", DURATION, Need::Default("\"10s\""), "\"10s\""),
            field(
                "from",
                Ty::OneOf(&["effect", "heal"]),
                Need::Default("\"effect\""),
                "\"heal\"",
            ),
        ],
    ),
    kind(
        "clean-change",
        "[[check]]\nkind = \"clean-change\"\nfault = \"one-leaves\"",
        &[field(
            "max_failed",
            Ty::Integer { min: 0, max: 1000 },
            Need::Default("0"),
            "3",
        )],
    ),
    kind(
        "sessions-lost",
        "[[check]]\nkind = \"sessions-lost\"\nmax_share = \"50%\"",
        &[field(
            "max_share",
            Ty::Share,
            Need::Default("\"0%\""),
            "\"50%\"",
        )],
    ),
    kind(
        "generator-lag",
        "[[check]]\nkind = \"generator-lag\"",
        &[field(
            "max",
            DURATION,
            Need::Default("\"50ms\""),
            "\"50ms\"",
        )],
    ),
];
