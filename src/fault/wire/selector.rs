//! Which requests a rule hits.
//!
//! Pure. Conditions on the request come first; what meets them is counted, and the conditions on the number and the draw are
//! applied to that count. Invariant: which calls are hit is decided by (seed, place of the rule, number of the call) alone,
//! and with `sessions` by (seed, place of the rule, session).

use std::fmt;
use std::num::NonZeroU64;

use rand::Rng;

use super::grammar::{RuleError, write_item};
use super::params::{Need, Parameter, Takes};
use super::request::{Carries, Request};
use crate::model::protocol::Era;
use crate::model::seed::Purpose;
use crate::model::{Seed, Share};

/// The conditions of a rule; what is absent asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// What the request must carry.
    pub on: Option<On>,
    /// Its JSON-RPC method.
    pub method: Option<String>,
    /// The tool that it calls.
    pub tool: Option<String>,
    /// The era that it speaks.
    pub era: Option<Era>,
    /// Whether it carries a session header.
    pub session: Option<Session>,
    /// A share of the sessions, drawn by their id; what carries none is not hit.
    pub sessions: Option<Share>,
    /// Only tokens that the rule has met so often before; what carries none is not hit.
    pub token_uses: Option<NonZeroU64>,
    /// Leave out so many first.
    pub skip: u64,
    /// Of those, every n-th.
    pub nth: Option<NonZeroU64>,
    /// Of those, a share.
    pub share: Option<Share>,
    /// Hit so many at most.
    pub first: Option<u64>,
}

/// What a request carries, as rules ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// A JSON-RPC request; what a rule without `on` and `method` means.
    Call,
    /// A JSON-RPC notification or response.
    Notice,
    /// GET for an event stream.
    Get,
    /// DELETE.
    Delete,
    /// Every request, probes included.
    Any,
}

/// Whether a request carries a session header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// It does.
    With,
    /// It does not.
    Without,
}

const ON: &[(&str, On)] = &[
    ("call", On::Call),
    ("notice", On::Notice),
    ("get", On::Get),
    ("delete", On::Delete),
    ("any", On::Any),
];
const ERAS: &[(&str, Era)] = &[("legacy", Era::Legacy), ("modern", Era::Modern)];
const SESSIONS: &[(&str, Session)] = &[("with", Session::With), ("without", Session::Without)];
const NUMBER: Takes = Takes::Count {
    min: 1,
    max: 1_000_000_000,
};

/// Every condition, for help; values that are a share or free text are read here and not by [`Takes`].
pub const CONDITIONS: &[Parameter] = &[
    condition(
        "on",
        Takes::Word(&["call", "notice", "get", "delete", "any"]),
        "what the request carries: a JSON-RPC request (so without `on`, `method` and `tool`), a notification or response, the GET of a stream, DELETE, or anything, probes included",
    ),
    condition(
        "method",
        Takes::HeaderValue,
        "its JSON-RPC method, such as tools/call",
    ),
    condition("tool", Takes::HeaderValue, "the tool that it calls"),
    condition(
        "era",
        Takes::Word(&["legacy", "modern"]),
        "the era that it speaks",
    ),
    condition(
        "session",
        Takes::Word(&["with", "without"]),
        "whether it carries a session header",
    ),
    condition(
        "sessions",
        Takes::HeaderValue,
        "a share of the sessions, drawn by their ids",
    ),
    condition(
        "token-uses",
        NUMBER,
        "lets each token (of `Authorization`) pass N times, as one that expires; with status=401 clients need another",
    ),
    condition(
        "skip",
        NUMBER,
        "leaves out the first N of those that meet the conditions above",
    ),
    condition("nth", NUMBER, "hits every N-th of the rest"),
    condition(
        "share",
        Takes::HeaderValue,
        "hits a share of them, such as 10%, drawn from the seed and the number",
    ),
    condition("first", NUMBER, "hits N at most"),
];

const fn condition(name: &'static str, takes: Takes, summary: &'static str) -> Parameter {
    Parameter {
        name,
        takes,
        need: Need::Optional,
        summary,
    }
}

/// How many requests a rule has met and hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that met the conditions on the request.
    pub met: u64,
    /// Requests that were hit.
    pub hit: u64,
}

