//! Every report format, from one Report made by hand: what it must hold, what hostile text must not do to it, and snapshots.
//!
//! The rendered files are left in `CARGO_TARGET_TMPDIR/reports/` to look at.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, which clippy.toml lets do this only inside of #[test]"
)]

mod hostile;
mod sample;

use std::collections::BTreeMap;

use mcpload::analysis::Trust;
use mcpload::check::Answer;
use mcpload::report::{Report, kinds, markdown, render_all, schema, text};

/// The rendered files by name, as text.
fn files(report: &Report) -> BTreeMap<&'static str, String> {
    let files = render_all(report).unwrap();
    let text = |(name, bytes)| (name, String::from_utf8(bytes).unwrap());
    files.into_iter().map(text).collect()
}

#[test]
fn every_format_writes_its_file_and_twice_the_same_bytes() {
    let report = sample::quickstart();
    let first = files(&report);
    let names: Vec<&str> = first.keys().copied().collect();
    assert_eq!(
        names,
        [
            "junit.xml",
            "report.html",
            "report.md",
            "report.txt",
            "summary.json",
            "timeseries.csv"
        ]
    );
    assert_eq!(names.len(), kinds::REPORTS.len());
    assert_eq!(files(&report), first);
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("reports");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in first {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn the_summary_reads_back_as_the_report_and_renders_the_same_again() {
    let report = sample::quickstart();
    let first = files(&report);
    let again: Report = serde_json::from_str(&first["summary.json"]).unwrap();
    assert_eq!(again, report);
    assert_eq!(files(&again), first);
}

#[test]
fn the_summary_keeps_to_its_schema() {
    let validator = jsonschema::validator_for(&schema::summary_schema()).unwrap();
    for report in [
        sample::quickstart(),
        sample::empty(),
        hostile::report("<\u{1b}>"),
    ] {
        let summary = serde_json::from_str(&files(&report)["summary.json"]).unwrap();
        let wrong: Vec<String> = validator
            .iter_errors(&summary)
            .map(|error| format!("{} {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn the_schema_refuses_what_is_no_summary() {
    let validator = jsonschema::validator_for(&schema::summary_schema()).unwrap();
    let good = serde_json::to_value(sample::quickstart()).unwrap();
    for (pointer, wrong) in [
        ("/version", serde_json::json!("99")),
        ("/verdict/answer", serde_json::json!("maybe")),
        ("/findings/0/samples", serde_json::json!(-1)),
        (
            "/analysis/faults/0/recovery/service",
            serde_json::json!({ "soon": 1 }),
        ),
        ("/analysis/errors/0/class", serde_json::json!("bad luck")),
        (
            "/analysis/series/0/response/p50_ns",
            serde_json::json!("2 ms"),
        ),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&bad), "{pointer}");
    }
}

#[test]
fn the_schema_describes_every_member_of_the_summary() {
    // Members may be added to the Analysis; whoever adds one describes it.
    let schema = schema::summary_schema();
    let summary = serde_json::to_value(sample::quickstart()).unwrap();
    for (definition, pointer) in [
        ("verdict", "/verdict"),
        ("finding", "/findings/0"),
        ("analysis", "/analysis"),
        ("run", "/analysis/run"),
        ("tally", "/analysis/measured"),
        ("phase", "/analysis/phases/0"),
        ("quantiles", "/analysis/phases/0/response"),
        ("operation", "/analysis/operations/0"),
        ("objective", "/analysis/objectives/0"),
        ("fault", "/analysis/faults/0"),
        ("recovery", "/analysis/faults/0/recovery"),
        ("slot", "/analysis/slots/0"),
        ("error", "/analysis/errors/0"),
        ("second", "/analysis/series/0"),
        ("trust", "/analysis/trust/0"),
    ] {
        let described = &schema["$defs"][definition]["properties"];
        for member in summary
            .pointer(pointer)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
        {
            assert!(
                described.get(member).is_some(),
                "{definition} has no {member}"
            );
        }
    }
}

#[test]
fn text_for_a_file_looks_like_this() {
    insta::assert_snapshot!(text::render(&sample::quickstart(), 120, false));
}

#[test]
fn text_for_a_narrow_terminal_keeps_every_number() {
    let narrow = text::render(&sample::quickstart(), 80, false);
    let tables: Vec<&str> = narrow
        .lines()
        .skip(1)
        .filter(|line| line.chars().count() > 80)
        .collect();
    assert!(
        tables.iter().all(|line| line.contains("mcpload run ")),
        "{tables:#?}"
    );
    insta::assert_snapshot!(narrow);
}

#[test]
fn colour_adds_nothing_but_colour() {
    let report = sample::quickstart();
    let colored = text::render(&report, 100, true);
    assert!(colored.starts_with("\u{1b}[1;31mFAIL\u{1b}[0m (exit code 4): "));
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, text::render(&report, 100, false));
}

#[test]
fn markdown_looks_like_this() {
    insta::assert_snapshot!(markdown::render(&sample::quickstart()));
}

#[test]
fn a_run_that_showed_nothing_still_has_a_report() {
    let files = files(&sample::empty());
    insta::assert_snapshot!(files["report.txt"]);
    assert!(
        files["report.html"].contains("INCONCLUSIVE")
            && !files["report.html"].contains("class=\"chart\"")
    );
    assert_eq!(files["timeseries.csv"].lines().count(), 1);
}

#[test]
fn the_time_series_has_a_row_a_second_and_a_column_a_role() {
    let files = files(&sample::quickstart());
    let mut reader = csv_rows(&files["timeseries.csv"]);
    let header = reader.remove(0);
    assert_eq!(header[..3], ["second_s", "due", "ok"]);
    assert_eq!(
        header[header.len() - 2..],
        ["ready_balancer", "ready_server"]
    );
    assert_eq!(reader.len(), 20);
    let eighth = &reader[8];
    assert_eq!(eighth[0], "8");
    assert_eq!(
        eighth[8], "inf",
        "a percentile that falls on bad operations"
    );
    assert_eq!(eighth[13], "2");
}

fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let rows = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect());
    rows.collect()
}

