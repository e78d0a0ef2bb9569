//! A Report as the quickstart gives it: three servers behind a balancer, one of them killed, twenty seconds.

use mcpload::analysis::*;
use mcpload::check::{Answer, Category, Dependence, Finding, Verdict};
use mcpload::model::event::Ending;
use mcpload::model::{Class, Offset, Outcome, ProtocolVersion, Seed, SlotId, Window};
use mcpload::plan::{Counted, ObjectivePlan, Pinning, Promise, RecordPlan, WindowRef};
use mcpload::record::rows::{HostFacts, RunFacts};
use mcpload::report::{Report, SUMMARY_VERSION};

const MS: u64 = 1_000_000;

pub(crate) fn at(seconds: f64) -> Offset {
    #[expect(clippy::cast_possible_truncation, reason = "a moment of a sample")]
    Offset((seconds * 1e9) as i64)
}

fn window(from: f64, to: f64) -> Window {
    Window::new(at(from), at(to))
}

fn quantiles(samples: u64, bad: u64, p50_us: u64) -> Quantiles {
    let value = |factor: u64| Some(p50_us * 1_000 * factor / 10);
    Quantiles {
        samples,
        bad,
        p50_ns: value(10),
        p90_ns: value(16),
        p95_ns: value(21),
        p99_ns: value(58),
        p999_ns: None,
        max_ns: value(240),
    }
}

fn tally(due: u64, fail: u64, info: u64) -> Tally {
    Tally {
        due,
        shed: 0,
        ok: due - fail - info,
        fail,
        info,
        calls: due + due / 50,
        unrecorded: 0,
        left_out: 0,
    }
}

fn facts() -> RunFacts {
    RunFacts {
        format: "0.1".to_owned(),
        name: "quickstart".to_owned(),
        id: "quickstart-20260728T101500Z-k3f9".to_owned(),
        seed: Seed(42),
        tool: "0.1.0".to_owned(),
        started: "2026-07-28T10:15:00Z".to_owned(),
        source: "scenarios/quickstart.toml".to_owned(),
        host: HostFacts {
            kernel: "Linux 6.12.9".to_owned(),
            processor: "Example CPU at 2.4 GHz".to_owned(),
            cores: 4,
            memory_bytes: 16 << 30,
            open_files: 20_000,
            pinning: Some(Pinning {
                generator: vec![0, 1],
                fleet: vec![2, 3],
            }),
        },
    }
}

fn phase(name: &str, from: f64, to: f64, measured: bool, tally: Tally) -> PhaseStats {
    PhaseStats {
        name: name.to_owned(),
        window: window(from, to),
        measured,
        load: if measured {
            "main: 200/s"
        } else {
            "main: 100/s"
        }
        .to_owned(),
        closed: false,
        paced: false,
        intended: Some(tally.due),
        tally,
        response: quantiles(tally.due, tally.bad(), 2_150),
        service: quantiles(tally.calls, tally.bad(), 1_980),
        client_wait: quantiles(tally.due, 0, 4),
        lag: quantiles(tally.due, 0, 18),
    }
}

fn operation(
    name: &str,
    protocol: ProtocolVersion,
    due: u64,
    bad: u64,
    p50_us: u64,
) -> OperationStats {
    OperationStats {
        workload: "main".to_owned(),
        operation: name.to_owned(),
        protocol,
        tally: tally(due, 0, bad),
        response: quantiles(due, bad, p50_us),
        service: quantiles(due, bad, p50_us - 90),
        first_byte: quantiles(due, bad, p50_us - 140),
    }
}

fn objective(
    name: &str,
    promise: Promise,
    window_ref: WindowRef,
    span: Window,
    samples: u64,
    bad: u64,
) -> ObjectiveStats {
    ObjectiveStats {
        objective: ObjectivePlan {
            name: name.to_owned(),
            promise,
            of: Counted::Operations,
            windows: vec![window_ref.clone()],
            operations: Vec::new(),
            line: 31,
        },
        window: window_ref,
        span: Some(span),
        samples,
        bad,
        bad_by_load: bad,
        intended: Some(samples),
        by_slot: vec![
            SlotShare {
                slot: SlotId("server-2".to_owned()),
                samples: Some(870),
                bad,
            },
            SlotShare {
                slot: SlotId("server-1".to_owned()),
                samples: Some(1_060),
                bad: 0,
            },
        ],
        by_class: vec![(Class::Transport, bad)],
    }
}

