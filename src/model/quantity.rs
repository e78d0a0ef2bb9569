//! Quantities with their units: [`Rate`] and [`Share`], parsed from and printed as text.
//!
//! Pure. A rate is kept as a fraction of integers, so that the due time of arrival `k` is exact for every `k`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// So many things per unit of time: `100/s`, `5/m`, `0.5/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many, in thousandths, so that `0.5/s` is exact. Never zero.
    milli: u64,
    /// Nanoseconds of the unit of time.
    unit: u64,
}

/// Why a text is no [`Rate`] or [`Share`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct QuantityError(String);

const SECOND: u64 = 1_000_000_000;

impl Rate {
    /// `count` a second.
    ///
    /// # Errors
    /// If `count` is zero.
    pub fn per_second(count: u64) -> Result<Self, QuantityError> {
        Self::new(count.saturating_mul(1000), SECOND)
    }

    fn new(milli: u64, unit: u64) -> Result<Self, QuantityError> {
        if milli == 0 {
            return Err(QuantityError("a rate must be above zero".to_owned()));
        }
        if milli > 10_000_000_000 {
            return Err(QuantityError("a rate can be at most 10000000".to_owned()));
        }
        Ok(Self { milli, unit })
    }

    /// Events a second.
    #[expect(
        clippy::cast_precision_loss,
        reason = "for people, plots and ratios; schedules use due()"
    )]
    pub fn as_per_second(&self) -> f64 {
        self.milli as f64 / 1e3 / (self.unit as f64 / 1e9)
    }

    /// The due time of event `k` (counted from 0) of an even schedule: `k / rate`, rounded down to a nanosecond.
    pub fn due(&self, k: u64) -> Duration {
        let nanos = u128::from(k) * u128::from(self.unit) * 1000 / u128::from(self.milli);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many events of an even schedule are due in `length`: those with `due(k) < length`.
    pub fn count_in(&self, length: Duration) -> u64 {
        let denominator = u128::from(self.unit) * 1000;
        // due(k) is rounded down, so k counts as long as floor(k * denominator / milli) < length.
        let count = (length.as_nanos() * u128::from(self.milli)).div_ceil(denominator);
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

impl FromStr for Rate {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let wrong = || {
            QuantityError(format!(
                "expected a rate such as \"100/s\" or \"30/m\", not {text:?}"
            ))
        };
        let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
        let unit = match unit.trim() {
            "s" => SECOND,
            "m" | "min" => 60 * SECOND,
            "h" => 3600 * SECOND,
            _ => return Err(wrong()),
        };
        Self::new(decimal(count.trim(), 3).ok_or_else(wrong)?, unit)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            SECOND => "s",
            60_000_000_000 => "m",
            _ => "h",
        };
        match self.milli % 1000 {
            0 => write!(f, "{}/{unit}", self.milli / 1000),
            rest => write!(
                f,
                "{}.{}/{unit}",
                self.milli / 1000,
                format!("{rest:03}").trim_end_matches('0')
            ),
        }
    }
}

/// A part of a whole, from 0 to 1, written in percent: `99.9%`. Kept in billionths, so that `99.9%` is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// Nothing of it.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const ONE: Self = Self(1_000_000_000);

    /// The share as a number from 0 to 1.
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / 1e9
    }

    /// What is missing to the whole.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(Self::ONE.0 - self.0)
    }
}

impl FromStr for Share {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let wrong = || {
            QuantityError(format!(
                "expected a share from \"0%\" to \"100%\", not {text:?}"
            ))
        };
        let percent = text.trim().strip_suffix('%').ok_or_else(wrong)?;
        let billionths = decimal(percent.trim(), 7).ok_or_else(wrong)?;
        u32::try_from(billionths)
            .ok()
            .filter(|value| *value <= Self::ONE.0)
            .map(Self)
            .ok_or_else(wrong)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 10_000_000 {
            0 => write!(f, "{}%", self.0 / 10_000_000),
            rest => write!(
                f,
                "{}.{}%",
                self.0 / 10_000_000,
                format!("{rest:07}").trim_end_matches('0')
            ),
        }
    }
}

/// The decimal number `text` times `10^places`, if it has no more places than that.
fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > places {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse().ok()
}

macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Serialises a [`Duration`] as text: `1s 500ms`. For `#[serde(with = "duration_text")]`.
pub mod duration_text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes `1s 500ms`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    /// Reads what `serialize` wrote.
    ///
    /// # Errors
    /// If the text is no duration with a unit.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        humantime::parse_duration(&String::deserialize(deserializer)?)
            .map_err(serde::de::Error::custom)
    }
}

/// [`duration_text`] for a duration that may be absent.
pub mod optional_duration_text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes `1s 500ms` or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.collect_str(&humantime::format_duration(*duration)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads what `serialize` wrote.
    ///
    /// # Errors
    /// If the text is no duration with a unit.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| humantime::parse_duration(&text).map_err(serde::de::Error::custom))
            .transpose()
    }
}

serde_as_text!(Rate);
serde_as_text!(Share);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_read_back_as_they_print() {
        for text in ["100/s", "0.5/s", "30/m", "1/h", "12.345/s"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in [
            "",
            "100",
            "100/x",
            "-1/s",
            "0/s",
            "1e3/s",
            "/s",
            "1.2345/s",
            "99999999/s",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_exact_and_bounded() {
        assert!(("99.9%".parse::<Share>().unwrap().rest().ratio() - 0.001).abs() < 1e-12);
        for text in ["0%", "100%", "99.9%", "0.0000001%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        for text in ["101%", "5", "-1%", "%", "100.1%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_count_is_the_number_of_due_times_inside(milli in 1_u64..5_000_000, length in 1_u64..20_000_000_000) {
            let rate = Rate::new(milli, SECOND).unwrap();
            let length = Duration::from_nanos(length);
            let count = rate.count_in(length);
            prop_assert!(count == 0 || rate.due(count - 1) < length);
            prop_assert!(rate.due(count) >= length);
        }
    }
}
