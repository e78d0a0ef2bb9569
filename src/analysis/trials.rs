//! Trials: how long recovery took over the repetitions of a fault, as one sample.
//!
//! Pure. A mean alone misleads, so it never stands alone: median, greatest, and how many did not recover (they count as greater
//! than every other, as their times are censored) stand with it. The interval of the mean is the percentile bootstrap's (Efron,
//! Annals of Statistics 7, 1979; Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3), drawn from the
//! run's seed, so that a run judged again has the same.

use rand::Rng;

use super::{FaultStats, Reached, RecoveryTimes, TrialStats};
use crate::model::Seed;
use crate::model::seed::Purpose;
use crate::plan::Plan;

/// How many samples are drawn for an interval.
const RESAMPLES: usize = 2000;
/// The least number of times that an interval is made of.
const LEAST: usize = 5;

/// The statistics of every fault that has several trials, in the order of their begin.
pub fn stats(plan: &Plan, faults: &[FaultStats]) -> Vec<TrialStats> {
    let mut stats: Vec<TrialStats> = Vec::new();
    for (place, first) in (0_u64..).zip(&plan.faults) {
        let planned = plan.trials(&first.of).count() as u64;
        if planned < 2 || stats.iter().any(|known| known.fault == first.of) {
            continue;
        }
        let proven: Vec<&FaultStats> = faults
            .iter()
            .filter(|fault| fault.of == first.of && fault.is_proven())
            .collect();
        let times = |measure: u32, of: fn(&FaultStats) -> Reached| {
            let reached: Vec<Reached> = proven.iter().map(|fault| of(fault)).collect();
            times(&reached, plan.seed, measure, place)
        };
        stats.push(TrialStats {
            fault: first.of.clone(),
            planned,
            proven: proven.len() as u64,
            service: times(0, |fault| fault.recovery.service),
            performance: times(1, |fault| fault.recovery.performance),
            redundancy: times(2, |fault| fault.recovery.redundancy),
        });
    }
    stats
}

/// The times of several trials; `measure` and `place` say which draws of the seed are taken.
fn times(reached: &[Reached], seed: Seed, measure: u32, place: u64) -> RecoveryTimes {
    let mut times = RecoveryTimes::default();
    let mut known: Vec<u64> = Vec::new();
    for one in reached {
        match one {
            Reached::NoImpact => {
                times.no_impact += 1;
                known.push(0);
            }
            Reached::After(nanos) => known.push(*nanos),
            Reached::NotWithin(_) => times.not_recovered += 1,
            Reached::Unknown => times.unknown += 1,
        }
    }
    known.sort_unstable();
    times.recovered = known.len() as u64;
    let all = known.len() + usize::try_from(times.not_recovered).unwrap_or(usize::MAX);
    times.median_ns = median(&known, all);
    times.max_ns = known.last().copied().filter(|_| times.not_recovered == 0);
    times.mean_ns = mean(&known);
    times.mean_interval_ns = interval(&known, seed, measure, place);
    times
}

/// The median of `all` values, of which the least are `known`, in order.
fn median(known: &[u64], all: usize) -> Option<u64> {
    let upper = *known.get(all / 2)?;
    if all % 2 == 1 {
        return Some(upper);
    }
    let lower = *known.get((all / 2).checked_sub(1)?)?;
    Some(lower.midpoint(upper))
}

fn mean(values: &[u64]) -> Option<u64> {
    let sum: u128 = values.iter().map(|value| u128::from(*value)).sum();
    let mean = sum.checked_div(values.len() as u128)?;
    u64::try_from(mean).ok()
}

/// The 2.5th and the 97.5th percentile of the means of samples drawn with replacement.
fn interval(known: &[u64], seed: Seed, measure: u32, place: u64) -> Option<(u64, u64)> {
    if known.len() < LEAST {
        return None;
    }
    let mut stream = seed.stream(Purpose::Bootstrap, measure, place);
    let mut means: Vec<u64> = (0..RESAMPLES)
        .filter_map(|_| {
            let sample: Vec<u64> = (0..known.len())
                .filter_map(|_| {
                    // The same mapping of 64 random bits to a range as that of targets.
                    let wide = u128::from(stream.next_u64()) * known.len() as u128;
                    known.get(usize::try_from(wide >> 64).unwrap_or(0)).copied()
                })
                .collect();
            mean(&sample)
        })
        .collect();
    means.sort_unstable();
    let low = *means.get(RESAMPLES / 40)?;
    let high = *means.get(RESAMPLES - 1 - RESAMPLES / 40)?;
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(reached: &[Reached]) -> RecoveryTimes {
        times(reached, Seed(7), 0, 0)
    }

    fn after(values: impl IntoIterator<Item = u64>) -> Vec<Reached> {
        values.into_iter().map(Reached::After).collect()
    }

    #[test]
    fn one_without_an_impact_took_no_time_and_one_that_never_recovered_the_longest() {
        let mut reached = after([400, 200]);
        reached.push(Reached::NoImpact);
        let all = seen(&reached);
        assert_eq!((all.recovered, all.no_impact), (3, 1));
        assert_eq!(
            (all.median_ns, all.max_ns, all.mean_ns),
            (Some(200), Some(400), Some(200))
        );

        reached.push(Reached::NotWithin(100));
        let censored = seen(&reached);
        assert_eq!(censored.not_recovered, 1);
        assert_eq!((censored.median_ns, censored.max_ns), (Some(300), None));
        assert_eq!(censored.mean_ns, Some(200));

        reached.extend([
            Reached::NotWithin(9),
            Reached::NotWithin(9),
            Reached::Unknown,
        ]);
        let most = seen(&reached);
        assert_eq!(
            (most.median_ns, most.unknown, most.not_recovered),
            (None, 1, 3)
        );
        assert_eq!(seen(&[]), RecoveryTimes::default());
    }

    #[test]
    fn the_interval_holds_the_mean_and_is_as_wide_as_the_normal_one() {
        assert_eq!(seen(&after([1, 2, 3, 4])).mean_interval_ns, None);
        assert_eq!(seen(&after([9; 5])).mean_interval_ns, Some((9, 9)));
        // 0 to 999 ms has mean 499.5 and standard deviation 288.7: for 1,000 of them the normal interval is 499.5 +- 17.9.
        let values = || after((0..1000).map(|value| value * 1_000_000));
        let (low, high) = seen(&values()).mean_interval_ns.unwrap();
        assert!((478..=486).contains(&(low / 1_000_000)), "{low}");
        assert!((513..=521).contains(&(high / 1_000_000)), "{high}");
        let again = times(&values(), Seed(7), 0, 0).mean_interval_ns;
        assert_eq!(again, Some((low, high)));
        let other = times(&values(), Seed(8), 0, 0).mean_interval_ns;
        assert_ne!(other, Some((low, high)));
    }
}
