//! Lanes and fates in virtual time: what leaves when, and that nothing is lost.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::fate::{Facts, fate};
use super::item::{Ending, What};
use super::lane::{Lane, Stream};
use super::rules::{Armed, RuleSet};
use super::toxic::*;
use super::*;
use crate::model::Seed;

const MS: i64 = 1_000_000;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn latency(milliseconds: u64) -> Toxic {
    Toxic::Latency(Latency {
        delay: ms(milliseconds),
        jitter: Duration::ZERO,
        distribution: Distribution::Uniform,
        connect: false,
    })
}

fn bandwidth(rate: u64) -> Toxic {
    Toxic::Bandwidth(Bandwidth {
        bytes_per_second: NonZeroU64::new(rate).unwrap(),
        scope: Scope::Connection,
    })
}

fn armed(id: &str, toxic: Toxic, revision: u64) -> Arc<Armed> {
    let rule = LinkRule::new(toxic);
    Arc::new(Armed::new(id.to_owned(), rule, Seed(7), revision, 0))
}

fn set(armed: &[Arc<Armed>]) -> RuleSet {
    RuleSet {
        generation: 1,
        armed: armed.to_vec(),
        instance: None,
    }
}

/// A lane with these rules, and when each byte of what is pushed leaves.
fn lane(toxics: &[Toxic]) -> Lane {
    let rules: Vec<_> = toxics
        .iter()
        .enumerate()
        .map(|(number, toxic)| armed(&number.to_string(), toxic.clone(), 1))
        .collect();
    let mut lane = Lane::new(Way::ToClient, 0);
    assert_eq!(lane.set(0, &set(&rules)), Stream::Whole);
    lane
}

fn bytes(text: &str) -> What {
    What::Bytes(Bytes::copy_from_slice(text.as_bytes()))
}

/// Everything that leaves, and when, if it is asked for whenever it is due.
fn leaves(lane: &mut Lane, mut now: i64) -> Vec<(i64, What)> {
    let mut all = Vec::new();
    loop {
        while let Some(what) = lane.next(now) {
            all.push((now, what));
        }
        match lane.due() {
            Some(due) => now = now.max(due),
            None => return all,
        }
    }
}

#[test]
fn every_toxic_reads_back_as_it_was_written() {
    for (toxic, text) in [
        (
            latency(50),
            r#"{"direction":"both","share":"100%","what":{"toxic":"latency","delay":"50ms","jitter":"0s","distribution":"uniform","connect":false}}"#,
        ),
        (
            Toxic::Refuse,
            r#"{"direction":"both","share":"100%","what":{"toxic":"refuse"}}"#,
        ),
        (
            Toxic::Answers(Answers {
                rules: vec!["status=503,share=10%".parse().unwrap()],
            }),
            r#"{"direction":"both","share":"100%","what":{"toxic":"answers","rules":["status=503,share=10%"]}}"#,
        ),
    ] {
        let rule = LinkRule::new(toxic);
        assert_eq!(serde_json::to_string(&rule).unwrap(), text);
        assert_eq!(serde_json::from_str::<LinkRule>(text).unwrap(), rule);
        assert!(text.contains(rule.what.name()));
    }
    let short =
        r#"{"share":"5%","direction":"to-server","what":{"toxic":"stall","probability":"1%"}}"#;
    let rule: LinkRule = serde_json::from_str(short).unwrap();
    let Toxic::Stall(stall) = rule.what else {
        unreachable!()
    };
    assert_eq!(stall.pause, ms(200));
}

#[test]
fn latencies_add_up_exactly_and_delay_the_end() {
    let mut lane = lane(&[latency(5), latency(50)]);
    lane.push(0, bytes("a"));
    lane.push(3 * MS, bytes("b"));
    lane.push(4 * MS, What::End);
    assert_eq!(lane.next(54 * MS), None);
    // However late it is asked, delays do not grow.
    let left = leaves(&mut lane, 55 * MS);
    let expected = [
        (55 * MS, bytes("a")),
        (58 * MS, bytes("b")),
        (59 * MS, What::End),
    ];
    assert_eq!(left, expected);
}

#[test]
fn a_rate_is_exact_over_any_length_and_the_end_waits_for_its_bytes() {
    let mut lane = lane(&[bandwidth(10_000)]);
    for _ in 0..50 {
        lane.push(0, What::Bytes(Bytes::from(vec![0; 333])));
    }
    lane.push(0, What::End);
    let left = leaves(&mut lane, 0);
    // 16,650 bytes at 10,000 bytes a second.
    assert_eq!(left.last(), Some(&(1_665 * MS, What::End)));
    // Never more than was due.
    let mut sum = 0;
    for (at, what) in left {
        sum += what.len();
        assert!(
            i64::try_from(sum).unwrap() * 100_000 <= at,
            "{sum} bytes by {at}"
        );
    }
}

