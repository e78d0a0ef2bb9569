//! `sessions-lost`: a fault (or the whole run) costs at most a share of the legacy sessions.
//!
//! Pure. Modern clients have no session to lose. Where the fault has several trials each is judged, and the worst decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, FaultStats, Reached};
use crate::check::words::{count, percent, plural, ratio};
use crate::check::{Answer, Category, Check, Dependence, Finding, of_trial, phases_from, trials};
use crate::model::quantity::optional_duration_text;
use crate::model::time::humane;
use crate::model::{Offset, Share};
use crate::plan::CheckPlan;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Ty, no_further_check};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SessionsLost {
    max_share: Share,
    #[serde(default, with = "optional_duration_text")]
    re_established_within: Option<Duration>,
}

/// What is counted.
struct Seen {
    sessions: u64,
    lost: u64,
    re_established: u64,
    settled: Option<Offset>,
    began: Option<Offset>,
    who: String,
}

impl Seen {
    /// In the whole run.
    const fn of_run(analysis: &Analysis) -> Self {
        let sessions = analysis.sessions;
        Self {
            sessions: sessions.born,
            lost: sessions.lost,
            re_established: sessions.re_established,
            settled: None,
            began: None,
            who: String::new(),
        }
    }

    /// After a fault.
    fn of_fault(fault: &FaultStats) -> Self {
        let targets: Vec<&str> = fault
            .targets
            .iter()
            .map(|target| target.slot.as_str())
            .collect();
        Self {
            sessions: fault.sessions_active,
            lost: fault.sessions_lost,
            re_established: fault.sessions_re_established,
            settled: fault.sessions_settled,
            began: fault.began,
            who: targets.join(", "),
        }
    }
}

impl SessionsLost {
    /// The trial that decides: one with the worst answer, and of those the one that cost the greatest share.
    fn worst<'a>(&self, trials: &[&'a FaultStats]) -> Option<&'a FaultStats> {
        let rank = |fault: &FaultStats| {
            let seen = Seen::of_fault(fault);
            (self.answer(&seen).0, ratio(seen.lost, seen.sessions))
        };
        let worse = |a: &FaultStats, b: &FaultStats| {
            let ((answer, lost), (other, less)) = (rank(a), rank(b));
            answer.cmp(&other).then(lost.total_cmp(&less))
        };
        // The first of equals: what is asked for in reverse is found last.
        let mut ordered = trials.iter().rev().copied();
        let first = ordered.next()?;
        Some(ordered.fold(first, |worst, fault| {
            if worse(fault, worst).is_ge() {
                fault
            } else {
                worst
            }
        }))
    }

    fn answer(&self, seen: &Seen) -> (Answer, String) {
        let lost = ratio(seen.lost, seen.sessions);
        let mut headline = format!(
            "{} of {} sessions ({}) were lost, promised at most {}",
            count(seen.lost),
            count(seen.sessions),
            percent(lost),
            self.max_share
        );
        if !seen.who.is_empty() && seen.lost > 0 {
            headline = format!("{}: {headline}", seen.who);
        }
        if seen.sessions == 0 {
            return (
                Answer::Inconclusive,
                "no legacy session was active, so none could be lost".to_owned(),
            );
        }
        let mut answer = if lost <= self.max_share.ratio() {
            Answer::Pass
        } else {
            Answer::Fail
        };
        if let Some(within) = self.re_established_within.filter(|_| seen.lost > 0) {
            let (settled, words) = self.settled(seen, within);
            answer = answer.max(settled);
            headline = format!("{headline}; {words}");
        }
        (answer, headline)
    }

    #[expect(
        clippy::unused_self,
        reason = "it answers for the second of two parameters"
    )]
    fn settled(&self, seen: &Seen, within: Duration) -> (Answer, String) {
        let promised = format!("promised within {}", humane(within));
        let missing = seen.lost.saturating_sub(seen.re_established);
        match seen.settled.map(|at| at.since(Offset::ZERO)) {
            _ if seen.began.is_none() => (
                Answer::Inconclusive,
                "how soon they were re-established is told only for a fault".to_owned(),
            ),
            _ if missing > 0 => (
                Answer::Fail,
                format!(
                    "{} never re-established, {promised}",
                    plural(missing, "session")
                ),
            ),
            Some(last) => (
                if last <= within {
                    Answer::Pass
                } else {
                    Answer::Fail
                },
                format!(
                    "the last was re-established after {}, {promised}",
                    humane(last)
                ),
            ),
            None => (Answer::Inconclusive, "none was re-established".to_owned()),
        }
    }
}

