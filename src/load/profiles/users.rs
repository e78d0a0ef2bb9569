//! `users`: a closed model, N users who act, wait for the answer, think, and act again. Scheduled by goose.
//!
//! Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::{Model, Profile};
use crate::model::Offset;
use crate::model::quantity::duration_text;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Users {
    users: u32,
    #[serde(with = "duration_text")]
    think: Duration,
}

impl Profile for Users {
    fn model(&self) -> Model {
        Model::Closed {
            users: self.users,
            think: self.think,
        }
    }

    fn count(&self, _length: Duration) -> Option<u64> {
        None
    }

    fn arrivals(&self, _length: Duration) -> Box<dyn Iterator<Item = Offset> + Send + '_> {
        Box::new(std::iter::empty())
    }

    fn peak(&self) -> Option<f64> {
        None
    }

    fn describe(&self) -> String {
        format!(
            "{} users, thinking {}",
            self.users,
            humantime::format_duration(self.think)
        )
    }
}

/// N users with a think time.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "users",
        summary: "closed model: users who act, wait for the answer, think, and act again (scheduled by goose)",
        example: "load = { profile = \"users\", users = 20, think = \"1s\" }",
        fields: &[
            Field {
                key: "users",
                ty: Ty::Integer {
                    min: 1,
                    max: 100_000,
                },
                need: Need::Required,
                summary: "how many users act at the same time",
                example: "20",
                acts: Acts::Now,
            },
            Field {
                key: "think",
                ty: Ty::Duration {
                    min: 0,
                    max: 3_600_000_000_000,
                },
                need: Need::Default("\"1s\""),
                summary: "the pause of a user between an answer and the next operation",
                example: "\"1s\"",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Users>()?)),
};
