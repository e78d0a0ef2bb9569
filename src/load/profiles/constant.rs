//! `constant`: open arrivals, evenly spaced.
//!
//! Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::{Model, Profile, Span};
use crate::model::{Offset, Rate};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Constant {
    rate: Rate,
}

/// Evenly spaced arrivals of a constant rate: integers all the way, so each due time is exact.
pub(super) fn evenly(rate: Rate, length: Duration) -> impl Iterator<Item = Offset> + Send {
    (0..rate.count_in(length)).map(move |k| Offset::from_duration(rate.due(k)))
}

/// How many of them are due before `at`.
pub(super) fn evenly_before(rate: Rate, length: Duration, at: Offset) -> u64 {
    rate.count_in(at.since(Offset::ZERO).min(length))
}

impl Profile for Constant {
    fn model(&self) -> Model {
        Model::Open
    }

    fn describe(&self) -> String {
        self.rate.to_string()
    }

    fn arrivals(&self, span: &Span) -> Box<dyn Iterator<Item = Offset> + Send + '_> {
        Box::new(evenly(self.rate, span.length))
    }

    fn count_before(&self, span: &Span, at: Offset) -> u64 {
        evenly_before(self.rate, span.length, at)
    }

    fn peak(&self) -> f64 {
        self.rate.as_per_second()
    }
}

/// Evenly spaced arrivals.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "constant",
        summary: "open arrivals at a constant rate, evenly spaced",
        example: "load = { profile = \"constant\", rate = \"100/s\" }",
        fields: &[Field {
            key: "rate",
            ty: Ty::Rate,
            need: Need::Required,
            summary: "operations that arrive per second, minute or hour",
            example: "\"100/s\"",
            acts: Acts::Now,
        }],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Constant>()?)),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::load::profiles::tests::{nanos, profile};

    #[test]
    fn arrivals_are_evenly_spaced_and_end_with_the_phase() {
        let profile = profile("constant", json!({ "rate": "4/s" }));
        assert_eq!(
            nanos(&*profile, 1.0),
            [0, 250_000_000, 500_000_000, 750_000_000]
        );
    }
}
