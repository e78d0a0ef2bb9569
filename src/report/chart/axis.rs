//! Ticks of an axis at round numbers.
//!
//! Pure. Linear ticks are 1, 2 or 5 times a power of ten apart (Heckbert, "Nice Numbers for Graph Labels", Graphics Gems,
//! 1990); logarithmic ones stand at powers of ten, with 2 and 5 between them where there are few. Never more than a dozen.

/// Most powers of ten that a logarithmic axis spans; nanoseconds to hours are 13.
const MOST_DECADES: i32 = 14;

/// Round numbers from 0 up to the first one that is not below `greatest`, about `wanted` of them. `whole` keeps them whole.
pub fn linear(greatest: f64, wanted: u32, whole: bool) -> Vec<f64> {
    let greatest = if greatest.is_finite() && greatest > 0.0 {
        greatest
    } else {
        1.0
    };
    let step = round_step(greatest / f64::from(wanted.max(1)));
    let step = if whole { step.max(1.0).round() } else { step };
    let mut ticks = vec![0.0];
    let mut number = 0_u32;
    while ticks.last().is_some_and(|last| *last < greatest) && number < 24 {
        number += 1;
        ticks.push(step * f64::from(number));
    }
    ticks
}

/// Round numbers within `from` and `to`, about `wanted` of them: ticks of a time axis whose ends are given.
pub fn within(from: f64, to: f64, wanted: u32) -> Vec<f64> {
    if !(from.is_finite() && to.is_finite()) || to <= from {
        return Vec::new();
    }
    let step = round_step((to - from) / f64::from(wanted.max(1)));
    let first = (from / step).ceil();
    (0..=2 * wanted.max(1))
        .map(|number| (first + f64::from(number)) * step)
        .take_while(|tick| *tick <= to)
        .map(|tick| if tick == 0.0 { 0.0 } else { tick })
        .collect()
}

/// 1, 2 or 5 times a power of ten, the least one that is not below `step`.
fn round_step(step: f64) -> f64 {
    if !step.is_finite() || step <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * power >= step * (1.0 - 1e-9))
        .unwrap_or(10.0);
    factor * power
}

/// The ticks of a logarithmic axis that holds `least` to `greatest`; its ends are its first and last tick.
pub fn logarithmic(least: f64, greatest: f64) -> Vec<f64> {
    if !(least.is_finite() && greatest.is_finite()) || least <= 0.0 || greatest < least {
        return vec![1.0, 10.0];
    }
    let low = exponent(least.log10().floor());
    let high = exponent(greatest.log10().ceil())
        .max(low + 1)
        .min(low + MOST_DECADES);
    let factors: &[f64] = if high - low <= 3 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let all: Vec<f64> = (low..=high)
        .flat_map(|power| {
            factors
                .iter()
                .map(move |factor| factor * 10_f64.powi(power))
        })
        .collect();
    // The axis begins at the last tick that is not above the least value, and ends at the first that is not below the greatest.
    let start = all.iter().rposition(|tick| *tick <= least).unwrap_or(0);
    let end = all
        .iter()
        .position(|tick| *tick >= greatest)
        .unwrap_or(all.len().saturating_sub(1));
    let ticks: Vec<f64> = all
        .into_iter()
        .skip(start)
        .take((end + 1).saturating_sub(start).max(2))
        .collect();
    ticks
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of a finite f64 lies between -324 and 309"
)]
fn exponent(power: f64) -> i32 {
    power as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_ticks_are_round_and_hold_the_greatest_value() {
        assert_eq!(linear(203.0, 4, false), [0.0, 100.0, 200.0, 300.0]);
        assert_eq!(linear(4.0, 4, true), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(linear(1.0, 4, true), [0.0, 1.0]);
        assert_eq!(linear(0.0, 4, false).first(), Some(&0.0));
        assert!(linear(f64::NAN, 4, false).len() > 1);
    }

    #[test]
    fn ticks_of_time_lie_within_its_ends() {
        assert_eq!(within(-2.0, 20.0, 10), [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert!(within(5.0, 5.0, 10).is_empty());
    }

    #[test]
    fn logarithmic_ticks_hold_all_values_and_are_few() {
        assert_eq!(logarithmic(1.4e6, 45e6), [1e6, 2e6, 5e6, 1e7, 2e7, 5e7]);
        let many = logarithmic(1e-300, 1e300);
        assert!(many.len() <= 16, "{}", many.len());
        assert_eq!(logarithmic(0.0, 0.0), [1.0, 10.0]);
        assert_eq!(logarithmic(5.0, 5.0).len(), 2);
    }
}