fn fault() -> FaultStats {
    FaultStats {
        name: "one-dies".to_owned(),
        of: "one-dies".to_owned(),
        trial: 1,
        kind: "kill".to_owned(),
        targets: vec!["server-2#1".parse().unwrap()],
        planned: at(8.0),
        began: Some(at(8.000_4)),
        applied: Some(at(8.001_9)),
        effective: Some((at(8.003_1), "the process of server-2#1 is gone".to_owned())),
        acted: Some(at(8.003_1)),
        duration_ns: None,
        effects: Vec::new(),
        healing: Some(at(8.003_2)),
        heal_returned: Some(at(8.003_2)),
        healed: Some((
            at(9.412),
            "server-2#2 answers its readiness probe".to_owned(),
        )),
        failed: None,
        not_healed: None,
        first_bad: Some(FirstBad {
            at: at(8.003_5),
            outcome: Outcome::Info,
            class: Class::Transport,
            instance: "server-2#1".to_owned(),
        }),
        recovery: Recovery {
            baseline_bad_ratio: 0.0,
            baseline_samples: 1_100,
            baseline_goodput: 199.6,
            tolerance: 0.01,
            resolution_ns: 100 * MS,
            hold_ns: 2_000 * MS,
            onset: Some(at(8.0)),
            service: Reached::After(596_900_000),
            performance: Reached::After(896_900_000),
            redundancy: Reached::After(1_796_900_000),
            missing: String::new(),
            lost_good: 37.0,
            depth: 0.31,
            after_heal: None,
        },
        in_flight_lost: 3,
        sessions_active: 100,
        sessions_lost: 34,
        sessions_re_established: 34,
        sessions_settled: Some(Offset(1_120_000_000)),
        collateral_bad: 0,
        change: None,
    }
}

fn slot(name: &str, role: &str, ready: Vec<Window>, calls: u64, bad: u64) -> SlotStats {
    SlotStats {
        slot: SlotId(name.to_owned()),
        role: role.to_owned(),
        incarnations: u32::try_from(ready.len()).unwrap(),
        start_ns: Some(210 * MS),
        ready,
        calls,
        bad,
        service: if calls > 0 {
            quantiles(calls - bad, 0, 1_950)
        } else {
            Quantiles::default()
        },
        cpu_seconds: Some(1.37),
        peak_resident_bytes: Some(23 << 20),
    }
}

fn second(number: i64) -> SecondStats {
    let due = if number < 5 { 100 } else { 200 };
    let (fail, info) = match number {
        8 => (9, 28),
        9 => (0, 2),
        _ => (0, 0),
    };
    let wobble = u64::try_from((number * 7) % 5).unwrap();
    let slow = if (8..10).contains(&number) { 40 } else { 1 };
    let value = |micros: u64| Some((micros + 90 * wobble) * 1_000);
    SecondStats {
        second: number,
        due,
        ok: due - fail - info,
        fail,
        info,
        shed: 0,
        response: Quantiles {
            samples: due,
            bad: fail + info,
            p50_ns: value(2_000),
            p90_ns: value(3_100),
            p95_ns: if number == 8 {
                None
            } else {
                value(4_000 * slow)
            },
            p99_ns: if number == 8 {
                None
            } else {
                value(9_000 * slow)
            },
            p999_ns: None,
            max_ns: value(14_000 * slow),
        },
        lag_p99_ns: Some(60_000 + wobble * 21_000),
        ready: vec![
            ("balancer".to_owned(), 1),
            ("server".to_owned(), if number == 8 { 2 } else { 3 }),
        ],
    }
}

fn finding(
    name: &str,
    kind: &str,
    category: Category,
    answer: Answer,
    headline: &str,
    evidence: &[&str],
    line: u32,
) -> Finding {
    Finding {
        name: name.to_owned(),
        kind: kind.to_owned(),
        category,
        answer,
        headline: headline.to_owned(),
        evidence: evidence.iter().map(|line| (*line).to_owned()).collect(),
        samples: 3_000,
        load_can_cause: true,
        depends_on: Dependence {
            phases: vec!["chaos".to_owned()],
            fault: Some("one-dies".to_owned()),
        },
        line,
    }
}

