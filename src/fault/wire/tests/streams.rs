//! Actions on streams and on time: cut, stalled, held, slow.

use std::time::Duration;

use super::*;

fn stream() -> Vec<Part> {
    events(&[
        PRIMING,
        ": ping\n\n",
        PROGRESS,
        PROGRESS,
        PROGRESS,
        &answer_event(),
    ])
}

#[test]
fn a_stream_is_cut_after_so_many_messages() {
    for (rule, expected, last) in [
        ("cut-stream=0", String::new(), Act::Close),
        (
            "cut-stream=2",
            [PRIMING, ": ping\n\n", PROGRESS, PROGRESS].concat(),
            Act::Close,
        ),
        (
            "reset-stream=1",
            [PRIMING, ": ping\n\n", PROGRESS].concat(),
            Act::Reset,
        ),
    ] {
        let seen = under(rule, stream());
        assert_eq!(seen.text(), expected, "{rule}");
        assert!(!seen.has_end(), "{rule}");
        assert_eq!(seen.acts, [last], "{rule}");
    }
}

#[test]
fn a_stream_can_be_cut_inside_an_event() {
    let seen = under("cut-stream=0,inside", stream());
    let begun = PROGRESS.trim_end();
    assert_eq!(seen.text(), [PRIMING, ": ping\n\n", begun, "\n"].concat());
    assert_eq!(seen.last(), &Act::Close);
}

#[test]
fn a_stream_that_is_shorter_than_the_cut_ends_as_it_should() {
    let seen = under("cut-stream=9", stream());
    assert!(seen.has_end());
    assert_eq!(seen.last(), &Act::Done);
    // What is no stream is not cut.
    let seen = under("cut-stream=0", json(ANSWER));
    assert_eq!((seen.text().as_str(), seen.last()), (ANSWER, &Act::Done));
}

#[test]
fn a_stalled_stream_is_silent_for_a_time() {
    let seen = under("stall-stream=1,for=5s", stream());
    assert_eq!(seen.acts, [Act::Wait(Duration::from_secs(5)), Act::Close]);
    assert!(!seen.has_end());
}

#[test]
fn a_delay_comes_before_the_head() {
    let mut transformer =
        rules(&["delay=200ms"]).transformer(&call("ping", None), Terms::default());
    assert!(transformer.next_act().is_none());
    transformer.take(head("text/plain", Some(0)));
    let wait = Act::Wait(Duration::from_millis(200));
    assert_eq!(transformer.next_act(), Some(wait));
    assert!(matches!(transformer.next_act(), Some(Act::Write(_))));
}

#[test]
fn jitter_is_drawn_for_each_answer_and_bounded() {
    let draw = |seed| -> Vec<Duration> {
        let mut rules = Rules::new(vec!["delay=10ms,jitter=5ms".parse().unwrap()], Seed(seed));
        (0..50)
            .map(|_| {
                let seen = run(
                    rules.transformer(&call("ping", None), Terms::default()),
                    json("{}"),
                );
                match seen.acts[0] {
                    Act::Wait(time) => time,
                    ref other => panic!("{other:?}"),
                }
            })
            .collect()
    };
    let drawn = draw(7);
    let range = Duration::from_millis(10)..=Duration::from_millis(15);
    assert!(drawn.iter().all(|time| range.contains(time)));
    assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]));
    assert_eq!(drawn, draw(7));
}

#[test]
fn late_holds_the_response_and_nothing_before_it() {
    let mut transformer = rules(&["late=2s"]).transformer(&call("ping", None), Terms::default());
    let mut waited_at = None;
    for (number, part) in stream().into_iter().enumerate() {
        transformer.take(part);
        while let Some(act) = transformer.next_act() {
            match act {
                Act::Wait(time) => waited_at = Some((number, time)),
                // The wait stands before the response's bytes.
                Act::Write(bytes) if bytes.windows(6).any(|window| window == b"result") => {
                    assert!(waited_at.is_some());
                }
                _ => {}
            }
        }
    }
    assert_eq!(waited_at, Some((6, Duration::from_secs(2))));
    let seen = under("late=2s", json(ANSWER));
    assert_eq!(seen.acts, [Act::Wait(Duration::from_secs(2)), Act::Done]);
    assert_eq!(seen.text(), ANSWER);
}

