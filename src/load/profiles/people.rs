//! What closed profiles share: when a user acts again.
//!
//! Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::load::Pause;
use crate::model::Offset;
use crate::model::quantity::{duration_text, optional_duration_text};
use crate::registry::{Acts, Field, Need, Problem, Ty};

/// The longest pause, nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;
/// The pause of a user of whom nothing is said.
const THINK: Duration = Duration::from_secs(1);

/// When a user acts again, as it is written: `think` or `pacing`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Waits {
    think: Option<Think>,
    #[serde(default, with = "optional_duration_text")]
    pacing: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Think {
    Always(#[serde(with = "duration_text")] Duration),
    Between {
        #[serde(with = "duration_text")]
        min: Duration,
        #[serde(with = "duration_text")]
        max: Duration,
    },
}

impl Waits {
    /// When a user acts again.
    pub(super) fn pause(&self) -> Pause {
        match (self.pacing, self.think) {
            (Some(pacing), _) => Pause::Pacing(pacing),
            (None, Some(Think::Between { min, max })) => Pause::Think {
                least: min,
                most: max,
            },
            (None, think) => {
                let think = match think {
                    Some(Think::Always(think)) => think,
                    _ => THINK,
                };
                Pause::Think {
                    least: think,
                    most: think,
                }
            }
        }
    }

    /// When user number `user` of so many first acts: paced users are spread over their pace, as all at once would be a burst
    /// that comes again and again.
    pub(super) fn first(&self, user: u32, users: u32) -> Offset {
        let Some(pacing) = self.pacing else {
            return Offset::ZERO;
        };
        let nanos = pacing.as_nanos() * u128::from(user) / u128::from(users.max(1));
        Offset(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// The words after the number of users.
    pub(super) fn words(&self) -> String {
        let text = |duration| humantime::format_duration(duration).to_string();
        match self.pause() {
            Pause::Pacing(pacing) => format!("each acting every {}", text(pacing)),
            Pause::Think { least, most } if least == most => format!("thinking {}", text(least)),
            Pause::Think { least, most } => {
                format!("thinking {} to {}", text(least), text(most))
            }
        }
    }
}

/// `20 users`.
pub(super) fn users(count: u32) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} user{s}")
}

/// `users`.
pub(super) const USERS: Field = Field {
    key: "users",
    ty: Ty::Integer {
        min: 1,
        max: 100_000,
    },
    need: Need::Required,
    summary: "how many users act at the same time",
    example: "20",
    acts: Acts::Now,
};

/// `think`.
pub(super) const THINKS: Field = Field {
    key: "think",
    ty: Ty::Either(&[
        Ty::Duration {
            min: 0,
            max: LONGEST,
        },
        Ty::Table(&[
            bound("min", "the shortest pause", "\"500ms\""),
            bound("max", "the longest pause", "\"2s\""),
        ]),
    ]),
    need: Need::Optional,
    summary: "the pause of a user between an answer and the next operation, or the bounds between which each pause is drawn evenly; 1s without `pacing`",
    example: "{ min = \"500ms\", max = \"2s\" }",
    acts: Acts::Now,
};

/// `pacing`.
pub(super) const PACING: Field = Field {
    key: "pacing",
    ty: Ty::Duration {
        min: 1_000_000,
        max: LONGEST,
    },
    need: Need::Optional,
    summary: "in place of `think`: the time from one act of a user to the next; after an answer that took longer the next act comes at once, and its response time counts from when it should have come",
    example: "\"2s\"",
    acts: Acts::Now,
};

const fn bound(key: &'static str, summary: &'static str, example: &'static str) -> Field {
    Field {
        key,
        ty: Ty::Duration {
            min: 0,
            max: LONGEST,
        },
        need: Need::Required,
        summary,
        example,
        acts: Acts::Now,
    }
}

/// Whether `think` and `pacing` fit together.
pub(super) fn validate(with: &Value) -> Result<(), Problem> {
    if with.get("pacing").is_some() && with.get("think").is_some() {
        return Err(Problem {
            key: "think",
            message: "expected it without `pacing`, which decides when a user acts again"
                .to_owned(),
            hint: None,
        });
    }
    let bounds = with.get("think").map(Think::deserialize);
    if let Some(Ok(Think::Between { min, max })) = bounds
        && min > max
    {
        return Err(Problem {
            key: "think",
            message: "expected `min` to be at most `max`".to_owned(),
            hint: None,
        });
    }
    Ok(())
}
