//! [`Holding`]: the token that a client holds, and what its expiry, a 401 or a 403 call for.
//!
//! Pure. A token is renewed before it expires, by a margin of a fifth of its life, 60 s at most. A token that the resource
//! refuses (401) is replaced once: if the new one is refused too, without having been accepted in between, nothing more is asked
//! for 10 s. Lacking scopes (403 `insufficient_scope`) are asked for once, together with all that was asked for before, and at
//! most three times without a request being accepted in between. So no server can keep a client in a loop. Times are raw
//! readings of the clock that the caller hands in. Next: `auth::authority` does what is decided here.

use super::Bearer;
use super::fetch::Reason;
use super::grant::Token;
use super::scope::{self, Scopes};

/// One second, nanoseconds.
const SECOND: i64 = 1_000_000_000;
/// How early a token is renewed at most, nanoseconds.
const MAX_MARGIN: i64 = 60 * SECOND;
/// The part of its life that a token is renewed early, and the part of that margin after which a failed renewal is repeated.
const MARGIN_PARTS: i64 = 5;
/// For how long nothing is asked for after a fresh token was refused, nanoseconds.
const REFUSED_PAUSE: i64 = 10 * SECOND;
/// For how long a token that was never used is handed out, however short its life, nanoseconds.
const FIRST_USE: i64 = SECOND;
/// How often scopes are asked for without a request being accepted in between.
const MAX_STEP_UPS: u32 = 3;

/// What comes before the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: what is held, if anything, is handed out.
    Hand,
    /// A token is asked for.
    Fetch(Reason),
}

/// What a challenge calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The request can be repeated at once: there is a newer token already.
    Repeat,
    /// Nothing would be different.
    Pointless,
    /// A token is asked for.
    Fetch(Reason),
}

/// One client's token and its history.
#[derive(Debug)]
pub(super) struct Holding {
    held: Option<Held>,
    /// The token that was handed out last.
    handed: Option<u64>,
    serial: u64,
    /// What the last token was asked for with.
    requested: Option<Scopes>,
    /// All scopes that were ever asked for, granted or finally refused.
    attempted: Scopes,
    step_ups: u32,
    /// A renewal that was tried is not repeated before this moment, raw.
    renew_again: i64,
}

#[derive(Debug)]
struct Held {
    bearer: Bearer,
    fetched: i64,
    /// From when on it is renewed, raw; `None`: it doesn't expire as far as is known.
    renew: Option<i64>,
    /// Whether a challenge led to it.
    answers_challenge: bool,
    handed: bool,
    accepted: bool,
}

impl Held {
    fn is_fresh(&self, now: i64) -> bool {
        self.renew.is_none_or(|at| now < at) || (!self.handed && now - self.fetched < FIRST_USE)
    }

    fn is_alive(&self, now: i64) -> bool {
        self.bearer.expires.is_none_or(|at| now < at)
    }
}

impl Holding {
    pub(super) fn new() -> Self {
        Self {
            held: None,
            handed: None,
            serial: 0,
            requested: None,
            attempted: Scopes::default(),
            step_ups: 0,
            renew_again: i64::MIN,
        }
    }

    /// What comes before a request that is about to be sent. `may_begin` says whether a first token may be asked for.
    ///
    /// Tokens are renewed early so that there is time for more than one attempt; an attempt counts as soon as it begins, because
    /// whoever makes it may be interrupted.
    pub(super) fn next(&mut self, now: i64, may_begin: bool) -> Next {
        match &self.held {
            Some(held) if held.is_fresh(now) => Next::Hand,
            Some(held) if held.is_alive(now) && now < self.renew_again => Next::Hand,
            Some(held) => {
                let margin = held.bearer.expires.zip(held.renew);
                let margin = margin.map_or(SECOND, |(expires, renew)| expires - renew);
                self.renew_again = now.saturating_add(margin / MARGIN_PARTS);
                Next::Fetch(Reason::Renewal)
            }
            None if may_begin => Next::Fetch(Reason::First),
            None => Next::Hand,
        }
    }

    /// The token for a request.
    pub(super) fn hand(&mut self) -> Option<Bearer> {
        let bearer = self.held.as_mut().map(|held| {
            held.handed = true;
            held.bearer.clone()
        });
        self.handed = bearer.as_ref().map(|bearer| bearer.serial);
        bearer
    }

