//! The statistics that judgement rests on: exact bounds of a proportion, and tests of one count against another.
//!
//! Pure. Everything here is a function of counts; nothing approximates where an exact tail is cheap. Known answers:
//! `stats::pbeta`, `stats::binom.test` and `stats::fisher.test` of R.

/// One-sided 95 % quantile of the normal distribution.
const Z_95: f64 = 1.644_853_626_951_472_2;

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of operations stay far below 2^53"
)]
const fn real(count: u64) -> f64 {
    count as f64
}

/// `ln Γ(x)` for `x > 0`: Lanczos' approximation with g = 7 and 9 terms (Godfrey), error below 1e-13.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    let mut place = x;
    for term in TERMS {
        place += 1.0;
        sum += term / place;
    }
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularised incomplete beta function `I_x(a, b)`, by its continued fraction (Lentz; Numerical Recipes 6.4).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast on this side of the mean only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp() / a;
    let tiny = 1e-300;
    let away = |value: f64| if value.abs() < tiny { tiny } else { value };
    let mut upper = 1.0;
    let mut lower = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = lower;
    let mut step = 1.0;
    while step < 10_000.0 {
        let place = a + 2.0 * step;
        let even = step * (b - step) * x / ((place - 1.0) * place);
        lower = 1.0 / away(1.0 + even * lower);
        upper = away(1.0 + even / upper);
        fraction *= lower * upper;
        let odd = -(a + step) * (a + b + step) * x / (place * (place + 1.0));
        lower = 1.0 / away(1.0 + odd * lower);
        upper = away(1.0 + odd / upper);
        fraction *= lower * upper;
        if (lower * upper - 1.0).abs() < 1e-14 {
            break;
        }
        step += 1.0;
    }
    front * fraction
}