impl Selector {
    /// Reads a condition. False if `key` is none.
    pub(super) fn read(&mut self, key: &str, value: Option<&str>) -> Result<bool, RuleError> {
        let Some(parameter) = CONDITIONS.iter().find(|parameter| parameter.name == key) else {
            return Ok(false);
        };
        let given = value.unwrap_or_default();
        let wrong = |expected: &dyn fmt::Display| RuleError::Value {
            key: key.to_owned(),
            given: given.to_owned(),
            expected: expected.to_string(),
        };
        let twice = || RuleError::Twice(key.to_owned());
        let text = || match given {
            "" => Err(wrong(&"a name")),
            text => Ok(text.to_owned()),
        };
        let share = || {
            given
                .parse::<Share>()
                .map_err(|_| wrong(&"a share such as 10%"))
        };
        let number = || {
            let number = given.parse::<NonZeroU64>().ok();
            number
                .filter(|number| number.get() <= 1_000_000_000)
                .ok_or_else(|| wrong(&parameter.takes))
        };
        let word = wrong(&parameter.takes);
        let replaced = match key {
            "on" => self.on.replace(pick(ON, given).ok_or(word)?).is_some(),
            "method" => self.method.replace(text()?).is_some(),
            "tool" => self.tool.replace(text()?).is_some(),
            "era" => self.era.replace(pick(ERAS, given).ok_or(word)?).is_some(),
            "session" => self
                .session
                .replace(pick(SESSIONS, given).ok_or(word)?)
                .is_some(),
            "sessions" => self.sessions.replace(share()?).is_some(),
            "token-uses" => self.token_uses.replace(number()?).is_some(),
            "skip" => std::mem::replace(&mut self.skip, number()?.get()) != 0,
            "nth" => self.nth.replace(number()?).is_some(),
            "share" => self.share.replace(share()?).is_some(),
            _ => self.first.replace(number()?.get()).is_some(),
        };
        if replaced { Err(twice()) } else { Ok(true) }
    }

    /// Writes the conditions, each after a comma.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut item = |key: &str, value: Option<&str>| match value {
            Some(value) => {
                f.write_str(",")?;
                write_item(f, key, Some(value))
            }
            None => Ok(()),
        };
        let shares = [self.sessions, self.share].map(|share| share.map(|share| share.to_string()));
        let [sessions, share] = &shares;
        let number = |number: u64| (number > 0).then(|| number.to_string());
        item("on", self.on.and_then(|on| name(ON, on)))?;
        item("method", self.method.as_deref())?;
        item("tool", self.tool.as_deref())?;
        item("era", self.era.and_then(|era| name(ERAS, era)))?;
        item(
            "session",
            self.session.and_then(|with| name(SESSIONS, with)),
        )?;
        item("sessions", sessions.as_deref())?;
        item(
            "token-uses",
            self.token_uses.map(|uses| uses.to_string()).as_deref(),
        )?;
        item("skip", number(self.skip).as_deref())?;
        item("nth", self.nth.map(|nth| nth.to_string()).as_deref())?;
        item("share", share.as_deref())?;
        item(
            "first",
            self.first.map(|first| first.to_string()).as_deref(),
        )
    }

    /// Whether the request meets the conditions on the request itself.
    pub(super) fn meets(&self, request: &Request) -> bool {
        let carries = match (self.on, self.method.is_some() || self.tool.is_some()) {
            // With a method or a tool, that says enough.
            (Some(On::Any), _) | (None, true) => true,
            (Some(On::Call), _) | (None, false) => request.carries == Carries::Call,
            (Some(On::Notice), _) => request.carries == Carries::Notice,
            (Some(On::Get), _) => request.carries == Carries::Stream,
            (Some(On::Delete), _) => request.carries == Carries::Delete,
        };
        let same =
            |asked: &Option<String>, found: &Option<String>| asked.is_none() || asked == found;
        let session = match self.session {
            None => true,
            Some(Session::With) => request.session.is_some(),
            Some(Session::Without) => request.session.is_none(),
        };
        carries
            && session
            && same(&self.method, &request.method)
            && same(&self.tool, &request.tool)
            && (self.era.is_none() || self.era == request.era)
    }

    /// Counts a request that meets the conditions, and decides whether it is hit. `place` is the rule's, from 0.
    pub(super) fn hits(
        &self,
        counts: &mut Counts,
        request: &Request,
        seed: Seed,
        place: u32,
    ) -> bool {
        let number = counts.met;
        counts.met += 1;
        if let Some(share) = self.sessions {
            let Some(session) = &request.session else {
                return false;
            };
            // The upper half of the places belongs to the draws of sessions.
            let draw = unit(seed, place | 1 << 31, fnv(session.as_bytes()));
            if draw >= share.ratio() {
                return false;
            }
        }
        let Some(after) = number.checked_sub(self.skip) else {
            return false;
        };
        let nth = self.nth.is_none_or(|nth| (after + 1) % nth == 0);
        let drawn = self
            .share
            .is_none_or(|share| unit(seed, place, number) < share.ratio());
        let hit = nth && drawn && self.first.is_none_or(|first| counts.hit < first);
        counts.hit += u64::from(hit);
        hit
    }
}

