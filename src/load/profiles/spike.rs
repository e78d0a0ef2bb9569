//! `spike`: open arrivals at a constant rate with one peak.
//!
//! Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::curve::Curve;
use super::spacing::{self, SPACING, Spacing};
use crate::load::{Model, Profile, Span};
use crate::model::quantity::duration_text;
use crate::model::{Offset, Rate};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Problem, Ty, no_further_check};

/// The longest part of a spike, nanoseconds: a day.
const LONGEST: u64 = 86_400_000_000_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Spike {
    base: Rate,
    peak: Rate,
    #[serde(with = "duration_text")]
    at: Duration,
    #[serde(with = "duration_text")]
    rise: Duration,
    #[serde(with = "duration_text")]
    hold: Duration,
    #[serde(with = "duration_text")]
    fall: Duration,
    spacing: Spacing,
}

impl Spike {
    fn curve(&self) -> Curve {
        let (base, peak) = (self.base.as_per_second(), self.peak.as_per_second());
        Curve::default()
            .then(self.at.as_secs_f64(), base, base)
            .then(self.rise.as_secs_f64(), base, peak)
            .then(self.hold.as_secs_f64(), peak, peak)
            .then(self.fall.as_secs_f64(), peak, base)
            .finally(base)
    }
}

impl Profile for Spike {
    fn model(&self) -> Model {
        Model::Open
    }

    fn describe(&self) -> String {
        format!(
            "{}, from {} on {} for {}{}",
            self.base,
            humantime::format_duration(self.at),
            self.peak,
            humantime::format_duration(self.rise + self.hold + self.fall),
            self.spacing.words()
        )
    }

    fn arrivals(&self, span: &Span) -> Box<dyn Iterator<Item = Offset> + Send + '_> {
        spacing::arrivals(self.curve(), self.spacing, span)
    }

    fn count_before(&self, span: &Span, at: Offset) -> u64 {
        spacing::count_before(self.curve(), self.spacing, span, at)
    }

    fn peak(&self) -> f64 {
        self.base.as_per_second().max(self.peak.as_per_second())
    }

    fn fits(&self, length: Duration) -> Result<(), Problem> {
        let end = self.at + self.rise + self.hold + self.fall;
        if end <= length {
            return Ok(());
        }
        let text = |duration| humantime::format_duration(duration).to_string();
        Err(Problem {
            key: "at",
            message: format!(
                "expected the spike to be over with the phase, which lasts {}, not after {}",
                text(length),
                text(end)
            ),
            hint: None,
        })
    }
}

const fn part(
    key: &'static str,
    need: Need,
    summary: &'static str,
    example: &'static str,
) -> Field {
    Field {
        key,
        ty: Ty::Duration {
            min: 0,
            max: LONGEST,
        },
        need,
        summary,
        example,
        acts: Acts::Now,
    }
}

/// A constant rate with one peak.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "spike",
        summary: "open arrivals at a constant rate with one peak",
        example: "load = { profile = \"spike\", base = \"50/s\", peak = \"400/s\", at = \"3s\", hold = \"2s\" }",
        fields: &[
            Field {
                key: "base",
                ty: Ty::Rate,
                need: Need::Required,
                summary: "the rate before and after the spike",
                example: "\"50/s\"",
                acts: Acts::Now,
            },
            Field {
                key: "peak",
                ty: Ty::Rate,
                need: Need::Required,
                summary: "the rate at its height",
                example: "\"400/s\"",
                acts: Acts::Now,
            },
            part(
                "at",
                Need::Required,
                "when the spike begins, from the begin of the phase",
                "\"3s\"",
            ),
            part(
                "rise",
                Need::Default("\"0s\""),
                "how long the rate rises to its height",
                "\"500ms\"",
            ),
            part("hold", Need::Required, "how long it stays there", "\"2s\""),
            part(
                "fall",
                Need::Default("\"0s\""),
                "how long it falls back",
                "\"1s\"",
            ),
            SPACING,
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Spike>()?)),
};

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::load::profiles::tests::{profile, span};

    fn spike(rise: &str, fall: &str) -> Value {
        json!({
            "base": "10/s", "peak": "110/s", "at": "2s", "rise": rise, "hold": "3s", "fall": fall, "spacing": "even",
        })
    }

    #[test]
    fn each_second_has_the_arrivals_of_its_part() {
        let spike = profile("spike", spike("1s", "2s"));
        let mut before = 0;
        // Base, rise (60 in the mean), height, fall (from 110 to 60 to 10), base.
        for (second, wanted) in (1_i64..).zip([10, 10, 60, 110, 110, 110, 85, 35, 10, 10]) {
            let count = spike.count_before(&span(10.0), Offset(second * 1_000_000_000));
            assert_eq!(count - before, wanted, "second {second}");
            before = count;
        }
        assert!((spike.peak() - 110.0).abs() < 1e-9);
        assert_eq!(spike.describe(), "10/s, from 2s on 110/s for 6s");
    }

    #[test]
    fn a_spike_without_rise_is_at_its_height_at_once() {
        let spike = profile("spike", spike("0s", "0s"));
        let at = |ms: i64| spike.count_before(&span(10.0), Offset(ms * 1_000_000));
        assert_eq!(
            (at(2000), at(3000), at(5000), at(6000)),
            (20, 130, 350, 360)
        );
    }

    #[test]
    fn a_spike_beyond_its_phase_is_refused() {
        let spike = profile("spike", spike("1s", "2s"));
        assert_eq!(spike.fits(Duration::from_secs(8)), Ok(()));
        assert_eq!(spike.fits(Duration::from_secs(7)).unwrap_err().key, "at");
    }
}
