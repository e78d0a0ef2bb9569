//! The top level of a scenario, `[steady]` and `[record]`.
//!
//! Pure.

use super::{HOUR, MILLISECOND, field, phase, slo, workload};
use crate::registry::{Family, Field, Need, Ty};

/// The top level.
pub const TOP: &[Field] = &[
    field(
        "version",
        Ty::Integer { min: 1, max: 1 },
        Need::Required,
        "the version of the scenario language",
        "1",
    ),
    field(
        "name",
        Ty::Name,
        Need::Required,
        "the name of the scenario, part of the name of the run directory",
        "\"failover\"",
    ),
    field(
        "seed",
        Ty::Integer {
            min: 0,
            max: i64::MAX,
        },
        Need::Optional,
        "all chance of the run comes from it; one is drawn and printed if it is left out",
        "42",
    ),
    field(
        "workers",
        Ty::Integer { min: 1, max: 256 },
        Need::Optional,
        "how many processes produce the load; for half of the processors, or as many as it takes for each to stay within the limit of open files, if it is left out",
        "2",
    ),
    field(
        "fleet",
        Ty::Kind(Family::Driver),
        Need::Default("{}"),
        "the servers under test: what is started, or what is there",
        "{ driver = \"process\" }",
    ),
    field(
        "workload",
        Ty::List(&Ty::Table(workload::WORKLOAD)),
        Need::Default("[{}]"),
        "populations of clients and what they do; `[workload]` for the only one",
        "[{ clients = 100 }]",
    ),
    field(
        "phase",
        Ty::List(&Ty::Table(phase::PHASE)),
        Need::Required,
        "the parts of the run, one after the other",
        "[{ name = \"steady\", duration = \"10s\", rate = \"100/s\" }]",
    ),
    field(
        "fault",
        Ty::List(&Ty::Kind(Family::Fault)),
        Need::Default("[]"),
        "what is done to the fleet",
        "[{ name = \"one-dies\", kind = \"kill\", target = { role = \"server\" }, at = \"steady + 3s\" }]",
    ),
    field(
        "steady",
        Ty::Table(STEADY),
        Need::Default("{}"),
        "what must hold before the first fault; if it does not, no fault is injected and the run ends with code 3",
        "{ share = \"90%\", over = \"3s\" }",
    ),
    field(
        "abort",
        Ty::Table(ABORT),
        Need::Optional,
        "when the run stops its load, heals and ends early; what was not measured by then is inconclusive",
        "{ errors = \"50%\", over = \"5s\" }",
    ),
    field(
        "blast_radius",
        Ty::Table(BLAST_RADIUS),
        Need::Optional,
        "what faults may hold at the most at one time, from the begin of each until it is healed; no limit if it is left out",
        "{ max_slots = { server = 1 }, spare = [\"balancer\"] }",
    ),
    field(
        "record",
        Ty::Table(RECORD),
        Need::Default("{}"),
        "what is written down of what happens",
        "{ calls = \"10%\" }",
    ),
    field(
        "slo",
        Ty::List(&Ty::Table(slo::SLO)),
        Need::Default("[]"),
        "service level objectives: what users were promised",
        "[{ name = \"fast\", latency = { share = \"99%\", under = \"250ms\" } }]",
    ),
    field(
        "check",
        Ty::List(&Ty::Kind(Family::Check)),
        Need::Default("[]"),
        "what must hold beyond the objectives; a `generator-lag` check is added if there is none",
        "[{ kind = \"generator-lag\" }]",
    ),
    field(
        "variant",
        Ty::Map(&Ty::Any),
        Need::Optional,
        "changes with a name, merged over the scenario by `--variant NAME`; lists of named tables are merged by name",
        "{ gentle = { fleet = { role = { server = { replicas = 5 } } } } }",
    ),
];

const RECORD: &[Field] = &[field(
    "calls",
    Ty::Share,
    Need::Default("\"100%\""),
    "the share of the operations whose calls are kept as rows; those that did not end ok or exceeded a threshold always are, and counts and histograms hold all",
    "\"10%\"",
)];

const ABORT: &[Field] = &[
    field(
        "errors",
        Ty::Share,
        Need::Optional,
        "when more than this share of the operations that ended in the last `over` did not end ok, of at least 20",
        "\"50%\"",
    ),
    field(
        "over",
        Ty::Duration {
            min: 1000 * MILLISECOND,
            max: HOUR,
        },
        Need::Default("\"5s\""),
        "the length of time in which `errors` are counted, in whole seconds",
        "\"5s\"",
    ),
    field(
        "url",
        Ty::Text,
        Need::Optional,
        "when GET of this URL, asked each second, is not answered with 2xx within 2 s",
        "\"http://127.0.0.1:9000/may-go-on\"",
    ),
    field(
        "file",
        Ty::Text,
        Need::Optional,
        "when this file exists, looked for each second; relative to the scenario",
        "\"stop\"",
    ),
];

const BLAST_RADIUS: &[Field] = &[
    field(
        "max_slots",
        Ty::Map(&Ty::Integer { min: 0, max: 500 }),
        Need::Optional,
        "how many slots of a role faults may hold together, by role",
        "{ server = 1 }",
    ),
    field(
        "max_share",
        Ty::Share,
        Need::Optional,
        "which share of the slots of any role faults may hold together, rounded down; `max_slots` of a role goes before it",
        "\"50%\"",
    ),
    field(
        "spare",
        Ty::List(&Ty::Text),
        Need::Default("[]"),
        "roles and slots that no fault touches; no draw meets them",
        "[\"balancer\", \"server-3\"]",
    ),
    field(
        "spare_label",
        Ty::Map(&Ty::Text),
        Need::Optional,
        "slots that carry all of these labels are spared too",
        "{ tier = \"gold\" }",
    ),
];

const STEADY: &[Field] = &[
    field(
        "share",
        Ty::Share,
        Need::Default("\"90%\""),
        "the least share of the operations that ended ok",
        "\"90%\"",
    ),
    field(
        "over",
        Ty::Duration {
            min: 100 * MILLISECOND,
            max: HOUR,
        },
        Need::Default("\"3s\""),
        "the length of time before the first fault that is looked at",
        "\"3s\"",
    ),
];
