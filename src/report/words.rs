//! Words and numbers as every format writes them: counts, shares, times, sizes, and foreign text made visible.
//!
//! Pure. A number is written in one way everywhere, with its unit. What a server said passes through [`visible`] before any
//! format's own escaping, so that no control character reaches a terminal, a page or a file. Next: `report::tables`.

use std::fmt::Write as _;
use std::time::Duration;

use crate::analysis::{LittleStats, Quantiles, Reached, Trust};
use crate::check::Answer;
use crate::model::event::Ending;
use crate::model::protocol::Era;
use crate::model::time::humane;
use crate::model::{Offset, Window};
use crate::plan::Pinning;
use crate::plan::pinning::processors;

/// What stands where there is no number.
pub const NOTHING: &str = "-";
/// What stands for a percentile whose rank falls on operations that did not end ok.
pub const FAILED: &str = "failed";
/// What stands beside the numbers of a closed model.
pub const CLOSED: &str = "closed model: service time, not corrected for omission";
/// What is said beside the numbers of a paced closed model.
pub const PACED: &str = "closed model, paced: response time, from when each act was due; a user who waits begins no other";

/// The longest foreign text that a report shows, in characters; the rest is counted.
const LONGEST: usize = 2_000;

/// A count with thousands separators: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count that may be absent.
pub fn count_or_nothing(number: Option<u64>) -> String {
    number.map_or_else(|| NOTHING.to_owned(), count)
}

/// `3 sessions`, `1 session`.
pub fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// A ratio in percent, with as many places as are of use: `12.3 %`, `0.42 %`, `0 %`.
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if !percent.is_finite() {
        return NOTHING.to_owned();
    }
    let size = percent.abs();
    if size == 0.0 {
        "0 %".to_owned()
    } else if size < 0.001 {
        "<0.001 %".to_owned()
    } else if size < 0.1 {
        format!("{percent:.3} %")
    } else if size < 10.0 {
        format!("{percent:.2} %")
    } else if (size - 100.0).abs() < f64::EPSILON {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// `part` of `whole` in percent; nothing of nothing is no number.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share that is printed with three digits"
)]
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return NOTHING.to_owned();
    }
    percent(part as f64 / whole as f64)
}

/// A number of things that need not be whole, or that are a rate: `98.7`, `1,234`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded, and checked to be within what a u64 holds"
)]
pub fn amount(number: f64) -> String {
    if !number.is_finite() || number.abs() > 1e18 {
        return NOTHING.to_owned();
    }
    if number.abs() >= 100.0 {
        let sign = if number < 0.0 { "-" } else { "" };
        format!("{sign}{}", count(number.abs().round() as u64))
    } else {
        format!("{number:.1}")
    }
}

/// A duration in nanoseconds for people.
pub fn nanos(nanos: u64) -> String {
    humane(Duration::from_nanos(nanos))
}

/// A duration in nanoseconds that may be absent.
pub fn nanos_or_nothing(value: Option<u64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), nanos)
}

/// A percentile of `of`: `failed` where its rank falls on operations that did not end ok, `-` where there is no sample.
pub fn percentile(value: Option<u64>, of: &Quantiles) -> String {
    match value {
        Some(value) => nanos(value),
        None if of.samples > 0 && of.bad > 0 => FAILED.to_owned(),
        None => NOTHING.to_owned(),
    }
}

/// A moment of the run: `+12.345s` after its start.
pub fn moment(at: Offset) -> String {
    at.to_string()
}

/// A moment that may not have come.
pub fn moment_or_nothing(at: Option<Offset>) -> String {
    at.map_or_else(|| NOTHING.to_owned(), moment)
}

/// `+1.000s to +2.000s`.
pub fn window(window: Window) -> String {
    format!("{} to {}", moment(window.start), moment(window.end))
}

/// A size: `812 B`, `12.3 MiB`.
#[expect(
    clippy::cast_precision_loss,
    reason = "a size that is printed with three digits"
)]
pub fn bytes(size: u64) -> String {
    let mut value = size as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    match unit {
        "B" => format!("{size} B"),
        _ if value >= 100.0 => format!("{value:.0} {unit}"),
        _ => format!("{value:.1} {unit}"),
    }
}

/// The answer in capitals.
pub const fn capitals(answer: Answer) -> &'static str {
    match answer {
        Answer::Pass => "PASS",
        Answer::Inconclusive => "INCONCLUSIVE",
        Answer::Fail => "FAIL",
    }
}

/// The trust grade.
pub const fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::Valid => "valid",
        Trust::Degraded => "degraded",
        Trust::Invalid => "invalid",
    }
}