#[test]
fn a_dripped_body_comes_in_pieces_with_waits() {
    let seen = under("drip=4,every=20ms", json(ANSWER));
    assert_eq!(seen.text(), ANSWER);
    let waits = seen
        .acts
        .iter()
        .filter(|act| **act == Act::Wait(Duration::from_millis(20)));
    assert_eq!(waits.count(), ANSWER.len().div_ceil(4));
    assert_eq!(seen.acts[0], Act::Within(Duration::from_mins(10)));
    assert_eq!(
        seen.writes[1..].iter().map(|(_, bytes)| bytes.len()).max(),
        Some(4)
    );
    // The head is whole, unless it is asked for.
    assert!(seen.writes[0].1.ends_with(b"\r\n\r\n"));
    let seen = under("drip=4,head", json(ANSWER));
    assert_eq!(
        seen.writes.iter().map(|(_, bytes)| bytes.len()).max(),
        Some(4)
    );
    assert_eq!(seen.text(), ANSWER);
}

#[test]
fn one_byte_per_second_is_that() {
    let seen = under("one-byte-per-second", json(ANSWER));
    assert_eq!(seen.text(), ANSWER);
    let second = Act::Wait(Duration::from_secs(1));
    assert_eq!(
        seen.acts.iter().filter(|act| **act == second).count(),
        ANSWER.len()
    );
}

#[test]
fn a_buffered_stream_comes_whole_at_its_end() {
    let parts = stream();
    let last = parts.len();
    let seen = under("buffer", parts);
    assert!(seen.writes.iter().all(|(number, _)| *number == last));
    assert_eq!(
        seen.text(),
        [
            PRIMING,
            ": ping\n\n",
            PROGRESS,
            PROGRESS,
            PROGRESS,
            &answer_event()
        ]
        .concat()
    );
    assert_eq!(seen.last(), &Act::Done);
}

#[test]
fn what_buffers_holds_a_bounded_amount() {
    let mut transformer = rules(&["buffer"]).transformer(&call("ping", None), Terms::default());
    transformer.take(head("text/event-stream", None));
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    for _ in 0..17 {
        transformer.take(Part::Body(chunk.clone()));
    }
    assert!(transformer.next_act().is_some());
}

#[test]
fn endless_streams_have_an_end_and_a_bound() {
    for rule in ["endless-event=1MiB,for=3s", "endless-events=1MiB,for=3s"] {
        let seen = under(rule, Vec::new());
        assert!(seen.has("content-type: text/event-stream"));
        assert_eq!(seen.acts, [Act::Within(Duration::from_secs(3)), Act::Close]);
        let body = seen.body();
        assert!((1 << 20..3 << 19).contains(&body.len()), "{}", body.len());
        let blank = body.windows(2).filter(|window| window == b"\n\n").count();
        // One event without an end, or very many with theirs.
        assert_eq!(blank > 1000, rule.starts_with("endless-events"), "{blank}");
    }
}

#[test]
fn an_endless_stream_costs_no_memory() {
    let rule = "endless-event=1TiB";
    let mut transformer = rules(&[rule]).transformer(&call("ping", None), Terms::default());
    let mut pieces = std::iter::from_fn(|| transformer.next_act())
        .filter_map(|act| match act {
            Act::Write(bytes) => Some(bytes),
            _ => None,
        })
        .skip(2);
    let (one, other) = (pieces.next().unwrap(), pieces.next().unwrap());
    assert_eq!(one.as_ptr(), other.as_ptr());
}