    /// Which token was handed out last.
    pub(super) fn handed(&self) -> Option<u64> {
        self.handed
    }

    /// There is no new token. Whether the old one still counts; it is dropped otherwise.
    pub(super) fn still_good(&mut self, now: i64) -> bool {
        let good = self.held.as_ref().is_some_and(|held| held.is_alive(now));
        if !good {
            self.held = None;
        }
        good
    }

    /// A request with the token that was handed out last was accepted.
    pub(super) fn accepted(&mut self) {
        self.step_ups = 0;
        let handed = self.handed;
        if let Some(held) = self.held_if(handed) {
            held.accepted = true;
        }
    }

    /// A request with the token `used`, or without one, was answered 401.
    pub(super) fn refused(&mut self, used: Option<u64>, now: i64) -> Answer {
        match &self.held {
            // The answer to an older request: the refusal of its token was dealt with.
            Some(held) if Some(held.bearer.serial) != used => return Answer::Repeat,
            Some(held)
                if held.answers_challenge
                    && !held.accepted
                    && now - held.fetched < REFUSED_PAUSE =>
            {
                return Answer::Pointless;
            }
            _ => self.held = None,
        }
        Answer::Fetch(match used {
            Some(_) => Reason::Refused,
            None => Reason::First,
        })
    }

    /// A request with the token `used`, or without one, was answered 403 `insufficient_scope`, which names these scopes.
    pub(super) fn insufficient(&mut self, used: Option<u64>, scopes: Option<&Scopes>) -> Answer {
        // It was refused for its scopes only.
        let is_current = self
            .held_if(used)
            .map(|held| held.accepted = true)
            .is_some();
        let has_them = match (&self.requested, scopes) {
            (Some(requested), Some(scopes)) => requested.covers(scopes),
            _ => true,
        };
        if self.held.is_some() && !is_current && has_them {
            Answer::Repeat
        } else if self.step_ups == MAX_STEP_UPS {
            Answer::Pointless
        } else {
            Answer::Fetch(Reason::StepUp)
        }
    }

    /// The scopes to ask for: at first a choice, later what was asked for before and what the challenge adds.
    pub(super) fn wanted(
        &self,
        reason: Reason,
        challenged: Option<&Scopes>,
        configured: Option<&Scopes>,
        supported: &Scopes,
    ) -> Scopes {
        let Some(previous) = &self.requested else {
            return scope::choose(challenged, configured, supported);
        };
        let more = match (challenged, reason) {
            (Some(challenged), _) => challenged,
            (None, Reason::StepUp) => supported,
            (None, _) => return previous.clone(),
        };
        previous.union(more).unwrap_or_else(|| previous.clone())
    }

    /// Begins to ask for more scopes; `false` if all of them were asked for before.
    pub(super) fn begin_step_up(&mut self, scopes: &Scopes) -> bool {
        if self.held.is_some() && self.attempted.covers(scopes) {
            return false;
        }
        self.step_ups += 1;
        true
    }

    /// These scopes were asked for, and the server decided.
    pub(super) fn decided(&mut self, scopes: &Scopes) {
        // A set that would become too large stays as it is; the number of step-ups is bounded apart from it.
        if let Some(attempted) = self.attempted.union(scopes) {
            self.attempted = attempted;
        }
    }

    /// Holds a token that was asked for at `now` with these scopes. `answers_challenge` says whether a challenge led to it.
    pub(super) fn hold(&mut self, token: Token, scopes: Scopes, answers_challenge: bool, now: i64) {
        self.serial += 1;
        self.renew_again = i64::MIN;
        self.requested = Some(scopes);
        // From when it was asked for: the server counts from a later moment.
        let expires = token.lifetime.map(|life| now.saturating_add(life));
        let margin = token
            .lifetime
            .map(|life| (life / MARGIN_PARTS).min(MAX_MARGIN));
        self.held = Some(Held {
            bearer: Bearer {
                value: token.value,
                expires,
                serial: self.serial,
            },
            fetched: now,
            renew: expires
                .zip(margin)
                .map(|(expires, margin)| expires - margin),
            answers_challenge,
            handed: false,
            accepted: false,
        });
    }

    /// The token that is held, if it is this one.
    fn held_if(&mut self, serial: Option<u64>) -> Option<&mut Held> {
        self.held
            .as_mut()
            .filter(|held| Some(held.bearer.serial) == serial)
    }
}

#[cfg(test)]
mod tests;
