//! `constant`: open arrivals, evenly spaced.
//!
//! Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::{Model, Profile};
use crate::model::{Offset, Rate};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Constant {
    rate: Rate,
}

impl Profile for Constant {
    fn model(&self) -> Model {
        Model::Open
    }

    fn count(&self, length: Duration) -> Option<u64> {
        Some(self.rate.count_in(length))
    }

    fn arrivals(&self, length: Duration) -> Box<dyn Iterator<Item = Offset> + Send + '_> {
        Box::new((0..self.rate.count_in(length)).map(|k| Offset::from_duration(self.rate.due(k))))
    }

    fn peak(&self) -> Option<f64> {
        Some(self.rate.as_per_second())
    }

    fn describe(&self) -> String {
        self.rate.to_string()
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
    use super::*;

    #[test]
    fn arrivals_are_evenly_spaced_and_end_with_the_phase() {
        let profile = Constant {
            rate: "4/s".parse().unwrap(),
        };
        let due: Vec<i64> = profile
            .arrivals(Duration::from_secs(1))
            .map(Offset::nanos)
            .collect();
        assert_eq!(due, [0, 250_000_000, 500_000_000, 750_000_000]);
        assert_eq!(profile.count(Duration::from_secs(1)), Some(4));
    }
}
