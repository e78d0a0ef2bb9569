//! Plans, built in code.

use std::collections::BTreeMap;
use std::time::Duration;

use mcpload::model::{Offset, Seed, Share, Window};
use mcpload::plan::{
    Counted, EndpointPlan, Expectation, FleetPlan, Method, ObjectivePlan, OperationPlan, PhasePlan,
    Plan, Promise, RecordPlan, RecoveryPlan, SteadyPlan, StepPlan, TlsPlan, WindowRef,
    WorkloadPlan,
};
use mcpload::registry::Spec;
use serde_json::{Value, json};

/// A plan with one workload `main` of ten legacy clients that call `echo`, and one phase of this length and rate.
pub(crate) fn constant(rate: &str, length: Duration) -> Plan {
    let operation = echo("echo", 1);
    Plan {
        name: "test".to_owned(),
        seed: Seed(11),
        workers: 1,
        pinning: None,
        abort: None,
        blast_radius: None,
        record: RecordPlan::default(),
        fleet: FleetPlan {
            driver: spec("external", json!({})),
            roles: Vec::new(),
            endpoint: EndpointPlan::Urls(Vec::new()),
            served_by: Some("MCPLoad-Instance".to_owned()),
            tls: TlsPlan::default(),
        },
        workloads: vec![WorkloadPlan {
            recovery: RecoveryPlan {
                lost_statuses: vec![404, 400],
                ..RecoveryPlan::preset("spec")
            },
            max_lag: Duration::from_secs(10),
            ..WorkloadPlan::new("main", 10, vec![operation])
        }],
        phases: vec![phase(
            "only",
            0,
            length,
            spec("constant", json!({ "rate": rate })),
        )],
        faults: Vec::new(),
        steady: SteadyPlan {
            share: Share::ZERO,
            over: Duration::from_secs(1),
        },
        objectives: vec![
            latency("fast", Counted::Operations, Duration::from_secs(5)),
            latency("instant", Counted::Calls, Duration::ZERO),
        ],
        checks: Vec::new(),
        origins: BTreeMap::new(),
    }
}

/// A phase from `start` milliseconds on.
pub(crate) fn phase(name: &str, start_ms: u64, length: Duration, load: Spec) -> PhasePlan {
    let start = Offset::from_duration(Duration::from_millis(start_ms));
    PhasePlan {
        name: name.to_owned(),
        window: Window::new(start, start + length),
        measure: true,
        loads: BTreeMap::from([("main".to_owned(), load)]),
    }
}

/// An operation that calls `echo` with a drawn text and expects it back.
pub(crate) fn echo(name: &str, weight: u32) -> OperationPlan {
    let text = "{{ random.hex(16) }}";
    let step = step(
        Method::ToolsCall,
        "echo",
        json!({ "text": text, "uid": "{{ uid }}" }),
    );
    let step = StepPlan {
        expect: vec![Expectation::TextEquals(text.to_owned())],
        ..step
    };
    operation(name, weight, vec![step])
}

/// An operation with these steps and a timeout of 5 s.
pub(crate) fn operation(name: &str, weight: u32, steps: Vec<StepPlan>) -> OperationPlan {
    OperationPlan {
        name: name.to_owned(),
        weight,
        timeout: Duration::from_secs(5),
        steps,
        cancel: None,
    }
}

/// A step without expectation or think time.
pub(crate) fn step(method: Method, target: &str, arguments: Value) -> StepPlan {
    StepPlan {
        target: target.to_owned(),
        arguments,
        ..StepPlan::new(target, method)
    }
}

pub(crate) fn spec(kind: &str, with: Value) -> Spec {
    Spec {
        kind: kind.to_owned(),
        with,
    }
}

fn latency(name: &str, of: Counted, under: Duration) -> ObjectivePlan {
    ObjectivePlan {
        name: name.to_owned(),
        promise: Promise::Latency {
            share: Share::ONE,
            under,
        },
        of,
        windows: vec![WindowRef::Measured],
        operations: Vec::new(),
        line: 1,
    }
}
