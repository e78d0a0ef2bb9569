//! The toxics: each a struct that a fault kind's parameters can hold as it is.
//!
//! Pure. Times are text (`50ms`) where they are stored. Next: `stages` for those that act on bytes, `fate` for those that act
//! on connections.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::wire::Rule;
use crate::model::Share;
use crate::model::quantity::{duration_text, optional_duration_text};

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "toxic", rename_all = "kebab-case")]
pub enum Toxic {
    /// Bytes, and the end, arrive later.
    Latency(Latency),
    /// Bytes arrive no faster than this.
    Bandwidth(Bandwidth),
    /// Only the end arrives later.
    SlowClose(SlowClose),
    /// Everything is dropped in silence.
    Blackhole(Blackhole),
    /// Connections are reset (RST to both sides).
    Reset(Reset),
    /// New connections are refused; live ones go on. With a share below 100 % those that are selected are accepted by the kernel
    /// and reset at once, for a listener can only refuse all.
    Refuse,
    /// Bytes arrive in small pieces.
    Slicer(Slicer),
    /// After so many bytes the connection ends.
    LimitBytes(LimitBytes),
    /// Chunks are lost and sent again, as TCP would after a timeout.
    Stall(Stall),
    /// One side is gone and the other is not told.
    HalfOpen(HalfOpen),
    /// Answers of HTTP or MCP become other bytes.
    Answers(Answers),
}

impl Toxic {
    /// Its name, as it is stored.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Bandwidth(_) => "bandwidth",
            Self::SlowClose(_) => "slow-close",
            Self::Blackhole(_) => "blackhole",
            Self::Reset(_) => "reset",
            Self::Refuse => "refuse",
            Self::Slicer(_) => "slicer",
            Self::LimitBytes(_) => "limit-bytes",
            Self::Stall(_) => "stall",
            Self::HalfOpen(_) => "half-open",
            Self::Answers(_) => "answers",
        }
    }
}

/// One way's delay. Whatever is drawn, a chunk never overtakes the one before it, and what is pipelined is not throttled (up to
/// [`MOST_HELD`] bytes under way).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// The delay; with `both`, a round trip takes twice as long.
    #[serde(with = "duration_text")]
    pub delay: Duration,
    /// How much it varies, as the distribution says.
    #[serde(default, with = "duration_text")]
    pub jitter: Duration,
    /// How it varies.
    #[serde(default)]
    pub distribution: Distribution,
    /// Whether a new connection waits too, once for each way that the rule acts on: the client's own handshake is done by the
    /// kernel, so the server is dialled later, and the first bytes wait for that.
    #[serde(default)]
    pub connect: bool,
}

/// The most bytes that are held for one way of a connection, bytes; then nothing more is read, and the sender feels it.
pub const MOST_HELD: usize = 1 << 20;

/// How delays vary. None is below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// Evenly from `delay - jitter` to `delay + jitter`.
    #[default]
    Uniform,
    /// Normal: `delay` is the mean, `jitter` the standard deviation.
    Normal,
    /// At least `delay`, with a heavy tail: `delay + jitter * (u^(-1/3) - 1)` for `u` even in (0, 1], at most 100 times `jitter`
    /// more; half of `jitter` more on average.
    Pareto,
}

/// A rate that is not exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bandwidth {
    /// Bytes a second, each way.
    pub bytes_per_second: NonZeroU64,
    /// Who shares it.
    #[serde(default)]
    pub scope: Scope,
}

/// Who shares a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Each connection has it for itself.
    #[default]
    Connection,
    /// All selected connections of the link together.
    Link,
}

/// A late end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowClose {
    /// How long the end (FIN or RST) is held.
    #[serde(with = "duration_text")]
    pub delay: Duration,
}

/// Silence: no byte and no end arrives, live connections stay open, new ones are accepted and, if it acts on the way to the
/// server, not carried there. When it is lifted, a connection that lost something is reset, and one that did not goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blackhole {
    /// Close the connection after so long, counted from when the rule began to act on it, whatever it sends meanwhile.
    #[serde(default, with = "optional_duration_text")]
    pub close_after: Option<Duration>,
}

/// Resets. Live connections are reset at once; new ones after `after` or `after_bytes`, whatever comes first, and without
/// either as soon as they are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// How long a new connection lives.
    #[serde(default, with = "optional_duration_text")]
    pub after: Option<Duration>,
    /// How many bytes a new connection carries on a way that the rule acts on.
    #[serde(default)]
    pub after_bytes: Option<u64>,
}

/// Small pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slicer {
    /// Their average size, bytes.
    pub average: NonZeroU64,
    /// How much smaller or larger they may be, bytes; drawn evenly.
    #[serde(default)]
    pub variation: u64,
    /// The wait between one and the next.
    #[serde(default, with = "duration_text")]
    pub delay: Duration,
}

/// An end after so many bytes, which all arrive, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitBytes {
    /// How many bytes pass on a way, counted from when the rule began to act on the connection.
    pub bytes: u64,
    /// How the connection then ends.
    #[serde(default)]
    pub then: Then,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// In order (FIN).
    #[default]
    Close,
    /// RST to both sides.
    Reset,
}

/// Loss as TCP shows it to those who use it: nothing is missing, but all waits until what was lost was sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// How likely a chunk is lost; and so its repetition, up to six times.
    pub probability: Share,
    /// The first wait, which doubles with each further loss; 200 ms is the least that Linux waits.
    #[serde(default = "retransmission_timeout", with = "duration_text")]
    pub pause: Duration,
}

const fn retransmission_timeout() -> Duration {
    Duration::from_millis(200)
}

/// Connections that live when the rule is applied lose one side; new ones pass. When it is lifted, the side that stayed learns
/// of it by a reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HalfOpen {
    /// Who is gone.
    #[serde(default)]
    pub gone: Side,
}

/// One side of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Who listens behind the link: clients wait for it in vain.
    #[default]
    Server,
    /// Who connected: servers keep a connection that nobody uses.
    Client,
}

/// Other answers; for links that carry HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// The rules, the first that hits a request acts on its answer.
    pub rules: Vec<Rule>,
}