#[test]
fn a_shared_rate_is_taken_in_turns() {
    let shared = Toxic::Bandwidth(Bandwidth {
        bytes_per_second: NonZeroU64::new(10_000).unwrap(),
        scope: Scope::Link,
    });
    let rules = set(&[armed("narrow", shared, 1)]);
    let mut lanes = [0, 1].map(|connection| {
        let mut lane = Lane::new(Way::ToClient, connection);
        assert_eq!(lane.set(0, &rules), Stream::Whole);
        lane
    });
    // The first has much to send; the second, a little later, does not wait for all of it.
    lanes[0].push(0, What::Bytes(Bytes::from(vec![0; 10_000])));
    lanes[1].push(MS, bytes("x"));
    let [first, second] = &mut lanes;
    let due = second.due().unwrap();
    assert!(due <= 41 * MS, "{due}");
    assert!(leaves(first, 0).last().unwrap().0 >= 1_000 * MS);
}

#[test]
fn pieces_have_their_size_and_a_stall_its_time() {
    let slicer = Toxic::Slicer(Slicer {
        average: NonZeroU64::new(10).unwrap(),
        variation: 3,
        delay: ms(1),
    });
    let mut pieces = lane(&[slicer]);
    pieces.push(0, What::Bytes(Bytes::from(vec![0; 1000])));
    let left = leaves(&mut pieces, 0);
    let (last, whole) = left.split_last().unwrap();
    assert!(whole.iter().all(|(_, what)| (7..=13).contains(&what.len())));
    assert!((77..=143).contains(&left.len()));
    assert_eq!(last.0, i64::try_from(whole.len()).unwrap() * MS);
    let stall = |probability: &str| {
        let mut lane = lane(&[Toxic::Stall(Stall {
            probability: probability.parse().unwrap(),
            pause: ms(10),
        })]);
        lane.push(0, bytes("x"));
        leaves(&mut lane, 0)[0].0
    };
    assert_eq!(stall("100%"), 630 * MS);
    assert_eq!(stall("0%"), 0);
}

#[test]
fn a_hole_shows_when_it_is_lifted_and_only_then() {
    let hole = armed("hole", Toxic::Blackhole(Blackhole::default()), 1);
    let mut lane = Lane::new(Way::ToServer, 0);
    assert_eq!(lane.set(0, &set(&[Arc::clone(&hole)])), Stream::Whole);
    assert!(lane.swallows());
    assert_eq!(lane.set(0, &set(&[])), Stream::Whole);
    assert_eq!(lane.set(0, &set(&[hole])), Stream::Whole);
    lane.push(0, bytes("lost"));
    lane.push(0, What::End);
    assert_eq!(leaves(&mut lane, 0), []);
    assert_eq!(lane.set(0, &set(&[])), Stream::Holed);
}

#[test]
fn no_more_is_taken_than_may_be_held() {
    let mut lane = lane(&[latency(1000)]);
    let mut pushed = 0;
    while lane.takes() {
        lane.push(0, What::Bytes(Bytes::from(vec![0; 1 << 14])));
        pushed += 1 << 14;
    }
    assert_eq!(pushed, MOST_HELD);
    assert!(lane.next(1000 * MS).is_some());
    assert!(lane.takes());
}

#[test]
fn who_is_selected_depends_on_seed_id_and_number_alone() {
    let selected = |id: &str, seed: u64, revision: u64| -> Vec<u64> {
        let rule = LinkRule::new(latency(1)).on("30%".parse().unwrap());
        let armed = Armed::new(id.to_owned(), rule, Seed(seed), revision, revision);
        (0..1000).filter(|number| armed.selects(*number)).collect()
    };
    let some = selected("late", 7, 1);
    assert!((250..350).contains(&some.len()), "{}", some.len());
    assert_eq!(some, selected("late", 7, 9));
    assert_ne!(some, selected("late", 8, 1));
    assert_ne!(some, selected("lame", 7, 1));
}

