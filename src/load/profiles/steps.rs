//! `steps`: open arrivals at a rate that goes in steps: through a list of rates, or from one rate to another.
//!
//! Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::curve::Curve;
use super::spacing::{self, SPACING, Spacing};
use crate::load::{Model, Profile, Span};
use crate::model::quantity::optional_duration_text;
use crate::model::{Offset, Rate};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Problem, Ty};

/// The most steps.
const MOST: usize = 1000;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Steps {
    #[serde(default)]
    rates: Vec<Rate>,
    from: Option<Rate>,
    to: Option<Rate>,
    step: Option<Rate>,
    #[serde(default, with = "optional_duration_text")]
    every: Option<Duration>,
    spacing: Spacing,
}

impl Steps {
    /// The rates of the steps, a second, and how long each lasts; the last one goes on.
    fn steps(&self, length: Duration) -> (Vec<f64>, Duration) {
        if let (Some(from), Some(to), Some(step), Some(every)) =
            (self.from, self.to, self.step, self.every)
        {
            let [from, to, step] = [from, to, step].map(|rate| rate.as_per_second());
            let (direction, distance) = ((to - from).signum(), (to - from).abs());
            let between = (0..MOST).map(f64_of).map(|number| number * step);
            let mut rates: Vec<f64> = between
                // What is as near as rounding is there.
                .take_while(|gained| *gained < distance - step * 1e-9)
                .map(|gained| from + direction * gained)
                .collect();
            rates.push(to);
            return (rates, every);
        }
        let rates: Vec<f64> = self.rates.iter().map(Rate::as_per_second).collect();
        let count = u32::try_from(rates.len().max(1)).unwrap_or(u32::MAX);
        (rates, length / count)
    }

