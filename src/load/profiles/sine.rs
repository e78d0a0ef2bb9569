//! `sine`: open arrivals at a rate that swings.
//!
//! Pure. With m the mean of the rates, A half their difference, P the period and p the offset, the rate is
//! `m + A sin(w t + p)` with `w = 2 pi / P`, and its integral `m t + (A / w) (cos p - cos(w t + p))`. That has no inverse in closed
//! form; as it stays within `2 A / w` of the line, the inverse is looked for between two bounds, by Newton's method with bisection
//! where that leaves them (Press et al., "Numerical Recipes", section 9.4). Sines come from `libm`, the same on every machine.

use std::f64::consts::TAU;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spacing::{self, Intensity, SPACING, Spacing};
use crate::load::{Model, Profile, Span};
use crate::model::quantity::duration_text;
use crate::model::{Offset, Rate, Share};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Problem, Ty};

/// A step of the search that is shorter than this ends it, seconds: a tenth of what a due time is rounded to.
const ENOUGH: f64 = 1e-10;
/// The most steps: a bisection alone would come from a day to that in fewer.
const STEPS: u32 = 64;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sine {
    min: Rate,
    max: Rate,
    #[serde(with = "duration_text")]
    period: Duration,
    offset: Share,
    spacing: Spacing,
}

/// The swing as numbers.
#[derive(Clone, Copy, Debug)]
struct Swing {
    /// The mean rate, a second.
    mean: f64,
    /// Half the difference of the rates.
    half: f64,
    /// Radians a second.
    speed: f64,
    /// Radians at the begin.
    offset: f64,
}

impl Sine {
    fn swing(&self) -> Swing {
        let (min, max) = (self.min.as_per_second(), self.max.as_per_second());
        Swing {
            mean: f64::midpoint(min, max),
            half: (max - min) / 2.0,
            speed: TAU / self.period.as_secs_f64(),
            offset: TAU * self.offset.ratio(),
        }
    }
}

impl Swing {
    fn rate(&self, seconds: f64) -> f64 {
        self.mean + self.half * libm::sin(self.speed * seconds + self.offset)
    }
}

impl Intensity for Swing {
    fn intended(&self, seconds: f64) -> f64 {
        let swung = libm::cos(self.offset) - libm::cos(self.speed * seconds + self.offset);
        self.mean * seconds + self.half / self.speed * swung
    }

    fn reached(&self, arrivals: f64) -> f64 {
        let most = 2.0 * self.half / self.speed;
        let mut low = ((arrivals - most) / self.mean).max(0.0);
        let mut high = (arrivals + most) / self.mean;
        let mut at = arrivals / self.mean;
        for _ in 0..STEPS {
            let beyond = self.intended(at) - arrivals;
            if beyond > 0.0 {
                high = at;
            } else {
                low = at;
            }
            let newton = at - beyond / self.rate(at);
            let next = if newton >= low && newton <= high {
                newton
            } else {
                f64::midpoint(low, high)
            };
            let step = (next - at).abs();
            at = next;
            if step < ENOUGH {
                break;
            }
        }
        at
    }
}

impl Profile for Sine {
    fn model(&self) -> Model {
        Model::Open
    }

    fn describe(&self) -> String {
        format!(
            "{} to {} and back every {}{}",
            self.min,
            self.max,
            humantime::format_duration(self.period),
            self.spacing.words()
        )
    }

    fn arrivals(&self, span: &Span) -> Box<dyn Iterator<Item = Offset> + Send + '_> {
        spacing::arrivals(self.swing(), self.spacing, span)
    }

    fn count_before(&self, span: &Span, at: Offset) -> u64 {
        spacing::count_before(self.swing(), self.spacing, span, at)
    }

    fn peak(&self) -> f64 {
        self.max.as_per_second()
    }
}

fn validate(with: &Value) -> Result<(), Problem> {
    let rate = |key| {
        let text = with.get(key).and_then(Value::as_str);
        text.and_then(|text| text.parse::<Rate>().ok())
            .map(|rate| rate.as_per_second())
    };
    if rate("min") <= rate("max") {
        return Ok(());
    }
    Err(Problem {
        key: "min",
        message: "expected the lower of both rates".to_owned(),
        hint: None,
    })
}

/// A rate that swings.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "sine",
        summary: "open arrivals at a rate that swings between two values",
        example: "load = { profile = \"sine\", min = \"50/s\", max = \"150/s\", period = \"10s\" }",
        fields: &[
            Field {
                key: "min",
                ty: Ty::Rate,
                need: Need::Required,
                summary: "the lowest rate",
                example: "\"50/s\"",
                acts: Acts::Now,
            },
            Field {
                key: "max",
                ty: Ty::Rate,
                need: Need::Required,
                summary: "the highest rate",
                example: "\"150/s\"",
                acts: Acts::Now,
            },
            Field {
                key: "period",
                ty: Ty::Duration {
                    min: 1_000_000,
                    max: 604_800_000_000_000,
                },
                need: Need::Required,
                summary: "the time from one peak to the next",
                example: "\"10s\"",
                acts: Acts::Now,
            },
            Field {
                key: "offset",
                ty: Ty::Share,
                need: Need::Default("\"0%\""),
                summary: "where in the period the phase begins: at 0% with the mean rate that rises, at 25% with the highest, at 75% with the lowest",
                example: "\"75%\"",
                acts: Acts::Now,
            },
            SPACING,
        ],
        validate,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Sine>()?)),
};

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::load::profiles::tests::{profile, span};

    fn sine(offset: &str) -> Value {
        json!({ "min": "20/s", "max": "180/s", "period": "10s", "offset": offset, "spacing": "even" })
    }

    #[test]
    fn whole_periods_have_the_mean_rate_and_half_ones_the_swing() {
        let profile = profile("sine", sine("0%"));
        assert_eq!(profile.count(&span(20.0)), 2000);
        // The upper half: 100 * 5 + 2 * 80 / w = 500 + 254.6.
        let half = profile.count_before(&span(20.0), Offset(5_000_000_000));
        assert_eq!(half, 755);
        assert!((profile.peak() - 180.0).abs() < 1e-9);
    }

    #[test]
    fn the_offset_tells_where_the_period_begins() {
        let first = |offset| profile("sine", sine(offset)).count(&span(1.0));
        let (mean, high, low) = (first("0%"), first("25%"), first("75%"));
        assert!(
            low < 30 && (100..140).contains(&mean) && high > 170,
            "{low} {mean} {high}"
        );
    }

    #[test]
    fn the_inverse_of_the_integral_is_exact_to_a_nanosecond() {
        let with: Sine = serde_json::from_value(sine("60%")).unwrap();
        let swing = with.swing();
        for number in 0..5000 {
            let wanted = f64::from(number) * 0.37;
            let found = swing.intended(swing.reached(wanted));
            // The rate is at most 180: a nanosecond is less than 1e-6 arrivals.
            assert!((found - wanted).abs() < 1e-6, "{wanted}: {found}");
        }
    }

    #[test]
    fn rates_the_wrong_way_round_are_refused() {
        assert!(validate(&json!({ "min": "2/s", "max": "2/s" })).is_ok());
        assert_eq!(
            validate(&json!({ "min": "3/s", "max": "2/s" }))
                .unwrap_err()
                .key,
            "min"
        );
    }
}
