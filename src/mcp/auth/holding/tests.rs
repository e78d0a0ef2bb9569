//! When a token is renewed, replaced, or asked for with more scopes; and when not.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60 * SECOND;

fn token(lifetime: Option<i64>) -> Token {
    Token {
        value: HeaderValue::from_static("Bearer x"),
        lifetime,
    }
}

fn scopes(text: &str) -> Scopes {
    Scopes::parse(text).unwrap()
}

/// Holds a token that was asked for at `now`, after a challenge, and hands it out.
fn holding(lifetime: Option<i64>, now: i64) -> Holding {
    let mut holding = Holding::new();
    holding.hold(token(lifetime), scopes("r"), true, now);
    holding.decided(&scopes("r"));
    holding.hand().unwrap();
    holding
}

#[test]
fn there_is_no_token_before_one_may_be_asked_for() {
    let mut holding = Holding::new();
    assert_eq!(holding.next(0, false), Next::Hand);
    assert!(holding.hand().is_none());
    assert_eq!(holding.next(0, true), Next::Fetch(Reason::First));
}

#[test]
fn a_token_is_renewed_by_its_margin_before_it_expires() {
    for (lifetime, margin) in [
        (10 * SECOND, 2 * SECOND),
        (5 * MINUTE, MINUTE),
        (60 * MINUTE, MINUTE),
    ] {
        let mut holding = holding(Some(lifetime), 7);
        let renew = 7 + lifetime - margin;
        assert_eq!(holding.next(renew - 1, true), Next::Hand);
        assert_eq!(holding.next(renew, true), Next::Fetch(Reason::Renewal));
    }
    assert_eq!(holding(None, 0).next(i64::MAX, true), Next::Hand);
}

#[test]
fn a_token_without_a_life_is_used_once() {
    let mut holding = Holding::new();
    holding.hold(token(Some(0)), scopes("r"), true, 5);
    assert_eq!(holding.next(5, true), Next::Hand);
    holding.hand().unwrap();
    assert_eq!(holding.next(5, true), Next::Fetch(Reason::Renewal));
}

#[test]
fn the_old_token_counts_while_renewals_fail_until_it_expires() {
    let mut holding = holding(Some(5 * MINUTE), 0);
    let renew = 4 * MINUTE;
    assert_eq!(holding.next(renew, true), Next::Fetch(Reason::Renewal));
    assert!(holding.still_good(renew));
    // A fifth of the margin later it is tried again, even if nobody said how the first attempt ended.
    assert_eq!(holding.next(renew + 12 * SECOND - 1, true), Next::Hand);
    assert_eq!(
        holding.next(renew + 12 * SECOND, true),
        Next::Fetch(Reason::Renewal)
    );
    assert!(holding.still_good(5 * MINUTE - 1));
    assert_eq!(holding.next(5 * MINUTE, true), Next::Fetch(Reason::Renewal));
    assert!(!holding.still_good(5 * MINUTE));
    assert!(holding.hand().is_none());
}

#[test]
fn a_refused_token_is_replaced_once() {
    let mut holding = Holding::new();
    assert_eq!(holding.refused(None, 0), Answer::Fetch(Reason::First));
    holding.hold(token(None), scopes("r"), true, 0);
    holding.hand().unwrap();
    assert_eq!(holding.refused(holding.handed(), SECOND), Answer::Pointless);
    assert_eq!(
        holding.refused(holding.handed(), 10 * SECOND - 1),
        Answer::Pointless
    );
    let later = holding.refused(holding.handed(), 10 * SECOND);
    assert_eq!(later, Answer::Fetch(Reason::Refused));
    assert!(holding.hand().is_none(), "a refused token is gone");
}

#[test]
fn a_token_that_worked_is_replaced_again() {
    let mut holding = holding(None, 0);
    holding.accepted();
    assert_eq!(
        holding.refused(holding.handed(), 1),
        Answer::Fetch(Reason::Refused)
    );
    holding.hold(token(None), scopes("r"), true, 1);
    holding.hand().unwrap();
    assert_eq!(holding.refused(holding.handed(), 2), Answer::Pointless);
}

#[test]
fn a_token_that_no_challenge_led_to_is_replaced_at_once() {
    let mut holding = Holding::new();
    holding.hold(token(None), scopes("r"), false, 0);
    holding.hand().unwrap();
    assert_eq!(
        holding.refused(holding.handed(), 0),
        Answer::Fetch(Reason::Refused)
    );
}