/// The `x` at which the rising function `of` reaches `level`, within 1e-15.
fn solve(level: f64, of: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if of(middle) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The one-sided upper Clopper-Pearson bound of a proportion of which `bad` of `samples` were seen, at `confidence`
/// (0.95): the `p` with `P(X <= bad) = 1 - confidence`. One without samples.
pub fn upper_bound(bad: u64, samples: u64, confidence: f64) -> f64 {
    if bad >= samples {
        return 1.0;
    }
    let (a, b) = (real(bad) + 1.0, real(samples - bad));
    solve(confidence, |x| incomplete_beta(x, a, b))
}

/// The one-sided lower Clopper-Pearson bound: the `p` with `P(X >= bad) = 1 - confidence`. Zero without bad ones.
pub fn lower_bound(bad: u64, samples: u64, confidence: f64) -> f64 {
    if bad == 0 || samples == 0 {
        return 0.0;
    }
    let bad = bad.min(samples);
    let (a, b) = (real(bad), real(samples - bad) + 1.0);
    solve(1.0 - confidence, |x| incomplete_beta(x, a, b))
}

/// `P(X >= bad)` of `samples` trials with chance `chance` each.
pub fn binomial_tail(bad: u64, samples: u64, chance: f64) -> f64 {
    if bad == 0 {
        return 1.0;
    }
    if bad > samples {
        return 0.0;
    }
    incomplete_beta(chance, real(bad), real(samples - bad) + 1.0)
}

/// Fisher's exact test, one-sided: the chance of at least `bad` among these `samples`, were they of one kind with the
/// `other_bad` of `other_samples`.
pub fn fisher(bad: u64, samples: u64, other_bad: u64, other_samples: u64) -> f64 {
    let all = samples + other_samples;
    let all_bad = bad + other_bad;
    let choose = |n: u64, k: u64| {
        ln_gamma(real(n) + 1.0) - ln_gamma(real(k) + 1.0) - ln_gamma(real(n - k) + 1.0)
    };
    let most = samples.min(all_bad);
    // What must be bad among the samples because the others cannot hold it.
    let least = all_bad.saturating_sub(other_samples);
    if bad <= least {
        return 1.0;
    }
    let total = choose(all, all_bad);
    let mut sum = 0.0;
    for hits in bad..=most {
        let term = (choose(samples, hits) + choose(other_samples, all_bad - hits) - total).exp();
        sum += term;
        // Beyond the mode the terms fall faster than geometrically.
        if term < sum * 1e-15 {
            break;
        }
    }
    sum.min(1.0)
}

/// The one-sided upper 95 % Wilson bound of a proportion (Wilson 1927). One without samples.
pub fn wilson_upper(bad: u64, samples: u64) -> f64 {
    if samples == 0 {
        return 1.0;
    }
    let n = real(samples);
    let p = real(bad.min(samples)) / n;
    let z2 = Z_95 * Z_95;
    let centre = p + z2 / (2.0 * n);
    let spread = Z_95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((centre + spread) / (1.0 + z2 / n)).min(1.0)
}

/// The least number of samples with none bad whose Wilson bound is at most `tolerance`: `z^2 (1 - t) / t`.
pub fn wilson_least(tolerance: f64) -> f64 {
    (Z_95 * Z_95 * (1.0 - tolerance) / tolerance.max(1e-9)).ceil()
}

/// How many samples would decide whether a proportion is at most `allowed`, if the ratio stayed as it was seen; `None` if
/// more than a thousand million would not.
pub fn samples_needed(bad: u64, samples: u64, allowed: f64, confidence: f64) -> Option<u64> {
    let seen = if samples == 0 {
        0.0
    } else {
        real(bad) / real(samples)
    };
    let decides = |n: u64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a ratio of at most one times a count"
        )]
        let expected = (seen * real(n)).round() as u64;
        upper_bound(expected, n, confidence) <= allowed
            || lower_bound(expected, n, confidence) > allowed
    };
    let mut high = samples.max(1);
    while !decides(high) {
        high = high.checked_mul(2).filter(|n| *n <= 1_000_000_000)?;
    }
    let mut low = high / 2;
    while low + 1 < high {
        let middle = low.midpoint(high);
        if decides(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64, tolerance: f64) {
        assert!(
            (value - expected).abs() <= tolerance,
            "{value} is not {expected}"
        );
    }

    #[test]
    fn upper_bounds_are_those_of_r() {
        for (bad, samples, expected) in [
            (0, 300, 0.009_936_1),
            (0, 1000, 0.002_991_2),
            (1, 1000, 0.004_735_0),
            (10, 1000, 0.016_903_2),
            (5, 10_000, 0.001_051_0),
        ] {
            near(upper_bound(bad, samples, 0.95), expected, 5e-8);
        }
    }

    #[test]
    fn the_two_sided_interval_is_that_of_r() {
        near(lower_bound(10, 1000, 0.975), 0.004_805_5, 5e-8);
        near(upper_bound(10, 1000, 0.975), 0.018_313_2, 5e-8);
    }

    #[test]
    fn the_gate_decides_at_the_published_counts() {
        // Percentile, samples, greatest count that surely passes (none: -1), least count that surely fails.
        for (allowed, samples, pass, fail) in [
            (0.05, 300, 8_i64, 22_u64),
            (0.05, 1000, 38, 63),
            (0.05, 5000, 224, 277),
            (0.05, 10_000, 463, 537),
            (0.01, 300, 0, 7),
            (0.01, 1000, 4, 16),
            (0.01, 3000, 20, 40),
            (0.01, 5000, 38, 63),
            (0.01, 10_000, 83, 118),
            (0.01, 100_000, 948, 1053),
            (0.001, 1000, -1, 4),
            (0.001, 3000, 0, 7),
            (0.001, 5000, 1, 10),
            (0.001, 10_000, 4, 16),
            (0.001, 100_000, 83, 118),
        ] {
            let passes = |k| upper_bound(k, samples, 0.95) <= allowed;
            let fails = |k| lower_bound(k, samples, 0.95) > allowed;
            if let Ok(pass) = u64::try_from(pass) {
                assert!(passes(pass), "{allowed} {samples}");
            }
            assert!(
                !passes(u64::try_from(pass + 1).unwrap()),
                "{allowed} {samples}"
            );
            assert!(fails(fail) && !fails(fail - 1), "{allowed} {samples}");
        }
    }

    #[test]
    fn without_samples_nothing_is_known() {
        near(upper_bound(0, 0, 0.95), 1.0, 0.0);
        near(lower_bound(0, 0, 0.95), 0.0, 0.0);
        near(wilson_upper(0, 0), 1.0, 0.0);
        near(upper_bound(7, 7, 0.95), 1.0, 0.0);
    }

    #[test]
    fn the_samples_that_are_needed_are_the_least_that_decide() {
        for (allowed, expected) in [(0.05, 59), (0.01, 299), (0.005, 598), (0.001, 2995)] {
            assert_eq!(samples_needed(0, 10, allowed, 0.95), Some(expected));
        }
        assert_eq!(samples_needed(10, 1000, 0.01, 0.95), None);
    }

    #[test]
    fn binomial_tails_are_exact() {
        near(binomial_tail(1, 10, 0.5), 1.0 - 0.5_f64.powi(10), 1e-12);
        near(binomial_tail(10, 10, 0.5), 0.5_f64.powi(10), 1e-12);
        near(binomial_tail(0, 10, 0.5), 1.0, 0.0);
        near(binomial_tail(11, 10, 0.5), 0.0, 0.0);
    }

    #[test]
    fn fisher_agrees_with_the_lady_who_tastes_tea() {
        // Fisher 1935: 3 of 4 right, p = 17/70.
        near(fisher(3, 4, 1, 4), 17.0 / 70.0, 1e-10);
        near(fisher(4, 4, 0, 4), 1.0 / 70.0, 1e-10);
        near(fisher(0, 50, 0, 500), 1.0, 0.0);
        assert!(fisher(30, 100, 0, 1000) < 1e-20);
    }

    #[test]
    fn wilson_agrees_with_r() {
        // prop.test without continuity correction, one-sided 95 %.
        near(wilson_upper(0, 1000), 0.002_698_2, 1e-6);
        assert!(wilson_upper(0, 539) <= 0.005 && wilson_upper(0, 538) > 0.005);
        near(wilson_least(0.005), 539.0, 0.0);
    }
}
