//! `ramp`: open arrivals at a rate that changes evenly over the phase.
//!
//! Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::curve::Curve;
use super::spacing::{self, SPACING, Spacing};
use crate::load::{Model, Profile, Span};
use crate::model::{Offset, Rate};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ramp {
    from: Rate,
    to: Rate,
    spacing: Spacing,
}

impl Ramp {
    fn curve(&self, length: Duration) -> Curve {
        let (from, to) = (self.from.as_per_second(), self.to.as_per_second());
        Curve::default()
            .then(length.as_secs_f64(), from, to)
            .finally(to)
    }
}

impl Profile for Ramp {
    fn model(&self) -> Model {
        Model::Open
    }

    fn describe(&self) -> String {
        format!("{} to {}{}", self.from, self.to, self.spacing.words())
    }

    fn arrivals(&self, span: &Span) -> Box<dyn Iterator<Item = Offset> + Send + '_> {
        spacing::arrivals(self.curve(span.length), self.spacing, span)
    }

    fn count_before(&self, span: &Span, at: Offset) -> u64 {
        spacing::count_before(self.curve(span.length), self.spacing, span, at)
    }

    fn peak(&self) -> f64 {
        self.from.as_per_second().max(self.to.as_per_second())
    }
}

/// A rate that changes evenly.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "ramp",
        summary: "open arrivals at a rate that changes evenly from one value to another over the phase",
        example: "load = { profile = \"ramp\", from = \"100/s\", to = \"300/s\" }",
        fields: &[
            Field {
                key: "from",
                ty: Ty::Rate,
                need: Need::Required,
                summary: "the rate at the begin of the phase",
                example: "\"100/s\"",
                acts: Acts::Now,
            },
            Field {
                key: "to",
                ty: Ty::Rate,
                need: Need::Required,
                summary: "the rate at its end",
                example: "\"300/s\"",
                acts: Acts::Now,
            },
            SPACING,
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Ramp>()?)),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::load::profiles::tests::{nanos, profile, span};
    use crate::model::Offset;

    #[test]
    fn arrivals_come_closer_where_the_rate_rises_and_are_as_many_as_its_mean() {
        let ramp = profile(
            "ramp",
            json!({ "from": "2/s", "to": "6/s", "spacing": "even" }),
        );
        // I(t) = 2t + 2t^2 over one second: 0, 1, 2, 3 are reached at (sqrt(1 + 2k) - 1) / 2.
        let due = nanos(&*ramp, 1.0);
        assert_eq!(due, [0, 366_025_404, 618_033_989, 822_875_656]);
        // Twice the time, twice as many: the mean of the rates times the length.
        assert_eq!(ramp.count(&span(10.0)), 40);
        // I(5 s) = 2 * 5 + 0.4 * 25 / 2 = 15.
        assert_eq!(ramp.count_before(&span(10.0), Offset(5_000_000_000)), 15);
    }

    #[test]
    fn a_ramp_down_mirrors_a_ramp_up() {
        let (up, down) = (("1/s", "100/s"), ("100/s", "1/s"));
        let [up, down] = [up, down].map(|(from, to)| {
            profile("ramp", json!({ "from": from, "to": to, "spacing": "even" }))
        });
        let span = span(10.0);
        assert_eq!(up.count(&span), down.count(&span));
        let half = Offset(5_000_000_000);
        assert!(up.count_before(&span, half) < 130 && down.count_before(&span, half) > 370);
        assert!((up.peak() - 100.0).abs() < 1e-9 && (down.peak() - 100.0).abs() < 1e-9);
    }
}