#[test]
fn answers_to_older_requests_cost_nothing() {
    let mut holding = holding(None, 0);
    let old = holding.handed();
    holding.hold(token(None), scopes("r"), true, 1);
    for _ in 0..3 {
        assert_eq!(holding.refused(old, 1), Answer::Repeat);
        assert_eq!(holding.refused(None, 1), Answer::Repeat);
        assert_eq!(
            holding.insufficient(old, Some(&scopes("r"))),
            Answer::Repeat
        );
    }
    holding.hand().unwrap();
    assert_eq!(holding.refused(old, 1), Answer::Repeat);
    assert_eq!(holding.refused(holding.handed(), 1), Answer::Pointless);
}

#[test]
fn lacking_scopes_are_added_to_those_before_and_asked_for_once() {
    let mut holding = holding(None, 0);
    let more = scopes("w");
    let step_up = Answer::Fetch(Reason::StepUp);
    assert_eq!(holding.insufficient(holding.handed(), Some(&more)), step_up);
    let none = Scopes::default();
    let wanted = holding.wanted(Reason::StepUp, Some(&more), Some(&scopes("f")), &none);
    assert_eq!(wanted, scopes("r w"));
    assert!(holding.begin_step_up(&wanted));
    holding.decided(&wanted);
    holding.hold(token(None), wanted.clone(), true, 1);
    holding.hand().unwrap();
    assert_eq!(holding.insufficient(holding.handed(), Some(&more)), step_up);
    assert!(!holding.begin_step_up(&wanted), "asked for before");
    // A renewal keeps them.
    let renewed = holding.wanted(Reason::Renewal, None, Some(&scopes("f")), &scopes("s"));
    assert_eq!(renewed, wanted);
}

#[test]
fn scopes_that_were_refused_for_good_are_not_asked_for_again() {
    let mut holding = holding(None, 0);
    let wanted = scopes("r admin");
    assert!(holding.begin_step_up(&wanted));
    holding.decided(&wanted);
    holding.accepted();
    assert!(!holding.begin_step_up(&wanted));
}

#[test]
fn a_challenge_without_scopes_asks_for_all_that_are_supported() {
    let holding = holding(None, 0);
    let wanted = holding.wanted(Reason::StepUp, None, None, &scopes("s t"));
    assert_eq!(wanted, scopes("r s t"));
}

#[test]
fn ever_new_scopes_end_unless_something_is_accepted() {
    let mut holding = holding(None, 0);
    let mut asked = 0;
    for number in 0..100 {
        let more = scopes(&format!("s{number}"));
        if holding.insufficient(holding.handed(), Some(&more)) == Answer::Pointless {
            break;
        }
        let wanted = holding.wanted(Reason::StepUp, Some(&more), None, &Scopes::default());
        assert!(holding.begin_step_up(&wanted));
        holding.hold(token(None), wanted, true, number);
        holding.hand().unwrap();
        asked += 1;
    }
    assert_eq!(asked, MAX_STEP_UPS);
    holding.accepted();
    assert_ne!(
        holding.insufficient(holding.handed(), Some(&scopes("x"))),
        Answer::Pointless
    );
}

proptest! {
    /// A client that repeats a request as long as it is told to comes to an end, whatever mixture of 401 and 403 it meets.
    #[test]
    fn nothing_but_refusals_ends_soon(
        answers in proptest::collection::vec((any::<bool>(), 0..200_u32), 200),
        lifetime in proptest::option::of(0..10 * SECOND),
    ) {
        let mut holding = Holding::new();
        let mut fetched = 0;
        for (is_refused, number) in answers {
            let more = scopes(&format!("s{number}"));
            let answer = if is_refused {
                holding.refused(holding.handed(), 0)
            } else {
                holding.insufficient(holding.handed(), Some(&more))
            };
            match answer {
                Answer::Pointless => break,
                Answer::Repeat => {}
                Answer::Fetch(reason) => {
                    let wanted = holding.wanted(reason, Some(&more), None, &Scopes::default());
                    if reason == Reason::StepUp && !holding.begin_step_up(&wanted) {
                        break;
                    }
                    fetched += 1;
                    holding.decided(&wanted);
                    holding.hold(token(lifetime), wanted, true, 0);
                }
            }
            holding.hand();
        }
        prop_assert!(fetched <= 2 * MAX_STEP_UPS + 2, "{} tokens", fetched);
    }
}