fn findings() -> Vec<Finding> {
    vec![
        finding(
            "no-errors during one-dies",
            "errors",
            Category::Objective,
            Answer::Fail,
            "server-2: 39 of 282 operations did not end ok (13.8 %), promised less than 1%",
            &[
                "window during one-dies: +8.000s to +9.412s, 282 operations due",
                "server-2: 39 bad of 87; server-1 and server-3: 0 bad of 195",
                "by class: transport 30, connect 9",
                "with 95 % confidence the share is above 10.5 %",
            ],
            38,
        ),
        finding(
            "tail after one-dies",
            "latency",
            Category::Objective,
            Answer::Inconclusive,
            "2,117 operations cannot decide 99.9% within 250 ms; 2,995 are needed",
            &[
                "window after one-dies: +9.412s to +20.000s",
                "0 of 2,117 over 250 ms",
            ],
            44,
        ),
        finding(
            "recovery-time one-dies",
            "recovery-time",
            Category::Resilience,
            Answer::Pass,
            "users were served again 597 ms after the fault took effect, promised 5.00 s",
            &["resolution 100 ms, held for 2.00 s"],
            51,
        ),
        finding(
            "generator-lag",
            "generator-lag",
            Category::Validity,
            Answer::Pass,
            "lag p99 104 us in every phase, at most 10.0 ms",
            &[],
            0,
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "one value, member by member")]
fn analysis() -> Analysis {
    let chaos = tally(3_000, 9, 30);
    let warm = tally(500, 0, 0);
    let errors = Promise::Errors {
        under: "1%".parse().unwrap(),
    };
    let latency = Promise::Latency {
        share: "99.9%".parse().unwrap(),
        under: std::time::Duration::from_millis(250),
    };
    let fault_name = || "one-dies".to_owned();
    let end = 20.4;
    Analysis {
        run: facts(),
        ending: Some(Ending::Completed),
        troubles: Vec::new(),
        record: RecordPlan::default(),
        cookies: 0,
        damage: Vec::new(),
        measured: chaos,
        whole: Tally {
            due: 3_500,
            ok: 3_461,
            calls: 3_570,
            ..chaos
        },
        phases: vec![
            phase("warm-up", 0.0, 5.0, false, warm),
            phase("chaos", 5.0, 20.0, true, chaos),
        ],
        operations: vec![
            operation("echo", ProtocolVersion::V2025_11_25, 1_890, 31, 2_140),
            operation("echo", ProtocolVersion::V2026_07_28, 812, 6, 1_830),
            operation("journey", ProtocolVersion::V2025_11_25, 298, 2, 6_420),
        ],
        objectives: vec![
            objective(
                "no-errors",
                errors,
                WindowRef::During(fault_name()),
                window(8.0, 9.412),
                282,
                39,
            ),
            objective(
                "tail",
                latency,
                WindowRef::After(fault_name()),
                window(9.412, 20.0),
                2_117,
                0,
            ),
        ],
        faults: vec![fault()],
        trials: Vec::new(),
        sessions: SessionStats {
            born: 100,
            lost: 34,
            re_established: 34,
            failed: 0,
            closed: 100,
            ..SessionStats::default()
        },
        slots: vec![
            slot("balancer-1", "balancer", vec![window(-0.4, end)], 0, 0),
            slot("server-1", "server", vec![window(-0.6, end)], 1_062, 0),
            slot(
                "server-2",
                "server",
                vec![window(-0.6, 8.003), window(9.412, end)],
                874,
                30,
            ),
            slot("server-3", "server", vec![window(-0.6, end)], 1_058, 0),
        ],
        errors: vec![
            ErrorStats {
                class: Class::Transport,
                code: None,
                calls: 30,
                first: at(8.003_5),
                last: at(8.12),
                by_slot: vec![
                    (SlotId("server-2".to_owned()), 28),
                    (SlotId(String::new()), 2),
                ],
            },
            ErrorStats {
                class: Class::SessionLost,
                code: Some(404),
                calls: 34,
                first: at(8.2),
                last: at(9.12),
                by_slot: vec![(SlotId("server-2".to_owned()), 34)],
            },
        ],
        series: (0..20).map(second).collect(),
        trust: vec![
            TrustStats {
                phase: "warm-up".to_owned(),
                window: window(0.0, 5.0),
                trust: Trust::Valid,
                reasons: Vec::new(),
                little: None,
            },
            TrustStats {
                phase: "chaos".to_owned(),
                window: window(5.0, 20.0),
                trust: Trust::Degraded,
                reasons: vec![
                    "lag p99 was 12.1 ms in the second at +8 s, above 10.0 ms".to_owned(),
                ],
                little: Some(LittleStats {
                    operations: 3_000,
                    enough: true,
                    under_way: 25.31,
                    rate: 200.0,
                    time_s: 0.1255,
                    expected: 25.1,
                    tolerance: 0.3,
                }),
            },
        ],
        lost_workers: Vec::new(),
        steady: Some(SteadyStats {
            at: at(7.9),
            steady: true,
            good: 580,
            total: 580,
        }),
    }
}

/// The Report.
pub(crate) fn quickstart() -> Report {
    Report {
        version: SUMMARY_VERSION.to_owned(),
        verdict: Verdict {
            answer: Answer::Fail,
            exit: 4,
            headline: "1 of 4 findings failed: server-2: 39 of 282 operations did not end ok during one-dies".to_owned(),
        },
        findings: findings(),
        analysis: analysis(),
    }
}

/// The Report of a run that showed nothing: cut before the first second.
pub(crate) fn empty() -> Report {
    let mut report = quickstart();
    report.verdict = Verdict {
        answer: Answer::Inconclusive,
        exit: 7,
        headline: "the run was cut before anything was measured".to_owned(),
    };
    report.findings.clear();
    report.analysis = Analysis {
        run: facts(),
        ending: None,
        record: RecordPlan::default(),
        cookies: 3,
        troubles: vec!["server-3#1 was not ready within 10 s".to_owned()],
        damage: vec!["events.jsonl: line 12 is torn".to_owned()],
        measured: Tally::default(),
        whole: Tally::default(),
        phases: Vec::new(),
        operations: Vec::new(),
        objectives: Vec::new(),
        faults: Vec::new(),
        trials: Vec::new(),
        sessions: SessionStats::default(),
        slots: Vec::new(),
        errors: Vec::new(),
        series: Vec::new(),
        trust: Vec::new(),
        lost_workers: vec![(0, "silent for 10 s".to_owned())],
        steady: None,
    };
    report
}