impl Check for SessionsLost {
    fn evaluate(&self, plan: &CheckPlan, analysis: &Analysis) -> Finding {
        let name = plan.fault.as_deref();
        let trials = name.map_or_else(Vec::new, |name| trials(analysis, name));
        let fault = self.worst(&trials);
        let seen = fault.map_or_else(|| Seen::of_run(analysis), Seen::of_fault);
        let (mut answer, mut headline) = self.answer(&seen);
        if name.is_some() && seen.began.is_none() {
            answer = Answer::Inconclusive;
            "the fault did not begin, so nothing tells what it costs".clone_into(&mut headline);
        }
        let mut evidence = vec![format!(
            "{} of the lost were re-established",
            count(seen.re_established)
        )];
        let service = fault.map(|fault| fault.recovery.service);
        if let Some(Reached::After(after)) = service {
            evidence.push(format!(
                "users were served again after {}",
                humane(Duration::from_nanos(after))
            ));
        }
        Finding {
            name: plan.name.clone(),
            kind: plan.spec.kind.clone(),
            category: Category::Resilience,
            answer,
            headline: of_trial(headline, fault, trials.len()),
            evidence,
            samples: seen.sessions,
            load_can_cause: true,
            depends_on: Dependence {
                phases: phases_from(analysis, seen.began),
                fault: plan.fault.clone(),
            },
            line: plan.line,
        }
    }
}

/// Sessions lost.
pub(super) const KIND: Kind<dyn Check> = Kind {
    info: KindInfo {
        name: "sessions-lost",
        summary: "a fault costs at most a share of the legacy sessions that were active when it began (without a fault: of all that were born)",
        example: "[[check]]\nkind = \"sessions-lost\"\nfault = \"one-dies\"\nmax_share = \"40%\"",
        fields: &[
            Field {
                key: "max_share",
                ty: Ty::Share,
                need: Need::Default("\"0%\""),
                summary: "the greatest share of sessions that may be lost",
                example: "\"40%\"",
                acts: Acts::Now,
            },
            Field {
                key: "re_established_within",
                ty: Ty::Duration {
                    min: 0,
                    max: 86_400_000_000_000,
                },
                need: Need::Optional,
                summary: "the longest time from the fault's begin until each lost session is replaced; needs a fault",
                example: "\"5s\"",
                acts: Acts::Now,
            },
        ],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |spec| Ok(Box::new(spec.read::<SessionsLost>()?)),
};

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lost: u64, re_established: u64, settled: Option<Offset>) -> Seen {
        Seen {
            sessions: 100,
            lost,
            re_established,
            settled,
            began: Some(Offset::ZERO),
            who: "server-2".to_owned(),
        }
    }

    fn promised(share: &str, within: Option<u64>) -> SessionsLost {
        SessionsLost {
            max_share: share.parse().unwrap(),
            re_established_within: within.map(Duration::from_secs),
        }
    }

    const FIVE: Option<Offset> = Some(Offset(5_000_000_000));

    #[test]
    fn the_share_that_is_promised_may_be_lost_and_not_one_session_more() {
        let check = promised("40%", None);
        assert_eq!(check.answer(&seen(40, 0, None)).0, Answer::Pass);
        let (answer, headline) = check.answer(&seen(41, 0, None));
        assert_eq!(answer, Answer::Fail);
        assert_eq!(
            headline,
            "server-2: 41 of 100 sessions (41.0 %) were lost, promised at most 40%"
        );
    }

    #[test]
    fn without_sessions_nothing_is_told() {
        let none = Seen {
            sessions: 0,
            ..seen(0, 0, None)
        };
        let (answer, headline) = promised("0%", Some(5)).answer(&none);
        assert_eq!(answer, Answer::Inconclusive);
        assert!(headline.contains("no legacy session"), "{headline}");
    }

    #[test]
    fn every_lost_session_must_be_replaced_in_time() {
        let check = promised("40%", Some(5));
        for (seen, answer, words) in [
            (seen(0, 0, None), Answer::Pass, "0 of 100"),
            (seen(40, 40, FIVE), Answer::Pass, "after 5.00 s"),
            (seen(40, 39, FIVE), Answer::Fail, "1 session never"),
            (
                seen(40, 40, Some(Offset(5_000_000_001))),
                Answer::Fail,
                "promised within 5.00 s",
            ),
            (seen(40, 40, None), Answer::Inconclusive, "none was"),
        ] {
            let (got, headline) = check.answer(&seen);
            assert_eq!(got, answer, "{headline}");
            assert!(headline.contains(words), "{headline}");
        }
        let whole_run = Seen {
            began: None,
            ..seen(40, 40, FIVE)
        };
        assert_eq!(check.answer(&whole_run).0, Answer::Inconclusive);
        // Too many lost stays a failure, however soon they are replaced.
        assert_eq!(check.answer(&seen(41, 41, FIVE)).0, Answer::Fail);
    }
}
