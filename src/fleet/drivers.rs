//! The fleet drivers as kinds. Adding one: its description here, and its engine below `fleet/`.
//!
//! Pure. The parameters of `[fleet]` that concern all drivers are in the scenario's tables; `fields` are a driver's own.

use super::{Capability, Driver};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

struct Process;

impl Driver for Process {
    fn capabilities(&self) -> &'static [Capability] {
        &[
            Capability::Deploy,
            Capability::Kill,
            Capability::Pause,
            Capability::Proxy,
            Capability::Sample,
            Capability::Hog,
            Capability::Limit,
        ]
    }
}

struct External;

impl Driver for External {
    fn capabilities(&self) -> &'static [Capability] {
        &[]
    }
}

struct Later;

impl Driver for Later {
    fn capabilities(&self) -> &'static [Capability] {
        &[]
    }
}

const PROCESS: Kind<dyn Driver> = Kind {
    info: KindInfo {
        name: "process",
        summary: "starts every slot as a local process on a loopback address of its own",
        example: "[fleet]\ndriver = \"process\"\n[fleet.role.server]\nreplicas = 3\n[fleet.role.balancer]",
        fields: &[Field {
            key: "pin",
            ty: Ty::Bool,
            need: Need::Default("true"),
            summary: "whether load and fleet get processors of their own, where there are two or more",
            example: "false",
            acts: Acts::Now,
        }],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |_| Ok(Box::new(Process)),
};

const EXTERNAL: Kind<dyn Driver> = Kind {
    info: KindInfo {
        name: "external",
        summary: "endpoints that already run; mcpload sends load, and no fault but `command` acts on them",
        example: "[fleet]\ndriver = \"external\"\nendpoint = { url = \"http://127.0.0.1:8000/mcp\" }",
        fields: &[
            Field {
                key: "max_rate",
                ty: Ty::Rate,
                need: Need::Default("\"100/s\""),
                summary: "the most load that the fleet may get, all workloads together",
                example: "\"100/s\"",
                acts: Acts::Now,
            },
            Field {
                key: "allow_tools",
                ty: Ty::List(&Ty::Text),
                need: Need::Default("[]"),
                summary: "tools that may be called although they are not marked read-only, or are marked destructive",
                example: "[\"create_note\"]",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |_| Ok(Box::new(External)),
};

const DOCKER: Kind<dyn Driver> = Kind {
    info: KindInfo {
        name: "docker",
        summary: "containers of a Docker engine",
        ..LATER
    },
    build: |_| Ok(Box::new(Later)),
};

const COMPOSE: Kind<dyn Driver> = Kind {
    info: KindInfo {
        name: "compose",
        summary: "the services of a Docker Compose project",
        ..LATER
    },
    build: |_| Ok(Box::new(Later)),
};

const KUBERNETES: Kind<dyn Driver> = Kind {
    info: KindInfo {
        name: "kubernetes",
        summary: "deployments of a Kubernetes cluster",
        ..LATER
    },
    build: |_| Ok(Box::new(Later)),
};

/// What the drivers have in common whose names are known and that this version refuses with "not yet".
const LATER: KindInfo = KindInfo {
    name: "",
    summary: "",
    example: "[fleet]\ndriver = \"docker\"",
    fields: &[
        Field {
            key: "attach",
            ty: Ty::Text,
            need: Need::Optional,
            summary: "a project or namespace that already runs",
            example: "\"staging\"",
            acts: Acts::NotYet,
        },
        Field {
            key: "file",
            ty: Ty::Text,
            need: Need::Optional,
            summary: "a file that describes what to bring up",
            example: "\"compose.yaml\"",
            acts: Acts::NotYet,
        },
        Field {
            key: "roles",
            ty: Ty::Map(&Ty::Text),
            need: Need::Optional,
            summary: "role -> the driver's own name for it",
            example: "{ server = \"mcp-server\" }",
            acts: Acts::NotYet,
        },
    ],
    validate: no_further_check,
    acts: Acts::NotYet,
};

/// Every driver, in the order of documents.
pub const DRIVERS: &[Kind<dyn Driver>] = &[PROCESS, EXTERNAL, DOCKER, COMPOSE, KUBERNETES];