/// Both sides of Little's law, as a clause.
pub fn little(law: &LittleStats) -> String {
    if !law.enough {
        let operations = plural(law.operations, "operation");
        return format!("{operations} are not enough to tell");
    }
    let time = Duration::try_from_secs_f64(law.time_s).unwrap_or_default();
    let verdict = if law.agrees() {
        ""
    } else {
        ", which does not agree"
    };
    format!(
        "on average {} under way; {}/s x {} = {}{verdict}",
        mean(law.under_way),
        mean(law.rate),
        nanos(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
        mean(law.expected),
    )
}

/// A mean, with three significant digits or all before the point.
fn mean(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Which processors generator and fleet had, as a clause; empty where both used all.
pub fn pinning(pinning: Option<&Pinning>) -> String {
    pinning.map_or_else(String::new, |pinning| {
        format!(
            "mcpload and its workers had {}, the fleet {}",
            processors(&pinning.generator),
            processors(&pinning.fleet)
        )
    })
}

/// The era.
pub const fn era(era: Era) -> &'static str {
    match era {
        Era::Legacy => "legacy",
        Era::Modern => "modern",
    }
}

/// How the run ended, as a clause.
pub const fn ending(ending: Option<Ending>) -> &'static str {
    match ending {
        Some(Ending::Completed) => "the time line was played to its end",
        Some(Ending::NotReady) => "the fleet was not ready, or not steady before the first fault",
        Some(Ending::Interrupted) => "the run was interrupted",
        Some(Ending::Failed) => "mcpload itself failed",
        Some(Ending::Aborted) => "the run was aborted, as the scenario wants it",
        None => "the run was cut: its last event is missing",
    }
}

/// When a state was reached after a fault took effect.
pub fn reached(reached: Reached) -> String {
    match reached {
        Reached::NoImpact => "no impact seen".to_owned(),
        Reached::After(after) => format!("after {}", nanos(after)),
        Reached::NotWithin(0) => "not observed for long enough to tell".to_owned(),
        Reached::NotWithin(within) => format!("not within {}", nanos(within)),
        Reached::Unknown => "unknown".to_owned(),
    }
}

/// `text` or, if it is empty, `other`.
pub fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}

/// Foreign text on one line: control characters, line ends, invisible characters and those that turn the direction of writing
/// are shown as escapes (`\n`, `\u{1b}`), and what is beyond 2,000 characters is only counted.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (number, character) in text.chars().enumerate() {
        if number == LONGEST {
            let rest = text.chars().count() - LONGEST;
            let _ = write!(shown, "… ({} more)", plural(rest as u64, "character"));
            break;
        }
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if is_hidden(character) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// Whether a character cannot be seen, or changes how others are seen: C0 and C1 controls, line and paragraph separators,
/// marks of direction, zero-width characters, tags, and what XML does not allow.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// At most `longest` characters of `text`, the last one `…` if there were more.
pub fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(longest.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators_at_every_third_place() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn shares_keep_the_digits_that_matter() {
        for (part, whole, text) in [
            (0, 0, "-"),
            (0, 10, "0 %"),
            (10, 10, "100 %"),
            (1, 3, "33.3 %"),
            (1, 250, "0.40 %"),
            (1, 5_000, "0.020 %"),
            (1, 1_000_000_000, "<0.001 %"),
        ] {
            assert_eq!(share(part, whole), text);
        }
        assert_eq!(percent(f64::NAN), "-");
    }

    #[test]
    fn a_percentile_without_a_value_says_why() {
        let none = Quantiles::default();
        assert_eq!(percentile(None, &none), "-");
        let bad = Quantiles {
            samples: 10,
            bad: 4,
            ..none
        };
        assert_eq!(percentile(None, &bad), "failed");
        assert_eq!(percentile(Some(1_500_000), &bad), "1.50 ms");
    }

    #[test]
    fn what_cannot_be_seen_is_shown_as_an_escape() {
        assert_eq!(
            visible("a\u{1b}[31m\r\nb\u{202e}c\u{9b}"),
            r"a\u{1b}[31m\r\nb\u{202e}c\u{9b}"
        );
        assert_eq!(visible("grün 👍"), "grün 👍");
    }

    #[test]
    fn long_foreign_text_is_cut_and_counted() {
        let shown = visible(&"x".repeat(1_000_000));
        assert!(shown.ends_with("x… (998,000 characters more)"));
        assert!(shown.len() < 2_100);
    }

    #[test]
    fn sizes_and_amounts_have_three_digits() {
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(12_900_000), "12.3 MiB");
        assert_eq!(bytes(943_718_400), "900 MiB");
        assert_eq!(amount(98.74), "98.7");
        assert_eq!(amount(1_234.4), "1,234");
        assert_eq!(amount(f64::INFINITY), "-");
    }

    #[test]
    fn one_thing_is_not_plural() {
        assert_eq!(plural(1, "session"), "1 session");
        assert_eq!(plural(2_000, "session"), "2,000 sessions");
    }
}
