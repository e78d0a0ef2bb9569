//! `poisson`: open arrivals at random times, each whatever the others do, as those of many independent people.
//!
//! Pure. The gaps are drawn from an exponential distribution; see `spacing`.

use serde::{Deserialize, Serialize};

use super::curve::Curve;
use super::spacing::{self, Spacing};
use crate::load::{Model, Profile, Span};
use crate::model::{Offset, Rate};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Poisson {
    rate: Rate,
}

impl Profile for Poisson {
    fn model(&self) -> Model {
        Model::Open
    }

    fn describe(&self) -> String {
        format!("{}{}", self.rate, Spacing::Poisson.words())
    }

    fn arrivals(&self, span: &Span) -> Box<dyn Iterator<Item = Offset> + Send + '_> {
        let curve = Curve::default().finally(self.rate.as_per_second());
        spacing::arrivals(curve, Spacing::Poisson, span)
    }

    fn peak(&self) -> f64 {
        self.rate.as_per_second()
    }
}

/// Random arrivals.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "poisson",
        summary: "open arrivals at random times (drawn from the seed) with a constant mean rate",
        example: "load = { profile = \"poisson\", rate = \"100/s\" }",
        fields: &[Field {
            key: "rate",
            ty: Ty::Rate,
            need: Need::Required,
            summary: "operations that arrive in the mean per second, minute or hour",
            example: "\"100/s\"",
            acts: Acts::Now,
        }],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Poisson>()?)),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::load::Span;
    use crate::load::profiles::tests::{nanos, profile, span};
    use crate::model::Seed;

    #[test]
    fn gaps_have_mean_and_variance_of_an_exponential_distribution() {
        let profile = profile("poisson", json!({ "rate": "100/s" }));
        let due = nanos(&*profile, 1000.0);
        #[expect(clippy::cast_precision_loss, reason = "gaps of a few seconds")]
        let gaps: Vec<f64> = due
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64 / 1e9)
            .collect();
        let count = 100_000.0_f64;
        // Five standard deviations: of a Poisson count its square root, of a mean of n its own by the square root of n.
        assert!((f64::from(u32::try_from(due.len()).unwrap()) - count).abs() < 5.0 * count.sqrt());
        let mean = gaps.iter().sum::<f64>() / count;
        assert!((mean * 100.0 - 1.0).abs() < 5.0 / count.sqrt(), "{mean}");
        let square = gaps.iter().map(|gap| gap * gap).sum::<f64>() / count;
        // E[x^2] = 2, and its standard deviation sqrt(20).
        assert!(
            (square * 1e4 - 2.0).abs() < 5.0 * (20.0 / count).sqrt(),
            "{square}"
        );
    }

    #[test]
    fn another_seed_workload_or_phase_has_other_times() {
        let profile = profile("poisson", json!({ "rate": "50/s" }));
        let one = span(10.0);
        let others = [
            Span {
                seed: Seed(8),
                ..one
            },
            Span { workload: 1, ..one },
            Span { phase: 1, ..one },
        ];
        let due = |span: &Span| profile.arrivals(span).collect::<Vec<_>>();
        for other in others {
            assert_ne!(due(&one), due(&other));
        }
    }

    #[test]
    fn the_times_of_a_seed_never_change() {
        // A stored seed must mean the same run in every later version and on every machine.
        let profile = profile("poisson", json!({ "rate": "100/s" }));
        let due = nanos(&*profile, 0.05);
        let wanted = [
            2_102_461, 18_700_408, 24_769_515, 25_050_886, 28_465_770, 37_046_991,
        ];
        assert_eq!(due, wanted);
    }
}
