//! `users`: a closed model, N users who act, wait for the answer, pause, and act again. Scheduled by goose.
//!
//! Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::people::{self, PACING, THINKS, USERS, Waits};
use crate::load::{Model, Profile, Turn};
use crate::model::Offset;
use crate::registry::{Acts, Kind, KindInfo};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Users {
    users: u32,
    #[serde(flatten)]
    waits: Waits,
}

impl Profile for Users {
    fn model(&self) -> Model {
        Model::Closed(crate::load::Users {
            most: self.users,
            pause: self.waits.pause(),
            iterations: None,
        })
    }

    fn describe(&self) -> String {
        format!("{}, {}", people::users(self.users), self.waits.words())
    }

    fn turn(&self, user: u32, length: Duration) -> Option<Turn> {
        (user < self.users).then(|| Turn {
            from: self.waits.first(user, self.users),
            until: Offset::from_duration(length),
            acts: None,
        })
    }
}

/// N users with a think time.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "users",
        summary: "closed model: users who act, wait for the answer, think, and act again (scheduled by goose)",
        example: "load = { profile = \"users\", users = 20, think = \"1s\" }",
        fields: &[USERS, THINKS, PACING],
        validate: people::validate,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Users>()?)),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::load::Pause;
    use crate::load::profiles::tests::profile;

    fn pause(profile: &dyn Profile) -> Pause {
        match profile.model() {
            Model::Closed(users) => users.pause,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn users_think_for_so_long_or_between_bounds_or_keep_a_pace() {
        let second = Duration::from_secs(1);
        let half = second / 2;
        for (with, wanted, words) in [
            (
                json!({ "users": 3 }),
                (second, second),
                "3 users, thinking 1s",
            ),
            (
                json!({ "users": 1, "think": "500ms" }),
                (half, half),
                "1 user, thinking 500ms",
            ),
            (
                json!({ "users": 3, "think": { "min": "500ms", "max": "1s" } }),
                (half, second),
                "3 users, thinking 500ms to 1s",
            ),
        ] {
            let users = profile("users", with);
            let (least, most) = wanted;
            assert_eq!(pause(&*users), Pause::Think { least, most });
            assert_eq!(users.describe(), words);
        }
        let paced = profile("users", json!({ "users": 4, "pacing": "1s" }));
        assert_eq!(pause(&*paced), Pause::Pacing(second));
        assert_eq!(paced.describe(), "4 users, each acting every 1s");
    }

    #[test]
    fn paced_users_begin_one_after_the_other() {
        let first = |with, user| {
            let turn = profile("users", with).turn(user, Duration::from_secs(10));
            turn.map(|turn| turn.from.nanos() / 1_000_000)
        };
        let paced = json!({ "users": 4, "pacing": "1s" });
        assert_eq!(
            [0, 1, 2, 3, 4].map(|user| first(paced.clone(), user)),
            [Some(0), Some(250), Some(500), Some(750), None]
        );
        assert_eq!(first(json!({ "users": 4, "think": "1s" }), 3), Some(0));
    }

    #[test]
    fn a_pause_that_contradicts_itself_is_refused() {
        let key = |with| people::validate(&with).map_err(|problem| problem.key);
        assert_eq!(key(json!({ "think": "1s" })), Ok(()));
        assert_eq!(key(json!({ "think": "1s", "pacing": "1s" })), Err("think"));
        assert_eq!(
            key(json!({ "think": { "min": "2s", "max": "1s" } })),
            Err("think")
        );
        assert_eq!(
            key(json!({ "think": { "min": "1s", "max": "1s" } })),
            Ok(())
        );
    }
}
