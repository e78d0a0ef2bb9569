//! `churn`: open arrivals of clients that come and go: each begins anew after so many operations.
//!
//! Pure. A client counts its own operations, and has the same ones on any number of workers, so what it does when is the same, too.

use serde::{Deserialize, Serialize};

use super::constant::{evenly, evenly_before};
use crate::load::{Model, Profile, Span};
use crate::model::{Offset, Rate};
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Churn {
    rate: Rate,
    calls: u32,
}

impl Profile for Churn {
    fn model(&self) -> Model {
        Model::Open
    }

    fn describe(&self) -> String {
        let s = if self.calls == 1 { "" } else { "s" };
        format!("{}, anew after {} operation{s}", self.rate, self.calls)
    }

    fn arrivals(&self, span: &Span) -> Box<dyn Iterator<Item = Offset> + Send + '_> {
        Box::new(evenly(self.rate, span.length))
    }

    fn count_before(&self, span: &Span, at: Offset) -> u64 {
        evenly_before(self.rate, span.length, at)
    }

    fn peak(&self) -> f64 {
        self.rate.as_per_second()
    }

    fn churn(&self) -> Option<u32> {
        Some(self.calls)
    }
}

/// Clients that come and go.
pub(super) const KIND: Kind<dyn Profile> = Kind {
    info: KindInfo {
        name: "churn",
        summary: "open arrivals at a constant rate, of clients that come and go: after so many operations a client ends its session (with DELETE where the workload does that) and its connection, and the next operation begins with new ones",
        example: "load = { profile = \"churn\", rate = \"50/s\", calls = 5 }",
        fields: &[
            Field {
                key: "rate",
                ty: Ty::Rate,
                need: Need::Required,
                summary: "operations that arrive per second, minute or hour",
                example: "\"50/s\"",
                acts: Acts::Now,
            },
            Field {
                key: "calls",
                ty: Ty::Integer {
                    min: 1,
                    max: 1_000_000,
                },
                need: Need::Required,
                summary: "the operations of a client until it begins anew",
                example: "5",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<Churn>()?)),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::load::profiles::tests::{nanos, profile};

    #[test]
    fn it_arrives_as_the_constant_profile_does_and_says_how_long_clients_stay() {
        let churn = profile("churn", json!({ "rate": "7/s", "calls": 3 }));
        let constant = profile("constant", json!({ "rate": "7/s" }));
        assert_eq!(nanos(&*churn, 10.0), nanos(&*constant, 10.0));
        assert_eq!((churn.churn(), constant.churn()), (Some(3), None));
        assert_eq!(churn.describe(), "7/s, anew after 3 operations");
    }
}