#[test]
fn a_fate_is_decided_by_age_and_rule() {
    let facts = |connection| Facts {
        connection,
        accepted: 100,
        is_half: false,
    };
    let decide = |toxic: Toxic, connection, now| {
        let rule = LinkRule::new(toxic);
        let armed = Armed::new("x".to_owned(), rule, Seed(1), 1, 5).applied_at(50);
        fate(&set(&[Arc::new(armed)]), facts(connection), now)
    };
    let reset = Toxic::Reset(Reset {
        after: Some(ms(1)),
        after_bytes: None,
    });
    // Live ones at once, new ones later.
    assert_eq!(decide(reset.clone(), 4, 100).ending, Some(Ending::Reset));
    let young = decide(reset.clone(), 5, 100);
    assert_eq!((young.ending, young.due), (None, Some(100 + MS)));
    assert_eq!(decide(reset, 5, 100 + MS).ending, Some(Ending::Reset));
    assert_eq!(decide(Toxic::Refuse, 4, 100).ending, None);
    assert_eq!(decide(Toxic::Refuse, 5, 100).ending, Some(Ending::Reset));
    let half = Toxic::HalfOpen(HalfOpen { gone: Side::Client });
    assert_eq!(decide(half.clone(), 4, 100).gone, Some(Side::Client));
    assert_eq!(decide(half, 5, 100).gone, None);
    let hole = Toxic::Blackhole(Blackhole {
        close_after: Some(ms(2)),
    });
    assert_eq!(decide(hole.clone(), 5, 100).dial_at, None);
    assert_eq!(decide(hole, 5, 100 + 2 * MS).ending, Some(Ending::Close));
    let late = Toxic::Latency(Latency {
        delay: ms(5),
        jitter: Duration::ZERO,
        distribution: Distribution::Normal,
        connect: true,
    });
    assert_eq!(decide(late, 5, 100).dial_at, Some(100 + 10 * MS));
}

fn lossless() -> impl Strategy<Value = Toxic> {
    let late = (0_u64..30, 0_u64..30).prop_map(|(delay, jitter)| {
        Toxic::Latency(Latency {
            delay: ms(delay),
            jitter: ms(jitter),
            distribution: Distribution::Normal,
            connect: false,
        })
    });
    let sliced = (1_u64..9, 0_u64..9, 0_u64..3).prop_map(|(average, variation, delay)| {
        Toxic::Slicer(Slicer {
            average: NonZeroU64::new(average).unwrap(),
            variation,
            delay: ms(delay),
        })
    });
    let stall = (0_u64..20).prop_map(|pause| {
        Toxic::Stall(Stall {
            probability: "40%".parse().unwrap(),
            pause: ms(pause),
        })
    });
    let slow = (0_u64..20).prop_map(|delay| Toxic::SlowClose(SlowClose { delay: ms(delay) }));
    prop_oneof![
        late,
        (1_u64..50_000).prop_map(bandwidth),
        sliced,
        stall,
        slow
    ]
}

/// What happens to a lane.
#[derive(Clone, Debug)]
enum Turn {
    Push(u8),
    Apply(u8, Toxic),
    Lift(u8),
    Wait(u8),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        4 => (1_u8..40).prop_map(Turn::Push),
        1 => (0_u8..4, lossless()).prop_map(|(id, toxic)| Turn::Apply(id, toxic)),
        1 => (0_u8..4).prop_map(Turn::Lift),
        2 => (0_u8..40).prop_map(Turn::Wait),
    ];
    proptest::collection::vec(turn, 1..60)
}

proptest! {
    #[test]
    fn what_loses_nothing_loses_doubles_and_reorders_nothing(turns in turns()) {
        let mut lane = Lane::new(Way::ToServer, 3);
        let mut rules: Vec<Arc<Armed>> = Vec::new();
        let (mut now, mut sent, mut left, mut revision) = (0, 0_u32, Vec::new(), 0);
        for turn in turns {
            match turn {
                Turn::Push(count) => {
                    let numbers = (sent..sent + u32::from(count)).flat_map(u32::to_be_bytes);
                    lane.push(now, What::Bytes(numbers.collect()));
                    sent += u32::from(count);
                }
                Turn::Apply(id, toxic) => {
                    revision += 1;
                    let new = armed(&id.to_string(), toxic, revision);
                    match rules.iter_mut().find(|old| old.id == new.id) {
                        Some(old) => *old = new,
                        None => rules.push(new),
                    }
                    prop_assert_eq!(lane.set(now, &set(&rules)), Stream::Whole);
                }
                Turn::Lift(id) => {
                    rules.retain(|old| old.id != id.to_string());
                    prop_assert_eq!(lane.set(now, &set(&rules)), Stream::Whole);
                }
                Turn::Wait(milliseconds) => now += i64::from(milliseconds) * MS,
            }
            while let Some(what) = lane.next(now) {
                left.push(what);
            }
        }
        lane.push(now, What::End);
        left.extend(leaves(&mut lane, now).into_iter().map(|(_, what)| what));
        prop_assert_eq!(left.pop(), Some(What::End));
        prop_assert_eq!(lane.due(), None);
        prop_assert!(lane.takes());
        let mut bytes = Vec::new();
        for what in left {
            let What::Bytes(piece) = what else { panic!("{what:?}") };
            bytes.extend_from_slice(&piece);
        }
        prop_assert_eq!(bytes, (0..sent).flat_map(u32::to_be_bytes).collect::<Vec<u8>>());
    }
}
