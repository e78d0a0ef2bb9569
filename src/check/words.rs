//! Words for numbers in headlines and evidence.
//!
//! Pure.

use std::time::Duration;

use crate::model::time::humane;

/// A count with separators: `1,200`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

/// A ratio in percent, with as many places as it takes to tell it from nothing: `33.2 %`, `0.015 %`.
pub(super) fn percent(ratio: f64) -> String {
    let value = ratio * 100.0;
    if value == 0.0 || value >= 99.95 {
        format!("{value:.0} %")
    } else if value >= 1.0 {
        format!("{value:.1} %")
    } else if value >= 0.01 {
        format!("{value:.3} %")
    } else {
        format!("{value:.5} %")
    }
}

/// Nanoseconds for people.
pub(super) fn nanos(value: u64) -> String {
    humane(Duration::from_nanos(value))
}

/// `1 call`, `2 calls`.
pub(super) fn plural(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {noun}{end}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(count(100_000), "100,000");
        assert_eq!(percent(0.3321), "33.2 %");
        assert_eq!(percent(0.00015), "0.015 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(plural(1, "operation"), "1 operation");
        assert!((ratio(1, 0)).abs() < f64::EPSILON);
    }
}
