//! `hold`: no arrivals at all; sessions and their streams are only kept, as those of people who look away.
//!
//! Pure.

use serde::{Deserialize, Serialize};

use crate::load::{Model, Profile};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Hold {
    sessions: Option<u32>,
}

impl Profile for Hold {
    fn model(&self) -> Model {
        Model::Idle {
            sessions: self.sessions,
        }
    }

    fn describe(&self) -> String {
        match self.sessions {
            Some(1) => "1 idle session".to_owned(),
            Some(sessions) => format!("{sessions} idle sessions"),
            None => "idle sessions of all clients".to_owned(),
        }
    }
}

/// Idle sessions.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "hold",
        summary: "no operations: clients keep their sessions and a stream of the server's messages (GET in the legacy era, `subscriptions/listen` in the modern one) from before the load to its end; a session that is lost is replaced as `recovery` says",
        example: "load = { profile = \"hold\", sessions = 100 }",
        fields: &[Field {
            key: "sessions",
            ty: Ty::Integer {
                min: 1,
                max: 1_000_000,
            },
            need: Need::Optional,
            summary: "how many of the clients keep a stream; all, if it is left out",
            example: "100",
            acts: Acts::Now,
        }],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Hold>()?)),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::load::Model;
    use crate::load::profiles::tests::{nanos, profile};

    #[test]
    fn nothing_arrives() {
        let hold = profile("hold", json!({ "sessions": 100 }));
        assert_eq!(nanos(&*hold, 60.0), Vec::<i64>::new());
        assert_eq!(
            hold.model(),
            Model::Idle {
                sessions: Some(100)
            }
        );
        assert_eq!(hold.describe(), "100 idle sessions");
        let all = profile("hold", json!({}));
        assert_eq!(all.model(), Model::Idle { sessions: None });
    }
}
