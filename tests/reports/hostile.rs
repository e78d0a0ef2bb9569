//! What a server says cannot leave its place in any format.

use mcpload::analysis::Trust;
use mcpload::model::SlotId;
use mcpload::plan::WindowRef;
use mcpload::report::Report;

use crate::{csv_rows, files, sample};

const HOSTILE: &str = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\u{1b}[2J\u{1b}]0;own\u{7}|\r\n# top\n=1+1\u{202e}]]>&amp;\"'`@all [x](https://evil) \u{0}\u{ffff}{{ 7*7 }}";

/// A Report in which every text that a server, a log or an edited run directory could have brought in is hostile.
pub(crate) fn report(text: &str) -> Report {
    let mut report = sample::quickstart();
    text.clone_into(&mut report.verdict.headline);
    for finding in &mut report.findings {
        for field in [&mut finding.name, &mut finding.kind, &mut finding.headline] {
            text.clone_into(field);
        }
        finding.evidence = vec![text.to_owned(); 2];
    }
    let analysis = &mut report.analysis;
    let run = &mut analysis.run;
    for field in [
        &mut run.name,
        &mut run.id,
        &mut run.tool,
        &mut run.started,
        &mut run.source,
    ] {
        text.clone_into(field);
    }
    text.clone_into(&mut run.host.kernel);
    text.clone_into(&mut run.host.processor);
    analysis.troubles = vec![text.to_owned()];
    analysis.damage = vec![text.to_owned()];
    analysis.lost_workers = vec![(1, text.to_owned())];
    for phase in &mut analysis.phases {
        text.clone_into(&mut phase.name);
        text.clone_into(&mut phase.load);
    }
    for operation in &mut analysis.operations {
        text.clone_into(&mut operation.operation);
        text.clone_into(&mut operation.workload);
    }
    for objective in &mut analysis.objectives {
        text.clone_into(&mut objective.objective.name);
        objective.objective.operations = vec![text.to_owned()];
        objective.window = WindowRef::Phase(text.to_owned());
        objective.by_slot[0].slot = SlotId(text.to_owned());
    }
    for fault in &mut analysis.faults {
        text.clone_into(&mut fault.name);
        text.clone_into(&mut fault.kind);
        fault.targets = vec![text.parse().unwrap()];
        fault.effective = Some((sample::at(8.1), text.to_owned()));
        fault.healed = None;
        fault.failed = Some(text.to_owned());
        fault.not_healed = Some(text.to_owned());
        text.clone_into(&mut fault.first_bad.as_mut().unwrap().instance);
        text.clone_into(&mut fault.recovery.missing);
    }
    for slot in &mut analysis.slots {
        slot.slot = SlotId(text.to_owned());
        text.clone_into(&mut slot.role);
    }
    for error in &mut analysis.errors {
        error.by_slot = vec![(SlotId(text.to_owned()), 3)];
    }
    for trust in &mut analysis.trust {
        text.clone_into(&mut trust.phase);
        trust.reasons = vec![text.to_owned()];
        trust.trust = Trust::Invalid;
    }
    for second in &mut analysis.series {
        second.ready = vec![(text.to_owned(), 2)];
    }
    report
}

#[test]
fn the_terminal_gets_no_control_character() {
    let text = &files(&report(HOSTILE))["report.txt"];
    let controls: Vec<char> = text
        .chars()
        .filter(|c| c.is_control() && *c != '\n')
        .collect();
    assert!(controls.is_empty(), "{controls:?}");
    assert!(!text.contains('\u{202e}'));
    assert!(text.starts_with("FAIL (exit code 4): </title>"));
    assert!(
        !text
            .lines()
            .any(|line| line.starts_with("# top") || line.starts_with("=1+1"))
    );
}

#[test]
fn the_page_has_no_element_that_is_not_ours() {
    let page = &files(&report(HOSTILE))["report.html"];
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{1b}'));
    assert_eq!(
        page.matches("</title>").count(),
        1 + page.matches("<g class=\"mark").count()
    );
    assert!(page.contains("{{ 7*7 }}"), "shown, not evaluated");
}

#[test]
fn markdown_has_no_row_link_or_mention_that_is_not_ours() {
    let text = &files(&report(HOSTILE))["report.md"];
    assert!(!text.contains("<script") && !text.contains("<img") && !text.contains("https://"));
    assert!(!text.contains("@all") && !text.contains("\n# top") && !text.contains("[x]("));
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("FAIL"))
        .collect();
    assert_eq!(rows.len(), 1);
    let separators = rows[0].replace("\\|", "").matches('|').count();
    assert_eq!(separators, 5);
}

#[test]
fn the_time_series_has_no_formula_and_no_broken_row() {
    let text = &files(&report(HOSTILE))["timeseries.csv"];
    let rows = csv_rows(text);
    assert_eq!(rows.len(), 21);
    assert!(rows.iter().all(|row| row.len() == 13));
    assert!(
        rows[0]
            .iter()
            .all(|name| !name.starts_with(['=', '+', '-', '@']))
    );
    assert_eq!(
        text.lines().count(),
        21,
        "a line end inside a name is shown as an escape"
    );
}

#[test]
fn junit_stays_well_formed() {
    let xml = &files(&report(HOSTILE))["junit.xml"];
    assert!(
        !xml.contains("<script")
            && !xml.contains('\u{1b}')
            && !xml.contains('\u{0}')
            && !xml.contains('\u{ffff}')
    );
    assert_eq!(xml.matches("<testcase ").count(), 4);
    assert_eq!(xml.matches("</testcase>").count(), 4);
}

#[test]
fn endless_names_are_cut_in_every_format_for_people() {
    let files = files(&report(&"x".repeat(200_000)));
    for name in [
        "report.txt",
        "report.md",
        "report.html",
        "junit.xml",
        "timeseries.csv",
    ] {
        assert!(
            files[name].len() < 1_000_000,
            "{name}: {}",
            files[name].len()
        );
    }
}
