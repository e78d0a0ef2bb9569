//! What becomes of a connection as a whole: dialled late or not at all, reset, closed, or half gone.
//!
//! Pure. Decided from the rules and what is known of the connection, whenever rules change or [`Fate::due`] comes.

use super::item::{Ending, nanos};
use super::rules::{Armed, Draw, RuleSet};
use super::toxic::Side;
use super::{Toxic, Way, stages};

/// What is known of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Its number, from 0 in the order of acceptance.
    pub(crate) connection: u64,
    /// When it was accepted, a raw reading of the clock.
    pub(crate) accepted: i64,
    /// Whether a side of it is gone already.
    pub(crate) is_half: bool,
}

/// What the rules want of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// It ends now.
    pub(crate) ending: Option<Ending>,
    /// A side is gone.
    pub(crate) gone: Option<Side>,
    /// When the server may be dialled; None as long as nothing gets there.
    pub(crate) dial_at: Option<i64>,
    /// When this is to be decided again.
    pub(crate) due: Option<i64>,
}

impl Fate {
    fn ends_at(&mut self, ending: Ending, at: i64, now: i64, armed: &Armed) {
        if at > now {
            self.due = Some(self.due.map_or(at, |due| due.min(at)));
        } else if self.ending.is_none() {
            armed.tally.hits(now);
            self.ending = Some(ending);
        }
    }
}

/// Decides.
pub(crate) fn fate(rules: &RuleSet, facts: Facts, now: i64) -> Fate {
    let mut fate = Fate {
        ending: None,
        gone: None,
        dial_at: Some(facts.accepted),
        due: None,
    };
    let selected = rules
        .armed
        .iter()
        .filter(|armed| armed.selects(facts.connection));
    for armed in selected {
        let is_new = facts.connection >= armed.since;
        match &armed.rule.what {
            Toxic::Reset(_) if !is_new => fate.ends_at(Ending::Reset, now, now, armed),
            Toxic::Reset(reset) => match (reset.after, reset.after_bytes) {
                (Some(after), _) => {
                    let at = facts.accepted.saturating_add(nanos(after));
                    fate.ends_at(Ending::Reset, at, now, armed);
                }
                (None, None) => fate.ends_at(Ending::Reset, now, now, armed),
                (None, Some(_)) => {}
            },
            Toxic::Refuse if is_new => fate.ends_at(Ending::Reset, now, now, armed),
            Toxic::HalfOpen(half) if !is_new => {
                if !facts.is_half && fate.gone.is_none() {
                    armed.tally.hits(now);
                }
                fate.gone = fate.gone.or(Some(half.gone));
            }
            Toxic::Blackhole(hole) => {
                if armed.rule.direction.covers(Way::ToServer) {
                    fate.dial_at = None;
                }
                if let Some(after) = hole.close_after {
                    let at = armed.at.max(facts.accepted).saturating_add(nanos(after));
                    fate.ends_at(Ending::Close, at, now, armed);
                }
            }
            Toxic::Latency(latency) if latency.connect => {
                let mut draws = armed.draws(Draw::Connects, facts.connection);
                let ways = [Way::ToServer, Way::ToClient];
                for _ in ways.iter().filter(|way| armed.rule.direction.covers(**way)) {
                    let wait = stages::delay(latency, &mut draws);
                    fate.dial_at = fate.dial_at.map(|at| at.saturating_add(wait));
                }
            }
            _ => {}
        }
    }
    fate
}
