//! Is a member fit for traffic: [`Health`], one small machine per member, fed with failures, answers and active checks.
//!
//! Pure. Time is a parameter: the duration since the balancer started, which never decreases.
//!
//! Two judgements stand side by side, as in nginx (`max_fails`, `fail_timeout`; `health_check` of nginx Plus), and a member is
//! used only while both are in its favour:
//! - *passive*: `max_fails` failures of real requests within `fail_timeout` put the member aside for `fail_timeout`. After that
//!   it is on probation: its first failure puts it aside again, its first answer clears it.
//! - *active*: `fall` failed checks in a row take it down, `rise` passed ones in a row bring it back. A member that was not yet
//!   checked gets traffic, but does not make the balancer healthy.

use std::time::Duration;

use serde::Serialize;

/// The thresholds, alike for all members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Failures that put a member aside; 0 turns the passive judgement off.
    pub(super) max_fails: u32,
    /// The time in which they must happen, and for which the member is put aside.
    pub(super) fail_timeout: Duration,
    /// Passed checks in a row that bring a member back, at least 1.
    pub(super) rise: u32,
    /// Failed checks in a row that take a member down, at least 1.
    pub(super) fall: u32,
}

/// What the balancer holds of a member at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// Nothing speaks against it, and a check passed (or there are no checks).
    Up,
    /// Nothing speaks against it, but its first check has not ended.
    Unchecked,
    /// Put aside for failures of real requests.
    Aside,
    /// Taken down by active checks.
    Down,
}

