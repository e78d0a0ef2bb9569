//! What holds for every profile.

use std::time::Duration;

use proptest::prelude::*;
use rand::Rng;
use serde_json::{Value, json};

use super::{PROFILES, replay};
use crate::load::draw::Arrivals;
use crate::load::{Model, Profile, Span};
use crate::model::{Offset, Seed};
use crate::plan::{OperationPlan, WorkloadPlan};
use crate::registry::{Family, Spec, build};

const SECOND: i64 = 1_000_000_000;

/// A phase of so many seconds.
pub(super) fn span(seconds: f64) -> Span {
    Span {
        length: Duration::from_secs_f64(seconds),
        seed: Seed(7),
        workload: 0,
        phase: 0,
    }
}

fn spec(kind: &str, with: Value) -> Spec {
    Spec {
        kind: kind.to_owned(),
        with,
    }
}

fn built(spec: &Spec) -> Box<dyn Profile> {
    build(PROFILES, Family::Profile, spec).unwrap()
}

/// A profile with these canonical parameters.
pub(super) fn profile(kind: &str, with: Value) -> Box<dyn Profile> {
    built(&spec(kind, with))
}

/// The due times in a phase of so many seconds, nanoseconds; as many as are counted.
pub(super) fn nanos(profile: &dyn Profile, seconds: f64) -> Vec<i64> {
    let span = span(seconds);
    let due: Vec<i64> = profile.arrivals(&span).map(Offset::nanos).collect();
    assert_eq!(profile.count(&span), due.len() as u64);
    due
}

fn rate() -> impl Strategy<Value = String> {
    (1_u32..400_000).prop_map(|milli| format!("{}.{:03}/s", milli / 1000, milli % 1000))
}

fn spacing() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("even"), Just("poisson")]
}

fn duration(most_ms: u32) -> impl Strategy<Value = String> {
    (0..most_ms).prop_map(|ms| format!("{ms}ms"))
}

/// Any open profile whose arrivals do not depend on how long its phase is.
fn endless() -> impl Strategy<Value = Spec> {
    let times = proptest::collection::vec(0..5 * SECOND, 1..200);
    prop_oneof![
        rate().prop_map(|rate| spec("constant", json!({ "rate": rate }))),
        rate().prop_map(|rate| spec("poisson", json!({ "rate": rate }))),
        (rate(), 1_u32..9)
            .prop_map(|(rate, calls)| spec("churn", json!({ "rate": rate, "calls": calls }))),
        (rate(), rate(), rate(), 50_u32..2000, spacing()).prop_map(
            |(from, to, step, every, spacing)| {
                let every = format!("{every}ms");
                let stair = json!({ "from": from, "to": to, "step": step, "every": every, "spacing": spacing });
                spec("steps", stair)
            }
        ),
        (rate(), rate(), [duration(900), duration(900), duration(900), duration(900)], spacing())
            .prop_map(|(base, peak, [at, rise, hold, fall], spacing)| {
                let spike = json!({
                    "base": base, "peak": peak, "at": at, "rise": rise, "hold": hold, "fall": fall, "spacing": spacing,
                });
                spec("spike", spike)
            }),
        (rate(), rate(), 20_u32..20_000, 0_u32..=100, spacing()).prop_map(
            |(min, max, period, offset, spacing)| {
                let sine = json!({
                    "min": min, "max": max, "period": format!("{period}ms"), "offset": format!("{offset}%"),
                    "spacing": spacing,
                });
                spec("sine", sine)
            }
        )
        .prop_filter("min is the lower rate", |sine| {
            (PROFILES[4].info.validate)(&sine.with).is_ok()
        }),
        (times, 1_u32..8).prop_filter_map("an arrival in the phase", |(mut times, speed)| {
            times.sort_unstable();
            let with = json!({ "file": "a", "column": "at", "speed": f64::from(speed) / 2.0, "begin": "zero" });
            replay::resolve(&spec("replay", with), &times, Duration::from_secs(5)).ok()
        }),
        Just(spec("hold", json!({}))),
        Just(spec("users", json!({ "users": 3 }))),
    ]
}

/// Any profile.
fn any_profile() -> impl Strategy<Value = Spec> {
    let rates = proptest::collection::vec(rate(), 1..6);
    prop_oneof![
        4 => endless(),
        1 => (rate(), rate(), spacing()).prop_map(|(from, to, spacing)| {
            spec("ramp", json!({ "from": from, "to": to, "spacing": spacing }))
        }),
        1 => (rates, spacing())
            .prop_map(|(rates, spacing)| spec("steps", json!({ "rates": rates, "spacing": spacing }))),
    ]
}

/// What a worker releases of the schedule: number, due time, client, operation, and the next draw, which its arguments take.
fn released(
    profile: &dyn Profile,
    span: &Span,
    plan: &WorkloadPlan,
    worker: u32,
    of: u32,
) -> Vec<(u64, Offset, u32, Option<usize>, u64)> {
    let draws = Arrivals::new(span.seed, plan);
    (0..)
        .zip(profile.arrivals(span))
        .filter_map(|(k, due)| {
            let (mut generator, client) = draws.client(k);
            let operation = draws.operation(&mut generator);
            (client % of == worker).then(|| (k, due, client, operation, generator.next_u64()))
        })
        .collect()
}

fn operation(name: &str, weight: u32) -> OperationPlan {
    OperationPlan {
        name: name.to_owned(),
        weight,
        timeout: Duration::from_secs(1),
        steps: Vec::new(),
        cancel: None,
    }
}

