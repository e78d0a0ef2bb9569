//! Tests of reading back, whole and torn. Not pure.

use std::fs;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::judge::built::{Built, Kill};

fn written() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let kill = Kill {
        outage: Duration::from_millis(300),
        back: Some(Duration::from_secs(1)),
    };
    Built::new(kill).write(directory.path());
    directory
}

#[test]
fn what_was_written_is_read() {
    let directory = written();
    let history = History::open(directory.path()).unwrap();
    assert_eq!(history.plan.name, "quickstart");
    let mut calls = history.calls();
    let mut rows = 0;
    calls.for_each(|_| rows += 1);
    assert_eq!(rows, 4200);
    assert_eq!(calls.damage(), None);
    let mut intervals = history.intervals();
    assert!(intervals.by_ref().count() > 60);
    assert_eq!(intervals.damage(), None);
    assert_eq!(history.samples().count(), 3);
    assert!(history.damage.is_empty());
}

#[test]
fn another_format_version_is_refused_by_name() {
    let directory = written();
    let path = directory.path().join(layout::RUN);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("\"format\":\"0.1\"", "\"format\":\"9.7\""),
    )
    .unwrap();
    let error = History::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("has format \"9.7\""), "{error}");
}

#[test]
fn a_directory_that_is_no_run_says_which_file_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let error = History::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("run.json"), "{error}");
}

#[test]
fn a_missing_table_is_damage_and_no_error() {
    let directory = written();
    fs::remove_file(directory.path().join(layout::CALLS)).unwrap();
    let history = History::open(directory.path()).unwrap();
    let mut calls = history.calls();
    calls.for_each(|call| panic!("nothing is there, and {call:?} was read"));
    assert!(
        calls
            .damage()
            .unwrap()
            .starts_with("calls.csv.zst cannot be read")
    );
    assert_eq!(
        crate::judge::judge(directory.path()).unwrap().verdict.exit,
        7
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_run_cut_at_any_byte_of_any_file_is_judged(
        cuts in proptest::collection::vec((0_usize..6, 0.0_f64..1.0), 1..4)
    ) {
        let directory = written();
        for (file, part) in cuts {
            let name = [layout::EVENTS, layout::CALLS, layout::SESSIONS, layout::COUNTS, layout::HISTOGRAMS, layout::SAMPLES][file];
            let path = directory.path().join(name);
            let mut bytes = fs::read(&path).unwrap();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a test")]
            bytes.truncate((part * bytes.len() as f64) as usize);
            fs::write(&path, &bytes).unwrap();
        }
        let report = crate::judge::judge(directory.path());
        prop_assert!(report.is_ok(), "{:?}", report.err());
    }
}