#[test]
fn junit_is_red_for_fail_and_for_inconclusive() {
    let report = sample::quickstart();
    let xml = &files(&report)["junit.xml"];
    assert!(
        xml.contains("tests=\"4\" skipped=\"0\" failures=\"1\" errors=\"1\""),
        "{xml}"
    );
    assert!(
        xml.contains("<error message=\"2,117") && xml.contains("type=\"inconclusive\""),
        "{xml}"
    );
    assert!(xml.contains("timestamp=\"2026-07-28T10:15:00Z\""), "{xml}");
    assert!(!xml.contains("uuid"), "{xml}");
}

#[test]
fn junit_lets_inconclusive_pass_only_where_the_run_does() {
    let mut report = sample::quickstart();
    report.findings.remove(0);
    report.verdict.answer = Answer::Inconclusive;
    report.verdict.exit = 0;
    let xml = &files(&report)["junit.xml"];
    assert!(
        xml.contains("failures=\"0\" errors=\"0\"") && xml.contains("<skipped"),
        "{xml}"
    );
}

#[test]
fn junit_is_red_for_a_run_that_no_finding_explains() {
    let xml = &files(&sample::empty())["junit.xml"];
    assert!(
        xml.contains("tests=\"1\" skipped=\"0\" failures=\"0\" errors=\"1\""),
        "{xml}"
    );
    let mut interrupted = sample::quickstart();
    interrupted
        .findings
        .retain(|finding| finding.answer == Answer::Pass);
    interrupted.verdict.answer = Answer::Pass;
    interrupted.verdict.exit = 130;
    let xml = &files(&interrupted)["junit.xml"];
    assert!(
        xml.contains("errors=\"1\"") && xml.contains("name=\"verdict\""),
        "{xml}"
    );
}

#[test]
fn the_page_needs_nothing_else_and_marks_the_fault() {
    let page = &files(&sample::quickstart())["report.html"];
    for outside in ["<script", "src=", "href=", "@import", "url(http"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<svg class=\"chart\"").count(), 5);
    for part in [
        "one-dies began, effective",
        "one-dies healed",
        "one-dies service recovered",
        "Method",
        "prefers-color-scheme: dark",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_closed_model_is_named_beside_its_numbers_in_every_format_for_people() {
    let mut report = sample::quickstart();
    report.analysis.phases[1].closed = true;
    report.analysis.phases[1].intended = None;
    let files = files(&report);
    for name in ["report.txt", "report.md", "report.html"] {
        let text = files[name].split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains("chaos: closed model: service time, not corrected for omission"),
            "{name}"
        );
        assert!(text.contains("(closed model)"), "{name}");
    }
}

#[test]
fn a_percentile_on_bad_operations_is_called_failed() {
    let mut report = sample::quickstart();
    report.analysis.phases[1].response.p99_ns = None;
    report.analysis.trust[1].trust = Trust::Valid;
    let files = files(&report);
    for name in ["report.txt", "report.md", "report.html"] {
        let row = files[name]
            .lines()
            .find(|line| line.contains("chaos") && line.contains("main: 200"));
        assert!(row.unwrap().contains("failed"), "{name}: {row:?}");
    }
}

#[test]
fn a_long_run_is_drawn_in_columns_and_stays_small() {
    let mut report = sample::quickstart();
    let row = report.analysis.series[0].clone();
    report.analysis.series = (0..20_000)
        .map(|second| mcpload::analysis::SecondStats {
            second,
            ..row.clone()
        })
        .collect();
    let page = &files(&report)["report.html"];
    assert!(page.contains("Each column is the mean of 45 s."));
    assert!(page.contains("16,400 seconds more stand in timeseries.csv."));
    assert!(page.len() < 12_000_000, "{}", page.len());
}
