//! Switches that make the server worse on purpose, and the draws that decide which calls they hit.
//!
//! Pure. Defects of state only: a wrong answer, an error, a delay, a lost session. What is only different bytes on the wire
//! is not here. Invariant: call `k` of a process is hit or spared by
//! (seed, defect, `k`) alone, so that a run with the same order of calls meets the same defects. A switch that is off
//! costs a comparison.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::args::{as_optional_text, as_text, parse_lifetime};
use crate::model::Share;

/// Switches of the reference server that make it misbehave; all are off by default.
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(next_help_heading = "Defects")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line, independent of the others"
)]
pub struct DefectArgs {
    /// How long `echo` sleeps before it answers
    #[arg(long, default_value = "0s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    #[serde(serialize_with = "as_text")]
    pub echo_delay: Duration,
    /// Share of tool calls that answer a JSON-RPC internal error and do nothing
    #[arg(long, default_value = "0%", value_name = "SHARE")]
    pub error_rate: Share,
    /// Share of `echo` calls that answer another text
    #[arg(long, default_value = "0%", value_name = "SHARE")]
    pub wrong_answer: Share,
    /// Status for a session id that it does not know: 404 as specified, or 400 as some servers do
    #[arg(long, default_value = "404", value_name = "STATUS")]
    pub unknown_session: UnknownSession,
    /// End each session so long after its birth, used or not
    #[arg(long, value_name = "DURATION", value_parser = parse_lifetime)]
    #[serde(serialize_with = "as_optional_text")]
    pub session_lifetime: Option<Duration>,
    /// Events that are left out when a stream is resumed; its answer is not
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub resume_gap: u64,
    /// Send the event again that a client names when it resumes a stream
    #[arg(long, conflicts_with = "resume_gap")]
    pub resume_double: bool,
    /// Let cancelled calls go on, and answer them
    #[arg(long)]
    pub ignore_cancel: bool,
    /// Share of subscriptions that are confirmed and never served
    #[arg(long, default_value = "0%", value_name = "SHARE")]
    pub forget_subscription: Share,
    /// Share of `effect` calls that are executed twice
    #[arg(long, default_value = "0%", value_name = "SHARE")]
    pub duplicate_effect: Share,
    /// Seal `requestState` with a key of this process, so that no other instance can continue a call
    #[arg(long)]
    pub private_request_state: bool,
    /// Do not react to SIGTERM at all
    #[arg(long)]
    pub ignore_sigterm: bool,
    /// Seed of the draws for the shares above
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub defect_seed: u64,
}

/// What a request with an unknown session id is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
pub enum UnknownSession {
    /// 404, as the specification demands.
    #[value(name = "404")]
    #[serde(rename = "404")]
    NotFound,
    /// 400 with error -32000 and no id, as servers on the first TypeScript SDK answer.
    #[value(name = "400")]
    #[serde(rename = "400")]
    BadRequest,
}

/// The defects of one process: the switches and how far their draws have come.
#[derive(Debug)]
pub(super) struct Defects {
    pub(super) echo_delay: Duration,
    pub(super) unknown_session: UnknownSession,
    pub(super) ignore_cancel: bool,
    error: Draws,
    wrong: Draws,
    forget: Draws,
    duplicate: Draws,
}

impl Defects {
    pub(super) fn new(args: &DefectArgs) -> Self {
        Self {
            echo_delay: args.echo_delay,
            unknown_session: args.unknown_session,
            ignore_cancel: args.ignore_cancel,
            error: Draws::new(args.defect_seed, 1, args.error_rate),
            wrong: Draws::new(args.defect_seed, 2, args.wrong_answer),
            forget: Draws::new(args.defect_seed, 3, args.forget_subscription),
            duplicate: Draws::new(args.defect_seed, 4, args.duplicate_effect),
        }
    }

    /// Whether the tool call that comes now is to fail.
    pub(super) fn fails_now(&self) -> bool {
        self.error.next()
    }

    /// Whether the subscription that comes now is to be forgotten.
    pub(super) fn forgets_now(&self) -> bool {
        self.forget.next()
    }

    /// Whether the effect that comes now is to be executed twice.
    pub(super) fn duplicates_now(&self) -> bool {
        self.duplicate.next()
    }

    /// What `echo` answers to `text` now: the text, or one that is surely another.
    pub(super) fn echo(&self, text: String) -> String {
        if self.wrong.next() {
            format!("not {text}")
        } else {
            text
        }
    }
}

/// A sequence of yes and no, yes with a given share.
#[derive(Debug)]
struct Draws {
    seed: u64,
    share: Share,
    count: AtomicU64,
}

impl Draws {
    fn new(seed: u64, stream: u64, share: Share) -> Self {
        Self {
            seed: mix(seed ^ mix(stream)),
            share,
            count: AtomicU64::new(0),
        }
    }

    fn next(&self) -> bool {
        if self.share == Share::ZERO {
            return false;
        }
        let k = self.count.fetch_add(1, Ordering::Relaxed);
        unit(mix(self.seed.wrapping_add(k))) < self.share.ratio()
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
pub(super) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The upper 53 bits as a number from 0 up to, but without, 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a f64 exactly")]
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, share: &str) -> Vec<bool> {
        let draws = Draws::new(seed, 1, share.parse().unwrap());
        (0..10_000).map(|_| draws.next()).collect()
    }

    #[test]
    fn a_share_is_hit_as_often_as_it_says() {
        for (share, low, high) in [("0%", 0, 0), ("100%", 10_000, 10_000), ("10%", 850, 1_150)] {
            let hits = drawn(7, share).into_iter().filter(|hit| *hit).count();
            assert!((low..=high).contains(&hits), "{share}: {hits}");
        }
    }

    #[test]
    fn the_seed_decides_which_calls_are_hit() {
        assert_eq!(drawn(7, "10%"), drawn(7, "10%"));
        assert_ne!(drawn(7, "10%"), drawn(8, "10%"));
    }

    #[test]
    fn a_wrong_echo_is_never_the_text() {
        let args = DefectArgs {
            echo_delay: Duration::ZERO,
            error_rate: Share::ZERO,
            wrong_answer: Share::ONE,
            unknown_session: UnknownSession::NotFound,
            session_lifetime: None,
            resume_gap: 0,
            resume_double: false,
            ignore_cancel: false,
            forget_subscription: Share::ZERO,
            duplicate_effect: Share::ONE,
            private_request_state: false,
            ignore_sigterm: false,
            defect_seed: 0,
        };
        let defects = Defects::new(&args);
        for text in ["", "not ", "not not "] {
            assert_ne!(defects.echo(text.to_owned()), text);
        }
        assert!(!defects.fails_now() && !defects.forgets_now() && defects.duplicates_now());
    }
}