proptest! {
    #[test]
    fn arrivals_never_go_back_lie_within_the_phase_and_are_as_many_as_counted(
        spec in any_profile(), seconds in 0.1..5.0_f64, part in 0.0..1.0_f64,
    ) {
        let (profile, span) = (built(&spec), span(seconds));
        let end = Offset::from_duration(span.length);
        let due: Vec<Offset> = profile.arrivals(&span).collect();
        prop_assert!(due.is_sorted());
        prop_assert!(due.iter().all(|due| *due >= Offset::ZERO && *due < end));
        prop_assert_eq!(profile.count(&span), due.len() as u64);
        // Cut anywhere, both parts are counted as they arrive.
        let cut = Offset::from_duration(span.length.mul_f64(part));
        let before = due.iter().filter(|due| **due < cut).count() as u64;
        prop_assert_eq!(profile.count_before(&span, cut), before);
        prop_assert_eq!(profile.count_before(&span, Offset(i64::MAX)), due.len() as u64);
        prop_assert_eq!(profile.count_before(&span, Offset::ZERO), 0);
        if profile.model() != Model::Open {
            prop_assert!(due.is_empty());
        }
    }

    #[test]
    fn a_shorter_phase_has_the_first_arrivals_of_a_longer_one(spec in endless(), seconds in 0.1..4.0_f64) {
        let profile = built(&spec);
        let (short, long) = (span(seconds), span(4.5));
        let end = Offset::from_duration(short.length);
        let first: Vec<Offset> = profile.arrivals(&long).take_while(|due| *due < end).collect();
        prop_assert_eq!(profile.arrivals(&short).collect::<Vec<_>>(), first);
    }

    #[test]
    fn a_ramp_that_is_cut_in_two_has_as_many_arrivals(
        from in 1_u32..500, to in 1_u32..500, tenths in 1_u32..10, seconds in 1_u32..20,
    ) {
        let middle = format!("{}.{}/s", (from * (10 - tenths) + to * tenths) / 10, (from * (10 - tenths) + to * tenths) % 10);
        let (from, to) = (format!("{from}/s"), format!("{to}/s"));
        let ramp = |from: &str, to: &str| profile("ramp", json!({ "from": from, "to": to, "spacing": "even" }));
        let (seconds, tenths) = (f64::from(seconds), f64::from(tenths));
        let first = ramp(&from, &middle).count(&span(seconds * tenths / 10.0));
        let second = ramp(&middle, &to).count(&span(seconds * (10.0 - tenths) / 10.0));
        let whole = ramp(&from, &to).count(&span(seconds));
        // Each part begins with an arrival, whatever fraction of one the other ended with.
        prop_assert!((first + second).abs_diff(whole) <= 1, "{} + {} is not {}", first, second, whole);
    }

    #[test]
    fn what_is_released_is_the_same_on_any_number_of_workers(spec in any_profile(), seed in any::<u64>()) {
        let profile = built(&spec);
        let span = Span { seed: Seed(seed), ..span(1.0) };
        let plan = WorkloadPlan::new("main", 20, vec![operation("a", 3), operation("b", 1)]);
        let alone = released(&*profile, &span, &plan, 0, 1);
        prop_assert_eq!(alone.len() as u64, profile.count(&span));
        for of in [2, 7] {
            let mut together: Vec<_> = (0..of)
                .flat_map(|worker| released(&*profile, &span, &plan, worker, of))
                .collect();
            together.sort_unstable();
            prop_assert_eq!(&together, &alone);
        }
    }

    #[test]
    fn turns_lie_within_the_phase_and_belong_to_so_many_users(
        from in 0_u32..40, to in 1_u32..40, iterations in 1_u64..500, ms in 1_u64..10_000, pacing in any::<bool>(),
    ) {
        let length = Duration::from_millis(ms);
        let pause = if pacing { ("pacing", "10s") } else { ("think", "0s") };
        for (kind, mut with) in [
            ("users", json!({ "users": to })),
            ("ramping-users", json!({ "from": from, "to": to })),
            ("iterations", json!({ "users": to, "iterations": iterations })),
        ] {
            with[pause.0] = json!(pause.1);
            let profile = profile(kind, with);
            let Model::Closed(users) = profile.model() else {
                panic!("{kind} is not closed");
            };
            let turns: Vec<_> = (0..100).filter_map(|user| profile.turn(user, length)).collect();
            prop_assert!(turns.len() <= users.most as usize);
            for turn in &turns {
                prop_assert!(turn.from >= Offset::ZERO && turn.until <= Offset::from_duration(length));
            }
            if let Some(all) = users.iterations {
                prop_assert_eq!(turns.iter().filter_map(|turn| turn.acts).sum::<u64>(), all);
            }
        }
    }
}

#[test]
fn the_peak_is_the_highest_rate_of_a_second() {
    for (kind, with, peak) in [
        ("constant", json!({ "rate": "30/m" }), 0.5),
        (
            "ramp",
            json!({ "from": "9/s", "to": "3/s", "spacing": "even" }),
            9.0,
        ),
        (
            "steps",
            json!({ "rates": ["9/s", "30/s", "3/s"], "spacing": "even" }),
            30.0,
        ),
        ("hold", json!({}), 0.0),
        ("users", json!({ "users": 3 }), 0.0),
    ] {
        let found = profile(kind, with).peak();
        assert!((found - peak).abs() < 1e-9, "{kind}: {found}");
    }
}
