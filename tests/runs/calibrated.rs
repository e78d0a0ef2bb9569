//! `mcpload calibrate`: what it says of the instrument, and that it leaves nothing.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Run, alone, beside_others, within};

/// The schema of a calibration, as the binary prints it.
fn schema() -> jsonschema::Validator {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mcpload"))
        .args(["schema", "--calibration"])
        .output()
        .unwrap();
    jsonschema::draft202012::new(&serde_json::from_slice(&output.stdout).unwrap()).unwrap()
}

fn proof<'a>(found: &'a Value, name: &str) -> &'a Value {
    let proofs = found["proofs"].as_array().unwrap();
    proofs.iter().find(|proof| proof["name"] == name).unwrap()
}

fn number(proof: &Value, name: &str) -> u64 {
    proof["numbers"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name} in {proof}"))
}

/// What is asserted here does not depend on speed: a slow machine makes times longer, never shorter, and loses no call. Where it is
/// so slow that nothing can be told, the calibration says so with 7.
#[test]
fn the_instrument_shows_a_pause_and_known_delays_and_counts_every_call() {
    let _room = alone();
    let mut run = Run::calibrate(&["--only", "proofs", "--json"]);
    let code = run.exit_code();
    run.assert_nothing_left();
    let left: Vec<_> = std::fs::read_dir(run.scratch()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let found: Value = serde_json::from_str(&run.stdout()).unwrap();
    let wrong: Vec<String> = schema()
        .iter_errors(&found)
        .map(|error| error.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{found}");

    let pause = proof(&found, "pause");
    let response = number(pause, "response_p99_ns");
    let service = number(pause, "service_p99_ns");
    // 1,000 of 4,000 arrivals were due in the pause, so that 1 in 100 of all waited for 0.96 s.
    assert!(response > 900_000_000, "{pause}");
    assert!(response > 3 * service, "{pause}");

    let delays = proof(&found, "delays");
    for delay in [5, 20, 80] {
        let of = |what: &str| number(delays, &format!("{what}_of_{delay}ms_ns"));
        let stub = of("stub_p50");
        assert!(of("shortest") >= delay * 1_000_000, "{delays}");
        for ours in [of("service_p50"), of("response_p50")] {
            assert!(ours >= stub - stub / 1_000, "{delays}");
            assert!(ours <= 2 * stub + 5_000_000, "{delays}");
        }
    }

    let counts = proof(&found, "counts");
    assert_eq!(counts["answer"], "pass", "{counts}");
    assert!(number(counts, "recorded") >= 4_000 + 3 * 200, "{counts}");

    let proofs = found["proofs"].as_array().unwrap();
    // A machine that is too busy leaves them open; what is told must not be wrong.
    assert!(
        pause["answer"] != "fail" && delays["answer"] != "fail",
        "{proofs:?}"
    );
    let proven = proofs.iter().all(|proof| proof["answer"] == "pass");
    assert_eq!(code, Some(if proven { 0 } else { 7 }), "{}", run.printed());
    assert!(
        found["rates"].as_array().unwrap().is_empty(),
        "only the proofs were asked for"
    );
}

#[test]
fn interrupted_a_calibration_leaves_neither_processes_nor_files() {
    let _room = beside_others();
    let mut run = Run::calibrate(&[]);
    let begun = within(Duration::from_mins(1), || {
        run.printed().contains("answers after 5 ms") && run.marked().len() >= 3
    });
    assert!(begun, "{}", run.printed());
    run.signal(Signal::SIGINT);
    assert_eq!(run.exit_code(), Some(130), "{}", run.printed());
    run.assert_nothing_left();
    let left: Vec<_> = std::fs::read_dir(run.scratch()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(run.stdout(), "");
}

#[test]
fn a_calibration_is_not_written_over_anything() {
    let _room = alone();
    let directory = tempfile::TempDir::new().unwrap();
    std::fs::write(directory.path().join("mine"), "mine").unwrap();
    let path = directory.path().to_string_lossy().into_owned();
    let mut run = Run::calibrate(&["--out", &path]);
    assert_eq!(run.exit_code(), Some(2), "{}", run.printed());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}