fn pick<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| *value)
}

fn name<T: PartialEq + Copy>(
    words: &'static [(&'static str, T)],
    value: T,
) -> Option<&'static str> {
    words
        .iter()
        .find(|(_, other)| *other == value)
        .map(|(word, _)| *word)
}

/// A draw from 0 up to, but without, 1: the upper 53 bits.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a f64 exactly")]
fn unit(seed: Seed, place: u32, index: u64) -> f64 {
    let bits = seed.stream(Purpose::Wire, place, index).next_u64();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// FNV-1a (Fowler, Noll, Vo): a session's id as a number.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(text: &str) -> Selector {
        let mut selector = Selector::default();
        for item in text.split(',').filter(|item| !item.is_empty()) {
            let (key, value) = item.split_once('=').unwrap();
            assert!(selector.read(key, Some(value)).unwrap(), "{key}");
        }
        selector
    }

    fn hits(text: &str, seed: u64, count: usize) -> Vec<usize> {
        let (selector, mut counts) = (selector(text), Counts::default());
        let request = Request::default();
        (1..=count)
            .filter(|_| selector.hits(&mut counts, &request, Seed(seed), 0))
            .collect()
    }

    #[test]
    fn numbers_count_what_meets_the_conditions() {
        assert_eq!(hits("nth=3", 0, 10), [3, 6, 9]);
        assert_eq!(hits("first=2", 0, 10), [1, 2]);
        assert_eq!(hits("skip=4,nth=2,first=2", 0, 20), [6, 8]);
        assert_eq!(hits("", 0, 3), [1, 2, 3]);
    }

    #[test]
    fn a_share_is_drawn_from_the_seed_and_the_number() {
        let drawn = hits("share=10%", 7, 10_000);
        assert!((850..=1_150).contains(&drawn.len()), "{}", drawn.len());
        assert_eq!(drawn, hits("share=10%", 7, 10_000));
        assert_ne!(drawn, hits("share=10%", 8, 10_000));
        assert!(hits("share=0%", 7, 1000).is_empty());
        assert_eq!(hits("share=100%", 7, 1000).len(), 1000);
    }

    #[test]
    fn a_share_of_the_sessions_hits_a_session_always_or_never() {
        let selector = selector("sessions=30%");
        let mut counts = Counts::default();
        let mut hit = |session: Option<String>| {
            let request = Request {
                session,
                ..Request::default()
            };
            selector.hits(&mut counts, &request, Seed(7), 0)
        };
        let first: Vec<bool> = (0..1000).map(|n| hit(Some(format!("s-{n}")))).collect();
        let again: Vec<bool> = (0..1000).map(|n| hit(Some(format!("s-{n}")))).collect();
        assert_eq!(first, again);
        let share = first.iter().filter(|hit| **hit).count();
        assert!((230..=370).contains(&share), "{share}");
        assert!(!hit(None));
    }

    #[test]
    fn every_condition_must_be_met() {
        let request = Request {
            carries: Carries::Call,
            method: Some("tools/call".to_owned()),
            tool: Some("echo".to_owned()),
            era: Some(Era::Legacy),
            session: Some("s".to_owned()),
            token: None,
        };
        for (text, meets) in [
            ("", true),
            ("method=tools/call,tool=echo,era=legacy,session=with", true),
            ("on=any", true),
            ("on=call", true),
            ("on=get", false),
            ("method=tools/list", false),
            ("tool=add", false),
            ("era=modern", false),
            ("session=without", false),
        ] {
            assert_eq!(selector(text).meets(&request), meets, "{text}");
        }
        let notice = Request {
            carries: Carries::Notice,
            method: Some("notifications/initialized".to_owned()),
            ..Request::default()
        };
        assert!(!selector("").meets(&notice));
        assert!(selector("method=notifications/initialized").meets(&notice));
        assert!(selector("on=notice").meets(&notice));
        assert!(!selector("").meets(&Request::default()));
    }
}
