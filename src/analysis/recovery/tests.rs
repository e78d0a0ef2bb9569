//! Tests of recovery on hand-made bins.
//!
//! Pure.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A baseline of 10 s with 100 good operations a second of 10 ms, then `after`: good and bad operations of each second.
fn decided(after: &[(u64, u64, u64)]) -> Recovery {
    let origin = Offset::from_duration(SECOND * 10);
    let end = origin + SECOND * u32::try_from(after.len()).unwrap();
    let mut bins = Bins::new(origin, Window::new(Offset::ZERO, end), SECOND);
    let put = |bins: &mut Bins, number: i64, good: u64, bad: u64, millis: u64| {
        let start = bins.start(number);
        let bin = bins.at(start).unwrap();
        for _ in 0..good {
            bin.end(false, Some(Duration::from_millis(millis)));
        }
        for _ in 0..bad {
            bin.end(true, None);
        }
    };
    for number in -10..0 {
        put(&mut bins, number, 100, 0, 10);
    }
    for (number, (good, bad, millis)) in after.iter().enumerate() {
        put(
            &mut bins,
            i64::try_from(number).unwrap(),
            *good,
            *bad,
            *millis,
        );
    }
    decide(&Question {
        undone: origin,
        bins: &bins,
        effect: origin,
        until: end,
        rate: Some(100.0),
        tolerance: 0.01,
        latency_limit: Some(Duration::from_millis(100)),
        hold: SECOND * 5,
        slots: &[],
    })
}

#[test]
fn recovery_is_the_start_of_the_first_window_that_holds() {
    let mut after = vec![(0, 100, 0), (50, 50, 10)];
    after.extend([(100, 0, 10); 10]);
    let recovery = decided(&after);
    assert_eq!(recovery.onset, Some(Offset(10_000_000_000)));
    assert_eq!(recovery.service, Reached::After(2_000_000_000));
    assert_eq!(recovery.performance, Reached::After(2_000_000_000));
    assert!((recovery.lost_good - 150.0).abs() < 1e-9 && (recovery.depth - 1.0).abs() < 1e-9);
    assert_eq!(recovery.redundancy, Reached::Unknown);
}

#[test]
fn a_relapse_within_the_hold_puts_recovery_off() {
    let mut after = vec![(0, 100, 0)];
    after.extend([(100, 0, 10); 3]);
    after.push((40, 60, 10));
    after.extend([(100, 0, 10); 8]);
    assert_eq!(decided(&after).service, Reached::After(5_000_000_000));
}

#[test]
fn fast_comes_after_served() {
    let mut after = vec![(0, 100, 0)];
    after.extend([(100, 0, 90); 4]);
    after.extend([(100, 0, 11); 8]);
    let recovery = decided(&after);
    assert_eq!(recovery.service, Reached::After(1_000_000_000));
    assert_eq!(recovery.performance, Reached::After(5_000_000_000));
}

#[test]
fn what_does_not_recover_is_censored_after_its_last_bad_bin() {
    let recovery = decided(&[(0, 100, 0); 12]);
    assert_eq!(recovery.service, Reached::NotWithin(12_000_000_000));
    // It may have recovered after 9 s, but too little was seen of that.
    let mut after = vec![(0, 100, 0); 9];
    after.extend([(100, 0, 10); 3]);
    assert_eq!(decided(&after).service, Reached::NotWithin(9_000_000_000));
}

#[test]
fn silence_is_no_recovery() {
    let mut after = vec![(0, 100, 0)];
    after.extend([(0, 0, 0); 11]);
    assert_eq!(decided(&after).service, Reached::NotWithin(7_000_000_000));
}

#[test]
fn bad_operations_as_before_are_no_impact() {
    assert_eq!(decided(&[(99, 1, 10); 12]).service, Reached::NoImpact);
    assert_eq!(decided(&[]).service, Reached::Unknown);
}
