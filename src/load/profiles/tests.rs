use std::time::Duration;

use serde_json::Value;

use super::PROFILES;
use crate::load::{Profile, Span};
use crate::model::{Offset, Seed};
use crate::registry::{Family, Spec, build};

/// A phase of so many seconds.
pub(super) fn span(seconds: f64) -> Span {
    Span {
        length: Duration::from_secs_f64(seconds),
        seed: Seed(7),
        workload: 0,
        phase: 0,
    }
}

/// A profile with these canonical parameters.
pub(super) fn profile(kind: &str, with: Value) -> Box<dyn Profile> {
    let spec = Spec {
        kind: kind.to_owned(),
        with,
    };
    build(PROFILES, Family::Profile, &spec).unwrap()
}

/// The due times in a phase of so many seconds, nanoseconds; as many as are counted.
pub(super) fn nanos(profile: &dyn Profile, seconds: f64) -> Vec<i64> {
    let span = span(seconds);
    let due: Vec<i64> = profile.arrivals(&span).map(Offset::nanos).collect();
    assert_eq!(profile.count(&span), due.len() as u64);
    due
}
