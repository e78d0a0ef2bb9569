//! What files are recordings, and what the plan holds of them.

use serde_json::json;

use super::*;
use crate::load::profiles::PROFILES;
use crate::load::profiles::tests::{nanos, span};
use crate::registry::{Family, build};

const LENGTH: Duration = Duration::from_secs(10);

fn spec(speed: f64, begin: &str) -> Spec {
    Spec {
        kind: "replay".to_owned(),
        with: json!({ "file": "a.csv", "column": "at", "speed": speed, "begin": begin }),
    }
}

fn played(speed: f64, begin: &str, times: &[i64]) -> Box<dyn Profile> {
    let spec = resolve(&spec(speed, begin), times, LENGTH).unwrap();
    build(PROFILES, Family::Profile, &spec).unwrap()
}

#[test]
fn times_are_read_in_every_form_and_put_in_order() {
    let text = "name,at\nx,2\ny, 1.5 \nz,1s 250ms\nu,0.0000000019\nv,1e-3\n";
    let times = recorded(text.as_bytes(), "at").unwrap();
    assert_eq!(
        times,
        [1, 1_000_000, 1_250_000_000, 1_500_000_000, 2_000_000_000]
    );
    // A byte order mark is no part of the name.
    assert_eq!(
        recorded(b"\xef\xbb\xbfat\n7\n", "at"),
        Ok(vec![7_000_000_000])
    );
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let wrong = |text: &str| recorded(text.as_bytes(), "at").unwrap_err().to_string();
    assert_eq!(
        wrong("at\n1\nsoon\n"),
        "line 3: \"soon\" is no time: expected seconds (12.5), or a duration (12s 500ms)"
    );
    for cell in ["-1", "", "NaN", "inf", "1e300", "99999999999999999999"] {
        assert!(
            wrong(&format!("x,at\n0,{cell}\n")).starts_with("line 2: "),
            "{cell}"
        );
    }
    assert_eq!(wrong("at,b\n1,2\n3\n"), "line 3 is no CSV");
    assert_eq!(
        wrong("time,who\n1,2\n"),
        "it has no column \"at\", but time, who"
    );
    assert_eq!(
        wrong("at\n"),
        "it has no rows; the first line names the columns"
    );
    let long = format!("at\n{}", "1\n".repeat(MOST + 1));
    assert_eq!(wrong(&long), "it has more than 1000000 rows");
}

#[test]
fn the_plan_holds_the_times_and_says_what_is_left_out() {
    let times = [0, 5, 5, 300, 9_999_999_999, 10_000_000_000, 20_000_000_000];
    let profile = played(1.0, "zero", &times);
    assert_eq!(nanos(&*profile, 10.0), times[..5]);
    assert_eq!(profile.count(&span(10.0)), 5);
    assert_eq!(
        profile.describe(),
        "5 arrivals of a.csv (2 later ones are left out)"
    );
    // Whoever cuts the phase shorter gets fewer.
    assert_eq!(profile.count(&span(5.0)), 4);
}

#[test]
fn speed_and_begin_move_the_times() {
    let times = [100, 102, 106].map(|second| second * SECOND);
    let profile = played(2.0, "first", &times);
    assert_eq!(nanos(&*profile, 10.0), [0, SECOND, 3 * SECOND]);
    assert_eq!(
        profile.describe(),
        "3 arrivals of a.csv at 2 times its speed"
    );
    let problem = resolve(&spec(1.0, "zero"), &times, LENGTH).unwrap_err();
    assert_eq!(problem.key, "file");
    assert!(problem.hint.unwrap().contains("begin"));
}

#[test]
fn the_peak_is_the_fullest_second() {
    let times = [0, 900, 1000, 1100, 1200, 1899, 5000].map(|ms| ms * 1_000_000);
    // From 900 ms to just before 1900 ms.
    assert!((played(1.0, "zero", &times).peak() - 5.0).abs() < f64::EPSILON);
}

#[test]
fn a_stored_form_that_was_edited_is_refused_or_stops_and_never_panics() {
    let with = |due: &str| Spec {
        with: json!({
            "file": "a.csv", "column": "at", "speed": 1.0, "begin": "zero",
            "recorded": { "arrivals": 1, "later": 0, "due": due },
        }),
        ..spec(1.0, "zero")
    };
    assert!(build(PROFILES, Family::Profile, &with("not base64")).is_err());
    for bytes in [vec![0xff; 40], vec![0x80], vec![5, 0x80]] {
        let spec = with(&STANDARD.encode(bytes));
        let profile = build(PROFILES, Family::Profile, &spec).unwrap();
        assert!(profile.count(&span(10.0)) <= 1);
    }
}
