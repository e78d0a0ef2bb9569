//! `ramping-users`: a closed model whose number of users changes evenly over the phase. Scheduled by goose.
//!
//! Pure. The number is a straight line from one value to the other; user u (from 0) acts while it is above u. So the user who came
//! last is the first to go, and whoever stays is not disturbed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::people::{self, PACING, THINKS, Waits};
use crate::load::{Model, Profile, Turn, Users};
use crate::model::Offset;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Problem, Ty};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RampingUsers {
    from: u32,
    to: u32,
    #[serde(flatten)]
    waits: Waits,
}

impl RampingUsers {
    /// When the line passes `user` between its ends, from the begin of a phase of this length.
    fn passes(&self, user: u32, length: Duration) -> Offset {
        let way = u128::from(user.abs_diff(self.from));
        let whole = u128::from(self.to.abs_diff(self.from)).max(1);
        let nanos = length.as_nanos() * way / whole;
        Offset(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

impl Profile for RampingUsers {
    fn model(&self) -> Model {
        Model::Closed(Users {
            most: self.from.max(self.to),
            pause: self.waits.pause(),
            iterations: None,
        })
    }

    fn describe(&self) -> String {
        let to = people::users(self.to);
        format!("{} to {to}, {}", self.from, self.waits.words())
    }

    fn turn(&self, user: u32, length: Duration) -> Option<Turn> {
        let end = Offset::from_duration(length);
        let (from, until) = match (user < self.from, user < self.to) {
            (true, true) => (self.waits.first(user, self.from), end),
            (true, false) => (self.waits.first(user, self.from), self.passes(user, length)),
            (false, true) => (self.passes(user, length), end),
            (false, false) => return None,
        };
        Some(Turn {
            from,
            until,
            acts: None,
        })
    }
}

fn validate(with: &Value) -> Result<(), Problem> {
    let users = |key| with.get(key).and_then(Value::as_u64);
    if users("from") == Some(0) && users("to") == Some(0) {
        return Err(Problem {
            key: "to",
            message: "expected at least one user at either end".to_owned(),
            hint: None,
        });
    }
    people::validate(with)
}

const fn end(key: &'static str, summary: &'static str, example: &'static str) -> Field {
    Field {
        key,
        ty: Ty::Integer {
            min: 0,
            max: 100_000,
        },
        need: Need::Required,
        summary,
        example,
        acts: Acts::Now,
    }
}

/// Users who become more, or fewer.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "ramping-users",
        summary: "closed model: users who become more, or fewer, evenly over the phase (scheduled by goose)",
        example: "load = { profile = \"ramping-users\", from = 0, to = 50, think = \"1s\" }",
        fields: &[
            end("from", "how many users act at the begin of the phase", "0"),
            end("to", "how many act at its end", "50"),
            THINKS,
            PACING,
        ],
        validate,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<RampingUsers>()?)),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::load::profiles::tests::profile;

    fn turns(from: u32, to: u32) -> Vec<(i64, i64)> {
        let profile = profile("ramping-users", json!({ "from": from, "to": to }));
        (0..=from.max(to))
            .filter_map(|user| profile.turn(user, Duration::from_secs(4)))
            .map(|turn| {
                (
                    turn.from.nanos() / 1_000_000,
                    turn.until.nanos() / 1_000_000,
                )
            })
            .collect()
    }

    #[test]
    fn a_user_acts_while_the_line_is_above_its_number() {
        assert_eq!(
            turns(0, 4),
            [(0, 4000), (1000, 4000), (2000, 4000), (3000, 4000)]
        );
        assert_eq!(turns(4, 0), [(0, 4000), (0, 3000), (0, 2000), (0, 1000)]);
        assert_eq!(turns(1, 3), [(0, 4000), (0, 4000), (2000, 4000)]);
        assert_eq!(turns(2, 2), [(0, 4000), (0, 4000)]);
    }

    #[test]
    fn nobody_at_either_end_is_refused() {
        assert_eq!(
            validate(&json!({ "from": 0, "to": 0 })).unwrap_err().key,
            "to"
        );
        assert!(validate(&json!({ "from": 0, "to": 1 })).is_ok());
    }
}