    fn curve(&self, length: Duration) -> Curve {
        let (rates, every) = self.steps(length);
        let last = rates.last().copied().unwrap_or_default();
        let curve = rates.iter().fold(Curve::default(), |curve, rate| {
            curve.then(every.as_secs_f64(), *rate, *rate)
        });
        curve.finally(last)
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most a thousand steps")]
const fn f64_of(number: usize) -> f64 {
    number as f64
}

impl Profile for Steps {
    fn model(&self) -> Model {
        Model::Open
    }

    fn describe(&self) -> String {
        let words = self.spacing.words();
        if let (Some(from), Some(to), Some(step), Some(every)) =
            (self.from, self.to, self.step, self.every)
        {
            let every = humantime::format_duration(every);
            return format!("{from} to {to} by {step} every {every}{words}");
        }
        let mut rates: Vec<String> = self.rates.iter().take(8).map(Rate::to_string).collect();
        if self.rates.len() > 8 {
            rates.push(format!("and {} more steps", self.rates.len() - 8));
        }
        format!("{}{words}", rates.join(", "))
    }

    fn arrivals(&self, span: &Span) -> Box<dyn Iterator<Item = Offset> + Send + '_> {
        spacing::arrivals(self.curve(span.length), self.spacing, span)
    }

    fn count_before(&self, span: &Span, at: Offset) -> u64 {
        spacing::count_before(self.curve(span.length), self.spacing, span, at)
    }

    fn peak(&self) -> f64 {
        let rates = self.rates.iter().chain(&self.from).chain(&self.to);
        rates.map(Rate::as_per_second).fold(0.0, f64::max)
    }

    fn fits(&self, length: Duration) -> Result<(), Problem> {
        let (rates, every) = self.steps(length);
        let before = u32::try_from(rates.len() - 1).unwrap_or(u32::MAX);
        let begins = every.saturating_mul(before);
        if begins < length {
            return Ok(());
        }
        let text = |duration| humantime::format_duration(duration).to_string();
        Err(Problem {
            key: "every",
            message: format!(
                "expected the last of {} steps to begin within the {} of the phase, not after {}",
                rates.len(),
                text(length),
                text(begins)
            ),
            hint: Some("use a longer phase, shorter or fewer steps".to_owned()),
        })
    }
}

/// Either a list of rates, or a stair of which all is known.
fn validate(with: &Value) -> Result<(), Problem> {
    let problem = |key, message: &str| {
        let hint = "write `rates = [\"100/s\", \"200/s\"]`, or `from`, `to`, `step` and `every`";
        Err(Problem {
            key,
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
        })
    };
    let stair = ["from", "to", "step", "every"];
    let given = stair.into_iter().find(|key| with.get(key).is_some());
    let missing = stair.into_iter().find(|key| with.get(key).is_none());
    match (with.get("rates").and_then(Value::as_array), given, missing) {
        (Some(_), Some(key), _) => problem(key, "expected it without `rates`"),
        (Some(rates), None, _) if rates.is_empty() || rates.len() > MOST => {
            problem("rates", &format!("expected from 1 to {MOST} rates"))
        }
        (Some(_), None, _) => Ok(()),
        (None, _, None) => is_bounded(with),
        (None, _, Some(key)) => problem(key, &format!("expected `rates`, or `{key}` too")),
    }
}

fn is_bounded(with: &Value) -> Result<(), Problem> {
    let rate = |key| {
        let text = with.get(key).and_then(Value::as_str);
        text.and_then(|text| text.parse::<Rate>().ok())
            .map_or(f64::NAN, |rate| rate.as_per_second())
    };
    let steps = (rate("to") - rate("from")).abs() / rate("step");
    // One that is no number does not come here: the fields were read before.
    if steps < f64_of(MOST) {
        return Ok(());
    }
    Err(Problem {
        key: "step",
        message: format!("expected at most {MOST} steps"),
        hint: None,
    })
}

/// A rate that goes in steps.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "steps",
        summary: "open arrivals at a rate that goes in steps",
        example: "load = { profile = \"steps\", from = \"100/s\", to = \"500/s\", step = \"100/s\", every = \"2s\" }",
        fields: &[
            Field {
                key: "rates",
                ty: Ty::List(&Ty::Rate),
                need: Need::Optional,
                summary: "the rate of each step; all of them last equally long and fill the phase",
                example: "[\"100/s\", \"200/s\", \"100/s\"]",
                acts: Acts::Now,
            },
            Field {
                key: "from",
                ty: Ty::Rate,
                need: Need::Optional,
                summary: "in place of `rates`: the rate of the first step",
                example: "\"100/s\"",
                acts: Acts::Now,
            },
            Field {
                key: "to",
                ty: Ty::Rate,
                need: Need::Optional,
                summary: "the rate of the last step, which lasts to the end of the phase",
                example: "\"500/s\"",
                acts: Acts::Now,
            },
            Field {
                key: "step",
                ty: Ty::Rate,
                need: Need::Optional,
                summary: "how much higher (or lower) the rate of each step is than the one before",
                example: "\"100/s\"",
                acts: Acts::Now,
            },
            Field {
                key: "every",
                ty: Ty::Duration {
                    min: 1_000_000,
                    max: 86_400_000_000_000,
                },
                need: Need::Optional,
                summary: "how long a step lasts",
                example: "\"2s\"",
                acts: Acts::Now,
            },
            SPACING,
        ],
        validate,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Steps>()?)),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::load::profiles::tests::{nanos, profile, span};

    #[test]
    fn a_list_of_rates_fills_the_phase() {
        let steps = profile(
            "steps",
            json!({ "rates": ["2/s", "4/s"], "spacing": "even" }),
        );
        let wanted = [0, 500, 1000, 1250, 1500, 1750].map(|ms| ms * 1_000_000);
        assert_eq!(nanos(&*steps, 2.0), wanted);
        assert_eq!(steps.describe(), "2/s, 4/s");
    }

    #[test]
    fn a_stair_goes_up_and_down_and_stays_at_its_end() {
        let stair = |from: &str, to: &str| {
            profile(
                "steps",
                json!({ "from": from, "to": to, "step": "40/s", "every": "1s", "spacing": "even" }),
            )
        };
        for (from, to, seconds) in [
            ("100/s", "200/s", [100, 140, 180, 200, 200]),
            ("200/s", "100/s", [200, 160, 120, 100, 100]),
        ] {
            let steps = stair(from, to);
            let mut before = 0;
            for (second, wanted) in (1_i64..).zip(seconds) {
                let count = steps.count_before(&span(5.0), Offset(second * 1_000_000_000));
                assert_eq!(count - before, wanted, "{from} {second}");
                before = count;
            }
        }
        let flat = stair("100/s", "100/s");
        assert_eq!(flat.count(&span(2.0)), 200);
    }

    #[test]
    fn a_stair_that_does_not_fit_is_refused() {
        let steps = |with| validate(&with).map_err(|problem| problem.key);
        assert_eq!(steps(json!({ "rates": ["1/s"] })), Ok(()));
        assert_eq!(steps(json!({ "rates": [] })), Err("rates"));
        assert_eq!(steps(json!({ "rates": ["1/s"], "to": "2/s" })), Err("to"));
        assert_eq!(steps(json!({ "from": "1/s", "to": "2/s" })), Err("step"));
        assert_eq!(steps(json!({})), Err("from"));
        let stair = json!({ "from": "1/s", "to": "100/s", "step": "0.01/s", "every": "1s", "spacing": "even" });
        assert_eq!(steps(stair), Err("step"));
        let stair =
            json!({ "from": "1/s", "to": "4/s", "step": "1/s", "every": "2s", "spacing": "even" });
        let stair = profile("steps", stair);
        assert_eq!(stair.fits(Duration::from_secs(7)), Ok(()));
        let problem = stair.fits(Duration::from_secs(6)).unwrap_err();
        assert!(
            problem.message.contains("not after 6s"),
            "{}",
            problem.message
        );
    }
}
