//! `iterations`: a closed model with a fixed number of operations, shared evenly by its users. Scheduled by goose.
//!
//! Pure. The share of a user depends on its number alone, so it is the same on any number of workers. What the phase leaves no time
//! for is not made up: the report says how many were reached.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::people::{self, PACING, THINKS, USERS, Waits};
use crate::load::{Model, Profile, Turn, Users};
use crate::model::Offset;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Iterations {
    users: u32,
    #[serde(rename = "iterations")]
    all: u64,
    #[serde(flatten)]
    waits: Waits,
}

impl Profile for Iterations {
    fn model(&self) -> Model {
        Model::Closed(Users {
            most: self.users,
            pause: self.waits.pause(),
            iterations: Some(self.all),
        })
    }

    fn describe(&self) -> String {
        let s = if self.all == 1 { "" } else { "s" };
        format!(
            "up to {} operation{s} of {}, {}",
            self.all,
            people::users(self.users),
            self.waits.words()
        )
    }

    fn turn(&self, user: u32, length: Duration) -> Option<Turn> {
        let users = u64::from(self.users.max(1));
        let user_number = u64::from(user);
        let acts = self.all / users + u64::from(user_number < self.all % users);
        (user < self.users && acts > 0).then(|| Turn {
            from: self.waits.first(user, self.users),
            until: Offset::from_duration(length),
            acts: Some(acts),
        })
    }
}

/// A fixed number of operations.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "iterations",
        summary: "closed model: users who share a fixed number of operations, for at most the length of the phase (scheduled by goose)",
        example: "load = { profile = \"iterations\", users = 20, iterations = 1000, think = \"10ms\" }",
        fields: &[
            USERS,
            Field {
                key: "iterations",
                ty: Ty::Integer {
                    min: 1,
                    max: 1_000_000_000,
                },
                need: Need::Required,
                summary: "how many operations all users do together; each has the same share, but for one",
                example: "1000",
                acts: Acts::Now,
            },
            THINKS,
            PACING,
        ],
        validate: people::validate,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Iterations>()?)),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::load::profiles::tests::profile;

    #[test]
    fn the_shares_of_the_users_add_up_and_differ_by_one_at_most() {
        for (users, iterations, wanted) in [
            (3, 10, vec![4, 3, 3]),
            (3, 9, vec![3, 3, 3]),
            (4, 2, vec![1, 1]),
        ] {
            let with = json!({ "users": users, "iterations": iterations, "think": "0s" });
            let profile = profile("iterations", with);
            let shares: Vec<u64> = (0..10)
                .filter_map(|user| profile.turn(user, Duration::from_secs(1)))
                .filter_map(|turn| turn.acts)
                .collect();
            assert_eq!(shares, wanted);
        }
    }
}