impl State {
    /// Does it get traffic?
    pub(super) fn is_usable(self) -> bool {
        matches!(self, Self::Up | Self::Unchecked)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checked {
    NotYet,
    Passing,
    Failing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passive {
    /// This many failures since the moment of the first.
    Counting { fails: u32, since: Duration },
    /// Aside until the moment, and on probation from then on.
    AsideUntil(Duration),
}

/// The health of one member.
#[derive(Clone, Debug)]
pub(super) struct Health {
    rules: Rules,
    passive: Passive,
    checked: Checked,
    /// Checks in a row that contradict `checked`.
    streak: u32,
}

impl Health {
    /// A member of which nothing is known. Without active checks (`has_checks` false) it counts as up.
    pub(super) fn new(rules: Rules, has_checks: bool) -> Self {
        Self {
            rules,
            passive: Passive::Counting {
                fails: 0,
                since: Duration::ZERO,
            },
            checked: if has_checks {
                Checked::NotYet
            } else {
                Checked::Passing
            },
            streak: 0,
        }
    }

    /// The state at `now`.
    pub(super) fn state(&self, now: Duration) -> State {
        match (self.checked, self.passive) {
            (Checked::Failing, _) => State::Down,
            (_, Passive::AsideUntil(end)) if now < end => State::Aside,
            (Checked::NotYet, _) => State::Unchecked,
            (Checked::Passing, _) => State::Up,
        }
    }

    /// A request found no connection, or lost it before the head of the answer.
    pub(super) fn failed(&mut self, now: Duration) {
        let Rules {
            max_fails,
            fail_timeout,
            ..
        } = self.rules;
        if max_fails == 0 {
            return;
        }
        let (fails, since) = match self.passive {
            Passive::AsideUntil(_) => (max_fails, now),
            Passive::Counting { fails, since }
                if fails > 0 && now.saturating_sub(since) <= fail_timeout =>
            {
                (fails.saturating_add(1), since)
            }
            Passive::Counting { .. } => (1, now),
        };
        self.passive = if fails >= max_fails {
            Passive::AsideUntil(now.saturating_add(fail_timeout))
        } else {
            Passive::Counting { fails, since }
        };
    }

    /// A request was answered. Ends the probation; a late answer to a request of before does not end the time aside.
    pub(super) fn answered(&mut self, now: Duration) {
        if matches!(self.passive, Passive::AsideUntil(end) if now >= end) {
            self.passive = Passive::Counting {
                fails: 0,
                since: now,
            };
        }
    }

    /// An active check ended. True if it changed the judgement.
    pub(super) fn checked(&mut self, passed: bool) -> bool {
        let (verdict, needed) = if passed {
            (Checked::Passing, self.rules.rise)
        } else {
            (Checked::Failing, self.rules.fall)
        };
        if self.checked == verdict {
            self.streak = 0;
            return false;
        }
        // The first checks of an unknown member may differ; only a row of equal ones decides, and one that passes is a row.
        self.streak = self.streak.saturating_add(1);
        if self.checked == Checked::NotYet && passed || self.streak >= needed {
            self.checked = verdict;
            self.streak = 0;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        max_fails: 2,
        fail_timeout: Duration::from_secs(10),
        rise: 2,
        fall: 3,
    };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn failures_within_the_timeout_put_aside_for_the_timeout() {
        let mut health = Health::new(RULES, false);
        health.failed(at(1));
        assert_eq!(health.state(at(1)), State::Up);
        health.failed(at(11));
        assert_eq!(health.state(at(11)), State::Aside);
        assert_eq!(health.state(at(20)), State::Aside);
        assert_eq!(health.state(at(21)), State::Up);
    }

    #[test]
    fn failures_further_apart_than_the_timeout_do_not_add_up() {
        let mut health = Health::new(RULES, false);
        for second in [0, 11, 22, 33] {
            health.failed(at(second));
            assert_eq!(health.state(at(second)), State::Up);
        }
    }

    #[test]
    fn probation_ends_with_the_first_failure_or_the_first_answer() {
        let mut health = Health::new(RULES, false);
        health.failed(at(0));
        health.failed(at(0));
        health.answered(at(5));
        assert_eq!(
            health.state(at(5)),
            State::Aside,
            "a late answer does not bring it back"
        );
        health.failed(at(12));
        assert_eq!(
            health.state(at(12)),
            State::Aside,
            "one failure suffices on probation"
        );
        health.answered(at(22));
        health.failed(at(23));
        assert_eq!(
            health.state(at(23)),
            State::Up,
            "after an answer it takes two again"
        );
    }

    #[test]
    fn without_max_fails_nothing_is_put_aside() {
        let mut health = Health::new(
            Rules {
                max_fails: 0,
                ..RULES
            },
            false,
        );
        (0..100).for_each(|_| health.failed(at(0)));
        assert_eq!(health.state(at(0)), State::Up);
    }

    #[test]
    fn checks_take_down_and_bring_back_after_a_row() {
        let mut health = Health::new(RULES, true);
        assert_eq!(health.state(at(0)), State::Unchecked);
        assert!(health.checked(true));
        assert_eq!(health.state(at(0)), State::Up);
        assert!(!health.checked(false));
        assert!(!health.checked(false));
        assert!(!health.checked(true));
        assert!(!health.checked(false));
        assert!(!health.checked(false));
        assert_eq!(
            health.state(at(0)),
            State::Up,
            "a passed check starts the row anew"
        );
        assert!(health.checked(false));
        assert_eq!(health.state(at(0)), State::Down);
        assert!(!health.checked(true));
        assert!(health.checked(true));
        assert_eq!(health.state(at(0)), State::Up);
    }

    #[test]
    fn an_unchecked_member_is_usable_until_a_row_of_checks_failed() {
        let mut health = Health::new(RULES, true);
        assert!(!health.checked(false));
        assert!(!health.checked(false));
        assert!(health.state(at(0)).is_usable());
        assert!(health.checked(false));
        assert_eq!(health.state(at(0)), State::Down);
    }

    #[test]
    fn a_passing_check_does_not_end_the_time_aside() {
        let mut health = Health::new(RULES, true);
        health.checked(true);
        health.failed(at(0));
        health.failed(at(0));
        health.checked(true);
        assert_eq!(health.state(at(1)), State::Aside);
    }
}
